"""Carries a call to the first model that answers it: pace, budget, breaker, retry, fallback, hedge; knows no door."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from airworthy.core.clock import US_PER_S, Clock
from airworthy.gateway.budget import Amount
from airworthy.gateway.errand import Errand, Prepared
from airworthy.gateway.errors import (
    ContextOverflow,
    ModelCircuitOpen,
    ModelError,
    ModelQueueFull,
    ModelTimeout,
    ModelUntranslatable,
)
from airworthy.gateway.pacing import PaceFull
from airworthy.gateway.place import Place
from airworthy.resilience import NO, CircuitOpen, Decision, Full, Result, Yes

T = TypeVar("T")
H = TypeVar("H")


class Purse(Protocol[H]):
    """Where a call's worst case is reserved before it is made."""

    async def reserve(self, place: Place, bound: Amount) -> H:
        """Raises: whatever ends the call when a budget has no room."""
        ...

    async def release(self, hold: H) -> None:
        """Nothing was used."""
        ...

    def keep(self, hold: H) -> None:
        """Nobody knows what was used: all of it counts."""
        ...


class Visit:
    """One call's stay at a place: its turn in the provider's pace and its seat among the calls in flight.

    `closes` ends what may still come from there.
    """

    __slots__ = ("_here", "closes", "place", "sent_us", "tokens")

    def __init__(self, place: Place, tokens: int, sent_us: int) -> None:
        self.place = place
        self.tokens = tokens
        self.sent_us = sent_us
        self.closes: Callable[[], None] | None = None
        self._here = True

    def over(self, used: int | None) -> None:
        """`used`: the tokens it took, 0 when it was never sent, None when nobody knows. Twice is once."""
        if self._here:
            self._here = False
            self.place.pacer.returned(self.tokens, used, sent_us=self.sent_us)
            self.place.bulkhead.give_back()
            if self.closes is not None:
                self.closes()


@dataclass(slots=True)  # Not frozen: that costs a microsecond, and nobody keeps one.
class Carried(Generic[T, H]):
    """What came back, from where, and what is still reserved for it: whoever gets this settles, and ends the visit."""

    value: T
    visit: Visit
    prepared: Prepared
    hold: H


Attempt = Callable[[Visit, Prepared, float], Awaitable[T]]


class NoTime(Exception):
    """The caller's deadline came first."""


async def carried(errand: Errand, purse: Purse[H], attempt: Attempt[T], clock: Clock) -> Carried[T, H]:
    """`attempt` makes one request and raises ModelError when it gave nothing usable.

    Raises: ModelError when no model answered; NoTime; what the purse and `errand.halted` raise.
    """
    while True:
        try:
            return await _along(errand, purse, attempt, clock)
        except ContextOverflow:
            if errand.overflowed is None or not await errand.overflowed():
                raise


async def _along(errand: Errand, purse: Purse[H], attempt: Attempt[T], clock: Clock) -> Carried[T, H]:
    """The places of the errand, one after the other."""
    error: ModelError | None = None
    places = list(errand.places)
    while places:
        place = places.pop(0)
        try:
            if place.rule.hedge_after_s is not None and places:
                return await _hedged(errand, purse, attempt, clock, place, places)
            return await _at(errand, purse, attempt, clock, place)
        except ModelUntranslatable as failed:
            errand.failed(place, failed)
            error = error or failed  # What another model said before is the better reason.
        except ModelError as failed:
            error = failed
            errand.failed(place, failed)
            if not failed.elsewhere or (failed.why is not None and failed.why not in place.rule.fallback_on):
                break
    assert error is not None
    raise error


async def _at(
    errand: Errand, purse: Purse[H], attempt: Attempt[T], clock: Clock, place: Place
) -> Carried[T, H]:
    """One place, tried as often as that is worth it."""
    prepared = errand.prepared(place)
    place.account.call()
    tries = 0
    while True:
        tries += 1
        errand.halted()
        try:
            return await _once(errand, purse, attempt, clock, place, prepared)
        except ModelError as error:
            wait_s = place.retrier.wait_after(tries, _decide(error), errand.deadline_us)
            if wait_s is None:
                raise
            errand.again(place, error, tries, wait_s)
        await asyncio.sleep(wait_s)


