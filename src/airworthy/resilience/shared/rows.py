"""Shared breakers as stored: how what one process saw and did is worked into the row. Waits for nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from airworthy.core import canonical
from airworthy.core.errors import AirworthyError, InputError
from airworthy.resilience import breaker
from airworthy.resilience._window import SLOTS, Window
from airworthy.resilience.breaker import Breaker, BreakerState, Mode, Permit, Refusal, Result
from airworthy.store.database import Tx

_COLUMNS = "name, policy, state, by_whom, changed_us, version"
NAMED_MAX = 5


class Outrun(AirworthyError):
    """Another process changed the row between our look at it and our write; look again."""

    code: ClassVar[str] = "breaker_outrun"


class UnknownBreaker(InputError):
    """No process has used a breaker of this name."""

    code: ClassVar[str] = "unknown_breaker"


class AmbiguousBreaker(InputError):
    """Several breakers are called something like that."""

    code: ClassVar[str] = "ambiguous_breaker"


@dataclass(frozen=True, slots=True)
class BreakerRow:
    """One breaker. `by_whom`: the worker or person that brought it into its mode, at `changed_us`."""

    name: str
    policy: Breaker
    state: BreakerState
    by_whom: str
    changed_us: int
    version: int


@dataclass(frozen=True, slots=True)
class Hand:
    """A person's decision."""

    opens: bool
    reason: str
    by_whom: str


@dataclass(frozen=True, slots=True)
class News:
    """What a process has to tell of one breaker since it last did.

    `base_term`: the term its counts belong to. `counts`: results in that term. `moved`: the state it went to in that
    term by itself. `probes`: what became of probes that the store had given it. `hand`: comes before all of these.
    """

    base_term: int
    counts: Window = field(default_factory=Window)
    moved: BreakerState | None = None
    probes: tuple[tuple[Permit, Result], ...] = ()
    hand: Hand | None = None


@dataclass(frozen=True, slots=True)
class Exchanged:
    """The row after the news, and the answer if a permit was asked for."""

    row: BreakerRow
    answer: Permit | Refusal | None = None


def merged(first: Window, second: Window) -> Window:
    """Both counts, slot by slot; no longer than one window."""
    if not second.slots:
        return first
    if not first.slots:
        return second
    by_number = {number: (ok, failures) for number, ok, failures in first.slots}
    for number, ok, failures in second.slots:
        ok_before, failures_before = by_number.get(number, (0, 0))
        by_number[number] = (ok_before + ok, failures_before + failures)
    newest = max(by_number)
    return Window(
        tuple((number, *by_number[number]) for number in sorted(by_number) if number > newest - SLOTS)
    )


def has_failures(window: Window) -> bool:
    return any(failures for _, _, failures in window.slots)


def told(policy: Breaker, state: BreakerState, news: News, now_us: int) -> BreakerState:
    """The stored state after a process's news. What belongs to an earlier term is late and changes nothing.

    So of two processes that open at once one is stored and the other follows; and nothing a worker saw before undoes
    what a person decided.
    """
    if news.hand is not None:
        hand = news.hand
        if hand.opens:
            return breaker.force_open(policy, state, now_us, hand.reason)
        return breaker.force_close(state, hand.reason)
    for permit, result in news.probes:
        state = breaker.after(policy, state, now_us, permit, result)
    if state.term != news.base_term:
        return state
    if news.moved is not None:
        return news.moved
    if state.mode is Mode.CLOSED and news.counts.slots:
        both = merged(state.window, news.counts)
        return breaker.counted(policy, state, now_us, both, failed=has_failures(news.counts))
    return state


