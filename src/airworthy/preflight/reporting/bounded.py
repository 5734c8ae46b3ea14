"""How much of a report one page shows: passing cells give way first, then the evidence of failing ones."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from airworthy.core.chars import printable
from airworthy.preflight.cell import CellResult, State
from airworthy.preflight.reporting.json_ import plain_data

FAILED_CHARS_MAX: Final = 6_000
PASSED_CHARS_MAX: Final = 1_200
PAGE_CHARS_MAX: Final = 2_500_000
TEXT_CHARS_MAX: Final = 600
CELLS_MAX: Final = 2_500  # Of a part; failing ones are never among those left out before the others.
# What people look for first; what else a part puts there comes after.
FIRST: Final = ("input", "fault", "answer", "tools", "acts", "asked")


def clear(text: str) -> str:
    """Line breaks and tabs stay; every other character that hides or reorders is spelled out."""
    if text.isprintable() and text.isascii():
        return text
    return "\n".join(
        "\t".join(printable(part) for part in line.split("\t"))
        for line in text.replace("\r\n", "\n").split("\n")
    )


def clipped(text: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    return text if len(text) <= chars_max else text[: chars_max - 1] + "…"


def readable(value: object, chars_max: int) -> str:
    """A text as it is, all else as indented JSON. The cut says how much is left out."""
    text = value if isinstance(value, str) else json.dumps(plain_data(value), ensure_ascii=False, indent=1)
    if len(text) <= chars_max:
        return text
    return f"{text[:chars_max]}\n… and {len(text) - chars_max} more characters, in the JSON report."


class Room:
    """What is left of the page. Cells take from it in the order in which they are shown, failing ones first."""

    def __init__(self, chars_max: int = PAGE_CHARS_MAX) -> None:
        self.left = chars_max

    def evidence(self, cell: CellResult) -> list[tuple[str, str]]:
        """Names and texts. Empty when the page is full: everything stands in the JSON report."""
        allowed = PASSED_CHARS_MAX if cell.state is State.PASSED else FAILED_CHARS_MAX
        allowed = min(allowed, self.left)
        found: list[tuple[str, str]] = []
        for name, value in _ordered(cell.evidence):
            if allowed < 100:  # less than that tells nothing
                break
            text = readable(value, allowed)
            found.append((clipped(name, 60), text))
            allowed -= len(text)
            self.left -= len(text)
        return found


def _ordered(evidence: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in (*FIRST, *(key for key in evidence if key not in FIRST)):
        if evidence.get(name) not in (None, "", [], {}, ()):
            yield name, evidence[name]
