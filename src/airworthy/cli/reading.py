"""Where a task's input comes from on a command line: an option, a file or stdin, read within a bound."""

import sys
from pathlib import Path
from typing import BinaryIO

import typer

from airworthy.cli import show
from airworthy.core.errors import InputError

STDIN = "-"


def input_of(text: str | None, file: Path | None, dash: str | None) -> str:
    """Raises: a usage error for none or several sources, InputError for one that cannot be read."""
    if dash is not None and dash != STDIN:
        raise typer.BadParameter(f"{show.plain(dash)!r} is one word too many; the input goes after --input.")
    given = [source for source in (text, file, dash) if source is not None]
    if len(given) != 1:
        raise typer.BadParameter(
            "There is nothing to submit: give --input TEXT, --file PATH, or - for stdin."
            if not given
            else "There are several inputs: give one of --input, --file and -."
        )
    if text is not None:
        return _decoded(text.encode("utf-8", "surrogateescape"))
    if dash is not None or file == Path(STDIN):
        return _decoded(_bounded(sys.stdin.buffer, "stdin"))
    assert file is not None
    try:
        with file.open("rb") as opened:
            return _decoded(_bounded(opened, str(file)))
    except OSError as error:
        raise InputError(
            f"{file} cannot be read: {error.strerror or error}.", mend="Check the path and its permissions."
        ) from error


def _bounded(stream: BinaryIO, name: str) -> bytes:
    from airworthy.runtime.operations import INPUT_BYTES_HARD_MAX, InputTooLarge

    raw = stream.read(INPUT_BYTES_HARD_MAX + 1)
    if len(raw) > INPUT_BYTES_HARD_MAX:
        raise InputTooLarge(
            f"{name} holds more than {INPUT_BYTES_HARD_MAX} bytes, the most that is ever taken.",
            mend="Nothing was stored. Send a part of it, or a reference to it.",
        )
    return raw


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        show.note(
            f"The input is not all UTF-8 (first at byte {error.start}); what is not was replaced by U+FFFD.",
            style="yellow",
        )
        return raw.decode("utf-8", "replace")
