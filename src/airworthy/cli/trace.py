"""`trace`: find what agents did, of tasks here and of programs elsewhere; look at one; take them along as a file."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.asking import LANGUAGE, Asking
from airworthy.cli.trace_diff import diff

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Find, look at and export traces, of tasks and of other programs.",
)  # fmt: skip
app.command(name="diff")(diff)
LIMIT_DEFAULT = 50
LIMIT_MAX = 1_000


class Format(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


@app.command(name="list", cls=Asking, epilog=LANGUAGE)
def list_(
    query: options.Filter = None,
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, max=LIMIT_MAX, help="At most so many.")
    ] = LIMIT_DEFAULT,
    before: Annotated[
        str, typer.Option(metavar="PLACE", help="The next page, as the one before told it.")
    ] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List traces, the newest first.

    \b
    Examples:
      airworthy trace list agent:support outcome:escalated since:24h
      airworthy trace list 'cost>0.05 -outcome:answered "late parcel"'
    """
    from airworthy.app.project import stored
    from airworthy.cli.asking import query_of
    from airworthy.cli.trace_view import show_page
    from airworthy.recorder.traces.find import Cursor, find
    from airworthy.recorder.traces.hints import hints

    with stored(folder, database) as found:
        asked = query_of(query, found.clock.now_us())
        place = Cursor.of(before) if before else None
        page = found.database.read_now(lambda tx: find(tx, asked, before=place, limit=limit))
        why = [] if page.rows else found.database.read_now(lambda tx: hints(tx, asked))
    show_page(page, why, as_json=as_json)


@app.command(name="show")
def show_one(
    trace: options.TraceId,
    *,
    full: Annotated[bool, typer.Option("--full", help="Show what went in and out of each step.")] = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show one trace: of a task, what `task show` shows; of another program, its spans as a waterfall.

    \b
    Examples:
      airworthy trace show last
      airworthy trace show 4bf92f35 --full
    """
    from airworthy.app.lookup import trace_id
    from airworthy.app.project import stored
    from airworthy.cli import trace_view

    with stored(folder, database) as found:
        trace_view.show_trace(found, trace_id(found, show.unicode_text(trace)), full=full, as_json=as_json)


@app.command(name="export", cls=Asking, epilog=LANGUAGE)
def export(
    query: options.Filter = None,
    *,
    form: Annotated[
        Format, typer.Option("--format", help="JSON lines, or CSV for a spreadsheet.")
    ] = Format.JSONL,
    steps: Annotated[
        bool, typer.Option("--steps", help="With the steps of each: in CSV a line for every step.")
    ] = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Write traces to stdout, all that the query finds, the newest first.

    However many there are, the memory it takes stays the same. What is secret was written over before it was stored.
    A cell of a spreadsheet that could be run as a formula begins with an apostrophe.

    \b
    Examples:
      airworthy trace export since:7d --format csv > week.csv
      airworthy trace export agent:support is:error --steps > errors.jsonl
    """
    from airworthy.app.project import stored
    from airworthy.cli.asking import query_of
    from airworthy.runtime.exporting import csv_lines, json_lines

    with stored(folder, database) as found:
        asked = query_of(query, found.clock.now_us())
        pieces = (csv_lines if form is Format.CSV else json_lines)(found.database, asked, steps=steps)
        try:
            for piece in pieces:
                sys.stdout.write(piece)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read it has enough, as `head` does. Python would complain of the rest at its end.
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  # until the process ends
