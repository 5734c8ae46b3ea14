"""`import`: traces out of files, of other tools or recorded as messages, into this store."""

import contextlib
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit

if TYPE_CHECKING:
    from airworthy.app.importing import Imported

app = typer.Typer(rich_markup_mode=None, add_completion=False)
STDIN = "-"
BAD_SHOWN_MAX = 20


class Format(StrEnum):
    TRACES = "traces"
    MESSAGES = "messages"


@app.command(name="import")
def import_(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="JSON lines, plain or gzip; - is stdin.")
    ],
    *,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="traces: see the reference. messages: a list of messages a line, as models are sent them.",
        ),
    ] = Format.TRACES,
    agent: Annotated[
        str, typer.Option("--agent", metavar="NAME", help="The agent, where a line says none.")
    ] = "",
    release: Annotated[str, typer.Option(metavar="NAME", help="Its release, where a line says none.")] = "",
    strict: Annotated[
        bool, typer.Option("--strict", help="The first line that cannot be read ends it.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only read, and tell what would be taken.")
    ] = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Take in traces from files.

    What comes twice is stored once, so a file may be taken in again. Secrets are written over before anything is
    stored. A line that cannot be read is told with its number and passed over.

    \b
    Examples:
      airworthy import traces.jsonl.gz
      airworthy import --format messages --agent support conversations.jsonl
      other-tool export | airworthy import --strict -
    """
    from airworthy.app.build import opened
    from airworthy.app.config import load_config
    from airworthy.app.importing import How, Import
    from airworthy.recorder.importing import Defaults

    whole = show.unicode_text
    how = How(form.value, Defaults(whole(agent), whole(release)), strict, dry_run)
    config = load_config(folder, database=database)
    done: list[Imported] = []
    with opened(config) as found:
        taking = Import(found, how, _progress)
        for name in files:
            with _opened(name) as stream:
                done.append(taking.take(name, stream))
                _show(name, done[-1], dry_run=dry_run, as_json=as_json)
    if any(one.bad_count and not one.good for one in done):
        raise typer.Exit(Exit.FAILED)


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    from airworthy.core.errors import InputError

    if name == STDIN:
        yield sys.stdin.buffer
        return
    try:
        stream = Path(name).open("rb")  # noqa: SIM115  # closed below; opened here for its own error
    except OSError as error:
        raise InputError(
            f"{name} cannot be read: {error.strerror or error}.", mend="Check the path and its permissions."
        ) from error
    with stream:
        yield stream


def _progress(done: "Imported") -> None:
    if sys.stderr.isatty() and done.lines >= 10_000:
        show.note(f"{done.lines:,} lines, {done.spans:,} spans so far")


def _show(name: str, done: "Imported", *, dry_run: bool, as_json: bool) -> None:
    for bad in done.bad[:BAD_SHOWN_MAX]:
        show.note(f"{name}, line {bad.number}: {bad.why}", style="yellow")
    if done.bad_count > BAD_SHOWN_MAX:
        show.note(
            f"{name}: and {done.bad_count - BAD_SHOWN_MAX:,} more lines that cannot be read", style="yellow"
        )
    if as_json:
        show.emit(
            {
                "file": name,
                "lines": done.lines,
                "spans": done.spans,
                "duplicate": done.duplicate,
                "bad": done.bad_count,
                "bad_lines": [{"line": bad.number, "why": bad.why} for bad in done.bad],
                "stored": not dry_run,
            },
            line=True,
        )
        return
    verb = "would be taken in" if dry_run else "taken in"
    more = f", {done.duplicate:,} known before" if done.duplicate else ""
    bad_text = f"; {show.counted(done.bad_count, 'line')} cannot be read" if done.bad_count else ""
    show.say(
        f"{name}: {show.counted(done.good, 'line')}, {show.counted(done.spans, 'span')} {verb}{more}{bad_text}."
    )
