"""Who goes next among those who wait: by priority, then fair between callers, then first come first served.

Fair is start-time fair queuing (Goyal, Vin and Cheng, 1996): each caller has an account that its calls are charged
to, and the caller who has had least goes next. Knows no limits and no clock.
"""

import asyncio
from collections import OrderedDict

from airworthy.core.clock import US_PER_S

AGE_US = 10 * US_PER_S  # A priority passed over for so long gets one turn.
REMEMBERED_MAX = 4096


class Waiter:
    """One call that waits."""

    __slots__ = ("deadline_us", "future", "key", "priority", "tokens", "waits", "weight")

    def __init__(
        self, tokens: int, key: str, priority: int, weight: float, deadline_us: int | None,
        future: asyncio.Future[None],
    ) -> None:  # fmt: skip
        self.tokens = tokens
        self.key = key
        self.priority = priority
        self.weight = weight
        self.deadline_us = deadline_us
        self.future = future
        self.waits = True


class _Caller:
    __slots__ = ("had", "order", "queue")

    def __init__(self, had: float, order: int) -> None:
        self.had = had
        self.order = order
        self.queue: OrderedDict[Waiter, None] = OrderedDict()


class _Level:
    """All callers of one priority."""

    __slots__ = ("callers", "charged", "passed_us", "remembered")

    def __init__(self, now_us: int) -> None:
        self.callers: dict[str, _Caller] = {}
        self.charged = 0.0  # What the caller served last had had: newcomers start there, without credit.
        self.remembered: dict[str, float] = {}  # What those who left had had.
        self.passed_us = now_us

    def next(self) -> Waiter:
        caller = min(self.callers.values(), key=lambda each: (each.had, each.order))
        return next(iter(caller.queue))

    def join(self, key: str, order: int) -> _Caller:
        caller = self.callers.get(key)
        if caller is None:
            had = max(self.charged, self.remembered.pop(key, 0.0))
            caller = self.callers[key] = _Caller(had, order)
        return caller

    def leave(self, key: str, caller: _Caller) -> None:
        del self.callers[key]
        if caller.had > self.charged:
            self.remembered[key] = caller.had
        if len(self.remembered) > REMEMBERED_MAX:
            self.remembered = {k: had for k, had in self.remembered.items() if had > self.charged}
            if len(self.remembered) > REMEMBERED_MAX:
                self.remembered.clear()


class Line:
    """The waiting calls. Every operation but `next` and `ahead_of` takes the same time however many wait."""

    __slots__ = ("_levels", "_order", "count", "tokens")

    def __init__(self) -> None:
        self._levels: dict[int, _Level] = {}
        self._order = 0
        self.count = 0
        self.tokens = 0

    def join(self, waiter: Waiter, now_us: int) -> None:
        level = self._levels.get(waiter.priority)
        if level is None:
            level = self._levels[waiter.priority] = _Level(now_us)
        self._order += 1
        level.join(waiter.key, self._order).queue[waiter] = None
        self.count += 1
        self.tokens += waiter.tokens

    def next(self, now_us: int) -> Waiter | None:
        """The largest priority first, except that one passed over for `AGE_US` gets a turn."""
        levels = self._levels
        if not levels:
            return None
        first = max(levels)
        if len(levels) > 1:
            passed_us, priority = min((level.passed_us, priority) for priority, level in levels.items())
            if now_us - passed_us >= AGE_US:
                first = priority
        return levels[first].next()

    def served(self, waiter: Waiter, now_us: int, cost: float) -> None:
        """Takes the call out and charges its caller."""
        level = self._levels[waiter.priority]
        caller = level.callers[waiter.key]
        level.passed_us = now_us
        level.charged = caller.had
        caller.had += cost / waiter.weight
        self._take_out(waiter, level, caller)

    def withdraw(self, waiter: Waiter) -> None:
        level = self._levels[waiter.priority]
        self._take_out(waiter, level, level.callers[waiter.key])

    def ahead_of(self, key: str, priority: int) -> int:
        """How many of those waiting now would go before one more call of this caller."""
        ahead = 0
        for rank, level in self._levels.items():
            if rank > priority:
                ahead += sum(len(caller.queue) for caller in level.callers.values())
            elif rank == priority:
                own = level.callers.get(key)
                turns = len(own.queue) if own is not None else 0
                ahead += turns + sum(
                    min(len(caller.queue), turns) for caller in level.callers.values() if caller is not own
                )
        return ahead

    def everyone(self) -> list[Waiter]:
        return [
            waiter
            for level in self._levels.values()
            for caller in level.callers.values()
            for waiter in caller.queue
        ]

    def _take_out(self, waiter: Waiter, level: _Level, caller: _Caller) -> None:
        waiter.waits = False
        del caller.queue[waiter]
        self.count -= 1
        self.tokens -= waiter.tokens
        if not caller.queue:
            level.leave(waiter.key, caller)
            if not level.callers:
                del self._levels[waiter.priority]
