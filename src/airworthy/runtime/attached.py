"""A session as a running task: calls made by an agent elsewhere, each through the chain, until the session ends.

The task is held by the process that serves the session, under its lease. Nothing is run again: when that process
dies, whoever sweeps settles the session (see `sessions`).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from airworthy.core.canonical import decode, digest, encode
from airworthy.core.clock import Clock
from airworthy.core.halt import Lost, Stop, Suspend, TryLater
from airworthy.core.ids import Ids
from airworthy.core.outcome import ReasonCode
from airworthy.policy import Policy, policy_hash
from airworthy.recorder import Payloads, Recorded, read_steps
from airworthy.recorder.journal import parted
from airworthy.recorder.session_journal import SessionJournal
from airworthy.recorder.steps import body, insert_input
from airworthy.runtime import sessions, switches, tasks
from airworthy.runtime.gate import RunGate
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.machine import Event, IllegalTransition, State
from airworthy.runtime.runner import cancelled, paused
from airworthy.runtime.sessions import DOUBTFUL_EFFECTS, OPEN_EFFECTS, Close, Park
from airworthy.runtime.tasks import Kind, TaskRow
from airworthy.store import Database, Fence, StaleFence, StoreError, Tx
from airworthy.store import lease as leases
from airworthy.tools import EffectRow, EffectState, RunTools, Toolbox, outbox
from airworthy.tools.call import Answer
from airworthy.tools.errors import NotNow, error_from

T = TypeVar("T")

UNSAVED = "The record of this session cannot be written any more, so nothing more is done in it."


@dataclass(frozen=True, slots=True)
class Opening:
    """What a session is opened with. `about`: whom it serves, in plain data; it stands as the task's input."""

    policy: Policy
    about: Mapping[str, Any]
    session: str = ""
    user: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A session in this process's hands. `untold`: delayed effects whose end the agent has not heard of."""

    task: TaskRow
    fence: Fence
    recorded: tuple[Recorded, ...]
    untold: frozenset[str] = frozenset()


class SessionGate(RunGate):
    """The limits of a session: only the time in which a call is under way counts, and what was asked of the agent is
    not known here, so nothing it asks about is judged strange.
    """

    _working = 0
    _worked_us = 0

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        if not self._working:
            self._started_us = self._clock.now_us()
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            if not self._working:
                self._worked_us += self._clock.now_us() - self._started_us

    def active_us(self) -> int:
        now_us = self._clock.now_us() - self._started_us if self._working else 0
        return self._active_us_before + self._worked_us + now_us

    def _traceable(self, arguments: bytes) -> bool:  # noqa: ARG002
        return True


