"""`scope`: what an agent may do, as a document; who approved it; what is missing before it may go live."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options, show

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Show, approve and check what an agent may do.",
)


class Format(StrEnum):
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"


@app.command(name="show")
def show_one(
    agent: options.AgentArgument = None,
    *,
    form: Annotated[
        Format, typer.Option("--format", metavar="FORM", help="text, markdown or html.")
    ] = Format.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to a file.")
    ] = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show what an agent may do, for the person who approves it.

    \b
    Examples:
      airworthy scope show
      airworthy scope show support --format html --output scope.html
    """
    from airworthy.app.project import named, project
    from airworthy.cli import document
    from airworthy.policy import policy_hash, scope_html, scope_markdown

    with project(folder, database) as found:
        chosen = named(found.agents, agent)
        write = scope_html if form is Format.HTML else scope_markdown
        text = write(chosen.policy, chosen.tool_facts, found.app.operations.approval(chosen.name))
    if form is Format.TEXT:
        text = document.as_text(text)
    if output is not None:
        document.save(output, text)
        show.note(f"Written to {output}.")
    if as_json:
        show.emit(
            {
                "agent": chosen.name,
                "policy_hash": policy_hash(chosen.policy),
                "format": form.value,
                "scope": text,
            }
        )
    elif output is None:
        show.say_lines(text)


@app.command(name="approve")
def approve(
    agent: options.AgentArgument = None,
    *,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who approves.")],
    note: Annotated[str, typer.Option(metavar="TEXT", help="A word for the record.")] = "",
    yes: options.Yes = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Record that a person approves an agent's policy as it is now.

    The approval is of this very policy, named by its hash; any change of meaning needs a new one.

    \b
    Examples:
      airworthy scope approve support --by "Dana Smith"
    """
    from airworthy.app.project import named, project
    from airworthy.policy import policy_hash

    with project(folder, database) as found:
        policy = named(found.agents, agent).policy
        hash_ = policy_hash(policy)
        show.note(f"Agent {policy.agent}, stage {policy.stage}, policy {hash_}", style="")
        options.confirmed(f"Does {show.plain(by)} approve this policy?", yes=yes)
        given = found.app.operations.approve_policy(policy, show.unicode_text(by), show.unicode_text(note))
    if as_json:
        show.emit(
            {
                "agent": policy.agent, "policy_hash": given.policy_hash, "approver": given.approver,
                "at": show.iso(given.at_us), "note": given.note,
            }
        )  # fmt: skip
    else:
        show.say(f"{given.approver} approved {policy.agent} {given.policy_hash}.")


@app.command(name="check")
def check(
    agent: options.AgentArgument = None,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Check what is missing before an agent may go live; exit code 1 if anything is.

    \b
    Examples:
      airworthy scope check support
    """
    from airworthy.app.build import readiness_gaps
    from airworthy.app.project import named, project
    from airworthy.gateway.prices import unpriced
    from airworthy.policy import golive_gaps, policy_hash

    with project(folder, database) as found:
        chosen = named(found.agents, agent)
        teams = found.app.reviews.people.teams if found.app.reviews.people.people else None
        gaps = golive_gaps(
            chosen.policy, found.app.operations.approval(chosen.name), chosen.tool_facts, unpriced=unpriced,
            teams=None if teams is None else tuple(teams),
        )  # fmt: skip
        gaps = (*gaps, *readiness_gaps(found.app, chosen))
    if as_json:
        listed = [{"subject": gap.subject, "missing": gap.missing, "mend": gap.mend} for gap in gaps]
        show.emit(
            {
                "agent": chosen.name, "policy_hash": policy_hash(chosen.policy), "stage": chosen.policy.stage,
                "ready": not gaps, "gaps": listed,
            }
        )  # fmt: skip
    elif gaps:
        show.say(
            f"{show.counted(len(gaps), 'thing')} missing before {chosen.name} may go live:", style="bold"
        )
        for gap in gaps:
            show.say(f"  {gap.subject}: {gap.missing}")
            show.say(f"      {gap.mend}", style="dim")
    else:
        show.say(f"{chosen.name} is ready to go live.", style="green")
    if gaps:
        raise typer.Exit(1)
