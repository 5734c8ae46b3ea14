"""`readiness`: what is answered before others may depend on an agent, and who answers for what is not."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.preflight.report import Item

app = typer.Typer(rich_markup_mode=None, add_completion=False)
STYLES = {"answered": "green", "waived": "yellow", "unanswered": "bold red"}


@app.command(name="readiness")
def readiness(
    agent: options.AgentArgument = None,
    *,
    waive: Annotated[
        str, typer.Option("--waive", metavar="ITEM", help="Let this item be unanswered for a time.")
    ] = "",
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who answers for the waiver.")] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="DATE", help="The last day it holds, as 2026-12-31.")
    ] = "",
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="Why, for the record.")] = "",
    end: Annotated[
        str, typer.Option("--end", metavar="ITEM", help="Take the waiver of this item back.")
    ] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show what is missing before an agent may go live; waive an item.

    Exit code 1 while anything is unanswered. Each answer comes from what is on record: the policy, approvals, the
    newest preflight of this very release, alerts and cases. A live agent does not start before all is answered or
    waived.

    \b
    Examples:
      airworthy readiness
      airworthy readiness support --waive cases --by "Dana Smith" --until 2026-12-31 --because "40 will do for beta"
      airworthy readiness --end cases --by "Dana Smith"
    """
    from airworthy.app.project import named, project
    from airworthy.app.readiness import checklist_of

    if waive and end:
        raise typer.BadParameter("Give one of --waive and --end.")
    with project(folder, database) as found:
        chosen = named(found.agents, agent)
        if waive or end:
            _changed(found.app, chosen.name, (waive, by, until, because), end)
        items = checklist_of(found.app, chosen, found.config.folder)
    open_ = [item for item in items if item.state == "unanswered"]
    if as_json:
        show.emit({"agent": chosen.name, "ready": not open_, "items": [_document(item) for item in items]})
    else:
        _show(items)
        count = (
            f"{len(open_)} of {len(items)} items are" if len(open_) != 1 else f"1 of {len(items)} items is"
        )
        show.say(f"{count} unanswered." if open_ else "Everything is answered or waived.")
    if open_:
        raise typer.Exit(1)


def _changed(app_: "App", agent: str, waiver: tuple[str, str, str, str], end: str) -> None:
    from airworthy.app.config import person
    from airworthy.preflight.readiness.waivers import taken_back, waived, waiver_of
    from airworthy.review import Command

    item, by, until, because = (show.unicode_text(part) for part in waiver)
    app_.reviews.check_command(person(), Command.OPERATE)
    now_us = app_.clock.now_us()
    if item:
        made = waiver_of(item, by, until, because, now_us)
        waived(app_.database, agent, made)
        show.note(f"{item} is waived by {made.by} until the end of {until}.", style="")
    elif not taken_back(app_.database, agent, show.unicode_text(end), by or person(), now_us):
        show.note(f"{end} was not waived.")


def _show(items: "tuple[Item, ...]") -> None:
    for item in items:
        show.say(f"{item.state:<10}  {item.key:<13}  {item.question}", style=STYLES.get(item.state, ""))
        show.say(f"{'':<12}{item.evidence}")
        if item.link:
            where = f"{item.link} of the newest report" if item.link.startswith("#") else item.link
            show.say(f"{'':<12}See {where}", style="dim")
        if item.mend and item.state == "unanswered":
            show.say(f"{'':<12}{item.mend}")


def _document(item: "Item") -> dict[str, str]:
    import dataclasses

    return dataclasses.asdict(item)
