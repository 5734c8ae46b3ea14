"""The real worker of a trial, as one that nobody shares: it waits for exactly what is due next, and then ends."""

import asyncio
from collections.abc import Iterable, Mapping

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import told
from airworthy.core.ids import Ids
from airworthy.policy import Policy, Preconditions
from airworthy.preflight.stage.part import Now, Part, now
from airworthy.preflight.stage.purse import CapReached
from airworthy.recorder import Payloads
from airworthy.runtime import Desk, Ended, Worker
from airworthy.runtime.bell import AT_ONCE, Turn
from airworthy.runtime.engine import EmbeddedEngine
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.sending import Sending
from airworthy.store import Database, Tx
from airworthy.store.lease import Owner
from airworthy.tools import Dependency, EffectRow, Tool, Toolbox, outbox
from airworthy.tools.call import Call
from airworthy.tools.guard import Tried
from airworthy.tools.readiness import Readiness

WATCH_S = 1.0
WAIT_S_MAX = 5.0


class StageEngine(EmbeddedEngine):
    """Knows when the next wake is due, because nobody else has this store: so nothing is polled."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(WAIT_S_MAX)
        self._database = database
        self._clock = clock

    async def wait(self, s_max: float = WAIT_S_MAX, turn: Turn = AT_ONCE) -> None:  # noqa: ARG002
        due_us = self._database.read_now(next_wake_us)
        left_s = WAIT_S_MAX if due_us is None else max(0.0, (due_us - self._clock.now_us()) / US_PER_S)
        await self._bell.wait(left_s)


def next_wake_us(tx: Tx) -> int | None:
    row = tx.row("SELECT MIN(due_us) FROM wakes")
    return None if row is None else row[0]


class StageWorker(Worker):
    """Ends when nothing is due now, whatever is due later. `cast`: whose part a task is."""

    watch_s = WATCH_S

    def __init__(
        self, database: Database, desk: Desk, clock: Clock, ids: Ids, payloads: Payloads, cast: Mapping[str, Part],
        at_once: int,
    ) -> None:  # fmt: skip
        owner = Owner("wkr_stage", "", 1, "")
        super().__init__(database, [desk], clock, ids, owner=owner, payloads=payloads, concurrency=at_once)
        self._cast = cast
        self.lost: list[str] = []  # How runs were lost by a fault of ours.
        self.on_end = self._heard
        self.engine = StageEngine(database, clock)
        self._sending = Sending(self._carried_out, self._broke)

    async def _carried_out(self, row: EffectRow) -> None:
        token = now.set(Now(self._cast[row.task_id], row.id))
        try:
            await self._dispatcher.carry_out(row)
        finally:
            now.reset(token)

    async def _anything_left(self) -> bool:
        agents = [name for name in self._desks if name not in self._off]

        def due(tx: Tx) -> bool:
            now_us = self._clock.now_us()
            times = (self.engine.next_us(tx, agents), outbox.next_due_us(tx, agents))
            return any(each is not None and each <= now_us for each in times)

        return self._sending.busy or (bool(agents) and self._database.read_now(due))

    async def _sync_shapes(self, *, last: bool = False) -> None:  # noqa: ARG002
        return

    @property
    def lifecycle(self) -> Lifecycle:
        return self._lifecycle

    def nudge(self) -> None:
        self.engine.nudge()

    def _heard(self, ended: Ended) -> None:
        if ended.lost is not None and not isinstance(ended.lost, CapReached):
            self.lost.append(f"{type(ended.lost).__name__}: {told(ended.lost)}")


class _AllWell(Readiness):
    """Nothing here talks to the dependencies of the policy, so how they are says nothing of the agent."""

    def _looked(self, name: str, dependency: Dependency, rule: Preconditions) -> "asyncio.Task[str]":  # noqa: ARG002
        return asyncio.create_task(_nothing())


async def _nothing() -> str:
    return ""


class StageToolbox(Toolbox):
    """The real one, which lets the stand-ins below know whose call they stand in for."""

    def __init__(self, policy: Policy, tools: Iterable[Tool], clock: Clock, cast: Mapping[str, Part]) -> None:
        super().__init__(policy, tools, clock)
        self.readiness = _AllWell(clock, self.named_dependency)
        self._cast = cast

    async def try_call(self, call: Call, *, key: str | None, again: bool = False) -> Tried:
        token = now.set(Now(self._cast[call.run.journal.task.id], call.effect_id))
        try:
            return await super().try_call(call, key=key, again=again)
        finally:
            now.reset(token)