async def _once(
    errand: Errand, purse: Purse[H], attempt: Attempt[T], clock: Clock, place: Place, prepared: Prepared
) -> Carried[T, H]:
    try:
        permit = await place.circuit.admit()
    except CircuitOpen as refusal:
        raise ModelCircuitOpen(
            refusal.message, mend="Wait, name a fallback, or look with `airworthy breaker list`.",
            retry_after_s=refusal.retry_after_s,
        ) from refusal  # fmt: skip
    result: Result = "neutral"
    visit: Visit | None = None
    used: int | None = 0
    try:
        await _turn(errand, place, prepared)
        visit = Visit(place, prepared.bound.tokens, clock.now_us())
        hold = await purse.reserve(place, prepared.bound)
        try:
            errand.halted()  # Who switches the agent off while a call waits means that call too.
            left_s = (errand.deadline_us - clock.now_us()) / US_PER_S
            if left_s <= 0:
                raise NoTime
        except BaseException:
            await purse.release(hold)
            raise
        errand.attempts += 1
        used = None
        try:
            value = await attempt(visit, prepared, min(place.rule.timeout_s, left_s))
        except ModelError as error:
            result = "failure" if error.trips else "neutral"
            if error.billed:
                # A call that may have been billed keeps its reservation: a crash must overcount, never undercount.
                purse.keep(hold)
            else:
                used = 0
                await purse.release(hold)
            if isinstance(error, ModelTimeout) and clock.now_us() >= errand.deadline_us:
                raise NoTime from error
            raise
        except BaseException:
            purse.keep(hold)
            raise
        result = "ok"
        carried = Carried(value, visit, prepared, hold)
        visit = None
        return carried
    finally:
        place.circuit.leave(permit, result)
        if visit is not None:
            visit.over(used)


async def _turn(errand: Errand, place: Place, prepared: Prepared) -> None:
    """Waits for a seat among the calls in flight, then for a turn in the provider's pace."""
    tokens, bulkhead, pacer = prepared.bound.tokens, place.bulkhead, place.pacer
    try:
        if not bulkhead.try_take():
            await bulkhead.take(errand.deadline_us)
        if pacer.try_take(tokens):
            return
        try:
            await pacer.take(
                tokens, caller_key=errand.caller_key, priority=errand.priority, deadline_us=errand.deadline_us
            )
        except BaseException:
            bulkhead.give_back()
            raise
    except (PaceFull, Full) as full:
        raise ModelQueueFull(
            full.message, mend="Come back later, or name a fallback.", retry_after_s=full.retry_after_s
        ) from full


async def _hedged(
    errand: Errand, purse: Purse[H], attempt: Attempt[T], clock: Clock, place: Place, others: list[Place]
) -> Carried[T, H]:
    """Asks the next place too when the first takes long; the first answer counts, the slower call is given up.

    Whoever was asked is taken out of `others`.
    """
    first = asyncio.ensure_future(_at(errand, purse, attempt, clock, place))
    racing = [first]
    won: asyncio.Future[Carried[T, H]] | None = None
    try:
        await asyncio.wait(racing, timeout=place.rule.hedge_after_s)
        if not first.done():
            other = others.pop(0)
            errand.notes.append({"note": "asked as well, for the wait", "model": other.rule.name})
            racing.append(asyncio.ensure_future(_at(errand, purse, attempt, clock, other)))
        while True:
            won = next((each for each in racing if each.done() and each.exception() is None), None)
            pending = [each for each in racing if not each.done()]
            if won is not None or not pending:
                break
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    except BaseException:
        await _given_up(purse, racing)
        raise
    if won is None:
        for each in racing[1:]:
            error = each.exception()
            if not isinstance(error, ModelError):  # A budget, or the time: that is so for every place.
                return each.result()
            errand.failed(other, error)
        return first.result()
    try:
        await _given_up(purse, [each for each in racing if each is not won])
    except BaseException:
        _lost(purse, won)
        raise
    return won.result()


async def _given_up(purse: Purse[H], calls: Sequence[asyncio.Future[Carried[T, H]]]) -> None:
    """Returns when they have ended; what they hold is kept, even if nobody waits for that."""
    for each in calls:
        each.cancel()
        each.add_done_callback(lambda done: _lost(purse, done))
    if calls:
        await asyncio.wait(calls)


def _lost(purse: Purse[H], call: asyncio.Future[Carried[T, H]]) -> None:
    """An answer that came in the same moment as another is paid for, and not needed."""
    if not call.cancelled() and call.exception() is None:
        carried = call.result()
        purse.keep(carried.hold)
        carried.visit.over(None)


def _decide(error: ModelError) -> Decision:
    # A breaker that is open, a queue that is full: asking at once again changes nothing.
    if error.retryable and not isinstance(error, (ModelCircuitOpen, ModelQueueFull)):
        return Yes(error.retry_after_s)
    return NO