class Attached:
    """One open session. Made by `Doorman`; used from one event loop."""

    def __init__(
        self,
        database: Database,
        lifecycle: Lifecycle,
        clock: Clock,
        payloads: Payloads,
        policy: Policy,
        box: Toolbox,
        held: Held,
    ) -> None:
        self.task = held.task.ref
        self.over = ""  # Why nothing more can be done in it; empty while it is open.
        self.paused = ""
        self._database = database
        self._lifecycle = lifecycle
        self._clock = clock
        self._box = box
        self._fence = held.fence
        self._gate = SessionGate(policy, clock, b"", held.task.active_us)
        self._gate.recall(held.recorded, held.task.counted_from)
        run = held.task.run + 1
        self._journal = SessionJournal(database, clock, payloads, self.task, held.fence, run, held.recorded)
        self._journal.confirm = self._confirm
        self._tools = RunTools(self._journal, self._gate)
        self._calls = 0
        self._stopped: Stop | None = None
        # By what identical calls have in common: the effect that was accepted, and whose end was not told yet.
        self._delayed: dict[bytes, str] = _delayed(held)
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._ended = False

    async def call(self, name: str, arguments: bytes) -> Answer:
        """The tool's result, or what took its place. A call that acts goes on to its end, whoever stops waiting for it.

        Raises: ToolError when it gave none; NotNow when it waits for a person, or cannot be made in this session.
        """
        self._check_open()
        inner = asyncio.ensure_future(self._made(name, arguments))
        self._under_way.add(inner)
        inner.add_done_callback(self._done)
        tool = self._box.tools.get(name)
        if tool is not None and tool.effect.acts:
            return await asyncio.shield(inner)
        return await inner

    async def turn_away(self, name: str, arguments: bytes, text: str) -> None:
        """Records a call that is refused before the chain, and raises it as ToolRefused. Raises: NotNow too."""
        self._check_open()
        await self._through(lambda: self._box.turn_away(self._tools, name, arguments, text))

    async def end(self) -> Park | Close | None:
        """Waits for what acts, then parks or closes the task. None when it was over already, or the store is lost."""
        if self._ended:
            return None
        self._ended = True
        self.over = self.over or "This session has ended."
        self._gate.seal()
        while self._under_way:
            await asyncio.wait(self._under_way)
        try:
            return await self._database.write(self._end, fence=self._fence)
        except (StaleFence, StoreError):
            return None  # The sweep settles it.
        finally:
            self._box.resources.released(self._tools.held)

    async def cancel(self) -> None:
        """A person has cancelled its task: nothing more begins, and what acts is awaited."""
        self.over = "This session was cancelled by a person."
        self._stopped = cancelled()
        self._gate.stopping(self._stopped)
        await self.end()

    def _end(self, tx: Tx) -> Park | Close:
        now_us = self._clock.now_us()
        task = tasks.get(tx, self.task.id)
        tasks.update(tx, task.id, active_us=self._gate.active_us())
        task = tasks.get(tx, task.id)
        said = f"The session ended after {self._calls} tool call{'' if self._calls == 1 else 's'}."
        stopped = cancelled() if task.cancel_asked else self._stopped
        if stopped is None:
            return sessions.end(self._lifecycle, tx, task, now_us, died=False, said=said)
        how = Close(stopped.outcome, stopped.reason)
        sessions.close(self._lifecycle, tx, task, how, now_us)
        return how

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # Looked at, so that a call nobody waits for any more makes no noise.

    def _check_open(self) -> None:
        if self.over:
            raise NotNow(self.over, mend="Begin a new session.")
        if self.paused:
            raise NotNow(f"{self.paused} Nothing was done.", mend="Try again when it goes on.")

    async def _made(self, name: str, arguments: bytes) -> Answer:
        tool = self._box.tools.get(name)
        if tool is None or not tool.effect.acts:
            return await self._through(lambda: self._box.answer(self._tools, name, arguments))
        base, _ = self._journal.base("tool", name, arguments)
        turn = self._turns.setdefault(base, asyncio.Lock())
        # The same act twice at once: the second one waits, and then is a call of its own.
        async with turn:
            self._check_open()
            if base in self._delayed:
                return Answer(await self._of_delayed(base, name))
            await self._check_doubts(base)
            answer = await self._through(lambda: self._box.answer(self._tools, name, arguments))
            effect_id = _accepted(answer.value)
            if effect_id is not None:
                self._delayed[base] = effect_id
            return answer

    async def _through(self, call: Callable[[], Awaitable[T]]) -> T:
        self._calls += 1
        with self._gate.working():
            self._journal.enter()
            try:
                return await call()
            except TryLater as later:
                raise error_from(later.fact, later.seq) from None
            except Suspend as waits:
                raise _not_now(waits) from None
            except Stop as stop:
                raise self._stopping(stop) from None
            except Lost:
                raise NotNow(self.over or "This session has ended.") from None
            except (StaleFence, StoreError) as error:
                self.over = UNSAVED
                raise NotNow(UNSAVED) from error
            finally:
                self._journal.leave()

    def _stopping(self, stop: Stop) -> NotNow:
        """An effect in doubt leaves the session open, for reading; any other stop ends it."""
        if stop.reason.code is ReasonCode.IN_DOUBT:
            effect = str(stop.reason.evidence.get("effect", ""))
            return NotNow(stop.reason.text, effect=effect, mend=_DO_NOT_REPEAT)
        self._stopped = self._stopped or stop
        self.over = f"This session is over: {stop.reason.text}"
        return NotNow(self.over, mend="Begin a new session, or ask the agent's owner.")

    async def _check_doubts(self, base: bytes) -> None:
        """While nobody knows what became of one act, no other begins: the agent might do the same in other words."""
        if self._journal.waits(base) or not (self._journal.doubtful or self._delayed):
            return
        rows = await self._database.read(lambda tx: outbox.of_task(tx, self.task.id))
        for row in rows:
            if row.state is EffectState.IN_DOUBT:
                raise NotNow(
                    f"Nothing more may be changed in this session: nobody knows yet whether {row.tool} ({row.id}) "
                    "happened.",
                    effect=row.id, mend=_DO_NOT_REPEAT,
                )  # fmt: skip

    async def _of_delayed(self, base: bytes, name: str) -> Any:
        """The same call again, while the first one waits for its time: what has become of that, not another one."""
        effect_id = self._delayed[base]
        row = await self._database.read(lambda tx: outbox.find(tx, effect_id))
        state = row.state if row is not None else EffectState.CANCELLED
        match state:
            case EffectState.SCHEDULED | EffectState.STARTED | EffectState.HELD | EffectState.APPROVED:
                raise NotNow(
                    f"{name} ({effect_id}) was accepted and is still {state.value}.", effect=effect_id
                )
            case EffectState.IN_DOUBT:
                raise NotNow(
                    f"Nobody knows whether {name} ({effect_id}) happened.",
                    effect=effect_id,
                    mend=_DO_NOT_REPEAT,
                )
        del self._delayed[base]
        note = row.note or "" if row is not None else ""
        return {"effect": effect_id, "state": state.value, "result": _json(row), "note": note}

    def _confirm(self, tx: Tx) -> None:
        """Inside the transaction that begins an act: what people have switched off counts from now."""
        task = tasks.get(tx, self.task.id)
        if task.cancel_asked:
            raise cancelled()
        off = switches.paused(tx, task.agent)
        if off is not None or task.pause_asked:
            raise paused(off.reason if off is not None else "")


