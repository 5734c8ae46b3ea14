"""All shared breakers of one process, and the task that keeps them and the store in step."""

import asyncio
from collections.abc import Callable
from typing import cast

from airworthy.core.clock import US_PER_S, Clock
from airworthy.resilience.breaker import Breaker, Permit, Refusal
from airworthy.resilience.circuit import Change
from airworthy.resilience.shared import rows
from airworthy.resilience.shared.circuit import SharedCircuit
from airworthy.resilience.shared.rows import BreakerRow, Exchanged, News, Outrun
from airworthy.store.database import Database, StoreError, Tx

TICK_S = 0.5
ASK_AGAIN_US = 2 * US_PER_S
Asked = tuple[SharedCircuit, News, bool]  # whose news, the news, and whether a permit is wanted with it


class Circuits:
    """One for each process. `owner` names it in the store; `on_change` hears of each change of mode and must not raise.

    Nothing is told or heard by itself unless `run` is running; only a probe is claimed all the same.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        owner: str,
        *,
        on_change: Callable[[Change], None] | None = None,
        tick_s: float = TICK_S,
    ) -> None:
        self.on_change = on_change
        self.tick_s = tick_s
        self._lost_us: int | None = None  # When the store failed to answer last.
        self._database = database
        self._clock = clock
        self._owner = owner
        self._circuits: dict[str, SharedCircuit] = {}
        self._stamp: tuple[int, int] | None = None
        self._wake = asyncio.Event()

    @property
    def reachable(self) -> bool:
        """Whether the store is worth asking; while it is not, each process is on its own."""
        return self._lost_us is None or self._clock.now_us() - self._lost_us >= ASK_AGAIN_US

    def circuit(self, name: str, policy: Breaker | None = None) -> SharedCircuit:
        """The same object for the same name; the first caller's policy holds. A name is never forgotten."""
        found = self._circuits.get(name)
        if found is None:
            found = self._circuits[name] = SharedCircuit(self, name, policy or Breaker(), self._clock)
            self._stamp = None
            self._wake.set()
        return found

    def wake(self) -> None:
        """Something is worth telling now."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; then call `tick` once more to tell what is left."""
        while True:
            self._wake.clear()
            await self.tick()
            try:
                async with asyncio.timeout(self.tick_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def tick(self) -> None:
        """Follows what is new there, then tells what is new here. A store that does not answer is asked again."""
        try:
            await self._hear()
            await self._tell()
        except StoreError:
            self._lost_us = self._clock.now_us()
        except Outrun:
            self._wake.set()
        else:
            self._lost_us = None

    async def claim(self, circuit: SharedCircuit) -> Permit | Refusal:
        """A permit by the store's word, so that one process alone gets a probe. Cancelled: the probe is given back."""
        news, _ = circuit.take_news()
        asked = asyncio.ensure_future(self._exchange([(circuit, news, True)]))
        try:
            (done,) = await asyncio.shield(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(lambda _: _give_back(circuit, news, asked))
            raise
        except StoreError:
            self._lost_us = self._clock.now_us()
            circuit.keep_news(news)
            return circuit.alone()
        except Outrun:
            circuit.keep_news(news)
            self._wake.set()
            return Refusal(self.tick_s, f"another process was quicker; {circuit.state.reason}")
        answer = cast("Permit | Refusal", done.answer)
        circuit.follow(done.row, answer if isinstance(answer, Permit) else None)
        return answer

    async def _tell(self) -> None:
        now_us = self._clock.now_us()
        sent = [(each, *each.take_news()) for each in self._circuits.values() if each.has_news(now_us)]
        if not sent:
            return
        try:
            answers = await self._exchange(sent)
        except BaseException:
            for circuit, news, _ in sent:
                circuit.keep_news(news)
            raise
        for (circuit, _, wanted), done in zip(sent, answers, strict=True):
            permit = done.answer if isinstance(done.answer, Permit) else None
            circuit.follow(done.row, permit, unused=wanted)

    async def _hear(self) -> None:
        stamp = await self._database.read(rows.stamp)
        if stamp == self._stamp:
            return
        found: list[BreakerRow] = await self._database.read(rows.listing)
        self._stamp = stamp
        for row in found:
            circuit = self._circuits.get(row.name)
            if circuit is not None and row.version > circuit.version:
                circuit.follow(row)

    async def _exchange(self, asked: list[Asked]) -> list[Exchanged]:
        now_us = self._clock.now_us()

        def op(tx: Tx) -> list[Exchanged]:
            done = []
            for circuit, news, wanted in asked:
                by_whom = (news.hand.by_whom if news.hand is not None else "") or self._owner
                done.append(
                    rows.exchange(tx, circuit.name, circuit.policy, news, by_whom, now_us, claim=wanted)
                )
            return done

        return await self._database.write(op)


def _give_back(circuit: SharedCircuit, news: News, asked: "asyncio.Future[list[Exchanged]]") -> None:
    """After a claim whose caller has gone."""
    if asked.cancelled() or asked.exception() is not None:
        circuit.keep_news(news)
        return
    (done,) = asked.result()
    permit = done.answer if isinstance(done.answer, Permit) else None
    circuit.follow(done.row, permit)
    if permit is not None:
        circuit.leave(permit, "neutral")
