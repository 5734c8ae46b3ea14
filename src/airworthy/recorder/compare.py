"""Two runs side by side: which step of one is which of the other, and what differs between them. Pure; bounded.

Steps are aligned by kind and name, in order (the longest common sequence; where there are several, the one in which
more arguments agree). Texts are as they were recorded.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from typing import Any, Final, Literal

from airworthy.recorder.readable import readable

PARTS_MAX: Final = 400  # of each run; their product bounds the work
LINES_MAX: Final = 400  # of each payload
LINE_CHARS_MAX: Final = 1_000
CONTEXT_LINES: Final = 2

Sign = Literal[" ", "+", "-", "@"]
Line = tuple[Sign, str]


@dataclass(frozen=True, slots=True)
class Part:
    """One step of a run. `error`: its type, "" where it went well."""

    key: str
    kind: str
    name: str
    state: str
    asked: Any = None
    came: Any = None
    error: str = ""
    model: str = ""
    cost_nano: int | None = None
    took_us: int | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Side:
    """One run. `cut`: it has more steps than are compared."""

    id: str
    agent: str
    sentence: str
    outcome: str
    reason: str
    release: str
    started_us: int
    duration_us: int | None
    cost_nano: int | None
    asked: Any
    answer: Any
    parts: Sequence[Part] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """Something of which both have one and which is not the same; in words."""

    what: str
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Pair:
    """The step of either run; None: the other has nothing like it. `lines`: by `asked` and `came`, how they differ."""

    left: Part | None
    right: Part | None
    changes: Sequence[Change] = ()
    asked: Sequence[Line] = ()
    came: Sequence[Line] = ()

    @property
    def same(self) -> bool:
        return (
            self.left is not None and self.right is not None and not (self.changes or self.asked or self.came)
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    left: Side
    right: Side
    changes: Sequence[Change]
    pairs: Sequence[Pair]
    asked: Sequence[Line] = field(default=())
    answer: Sequence[Line] = field(default=())

    @property
    def differing(self) -> int:
        return sum(not pair.same for pair in self.pairs)


def compare(left: Side, right: Side) -> Comparison:
    pairs = [_pair(one, other) for one, other in aligned(left.parts[:PARTS_MAX], right.parts[:PARTS_MAX])]
    return Comparison(
        left,
        right,
        _changes(left, right),
        pairs,
        lines(left.asked, right.asked),
        lines(left.answer, right.answer),
    )


def aligned(left: Sequence[Part], right: Sequence[Part]) -> list[tuple[Part | None, Part | None]]:
    """Both sequences whole and in order; what is like each other stands in one pair."""
    asks = tuple([readable(part.asked, sort_keys=True) for part in side] for side in (left, right))
    best = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    # To have the same step counts for more than any number of equal arguments could.
    weight = len(left) + len(right) + 1
    for i in range(len(left) - 1, -1, -1):
        row, below, one = best[i], best[i + 1], left[i]
        for j in range(len(right) - 1, -1, -1):
            other = right[j]
            if one.kind == other.kind and one.name == other.name:
                met = below[j + 1] + weight + (asks[0][i] == asks[1][j])
                row[j] = max(met, below[j], row[j + 1])
            else:
                row[j] = max(below[j], row[j + 1])
    found: list[tuple[Part | None, Part | None]] = []
    i = j = 0
    while i < len(left) and j < len(right):
        like = left[i].kind == right[j].kind and left[i].name == right[j].name
        if like and best[i][j] == best[i + 1][j + 1] + weight + (asks[0][i] == asks[1][j]):
            found.append((left[i], right[j]))
            i, j = i + 1, j + 1
        elif best[i + 1][j] >= best[i][j + 1]:
            found.append((left[i], None))
            i += 1
        else:
            found.append((None, right[j]))
            j += 1
    return found + [(part, None) for part in left[i:]] + [(None, part) for part in right[j:]]


def lines(left: Any, right: Any) -> list[Line]:
    """How one payload became the other; nothing where they are the same."""
    one, other = readable(left, sort_keys=True), readable(right, sort_keys=True)
    if one == other and type(left) is type(right):
        return []
    before, after = _lines(one), _lines(other)
    found: list[Line] = []
    for text in islice(difflib.unified_diff(before, after, lineterm="", n=CONTEXT_LINES), 2, 2 * LINES_MAX):
        sign: Sign = "+" if text[0] == "+" else "-" if text[0] == "-" else "@" if text[0] == "@" else " "
        found.append((sign, text[1:] if sign != "@" else ""))
    return found


def beside(found: Sequence[Line]) -> list[tuple[Line | None, Line | None]]:
    """The lines in two columns: what was taken away beside what came for it."""
    rows: list[tuple[Line | None, Line | None]] = []
    gone: list[Line] = []
    come: list[Line] = []
    for line in (*found, ("@", "")):
        if line[0] in "-+":
            (gone if line[0] == "-" else come).append(line)
            continue
        rows += zip_longest(gone, come)
        gone, come = [], []
        rows.append((line, line))
    return rows[:-1]


def _pair(left: Part | None, right: Part | None) -> Pair:
    if left is None or right is None:
        return Pair(left, right)
    changes = [
        Change(what, one, other)
        for what, one, other in (
            ("state", left.state, right.state),
            ("error", left.error, right.error),
            ("model", left.model, right.model),
            ("tries", str(left.attempts), str(right.attempts)),
        )
        if one != other
    ]
    return Pair(left, right, changes, lines(left.asked, right.asked), lines(left.came, right.came))


def _changes(left: Side, right: Side) -> list[Change]:
    found = [
        ("agent", left.agent, right.agent),
        ("release", left.release, right.release),
        ("outcome", left.outcome, right.outcome),
        ("reason", left.reason, right.reason),
        ("steps", str(len(left.parts)), str(len(right.parts))),
        ("models", _models(left), _models(right)),
    ]
    return [Change(what, one, other) for what, one, other in found if one != other]


def _models(side: Side) -> str:
    return ", ".join(dict.fromkeys(part.model for part in side.parts if part.model))


def _lines(text: str) -> list[str]:
    return [line[:LINE_CHARS_MAX] for line in text.split("\n")[:LINES_MAX]] if text else []
