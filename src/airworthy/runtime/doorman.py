"""Keeps the sessions of one process: its lease, what people have switched off, delayed effects that are due."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from airworthy.core.clock import Clock
from airworthy.core.errors import AirworthyError
from airworthy.core.ids import Ids
from airworthy.policy import Policy
from airworthy.recorder import Payloads
from airworthy.runtime import attached, switches
from airworthy.runtime.attached import Attached, Held, Opening
from airworthy.runtime.bell import ORDERS, WATCH_S, Bell
from airworthy.runtime.engine import Engine
from airworthy.runtime.engines import engine_of
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.presence import Presence
from airworthy.runtime.sending import Sending, may_send
from airworthy.store import Database, StoreError, Tx
from airworthy.store.lease import Owner
from airworthy.tools import EffectRow, Toolbox
from airworthy.tools.dispatch import Dispatcher
from airworthy.tools.mcp.remote import CALLER, Caller

SESSIONS_MAX = 1000


class TooManySessions(AirworthyError):
    """The process holds as many sessions as it may."""

    code = "too_many_sessions"


class OutboxCaller(Caller, Protocol):
    """Who carries out what waited in the outbox."""

    async def ready(self) -> bool:
        """Whether the server can be reached, and its tools are known."""
        ...


@dataclass(frozen=True, slots=True)
class Duty:
    """Who this process is in the store, and whose delayed effects it carries out: those of the MCP server `server`."""

    owner: Owner
    server: str
    outbox: OutboxCaller


class Doorman:
    """One per process. `run` must run beside the sessions; `leave` ends them all."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        payloads: Payloads,
        box: Toolbox,
        duty: Duty,
        engine: Engine | None = None,
    ) -> None:
        self.broken: StoreError | None = None
        self.on_broken: Callable[[], None] = lambda: None
        self._database = database
        self._clock = clock
        self._ids = ids
        self._payloads = payloads
        self._box = box
        self._policy: Policy = box.policy
        self._owner = duty.owner
        self._outbox = duty.outbox
        self._lifecycle = Lifecycle(engine or engine_of(database), payloads)
        self._sessions: dict[str, Attached] = {}
        self._orders = Bell()
        self.presence = Presence(database, clock, duty.owner, self._lifecycle)
        self._dispatcher = Dispatcher(
            database, clock, {self._policy.agent: box}, duty.owner.id, payloads.redactor, may_send, server=duty.server
        )  # fmt: skip
        self._sending = Sending(self._carry_out, self._broke)

    async def join(self) -> None:
        await self._database.write(self.presence.join)

    async def opened(self, opening: Opening) -> Attached:
        """A new session. Raises: TooManySessions, StoreError."""
        self._room()
        now_us = self._clock.now_us()
        return self._held(
            await self._database.write(
                lambda tx: attached.opened(tx, self._payloads, self._ids, opening, self._owner.id, now_us)
            )
        )

    async def resumed(self, task_id: str) -> Attached:
        """One that was parked. Raises: TooManySessions, NoSuchTask, IllegalTransition, StoreError."""
        self._room()
        now_us = self._clock.now_us()
        agent = self._policy.agent
        return self._held(
            await self._database.write(
                lambda tx: attached.resumed(tx, task_id, agent, self._owner.id, now_us)
            )
        )

    def forget(self, session: Attached) -> None:
        """It has ended."""
        self._sessions.pop(session.task.id, None)

    async def run(self) -> None:
        """Until cancelled, or until the store fails: then `broken` says how, and every session is over."""
        self._orders.listen(self._database, [ORDERS])
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.presence.keep(self._frozen, self._after_sweep))
                group.create_task(self._watch())
        except* StoreError as errors:
            self._broke(errors.exceptions[0])
        finally:
            self._orders.close()

    def _broke(self, error: BaseException) -> None:
        self.broken = error if isinstance(error, StoreError) else StoreError(str(error))
        for session in self._sessions.values():
            session.over = attached.UNSAVED
        self.on_broken()

    async def leave(self) -> None:
        """Ends what is open, and gives the lease back."""
        for session in list(self._sessions.values()):
            await session.end()
        await self._sending.end()
        await self._box.shapes.sync(self._database, last=True)
        await self.presence.leave()

    def _room(self) -> None:
        if len(self._sessions) >= SESSIONS_MAX:
            raise TooManySessions(
                f"{SESSIONS_MAX} sessions are open, as many as there may be.", mend="Try again later."
            )

    def _held(self, held: Held) -> Attached:
        made = Attached(
            self._database, self._lifecycle, self._clock, self._payloads, self._policy, self._box, held
        )
        self._sessions[made.task.id] = made
        return made

    def _frozen(self) -> None:
        """The sessions were settled by others, so they are over here too."""
        for session in self._sessions.values():
            session.over = "This process was frozen for longer than its lease, so the session was ended."
        self._sessions.clear()

    async def _after_sweep(self, _: int) -> None:
        self._sending.begin(await self._dispatcher.orphans())

    async def _watch(self) -> None:
        while True:
            due: list[EffectRow] = []
            cancel, why = await self._database.read(self._read_orders)
            if not why:
                due = await self._dispatcher.due([self._policy.agent])
                if due and not await self._outbox.ready():
                    due = []
            for task_id, session in list(self._sessions.items()):
                session.paused = why or cancel.get(task_id, "")
                if cancel.get(task_id) == _CANCELLED:
                    self._sessions.pop(task_id)
                    await session.cancel()
            self._sending.begin(due)
            await self._box.shapes.sync(self._database)
            await self._orders.wait(WATCH_S)

    def _read_orders(self, tx: Tx) -> tuple[dict[str, str], str]:
        off = switches.paused(tx, self._policy.agent)
        why = ""
        if off is not None:
            why = (
                f"The agent {self._policy.agent} is paused" + (f": {off.reason}" if off.reason else "") + "."
            )
        rows = tx.rows(
            "SELECT id, cancel_asked FROM tasks WHERE kind = 'session' AND state = 'running'"
            " AND (cancel_asked = 1 OR pause_asked = 1)"
        )
        return {task_id: _CANCELLED if asked else "The session is paused." for task_id, asked in rows}, why

    async def _carry_out(self, row: EffectRow) -> None:
        CALLER.set(self._outbox)  # In the context of this effect alone.
        await self._dispatcher.carry_out(row)


_CANCELLED = "The session was cancelled."
