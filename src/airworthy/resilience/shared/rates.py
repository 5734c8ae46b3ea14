"""One process's end of shared rates: a small stock of calls it may begin, and the task that gets it more."""

import asyncio
from collections.abc import Callable
from typing import Final

from airworthy.core.clock import US_PER_S, Clock
from airworthy.resilience.shared import lending
from airworthy.resilience.shared.lending import Ask, Lent
from airworthy.store.database import Database, StoreError, Tx

TICK_S: Final = 0.5
ASK_AGAIN_US: Final = 2 * US_PER_S
ASKING_US: Final = 20_000  # What an answer of the store is taken to need.
GRACE_US: Final = 50_000
FAR_US: Final = 3_600 * US_PER_S
AHEAD_SHARE: Final = 10  # No process holds more than a tenth of a rate in stock.


class Allowance:
    """Calls of one name that this process may begin now. Made by `Rates.allowance`; for one event loop."""

    def __init__(self, home: "Rates", name: str, calls: int, window_us: int) -> None:
        self.name = name
        self.on_more: Callable[[], None] | None = None  # called when there may be more to take
        self._home = home
        self._calls = calls
        self._window_us = window_us
        self._stock = 0
        self._lent: Lent | None = None
        self._wanted = 0
        self._until_us = 0  # So long the stock may be used.
        self._used = 0  # since the store was asked last
        self._more = asyncio.Event()

    def has(self, calls: int = 1) -> bool:
        """Whether so many may begin; asks for what is lacking. More than the whole rate counts as all of it."""
        if not self._home.reachable:
            return True  # On its own each process keeps to the rate by itself.
        calls = min(calls, self._calls)
        if self._stock >= calls and self._home.now_us() <= self._until_us:
            return True
        if calls > self._wanted:
            self._wanted = calls
            self._home.wake()
        return False

    def spend(self, calls: int = 1) -> None:
        """After `has`; or of what was spent, more than that was needed, or less, where it is negative."""
        calls = min(calls, self._calls)
        self._stock -= calls
        self._used += calls

    def wait_us(self, now_us: int) -> int:
        """How long at least until there is one more, as far as is known."""
        if self._stock > 0 or not self._home.reachable:
            return 0
        free_us = 0 if self._lent is None else self._lent.free_us
        return max(ASKING_US, free_us - now_us)

    async def more(self, waiting: int) -> None:
        """Returns when there may be one; `waiting`: how many in all wait for one."""
        self._wanted = max(self._wanted, min(waiting, self._calls))
        self._more.clear()
        self._home.wake()
        await self._more.wait()

    # For `Rates` alone.

    def ask(self, now_us: int) -> Ask | None:
        """None: there is nothing to ask for, or not before `due_us`."""
        if self.due_us(now_us) > now_us:
            return None
        back = []
        if self._lent is not None and self._stock > 0 and now_us > self._until_us:
            back = [(self._lent.slot, self._stock)]
            self._stock = 0
        lacking = self._wanted - self._stock if self._wanted > self._stock else 0
        if not lacking and not back:
            return None
        ahead = min(max(self._used, 0), self._calls // AHEAD_SHARE) if lacking else 0
        return Ask(self.name, self._calls, self._window_us, lacking + ahead, back)

    def due_us(self, now_us: int) -> int:
        """When it is worth asking; far off while nothing is wanted and nothing is to be given back."""
        if self._stock > 0 and now_us > self._until_us:
            return now_us
        if self._wanted <= self._stock:
            return self._until_us + 1 if self._stock > 0 else now_us + FAR_US
        return now_us if self._lent is None else self._lent.free_us

    def follow(self, lent: Lent) -> None:
        self._stock += lent.calls
        self._lent = lent
        # What was long on its way is good for those who wait for it, at least.
        self._until_us = max(lent.until_us, self._home.now_us() + GRACE_US)
        self._used = 0
        if lent.calls or not lent.free_us:
            self._wanted = 0
            self.rouse()

    def rouse(self) -> None:
        self._more.set()
        if self.on_more is not None:
            self.on_more()


class Rates:
    """One for each process. Nothing is lent or heard unless `run` is running."""

    def __init__(self, database: Database, clock: Clock, *, tick_s: float = TICK_S) -> None:
        self.tick_s = tick_s
        self._database = database
        self._clock = clock
        self._allowances: dict[tuple[str, int, int], Allowance] = {}
        self._heard: dict[str, Callable[[int], None]] = {}
        self._untold: dict[str, int] = {}
        self._lost_us: int | None = None
        self._running = False
        self._wake = asyncio.Event()

    def now_us(self) -> int:
        return self._clock.now_us()

    @property
    def reachable(self) -> bool:
        """While the store does not answer, each process is on its own."""
        lost = self._lost_us is not None and self._clock.now_us() - self._lost_us < ASK_AGAIN_US
        return self._running and not lost

    def allowance(self, name: str, calls: int, window_s: float) -> Allowance:
        """The same object for the same name and rate."""
        key = (name, calls, round(window_s * US_PER_S))
        if key not in self._allowances:
            self._allowances[key] = Allowance(self, *key)
        return self._allowances[key]

    def on_hold(self, name: str, hear: Callable[[int], None]) -> None:
        """`hear` is told until when nobody may call `name`, when another process has found that out."""
        self._heard[name] = hear

    def hold(self, name: str, until_us: int) -> None:
        """Tells the others, within a tick."""
        self._untold[name] = max(until_us, self._untold.get(name, 0))
        self._wake.set()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        self._running = True
        try:
            while True:
                self._wake.clear()
                await self.tick()
                try:
                    async with asyncio.timeout(self._pause_s()):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            self._running = False
            for each in self._allowances.values():
                each.rouse()

    def _pause_s(self) -> float:
        if self._lost_us is not None:
            return self.tick_s  # What is wanted is due all the while.
        now_us = self._clock.now_us()
        due_us = min((each.due_us(now_us) for each in self._allowances.values()), default=now_us + US_PER_S)
        return min(self.tick_s, max(0.001, (due_us - now_us) / US_PER_S))

    async def tick(self) -> None:
        """Tells and hears of holds, and gets what is wanted. A store that does not answer is asked again."""
        now_us = self._clock.now_us()
        asked = [(each, ask) for each in self._allowances.values() if (ask := each.ask(now_us)) is not None]
        untold, self._untold = self._untold, {}

        def op(tx: Tx) -> list[Lent]:
            for name, until_us in untold.items():
                lending.hold(tx, name, until_us, now_us)
            return [lending.lend(tx, ask, self._clock.now_us()) for _, ask in asked]

        try:
            lent = await self._database.write(op) if asked or untold else []
            held = await self._database.read(lambda tx: lending.holds(tx, now_us)) if self._heard else {}
        except StoreError:
            self._lost_us = self._clock.now_us()
            self._untold = {**untold, **self._untold}
            for each in self._allowances.values():
                each.rouse()
            return
        self._lost_us = None
        for (each, _), answer in zip(asked, lent, strict=True):
            each.follow(answer)
        for name, until_us in held.items():
            if name in self._heard:
                self._heard[name](until_us)
