"""`pause`, `resume` and `status`: the switches that people have in their hands, and what runs under them."""

from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options, show

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Agent = Annotated[
    str | None,
    typer.Option("--agent", metavar="NAME", help="This agent.", autocompletion=options.agent_names),
]
All = Annotated[bool, typer.Option("--all", help="Every agent.")]


@app.command(name="pause")
def pause(
    *,
    agent: Agent = None,
    all_: All = False,
    to_people: Annotated[
        bool, typer.Option("--to-people", help="People do its tasks meanwhile, instead of letting them wait.")
    ] = False,
    why: Annotated[str, typer.Option(metavar="TEXT", help="The reason; shown wherever the pause is.")] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Stop an agent, or all of them, before their next step.

    Every worker obeys within a second, on every machine; a running call is not broken off. Tasks are still accepted
    and wait; with --to-people they become escalations, which people do by hand. No agent's code is needed for this.

    \b
    Examples:
      airworthy pause --agent support --why "wrong prices"
      airworthy pause --agent support --to-people --why "it invents discounts"
      airworthy pause --all
    """
    from airworthy.app.build import opened
    from airworthy.app.config import load_config, person
    from airworthy.app.lookup import is_known
    from airworthy.cli.overview import called
    from airworthy.review import Command

    scope = _scope(agent, every=all_)
    with opened(load_config(folder, database=database)) as found:
        found.reviews.check_command(person(), Command.STOP)
        changed = found.operations.pause(scope, person(), show.unicode_text(why), manual=to_people)
        if agent is not None and not is_known(found, show.unicode_text(agent)):
            show.note(
                f"No task and no key of an agent called {agent} is stored; check the name.", style="yellow"
            )
    if as_json:
        show.emit({"scope": scope, "paused": True, "changed": changed, "manual": to_people})
    else:
        show.say(f"{called(scope)} {'paused' if changed else 'paused already'}.")
        if to_people:
            show.say("Its tasks wait for people now: airworthy review list")
        show.say(f"Let go on with: airworthy resume {_option(scope)}")


@app.command(name="resume")
def resume(
    *,
    agent: Agent = None,
    all_: All = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Let a paused agent, or all of them, go on.

    --all takes back `pause --all`; an agent that was paused by its name stays paused until it is resumed by its name.

    \b
    Examples:
      airworthy resume --agent support
    """
    from airworthy.app.config import person
    from airworthy.app.project import stored
    from airworthy.cli.overview import called
    from airworthy.review import Command
    from airworthy.runtime.switches import ALL

    scope = _scope(agent, every=all_)
    with stored(folder, database) as found:
        found.reviews.check_command(person(), Command.OPERATE)
        tasks = found.operations.resume(scope)
        left = [switch.scope for switch in found.operations.switches()]
    if as_json:
        show.emit({"scope": scope, "paused": False, "changed": tasks is not None, "tasks": tasks or 0})
    elif tasks is None:
        show.say("There was no pause of all agents." if scope == ALL else f"{called(scope)} not paused.")
    else:
        show.say(f"{called(scope)} resumed; {show.counted(tasks, 'stopped task')} back in the queue.")
    for other in left:
        if ALL in (scope, other):
            show.note(f"{called(other)} paused still: airworthy resume {_option(other)}", style="yellow")


@app.command(name="status")
def status(
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show what is paused, waits and works.

    \b
    Examples:
      airworthy status
      airworthy status --json
    """
    from airworthy.app.project import stored
    from airworthy.cli.overview import Overview

    with stored(folder, database) as found:
        overview = Overview(found)
        show.note_unread(found.reviews.unread)
    if as_json:
        show.emit(overview.document())
    else:
        overview.show()


def _scope(agent: str | None, *, every: bool) -> str:
    from airworthy.runtime.switches import ALL, of_agent

    if (agent is None) != every:
        raise typer.BadParameter("Give --agent NAME or --all.")
    return ALL if agent is None else of_agent(show.unicode_text(agent))


def _option(scope: str) -> str:
    return "--all" if scope == "all" else f"--agent {scope.removeprefix('agent:')}"
