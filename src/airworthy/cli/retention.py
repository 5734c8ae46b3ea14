"""`retention`: how long what is kept, what has gone, and giving the room back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.store.scrub import Scrubbed

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Show and apply how long records are kept.",
)  # fmt: skip


@app.command(name="show")
def show_(
    *, as_json: options.AsJson = False, folder: options.Folder = Path(), database: options.Database = None
) -> None:
    """Show each table: what it holds, by which setting its rows go, and what has gone of late.

    \b
    Examples:
      airworthy retention show
      airworthy retention show --json
    """
    from airworthy.app.privacy import retention_document
    from airworthy.app.project import stored

    with stored(folder, database) as found:
        document = retention_document(found)
    if as_json:
        show.emit(document)
        return
    show.facts((name, f"{days:g} days") for name, days in document["days"].items())
    if not document["days"]:
        show.note("Everything is kept for good: recorder.toml has no [retention].")
    show.table(
        ("table", "goes with", "holds"),
        [(row["table"], row["kept"], row["holds"]) for row in document["tables"]],
    )
    if document["removed"]:
        show.table(
            ("day", "what", "removed"),
            [(row["day"], row["what"], row["count"]) for row in document["removed"]],
        )


@app.command(name="run")
def run(
    *,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Remove now what is older than recorder.toml says.

    A monitor (`airworthy run` and `up` have one) does it by itself every hour. What is open, waits for a person or is
    in doubt is never touched, and is counted as waiting.

    \b
    Examples:
      airworthy retention run --dry-run
      airworthy retention run --json
    """
    from airworthy.app.privacy import removed
    from airworthy.app.project import stored

    with stored(folder, database) as found:
        made = removed(found, dry=dry)
    document = {
        "dry_run": dry,
        "tasks": dict(made.tasks),
        "rows": dict(made.rows),
        "waiting": dict(made.waiting),
    }
    if as_json:
        show.emit(document)
        return
    verb = "would go" if dry else "gone"
    show.table(
        ("what", verb),
        [(f"tasks and traces: {kind}", count) for kind, count in sorted(made.tasks.items())]
        + [(f"rows of {table}", count) for table, count in sorted(made.rows.items())],
    )
    for why, count in sorted(made.waiting.items()):
        show.note(f"Left alone, {why}: {count}")


@app.command(name="scrub")
def scrub_(
    *,
    yes: options.Yes = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Take what was deleted out of the database's bytes, and give its room back.

    A file is rebuilt, which takes about a second for each 100 MB and as much free room again. Readers go on; whoever
    writes waits meanwhile, and gives up after 30 seconds: choose a quiet hour for a large one. On PostgreSQL one table
    after another is written anew, and whoever reads or writes that table waits; its log, replicas and backups forget by
    the server's own rules.

    \b
    Examples:
      airworthy retention scrub --yes
    """
    from airworthy.app.project import stored
    from airworthy.store.scrub import scrub, size_of

    with stored(folder, database) as found:
        size = size_of(found.database)
        options.confirmed(f"Rebuild the database of {size / 1e6:.0f} MB?", yes=yes)
        done = scrub(found.database)
    if as_json:
        show.emit(done)
    else:
        say_scrubbed(done)


def say_scrubbed(done: "Scrubbed") -> None:
    show.say(
        f"The database was rebuilt: {done.bytes_before / 1e6:.1f} MB before, {done.bytes_after / 1e6:.1f} MB now."
    )
    if done.log_left:
        show.note(
            "Somebody was reading, so the log could not be emptied; run `airworthy retention scrub` again.",
            style="yellow",
        )
