"""`move`: everything that is stored, from one database into another."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.app.moving import Moved
    from airworthy.store.moving import Progress

app = typer.Typer(rich_markup_mode=None, add_completion=False)

LINE_EVERY_S = 5.0


@app.command(name="move")
def move(
    *,
    origin: Annotated[
        str,
        typer.Option("--from", metavar="DATABASE", help="sqlite, sqlite:PATH, postgresql, or an address."),
    ],
    goal: Annotated[
        str, typer.Option("--to", metavar="DATABASE", help="As --from; it must be new and empty.")
    ],
    despite_workers: Annotated[
        bool,
        typer.Option(
            "--despite-workers", help="Also while others work on the source; what they write stays there."
        ),
    ] = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
) -> None:
    """Move everything that is stored into another database.

    sqlite is the file of the working folder; postgresql is what AIRWORTHY_DATABASE or airworthy.toml names. The source
    stays as it is. Everything is copied in batches, and then both sides are compared, table by table, by the number and
    a hash of all rows. Broken off in whatever way, the same command goes on where it was; until it has ended, nothing
    else of airworthy opens the target.

    Stop every worker, gateway and console of the source before. Afterwards name the new database in AIRWORTHY_DATABASE
    or airworthy.toml, and start them again.

    \b
    Examples:
      airworthy move --from sqlite --to postgresql://airworthy@db.internal/airworthy
      airworthy move --from sqlite:old.db --to postgresql
      airworthy move --from postgresql --to sqlite:copy.db --json
    """
    from airworthy.app.moving import moved, place_of

    here, there = (place_of(folder, show.unicode_text(text)) for text in (origin, goal))
    with _telling(quiet=as_json) as told:
        done = moved(here, there, told, despite_workers=despite_workers)
    if as_json:
        show.emit(
            {
                "from": done.origin,
                "to": done.goal,
                "resumed": done.resumed,
                "rows": done.rows,
                "tables": [
                    {"table": each.table, "rows": each.rows, "hash": each.digest} for each in done.tables
                ],
            }
        )
    else:
        _tell(done)


def _tell(done: "Moved") -> None:
    filled = [each for each in done.tables if each.rows]
    show.table(("table", "rows", "hash"), [(each.table, each.rows, each.digest[:16]) for each in filled])
    rows, count = show.counted(done.rows, "row"), show.counted(len(done.tables), "table")
    show.say(f"{rows} of {count} are the same on both sides.", style="green")
    show.note(
        f"Now name {done.goal} in AIRWORTHY_DATABASE or airworthy.toml, and start the workers."
        f" {done.origin} is as it was."
    )


@contextlib.contextmanager
def _telling(*, quiet: bool) -> "Iterator[Callable[[Progress], None]]":
    """A line that is written over, on a terminal; elsewhere one every few seconds."""
    from airworthy.store.moving import Pace

    out, pace = show.console(stderr=True), Pace()
    if quiet:
        yield lambda _: None
        return
    if out.is_terminal:
        from rich.live import Live
        from rich.text import Text

        with Live(console=out, refresh_per_second=4, transient=True) as live:
            yield lambda progress: live.update(
                Text(_line(progress, pace.heard(progress.phase, progress.rows)))
            )
        return

    def line(progress: "Progress") -> None:
        rate = pace.heard(progress.phase, progress.rows)
        if pace.due(LINE_EVERY_S):
            show.note(_line(progress, rate))

    yield line


def _line(progress: "Progress", rate: float) -> str:
    share = 100 * progress.rows // max(progress.rows_all, 1)
    text = f"{progress.phase} {progress.table}: {progress.rows:,} of {progress.rows_all:,} rows, {share} %"
    if rate:
        left_s = (progress.rows_all - progress.rows) / rate
        text += f", {rate:,.0f} rows a second, {_spoken(left_s)} left"
    return show.plain(text)


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"
