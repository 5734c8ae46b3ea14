"""A ledger's memory: its slices, who waits for them, and what is still to be written. No store, no clock, no await.

Rule 1: a call takes from all its scopes or from none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from airworthy.gateway.budget.leasing import Ask, Changes, Lent
from airworthy.gateway.budget.rollup import Dimensions, Tally
from airworthy.gateway.budget.slice import POLL_S, Hold, Life, Slice
from airworthy.gateway.budget.values import NOTHING, Amount, Exceeded, Scope
from airworthy.gateway.budget.waiting import Waiter
from airworthy.gateway.wire.facts import Usage

TICK_S = 0.25
TICKS_PER_RATE = 2  # A slice is meant to last half a second.
IDLE_TICKS_MAX = 8
CONTENDED_S = 2.0
REFUSED_S = 0.25  # So long a budget that is spent is not asked about again.
EARLY_S = 0.001  # A timer may fire a little before its time; what is due then is due.
UNITS_MIN, UNITS_MAX = 4, 1_024  # Calls that one lease is for, where the scope has plenty.


@dataclass(frozen=True, slots=True)
class Wanted:
    """An ask to be put to the store, for whom and into which slice; without a waiter it is a refill."""

    ask: Ask
    slice: Slice
    waiter: Waiter | None


class Book:
    """`hungry` is called when something is to be asked of the store."""

    def __init__(self, hungry: Callable[[], None]) -> None:
        self.closed = False
        self.waiting = 0
        self._hungry = hungry
        self._life = Life()
        self._slices: dict[str, Slice] = {}
        self._queued: dict[Slice, None] = {}
        self._refills: list[Slice] = []
        self._dirty: list[Slice] = []
        self._tallies: dict[Dimensions, list[int]] = {}

    # What calls do.

    def take(self, scopes: Sequence[Scope], amount: Amount, who: Dimensions | None) -> Hold | None:
        known = self._slices
        nano, tokens, calls = amount.nano, amount.tokens, amount.calls
        found = []
        for scope in scopes:
            part = known.get(scope.key)
            if part is None:
                part = self._adopt(scope)
            if part.free_nano < nano or part.free_calls < calls or part.free_tokens < tokens or part.queue:
                return None
            found.append(part)
        for part in found:
            part.free_nano -= nano
            part.free_tokens -= tokens
            part.free_calls -= calls
            part.uses += 1
        return Hold(found, amount, who)

    def settle(self, hold: Hold, actual: Amount, usage: Usage | None) -> None:
        assert hold.open, "a hold ends once"
        hold.open = False
        nano, tokens, calls = actual.nano, actual.tokens, actual.calls
        amount = hold.amount
        free_nano, free_tokens, free_calls = amount.nano - nano, amount.tokens - tokens, amount.calls - calls
        for part in hold.slices:
            part.settled_nano += nano
            part.settled_tokens += tokens
            part.settled_calls += calls
            part.free_nano += free_nano
            part.free_tokens += free_tokens
            part.free_calls += free_calls
            if not part.dirty:
                part.dirty = True
                self._dirty.append(part)
        if hold.who is not None:
            sums = self._sums(hold.who)
            sums[0] += calls
            sums[5] += nano
            if usage is not None and usage.known:
                sums[1] += usage.tokens_in
                sums[2] += usage.tokens_out
                sums[3] += usage.cached
        if self.waiting:
            self._serve_all(hold.slices)

    def release(self, hold: Hold) -> None:
        assert hold.open, "a hold ends once"
        hold.open = False
        amount = hold.amount
        for part in hold.slices:
            part.free_nano += amount.nano
            part.free_tokens += amount.tokens
            part.free_calls += amount.calls
            if part.closed or part.contended:
                self._touch(part)
        if self.waiting:
            self._serve_all(hold.slices)

    def keep(self, hold: Hold) -> None:
        assert hold.open, "a hold ends once"
        hold.open = False
        amount = hold.amount
        for part in hold.slices:
            part.kept_nano += amount.nano
            part.kept_tokens += amount.tokens
            part.kept_calls += amount.calls
            self._touch(part)
        if hold.who is not None:
            sums = self._sums(hold.who)
            sums[0] += amount.calls
            sums[4] += amount.nano
            sums[6] += amount.calls

    # Those who wait.

    def refusal(self, scopes: Sequence[Scope], amount: Amount, now_s: float) -> Exceeded | None:
        """What the store said a moment ago to others who wanted as much, and will not take back."""
        for scope in scopes:
            part = self._slices.get(scope.key)
            if part is not None and part.refused_until_s > now_s and not part.holds(amount):
                why = part.refused_row.exceeded(scope, amount)
                if why is not None and not why.passing:
                    return why
        return None

    def park(self, waiter: Waiter) -> None:
        """Answers the waiter at once, or puts it where it is short."""
        parts = self._parts(waiter)
        short = _short(parts, waiter)
        if short is None:
            waiter.parked = None
            waiter.answer.set_result(self._taken(parts, waiter))
            return
        short.queue.put(waiter)
        waiter.parked = short
        self._queued[short] = None
        self._hungry()

    def drop(self, waiter: Waiter) -> None:
        """It has given up, or was answered: those behind it may fit."""
        part, waiter.parked = waiter.parked, None
        if part is not None:
            if part.queue and part.queue[0] is waiter:
                part.poll_s, part.poll_wait_s = 0.0, POLL_S  # The next may want less.
            part.queue.drop(waiter)
            self._serve(part)

    def refuse(self, waiter: Waiter, why: Exceeded) -> None:
        if not waiter.answer.done():
            waiter.answer.set_result(why)
        self.drop(waiter)

    def fail(self, waiter: Waiter, error: Exception) -> None:
        if not waiter.answer.done():
            waiter.answer.set_exception(error)
        self.drop(waiter)

    def _serve_all(self, parts: Sequence[Slice]) -> None:
        for part in parts:
            if part.queue:
                self._serve(part)

    def _serve(self, part: Slice) -> None:
        queue = part.queue
        while queue:
            waiter = queue[0]
            if not waiter.answer.done():
                parts = self._parts(waiter)
                short = _short(parts, waiter)
                if short is part:
                    self._queued[part] = None
                    self._hungry()
                    return
                del queue[0]
                if short is None:
                    waiter.parked = None
                    waiter.answer.set_result(self._taken(parts, waiter))
                else:
                    short.queue.put(waiter)
                    waiter.parked = short
                    self._queued[short] = None
                    self._hungry()
            else:
                del queue[0]
        self._queued.pop(part, None)

    # What is asked of the store.

    def asks(self, now_s: float) -> tuple[list[Wanted], float | None]:
        """What to ask for now, and when to look again; each scope is asked for once at a time."""
        found: dict[str, Wanted] = {}
        again_s: float | None = None
        for part in list(self._queued):
            self._serve(part)
        for part in self._queued:
            waiter = part.queue[0]
            for scope, other in zip(waiter.scopes, self._parts(waiter), strict=True):
                if other.holds(waiter.amount):
                    continue
                if other.poll_s > now_s + EARLY_S:
                    again_s = other.poll_s if again_s is None else min(again_s, other.poll_s)
                elif scope.key not in found:
                    other.typical = waiter.amount
                    fresh = TICKS_PER_RATE * (other.uses - other.uses_before)
                    units = min(max(UNITS_MIN, other.rate, fresh, len(other.queue)), UNITS_MAX)
                    wish = NOTHING if other.contended else other.wish(waiter.amount, units)
                    ask = Ask(scope, waiter.amount, other.wish(waiter.amount, 1), wish, other.seen)
                    found[scope.key] = Wanted(ask, other, waiter)
        for part in self._refills:
            if part.scope.key not in found and not part.closed and not part.contended:
                wish = part.wish(part.typical, min(part.rate, UNITS_MAX))
                found[part.scope.key] = Wanted(Ask(part.scope, NOTHING, NOTHING, wish, part.seen), part, None)
        self._refills.clear()
        return list(found.values()), again_s

    def lent(self, wanted: Wanted, answer: Lent, now_s: float) -> None:
        part, waiter = wanted.slice, wanted.waiter
        if part.life.over:
            return
        part.seen = answer.wanted
        if answer.contended:
            part.contended, part.contended_until_s = True, now_s + CONTENDED_S
        if answer.exceeded is None:
            part.lent(answer.granted)
            if part.closed:
                self._touch(part)
        elif waiter is not None and answer.exceeded.passing:
            waiter.why = answer.exceeded
            part.put_off(now_s)
        elif waiter is not None:
            part.refused_row, part.refused_until_s = answer.row, now_s + REFUSED_S
            self.refuse(waiter, answer.exceeded)
            self._refuse_like(part, answer)
        if waiter is not None and waiter.parked is not None:
            self._serve(waiter.parked)
        self._serve(part)

    def _refuse_like(self, part: Slice, answer: Lent) -> None:
        """Whoever else waits for more than there can ever be need not wait for an answer of its own."""
        for waiter in list(part.queue):
            scope = next(scope for scope in waiter.scopes if scope.key == part.scope.key)
            why = answer.row.exceeded(scope, waiter.amount, part.wish(waiter.amount, 1))
            if why is not None and not why.passing and not waiter.answer.done():
                waiter.parked = None
                part.queue.drop(waiter)
                waiter.answer.set_result(why)

    # What time does.

    def tick(self, now_s: float, wanted: Mapping[str, int]) -> bool:
        """Every `TICK_S`: idle and wanted slices are given back, busy ones refilled. True: something is to be written.

        `wanted`: how often each scope was asked for in vain, as the store says.
        """
        given = False
        for key, part in list(self._slices.items()):
            used = part.uses - part.uses_before
            part.uses_before = part.uses
            part.rate = max(used * TICKS_PER_RATE, part.rate // 2)
            part.idle_ticks = 0 if used or part.queue else part.idle_ticks + 1
            count = wanted.get(part.scope.name)
            if count is not None and (part.seen is None or count > part.seen):
                if part.seen is not None:
                    part.contended, part.contended_until_s = True, now_s + CONTENDED_S
                part.seen = count
            part.contended = part.contended and now_s < part.contended_until_s
            if part.idle_ticks >= IDLE_TICKS_MAX:
                del self._slices[key]
                part.closed = True
                self._touch(part)
                given = True
            elif part.contended:
                if part.give_back():
                    self._touch(part)
                    given = True
            elif part.rate and not part.queue and part.typical is not NOTHING and not part.holds(_half(part)):
                self._refills.append(part)
        if self._refills:
            self._hungry()
        return given

    def close(self) -> None:
        """Everything free is to be given back, and nobody waits any longer."""
        self.closed = True
        for part in self._slices.values():
            part.closed = True
            self._touch(part)
            for waiter in list(part.queue):
                waiter.parked = None
                if not waiter.answer.done():
                    waiter.answer.set_result(Exceeded(part.scope, "The gateway is closing.", passing=True))
            part.queue.clear()
        self._slices.clear()
        self._queued.clear()

    def bury(self) -> None:
        """The slices count as lost by now. What is free of them is no longer used; who waits waits for new ones."""
        self._life.over = True
        self._life = Life()
        waiters: list[Waiter] = []
        for part in self._slices.values():
            part.closed = True
            waiters += part.queue
            part.queue.clear()
        self._slices.clear()
        self._queued.clear()
        self._refills.clear()
        for waiter in sorted(waiters):
            waiter.parked = None
            if not waiter.answer.done():
                self.park(waiter)

    # What is to be written.

    def changes(self, owner: str, seq: int) -> Changes:
        deltas = []
        for part in self._dirty:
            if part.closed or part.contended:
                part.give_back()
            delta = part.drawn()
            if delta.bare is not None or delta.backed is not None:
                deltas.append(delta)
        tallies = [(who, Tally(*sums)) for who, sums in self._tallies.items()]
        self._dirty, self._tallies = [], {}
        return Changes(owner, seq, deltas, tallies)

    def _adopt(self, scope: Scope) -> Slice:
        part = Slice(scope, self._life)
        if self.closed:
            part.free_calls = 0
        else:
            self._slices[scope.key] = part
        return part

    def _parts(self, waiter: Waiter) -> list[Slice]:
        known = self._slices
        return [known.get(scope.key) or self._adopt(scope) for scope in waiter.scopes]

    def _taken(self, parts: list[Slice], waiter: Waiter) -> Hold:
        amount = waiter.amount
        for part in parts:
            part.free_nano -= amount.nano
            part.free_tokens -= amount.tokens
            part.free_calls -= amount.calls
            part.uses += 1
        return Hold(parts, amount, waiter.who)

    def _touch(self, part: Slice) -> None:
        if not part.dirty:
            part.dirty = True
            self._dirty.append(part)

    def _sums(self, who: Dimensions) -> list[int]:
        sums = self._tallies.get(who)
        if sums is None:
            sums = self._tallies[who] = [0] * 7
        return sums


def _short(parts: Sequence[Slice], waiter: Waiter) -> Slice | None:
    """The first slice that has not enough, or for which somebody has waited longer."""
    for part in parts:
        if not part.holds(waiter.amount) or (part.queue and part.queue[0] < waiter):
            return part
    return None


def _half(part: Slice) -> Amount:
    units = max(part.rate // 2, 1)
    return Amount(part.typical.nano * units, part.typical.tokens * units, part.typical.calls * units)
