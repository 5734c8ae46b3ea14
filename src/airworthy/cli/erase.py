"""`erase` and `export-user`: everything of one user, out of the records or out to them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.app.privacy import Erasure
    from airworthy.recorder.erase import Found

app = typer.Typer(rich_markup_mode=None, add_completion=False)
User = Annotated[str, typer.Option("--user", metavar="ID", help="The user, as tasks were submitted with.")]


@app.command(name="erase")
def erase(
    *,
    user: User,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only show what is stored of them.")] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel their tasks that are open, then erase.")
    ] = False,
    scrubs: Annotated[
        bool, typer.Option("--scrub/--no-scrub", help="Rebuild the file, so that no byte of it is left.")
    ] = True,
    by: options.By = "",
    yes: options.Yes = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Erase a user from the records.

    What they said and were told goes, every name of theirs, and their part of sealed days. Of each task stays a row
    that names nobody: its agent, outcome, times, counts and costs, so that sums stay true. A user with tasks that are
    open, wait for a person or are in doubt is not erased: those are listed. It can be called again at any time; after
    a crash it goes on.

    It cannot reach copies that left: backups, exports, mails that were sent, the collector that spans went to.

    \b
    Examples:
      airworthy erase --user ada --dry-run
      airworthy erase --user ada --yes
      airworthy erase --user ada --cancel --by dana --yes
    """
    from airworthy.app import privacy
    from airworthy.app.config import person
    from airworthy.app.project import stored

    name = show.unicode_text(user)
    if not name:
        raise typer.BadParameter("A user has a name; tasks without one are nobody's.", param_hint="--user")
    with stored(folder, database) as found:
        there = privacy.looked(found, name)
        if dry:
            _show(there, as_json=as_json)
            return
        options.confirmed(
            f"Erase {show.counted(there.tasks, 'task')} and {show.counted(there.traces, 'trace')} of {name} for good?",
            yes=yes,
        )
        who = by or person()
        if cancel:
            for id_ in privacy.cancelled(found, name, who):
                show.note(f"{id_} is cancelled, or stops before its next step.")
        done = privacy.erased(found, name, who, scrubs=scrubs)
    _tell(done, as_json=as_json, asked=scrubs)


@app.command(name="export-user")
def export_user(
    *,
    user: User,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.zip", help="Where to write it.")],
    by: options.By = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Write everything stored on a user to a ZIP.

    It holds JSON files and a page to read them by. Secrets stay out, as in the records; personal data is the user's
    own and stays in. Only you may read the file.

    \b
    Examples:
      airworthy export-user --user ada --out ada.zip
    """
    from airworthy.app import privacy
    from airworthy.app.config import person
    from airworthy.app.project import stored

    name = show.unicode_text(user)
    if not name:
        raise typer.BadParameter("A user has a name; tasks without one are nobody's.", param_hint="--user")
    with stored(folder, database) as found:
        made = privacy.exported(found, name, by or person(), out)
    if as_json:
        show.emit(
            {
                "file": str(out),
                "tasks": made.tasks,
                "traces": made.traces,
                "sealed": made.sealed,
                "rows": made.rows,
            }
        )
        return
    show.say(
        f"{out}: {show.counted(made.tasks, 'task')}, {show.counted(made.traces, 'trace')},"
        f" {made.sealed} in sealed days"
    )


def _show(there: "Found", *, as_json: bool) -> None:
    if as_json:
        show.emit(there)
        return
    show.say(
        f"{show.counted(there.tasks, 'task')} and {show.counted(there.traces, 'trace')} would be erased."
    )
    if there.blocked:
        show.note(f"{show.counted(len(there.blocked), 'task')} must end before:", style="yellow")
        show.table(
            ("task", "state", "held by"), [(each.task, each.state, each.table) for each in there.blocked]
        )


def _tell(done: "Erasure", *, as_json: bool, asked: bool) -> None:
    from airworthy.cli.retention import say_scrubbed

    made = done.made
    if as_json:
        from airworthy.app.privacy import erasure_document

        show.emit(erasure_document(done))
        return
    show.say(
        f"{made.id}: {show.counted(made.tasks, 'task')} and {show.counted(made.traces, 'trace')} erased,"
        f" {done.sealed} in sealed days"
    )
    if done.scrubbed is not None:
        say_scrubbed(done.scrubbed)
    elif done.too_large or not asked:
        show.note(
            "The database was not rebuilt, so bytes of what was deleted are in it yet: `airworthy retention scrub`.",
            style="yellow",
        )
