"""How everything is shown: safe text, tables, times, JSON. Rule 1: no command prints by itself."""

import dataclasses
import enum
import json
import sys
from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from airworthy.core import clock
from airworthy.core.clock import utc_text
from airworthy.core.errors import AirworthyError
from airworthy.policy.chars import printable

iso = clock.iso  # Documents and commands spell times alike.
COLUMN_GAP = "  "
CELL_CHARS_MAX = 120

STYLES = {
    "queued": "blue",
    "running": "cyan",
    "waiting": "yellow",
    "held": "yellow",
    "scheduled": "blue",
    "paused": "magenta",
    "answered": "green",
    "done": "green",
    "declined": "yellow",
    "refused": "yellow",
    "escalated": "bold yellow",
    "in_doubt": "bold red",
    "failed": "red",
    "dead_lettered": "bold red",
    "cancelled": "dim",
}


def plain(text: object) -> str:
    """One line without a character that could hide, reorder or command: what is such a one is spelled out.

    Every text from outside (inputs, answers, tool results, reasons, notes) passes here or through `plain_lines`
    before it is printed. It is never read as markup either, because the consoles below have markup switched off.
    """
    return printable(str(text))


def plain_lines(text: object) -> list[str]:
    """The same for text whose line breaks are worth keeping."""
    lines = str(text).replace("\r\n", "\n").split("\n")
    return [plain(line.replace("\t", "    ")) for line in lines]


def clipped(text: object, chars_max: int = CELL_CHARS_MAX) -> str:
    line = plain(text)
    return line if len(line) <= chars_max else line[: chars_max - 1] + "…"


def console(*, stderr: bool = False) -> Console:
    """Made for each use, so that it follows whatever stdout is now."""
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def say(text: object = "", style: str = "") -> None:
    """One line on stdout; a line break inside is spelled out, so that no text can forge a line of ours."""
    console().print(Text(plain(text), style=style), soft_wrap=True)


def say_lines(text: object, *, style: str = "", stderr: bool = False) -> None:
    """A document that stands alone, or lines that are indented already."""
    console(stderr=stderr).print(Text("\n".join(plain_lines(text)), style=style), soft_wrap=True)


def note(text: object, style: str = "dim") -> None:
    """Beside the result, for people: a line on stderr, so that stdout stays what was asked for."""
    console(stderr=True).print(Text(plain(text), style=style), soft_wrap=True)


def note_unread(unread: AirworthyError | None) -> None:
    """Whoever looks is told that nobody can decide, and goes on."""
    if unread is not None:
        note(f"Nothing is decided while people.toml cannot be read: {unread.message}", style="yellow")


def fail(message: object, mend: str = "") -> None:
    """What broke, then the mend; further lines of either are indented."""
    text = Text("\n  ".join(plain_lines(message)), style="bold red")
    if mend:
        text.append("\n" + "\n  ".join(plain_lines(mend)), style="default not bold")
    console(stderr=True).print(text, soft_wrap=True)


def emit(document: object, *, line: bool = False) -> None:
    """JSON on stdout: one document, or one line of many. All but printable ASCII is escaped."""
    sys.stdout.write(json_text(document, indent=None if line else 2) + "\n")
    sys.stdout.flush()


def json_text(document: object, *, indent: int | None = None) -> str:
    return json.dumps(document, default=_jsonable, ensure_ascii=True, indent=indent)


def readable(value: object, *, indent: int | None = None) -> str:
    """A payload as people read it: text as it is, all else as JSON. Not yet safe to print: see `plain`."""
    if isinstance(value, str):
        return value
    return json.dumps(value, default=_jsonable, ensure_ascii=False, indent=indent)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Folded to the terminal's width; where there is no terminal, aligned columns that are never cut short."""
    cells = [[clipped(cell) for cell in row] for row in rows]
    out = console()
    if out.is_terminal:
        shown = Table(box=None, pad_edge=False, header_style="dim")
        for header in headers:
            shown.add_column(header, overflow="fold")
        for row in cells:
            shown.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
        out.print(shown)
        return
    widths = [max(map(cell_len, column)) for column in zip(headers, *cells, strict=True)]
    for row in [list(headers), *cells]:
        padded = [cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        sys.stdout.write(COLUMN_GAP.join(padded).rstrip() + "\n")


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Name and value, one pair a line; empty values are left out."""
    shown = [(name, value) for name, value in pairs if value not in (None, "", 0)]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        first, *others = plain_lines(value)
        style = STYLES.get(first, "")
        line = Text(f"{name:<{width}}  ", style="dim")
        line.append(first, style=style or "default not dim")
        for other in others:
            line.append("\n" + " " * (width + 2) + other, style="default not dim")
        console().print(line, soft_wrap=True)


def when(at_us: int | None) -> str:
    """UTC, to the second."""
    return "" if at_us is None else utc_text(at_us)


def from_iso(at: str | None) -> str:
    """The time of a document for people: UTC, to the second."""
    return f"{at[:19].replace('T', ' ')} UTC" if at else ""


def counted(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def unicode_text(text: str) -> str:
    """What came as an argument, with bytes that are no UTF-8 replaced, so that it can be stored."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _jsonable(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return str(value)
