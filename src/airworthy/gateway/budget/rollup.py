"""What was spent, summed by day, agent, key, user, feature and model: for people who ask, never for a decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from airworthy.store import Tx


class Dimensions(NamedTuple):
    """What a sum is kept by. `day` is UTC, as `day_of` writes it."""

    day: str
    agent: str
    key_id: str = ""
    user_id: str = ""
    feature: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """`unpriced_calls` are those whose bill is unknown; what was reserved for them stays in `reserved_nano`."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    reserved_nano: int = 0
    settled_nano: int = 0
    unpriced_calls: int = 0

    def plus(self, other: "Tally") -> "Tally":
        return Tally(
            self.calls + other.calls,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cached + other.cached,
            self.reserved_nano + other.reserved_nano,
            self.settled_nano + other.settled_nano,
            self.unpriced_calls + other.unpriced_calls,
        )


_SUMS = ("calls", "tokens_in", "tokens_out", "cached", "reserved_nano", "settled_nano", "unpriced_calls")
_ROLL = (
    f"INSERT INTO spend_rollup ({', '.join((*Dimensions._fields, *_SUMS))})"
    f" VALUES (?{', ?' * (len(Dimensions._fields) + len(_SUMS) - 1)})"
    f" ON CONFLICT ({', '.join(Dimensions._fields)}) DO UPDATE SET "
    + ", ".join(f"{name} = spend_rollup.{name} + excluded.{name}" for name in _SUMS)
)


def roll(tx: Tx, who: Dimensions, tally: Tally) -> None:
    """Adds to the sum. Taking back what was reserved is a tally below zero."""
    tx.execute(
        _ROLL,
        (
            *who, tally.calls, tally.tokens_in, tally.tokens_out, tally.cached, tally.reserved_nano,
            tally.settled_nano, tally.unpriced_calls,
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """`by`: names of `Dimensions`, the first the outermost. Days are inclusive; empty: no bound."""

    by: tuple[str, ...]
    since: str = ""
    until: str = ""
    agent: str = ""


def report(tx: Tx, question: Question) -> list[tuple[tuple[str, ...], Tally]]:
    """The sums, one per combination of what is asked for, in order of that."""
    assert set(question.by) <= set(Dimensions._fields)
    bounds: Sequence[tuple[str, str]] = (
        ("day >= ?", question.since), ("day <= ?", question.until), ("agent = ?", question.agent),
    )  # fmt: skip
    asked = [(sql, value) for sql, value in bounds if value]
    by = ", ".join(question.by)
    sql = (
        f"SELECT {by}{', ' if by else ''}{', '.join(f'COALESCE(SUM({name}), 0)' for name in _SUMS)} FROM spend_rollup"
        + (" WHERE " + " AND ".join(condition for condition, _ in asked) if asked else "")
        + (f" GROUP BY {by} ORDER BY {by}" if by else "")
    )
    width = len(question.by)
    return [
        (tuple(row[:width]), Tally(*(int(number) for number in row[width:])))
        for row in tx.rows(sql, [value for _, value in asked])
    ]