def exchange(
    tx: Tx, name: str, policy: Breaker, news: News, by_whom: str, now_us: int, *, claim: bool = False
) -> Exchanged:
    """Stores the news and answers with the row. `claim`: and with a permit, which may be the one probe.

    Made for the first exchange of a name too, which is how it gets known. Raises: Outrun.
    """
    before = of_name(tx, name)
    stored = before.state if before is not None else BreakerState(term=news.base_term)
    state = told(policy, stored, news, now_us)
    answer = None
    if claim:
        answer, state = breaker.allow(policy, state, now_us)
    if before is not None and state == before.state and policy == before.policy:
        return Exchanged(before, answer)
    row = BreakerRow(name, policy, state, by_whom, now_us, 1)
    if before is not None:
        moved = (state.mode, state.term) != (stored.mode, stored.term)
        since = (by_whom, now_us) if moved else (before.by_whom, before.changed_us)
        row = BreakerRow(name, policy, state, *since, before.version + 1)
    _write(tx, row)
    return Exchanged(row, answer)


def decide(tx: Tx, name: str, hand: Hand, now_us: int) -> tuple[BreakerRow, BreakerRow]:
    """A person's decision about a breaker that is known: before and after. What is so already stays as it is."""
    before = of_name(tx, name)
    if before is None:
        raise UnknownBreaker(f"There is no breaker {name!r}.", mend="See `airworthy breaker list`.")
    there = before.state.forced if hand.opens else before.state.mode is Mode.CLOSED
    if there:
        return before, before
    news = News(before.state.term, hand=hand)
    return before, exchange(tx, name, before.policy, news, hand.by_whom, now_us).row


def of_name(tx: Tx, name: str) -> BreakerRow | None:
    found = tx.row(f"SELECT {_COLUMNS} FROM breakers WHERE name = ?", (name,))
    return None if found is None else _row(*found)


def listing(tx: Tx) -> list[BreakerRow]:
    return [_row(*found) for found in tx.rows(f"SELECT {_COLUMNS} FROM breakers ORDER BY name")]


def stamp(tx: Tx) -> tuple[int, int]:
    """Changes whenever any breaker does: versions only grow, and no row is ever deleted."""
    found = tx.row("SELECT COUNT(*), COALESCE(SUM(version), 0) FROM breakers")
    assert found is not None
    return int(found[0]), int(found[1])


def _row(name: str, policy: bytes, state: bytes, by_whom: str, changed_us: int, version: int) -> BreakerRow:
    return BreakerRow(
        name, Breaker(**canonical.decode(policy)), BreakerState.from_json(state), by_whom, changed_us, version
    )


def _write(tx: Tx, row: BreakerRow) -> None:
    values = (
        canonical.encode(row.policy), row.state.to_json(), row.state.mode.value, row.state.reason, row.by_whom,
        row.changed_us, row.version, row.name,
    )  # fmt: skip
    if row.version == 1:
        changed = tx.execute(
            "INSERT INTO breakers (policy, state, mode, reason, by_whom, changed_us, version, name)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
            values,
        )
    else:
        changed = tx.execute(
            "UPDATE breakers SET policy = ?, state = ?, mode = ?, reason = ?, by_whom = ?, changed_us = ?, version = ?"
            " WHERE name = ? AND version = ?",
            (*values, row.version - 1),
        )
    if changed != 1:
        raise Outrun(f"The breaker {row.name!r} was changed by another process at the same moment.")


def alike(names: Sequence[str], part: str) -> str:
    """The one name that is `part`, or else begins with it, or else holds it; capitals count for nothing.

    Raises: UnknownBreaker, AmbiguousBreaker.
    """
    if part in names:
        return part
    folded = part.strip().casefold()
    for fits in (str.startswith, str.__contains__):
        found = [name for name in names if folded and fits(name.casefold(), folded)]
        # "model:" and its like stand before every name of a kind; people leave them out.
        found = found or [
            name for name in names if folded and fits(name.partition(":")[2].casefold(), folded)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise AmbiguousBreaker(
                f"{part!r} fits several breakers: {', '.join(found[:NAMED_MAX])}"
                f"{', and more' if len(found) > NAMED_MAX else ''}.",
                mend="Write more of the name.",
            )
    known = ", ".join(names[:NAMED_MAX]) or "none yet; a breaker is known from its first use on"
    raise UnknownBreaker(
        f"There is no breaker {part!r}.", mend=f"See `airworthy breaker list`. Known: {known}."
    )
