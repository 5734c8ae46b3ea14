"""A process that advances tasks: claims what is due, keeps its lease alive, obeys switches, empties the outbox."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import ConfigError
from airworthy.core.halt import Lost, Suspend
from airworthy.core.ids import Ids
from airworthy.recorder import Payloads
from airworthy.runtime import switches
from airworthy.runtime.admission import queue
from airworthy.runtime.bell import IDLE_S, ORDERS, POLL_S, WATCH_S, Bell
from airworthy.runtime.chores import Chore, Chores
from airworthy.runtime.claimed import Claimed
from airworthy.runtime.claiming import Hands, Taken, take_due
from airworthy.runtime.engine import Engine
from airworthy.runtime.engines import engine_of
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.presence import Presence
from airworthy.runtime.runner import Desk, Ended, Runner, cancelled, paused
from airworthy.runtime.sending import Sending, may_send
from airworthy.runtime.sweeping import mend
from airworthy.store import Database, StaleFence, StoreError, StoreNewer, Tx
from airworthy.store import lease as leases
from airworthy.store.lease import Owner
from airworthy.tools import EffectRow, outbox
from airworthy.tools.dispatch import Dispatcher
from airworthy.tools.shape.watch import SYNC_S

CONCURRENCY_DEFAULT = 16


class WorkerStopped(ConfigError):
    """The store failed under the worker, so it stopped; every task goes on from its record at the next start."""

    code = "worker_stopped"


@dataclass(frozen=True, slots=True)
class _Orders:
    """What the store says that this worker has to obey now."""

    off: frozenset[str]  # Agents that are paused; all of them when everything is.
    cancel: tuple[str, ...]
    pause: tuple[str, ...]
    send_us: int | None  # When the next effect of the outbox is due.


@dataclass(slots=True)
class _Held:
    runner: Runner
    task: "asyncio.Task[None]"
    agent: str = field(default="")


class Worker:
    """One per process. `desks` by agent's name; `on_end` hears what became of every run; `chores` go on beside."""

    watch_s = POLL_S

    def __init__(
        self,
        database: Database,
        desks: Iterable[Desk],
        clock: Clock,
        ids: Ids,
        *,
        owner: Owner,
        payloads: Payloads | None = None,
        concurrency: int = CONCURRENCY_DEFAULT,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._payloads = payloads if payloads is not None else Payloads()
        self._desks = {desk.agent.name: desk for desk in desks}
        policies = [desk.agent.policy for desk in self._desks.values()]
        self._admission = {each.agent: each.admission for each in policies if each.admission is not None}
        self._lifecycle = Lifecycle(engine_of(database), self._payloads, self._admission)
        self._attempts_max = {each.agent: each.runtime.attempts_max for each in policies}
        self.presence = Presence(database, clock, owner, self._lifecycle)
        self._next_us: int | None = None
        self._looked_s = 0.0
        self._futile = 0  # Looks in a row that found nothing, one soon after the other.
        self._orders = Bell(self.watch_s)
        self._concurrency = concurrency
        self._owner = owner
        self._held: dict[str, _Held] = {}
        self._off: frozenset[str] = frozenset()
        self._broken: Exception | None = None
        self._stopping = False
        boxes = {name: desk.toolbox for name, desk in self._desks.items()}
        self._dispatcher = Dispatcher(database, clock, boxes, owner.id, self._payloads.redactor, may_send)
        self._sending = Sending(self._dispatcher.carry_out, self._broke)
        self.on_end: Callable[[Ended], None] = lambda _: None
        self.chores: Sequence[Chore] = ()

    @property
    def engine(self) -> Engine:
        return self._lifecycle.engine

    @engine.setter
    def engine(self, engine: Engine) -> None:
        """Before `run`."""
        self._lifecycle.engine = engine

    @property
    def running(self) -> int:
        return len(self._held)

    async def run(self, *, until_idle: bool = False) -> None:
        """Until `stop` (or until nothing is left to do). Raises: WorkerStopped when the store fails."""
        await self._join()
        self.engine.listen(self._database, self._desks)
        self._orders.listen(self._database, [ORDERS])
        beat = asyncio.create_task(self._beat_forever())
        watch = asyncio.create_task(self._watch_forever())
        shapes = asyncio.create_task(self._shapes_forever())
        chores = asyncio.create_task(Chores(self._database, self._clock, self._owner.id, self.chores).run())
        try:
            await self._claim_forever(until_idle=until_idle)
            await self._finish_held()
        finally:
            for part in (beat, watch, shapes, chores):
                part.cancel()
            await asyncio.gather(beat, watch, shapes, chores, return_exceptions=True)
            self.engine.close()
            self._orders.close()
            await self._leave()
            for desk in self._desks.values():
                await desk.toolbox.aclose()
        if self._broken is not None:
            raise WorkerStopped(
                f"The worker stopped, because the store failed: {self._broken}",
                mend="Mend that, then start the worker again; it goes on where it stopped.",
            ) from self._broken

    def stop(self) -> None:
        """Takes nothing new and returns from `run` when what is under way has ended."""
        self._stopping = True
        self.engine.nudge()

    def hand_over(self) -> None:
        """Each run ends before its next call, and its task goes on from its record with whoever takes it first."""
        for held in self._held.values():
            held.runner.halt(Suspend("another worker", self._clock.now_us()))

    def abort(self) -> None:
        """Lets go of everything now, but for acts, whose results are awaited; the tasks go on as after `hand_over`."""
        self._stopping = True
        self._let_go(WorkerStopped("The worker was told to stop at once."))
        self.engine.nudge()

    def _let_go(self, why: Exception) -> None:
        for held in list(self._held.values()):
            held.runner.interrupt(Lost(why))

    async def _join(self) -> None:
        def op(tx: Tx) -> None:
            self.presence.join(tx)
            for agent, rule in self._admission.items():
                queue.note_rule(tx, agent, rule.model_dump_json())

        await self._database.write(op)
        self._sending.begin(await self._dispatcher.orphans())

    async def _leave(self) -> None:
        self._let_go(WorkerStopped("The worker is leaving."))
        await asyncio.gather(
            *(held.task for held in self._held.values()), self._sending.end(), return_exceptions=True
        )
        await self._sync_shapes(last=True)
        await self.presence.leave()

    async def _claim_forever(self, *, until_idle: bool) -> None:
        while not self._stopping and self._broken is None:
            free = self._concurrency - len(self._held)
            claimed = await self._claim(free) if free > 0 else []
            for each in claimed:
                self._begin(each)
            if claimed:
                continue  # Others may be due, or be due soon.
            if until_idle and not self._held and not await self._anything_left():
                return
            await self._wait()

    async def _claim(self, count: int) -> list[Claimed]:
        agents = [name for name in self._desks if name not in self._off]
        looked_s, self._looked_s = self._looked_s, asyncio.get_running_loop().time()
        self._futile = self._futile + 1 if self._looked_s - looked_s < POLL_S else 0
        try:
            self._next_us = await self._database.read(lambda tx: self.engine.next_us(tx, agents))
            if self._next_us is None or self._next_us > self._clock.now_us():
                return []
            taken = await self._database.write(lambda tx: self._claim_in(tx, count))
        except StoreError as error:
            self._broken = error
            return []
        self._next_us = taken.next_us
        self._futile = 0 if taken.claimed else self._futile
        return taken.claimed

    def _claim_in(self, tx: Tx, count: int) -> Taken:
        now_us = self._clock.now_us()
        on = [name for name in self._desks if not self._is_off(tx, name)]
        hands = Hands(self._owner.id, count, self._attempts_max)
        return take_due(tx, self._lifecycle, on, hands, now_us)

    async def _wait(self) -> None:
        """Until the next task may begin, as far as this worker knows, and others may tell of an earlier one."""
        turn = self.presence.turn(len(self._held), self._futile)
        left_s = IDLE_S if self._next_us is None else (self._next_us - self._clock.now_us()) / US_PER_S
        # What has come due all know of, so its time is waited for in turn too.
        await self.engine.wait(left_s + turn.after_s if left_s > 0 else POLL_S, turn)

    def _begin(self, claimed: Claimed) -> None:
        desk = self._desks[claimed.task.agent]
        runner = Runner(
            self._database, self._lifecycle, self._clock, self._ids, self._payloads, desk, claimed
        )
        task = asyncio.create_task(self._run_one(runner, claimed))
        self._held[claimed.task.id] = _Held(runner, task, claimed.task.agent)

    async def _run_one(self, runner: Runner, claimed: Claimed) -> None:
        try:
            ended = await runner.run()
        except Exception as error:  # noqa: BLE001  # a fault of ours: the task must not be stuck with it
            await self._give_back(claimed)
            ended = Ended(
                claimed.task.id, claimed.task.agent, None, f"{type(error).__name__}: {error}", error
            )
        finally:
            self._held.pop(claimed.task.id, None)
            self.engine.nudge()
        if isinstance(ended.lost, StoreError) and self._broken is None:
            self._broken = ended.lost
        self.on_end(ended)

    async def _give_back(self, claimed: Claimed) -> None:
        """To be claimed again; after a few times without progress it becomes a dead letter."""

        def op(tx: Tx) -> None:
            leases.release(tx, claimed.fence)
            mend(tx, self._lifecycle, self._clock.now_us())

        try:
            await self._database.write(op, fence=claimed.fence)
        except (StaleFence, StoreError):
            pass  # Somebody else has it, or the lease ends by itself.

    async def _finish_held(self) -> None:
        while self._held:
            await asyncio.wait([held.task for held in self._held.values()])

    async def _anything_left(self) -> bool:
        agents = [name for name in self._desks if name not in self._off]
        if not agents:
            return False

        def query(tx: Tx) -> bool:
            due_us = outbox.next_due_us(tx, agents)
            lined_up = any(not queue.empty(tx, agent) for agent in agents if agent in self._admission)
            sends = due_us is not None and due_us <= self._clock.now_us()
            return lined_up or sends or self.engine.next_us(tx, agents) is not None

        return self._sending.busy or await self._database.read(query)

    async def _beat_forever(self) -> None:
        try:
            await self.presence.keep(self._frozen, self._after_sweep)
        except StoreError as error:
            self._broke(error)

    def _frozen(self) -> None:
        self._let_go(StaleFence("The worker was frozen for longer than its lease."))

    async def _after_sweep(self, woken: int) -> None:
        if woken:
            self.engine.nudge()
        self._sending.begin(await self._dispatcher.orphans())

    def _broke(self, error: StoreError) -> None:
        self._broken = error
        if isinstance(error, StoreNewer):
            self._let_go(error)  # Whatever they wrote might be misread.
        self.engine.nudge()

    async def _watch_forever(self) -> None:
        """Switches and requests of people reach this worker within POLL_S, and the outbox is emptied."""
        while True:
            try:
                orders = await self._database.read(self._read_orders)
                due = await self._due(orders)
            except StoreError as error:
                self._broke(error)
                return
            if orders.off != self._off:
                self._off = orders.off
                self.engine.nudge()
            self._obey(orders)
            self._sending.begin(due)
            await self._orders.wait(WATCH_S if self._orders.hears else self.watch_s)

    async def _due(self, orders: _Orders) -> list[EffectRow]:
        if orders.send_us is None or orders.send_us > self._clock.now_us():
            return []
        return await self._dispatcher.due([name for name in self._desks if name not in orders.off])

    async def _shapes_forever(self) -> None:
        while True:
            await self._sync_shapes()
            await asyncio.sleep(SYNC_S)

    async def _sync_shapes(self, *, last: bool = False) -> None:
        for desk in self._desks.values():
            await desk.toolbox.shapes.sync(self._database, last=last)

    def _obey(self, orders: _Orders) -> None:
        for task_id in orders.cancel:
            if (held := self._held.get(task_id)) is not None:
                held.runner.interrupt(cancelled())
        for task_id, held in self._held.items():
            if held.agent in self._off or task_id in orders.pause:
                held.runner.halt(paused())

    def _is_off(self, tx: Tx, name: str) -> bool:
        return self._desks[name].agent.policy.manual or switches.paused(tx, name) is not None

    def _read_orders(self, tx: Tx) -> _Orders:
        off = frozenset(name for name in self._desks if self._is_off(tx, name))
        rows = tx.rows(
            "SELECT id, cancel_asked FROM tasks WHERE state = 'running' AND (cancel_asked = 1 OR pause_asked = 1)"
        )
        cancel = tuple(task_id for task_id, asked in rows if asked)
        pause = tuple(task_id for task_id, asked in rows if not asked)
        return _Orders(off, cancel, pause, outbox.next_due_us(tx, list(self._desks)))
