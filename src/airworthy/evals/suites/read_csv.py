"""A CSV text as raw cases, one a row. The columns are listed here; lists in a cell are parted by `;` or line breaks."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Final

from airworthy.evals.suites.read_yaml import Unreadable
from airworthy.evals.suites.wording import did_you_mean

_TEXT: Final = ("id", "severity", "session", "user", "feature", "source", "people", "note", "origin")
_LISTS: Final = ("outcome", "reason", "facts", "not_facts", "not_tools", "approval")
_RANGES: Final = ("steps", "cost_usd", "seconds")
# `tools`: names; `tool_order`: names that must be called in this order. `acts` empty: anything may be done; `none`:
# nothing. `input.NAME`: one field of an input that is a mapping; `input`: text, or JSON where it begins with { or [.
COLUMNS: Final = (
    *_TEXT, "input", "tags", *_LISTS, "tools", "tool_order", "acts",
    *(f"{name}_{end}" for name in _RANGES for end in ("min", "max")), "rubric", "judge",
)  # fmt: skip


def read_csv(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line and raw case of each row that is not empty. Raises: Unreadable."""
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    # Pieces keep their line ends: a cell may hold line breaks.
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        header = [name.strip() for name in next(rows, [])]
        _check(header)
        line = rows.line_num + 1
        for row in rows:
            if any(cell.strip() for cell in row):
                if len(row) > len(header):
                    raise Unreadable(
                        line,
                        f"The row has {len(row)} cells, and there are {len(header)} columns.",
                        f"Put cells that hold {delimiter!r} in quotes.",
                    )
                yield line, _case(line, dict(zip(header, row, strict=False)))
            line = rows.line_num + 1
    except csv.Error as error:
        raise Unreadable(
            line, f"Not valid CSV: {error}.", 'Put cells with quotes in quotes, and double those inside: "".'
        ) from error


def _check(header: list[str]) -> None:
    for at, name in enumerate(header):
        if name in header[:at]:
            raise Unreadable(1, f"The column {name[:80]!r} stands twice.", "Delete one of the two.")
        if name not in COLUMNS and not (name.startswith("input.") and len(name) > len("input.")):
            raise Unreadable(1, f"The column {name[:80]!r} is not known.", did_you_mean(name, COLUMNS))
    if "id" not in header or not any(name == "input" or name.startswith("input.") for name in header):
        raise Unreadable(
            1, "There must be the columns id and input (or input.NAME).", "Name the columns in the first row."
        )
    if "input" in header and any(name.startswith("input.") for name in header):
        raise Unreadable(1, "There are columns input and input.NAME.", "Use one of the two.")


def _case(line: int, cells: dict[str, str]) -> dict[str, Any]:
    filled = {name: cell.strip() for name, cell in cells.items() if cell.strip()}
    raw: dict[str, Any] = {name: filled[name] for name in _TEXT if name in filled}
    raw["input"] = _input(cells)
    if "tags" in filled:
        raw["tags"] = _list(filled["tags"])
    expect: dict[str, Any] = {name: _list(filled[name]) for name in _LISTS if name in filled}
    if "tools" in filled or "tool_order" in filled:
        names = _list(filled.get("tool_order", "")) or _list(filled.get("tools", ""))
        if "tools" in filled and "tool_order" in filled:
            raise Unreadable(line, "The row fills both tools and tool_order.", "Fill one of the two.")
        expect["tools"] = [{"name": name} for name in names]
        expect["in_order"] = "tool_order" in filled
    if filled.get("acts", "").lower() == "none":
        expect["no_acts"] = True
    elif "acts" in filled:
        expect["acts"] = [{"name": name} for name in _list(filled["acts"])]
    for name in _RANGES:
        ends = {
            end: _number(line, f"{name}_{end}", filled[f"{name}_{end}"])
            for end in ("min", "max")
            if f"{name}_{end}" in filled
        }
        if ends:
            expect[name] = ends
    if "rubric" in filled:
        expect["rubric"] = filled["rubric"]
    if "judge" in filled:
        expect["judge"] = _number(line, "judge", filled["judge"])
    if expect:
        raw["expect"] = expect
    return raw


def _input(cells: dict[str, str]) -> Any:
    fields = {name.removeprefix("input."): cell for name, cell in cells.items() if name.startswith("input.")}
    if fields:
        return {name: cell for name, cell in fields.items() if cell}
    text = cells.get("input", "")
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text  # Text that only looks like JSON, such as "[urgent] where is my parcel?".


def _number(line: int, name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Unreadable(
            line, f"{name} is {text[:40]!r}, which is no number.", "Write a number such as 0.5."
        ) from None


def _list(text: str) -> list[str]:
    parts = (part.strip() for line in text.splitlines() for part in line.split(";"))
    return [part for part in parts if part]