def _accepted(value: Any) -> str | None:
    """The effect, when this stands for one that waits for its time."""
    is_acceptance = isinstance(value, dict) and value.get("accepted") is True and "effect" in value
    return str(value["effect"]) if is_acceptance else None


def _delayed(held: Held) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for step in held.recorded:
        effect_id = _accepted(step.result)
        if step.key is not None and effect_id is not None and effect_id in held.untold:
            found[parted(step.key)[0]] = effect_id
    return found


_DO_NOT_REPEAT = "Do not try it again in other words. A person looks at the other side and says which it was."


def _json(row: EffectRow | None) -> Any:
    return None if row is None or row.result is None else decode(row.result.encode())


def _not_now(waits: Suspend) -> NotNow:
    if waits.effect:
        return NotNow(
            f"This has not been done. It waits for {waits.waiting_for}.", effect=waits.effect,
            mend="Once a person has approved it, make the very same call again: it is then carried out, once.",
        )  # fmt: skip
    return NotNow(f"Nothing was done: this waits for {waits.waiting_for}.", mend="Try again when it goes on.")


def opened(tx: Tx, payloads: Payloads, ids: Ids, opening: Opening, owner_id: str, now_us: int) -> Held:
    """A new session, held from the moment it exists."""
    policy = opening.policy
    place = policy.stop_for("in_doubt").to or ""
    raw = encode({**opening.about, "escalate_to": place})
    clean, _ = payloads.redactor.redact_bytes(raw)
    plain = payloads.redactor.redact_text
    row = TaskRow(
        id=ids.new("tsk", now_us), agent=policy.agent, policy_hash=policy_hash(policy), trace_id=ids.trace(),
        idempotency_key=None, input_digest=digest(raw), session=plain(opening.session), user_id=plain(opening.user),
        feature="", source=plain(opening.source), priority=0, state=State.QUEUED, created_us=now_us,
        changed_us=now_us, kind=Kind.SESSION,
    )  # fmt: skip
    tasks.insert(tx, row)
    insert_input(tx, row.id, payloads.pack(body(clean, None, None, ())), now_us)
    return taken(tx, row, owner_id, now_us)


def resumed(tx: Tx, task_id: str, agent: str, owner_id: str, now_us: int) -> Held:
    """A parked session, taken up again. Raises: NoSuchTask, IllegalTransition."""
    task = tasks.get(tx, task_id)
    if task.kind is not Kind.SESSION or task.agent != agent:
        raise IllegalTransition(
            f"Task {task_id} is no session of {agent}.", mend="Leave out --task to begin a new session."
        )
    if task.state is not State.WAITING:
        raise IllegalTransition(
            f"Session {task_id} is {task.state.value}; it cannot be gone on with.",
            mend="Leave out --task to begin a new session.",
        )
    rows = outbox.of_task(tx, task.id)
    held = taken(tx, task, owner_id, now_us)
    return replace(held, untold=frozenset(row.id for row in rows if _untold(row, task.changed_us)))


def _untold(row: EffectRow, parked_us: int) -> bool:
    """Open, or ended since nobody was there who could have heard of it."""
    if row.state in OPEN_EFFECTS or row.state in DOUBTFUL_EFFECTS:
        return True
    return (row.ended_us or row.decided_us or 0) >= parked_us


def taken(tx: Tx, task: TaskRow, owner_id: str, now_us: int) -> Held:
    recorded = tuple(read_steps(tx, task.id))
    fence = leases.take(tx, task.id, owner_id, now_us)
    changes = {"run": task.run + 1, "run_started_us": now_us, "waiting_for": "", "wake_us": None}
    tasks.move(tx, task, Event.CLAIM, now_us, **changes)
    return Held(task, fence, recorded)
