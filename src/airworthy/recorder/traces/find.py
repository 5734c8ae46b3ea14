"""Traces found by a query, the newest first, a page at a time. Changes nothing."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from airworthy.core.errors import InputError
from airworthy.recorder.traces.query import Query
from airworthy.recorder.traces.search import search
from airworthy.store import Tx, ids_alike

LIMIT_MAX: Final = 1_000
_ASKED_MAX: Final = 500  # ids in one question


class NoSuchTrace(InputError):
    """No trace has this id."""

    code: ClassVar[str] = "no_such_trace"


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A row of `traces`: a task of ours, or a trace from elsewhere. Times UTC microseconds, money nano-USD.

    `cost_nano`: of what has a price, None when nothing has; `unpriced`: model calls without one.
    """

    id: str
    origin: str
    trace_id: str
    agent: str
    release: str
    session: str
    user_id: str
    feature: str
    name: str
    at_us: int
    started_us: int
    ended_us: int | None
    duration_us: int | None
    outcome: str | None
    error_type: str | None
    steps: int
    model_calls: int
    tool_calls: int
    errors: int
    retries: int
    tokens_in: int
    tokens_out: int
    cost_nano: int | None
    unpriced: int
    sentence: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list: the last trace of the page before."""

    at_us: int
    id: str

    def __str__(self) -> str:
        """Fit for a URL; what is in it is nobody's business."""
        return base64.urlsafe_b64encode(f"{self.at_us}.{self.id}".encode()).decode().rstrip("=")

    @staticmethod
    def of(text: str) -> "Cursor":
        """Raises: InputError."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
            at, dot, id_ = raw.partition(".")
            if not (dot and at.isascii() and at.isdigit() and int(at) < 2**63):
                raise ValueError
        except (ValueError, binascii.Error):
            raise InputError(
                f"{text[:80]!r} is no place in a list.",
                mend="Pass on `next` as it was given, or leave it out.",
            ) from None
        return Cursor(int(at), id_)


@dataclass(frozen=True, slots=True)
class Page:
    """`next`: where the next page begins; None: there is no more. `stopped_us`: the search gave up for now when it had
    come to this time, so the page may be short, or empty, and the next goes on from there.
    """

    rows: Sequence[TraceRow]
    next: Cursor | None
    stopped_us: int | None = None


_COLUMNS: Final = ", ".join(f"t.{name}" for name in TraceRow.__dataclass_fields__)


def find(tx: Tx, query: Query, *, before: Cursor | None = None, limit: int = 50) -> Page:
    """`limit`: 1 to LIMIT_MAX."""
    assert 1 <= limit <= LIMIT_MAX
    found = search(tx, query, None if before is None else (before.at_us, before.id), limit + 1)
    rows = _rows(tx, [id_ for _, id_ in found.places[:limit]])
    if len(found.places) > limit:
        return Page(rows, Cursor(*found.places[limit - 1]))
    if found.stopped_us is not None:
        return Page(rows, Cursor(found.stopped_us, ""), found.stopped_us)
    return Page(rows, None)


def count(tx: Tx, query: Query, at_most: int) -> int:
    """How many there are; it does not count further than `at_most`, nor look further back than a page does."""
    return len(search(tx, query, None, at_most).places)


def get(tx: Tx, id_: str) -> TraceRow:
    """Raises: NoSuchTrace."""
    row = tx.row(f"SELECT {_COLUMNS} FROM traces t WHERE t.id = ?", (id_,))
    if row is None:
        raise unknown(id_)
    return TraceRow(*row)


def unknown(id_: str) -> NoSuchTrace:
    """In the very words for one that somebody may not see: that it is there is not theirs to know."""
    return NoSuchTrace(f"There is no trace {id_!r}.", mend="List them: airworthy trace list, or /traces.")


def alike(tx: Tx, part: str, chars_min: int, limit: int) -> list[str]:
    """Ids of traces that begin or end with `part`; see `store.ids_alike`."""
    return ids_alike(tx, "traces", part, chars_min, limit)


def _rows(tx: Tx, ids: Sequence[str]) -> list[TraceRow]:
    """In this order."""
    found: dict[str, TraceRow] = {}
    for start in range(0, len(ids), _ASKED_MAX):
        some = ids[start : start + _ASKED_MAX]
        marks = ", ".join("?" for _ in some)
        rows = tx.rows(f"SELECT {_COLUMNS} FROM traces t WHERE t.id IN ({marks})", some)
        found.update((row[0], TraceRow(*row)) for row in rows)
    return [found[id_] for id_ in ids if id_ in found]
