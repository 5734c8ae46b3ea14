"""What people and programs may do with tasks from outside a run: submit, look, stop, decide, bring back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from airworthy.core.canonical import decode, digest, encode
from airworthy.core.clock import Clock
from airworthy.core.errors import InputError
from airworthy.core.ids import Ids
from airworthy.core.outcome import Outcome, Reason, ReasonCode
from airworthy.policy import Approval, Policy, policy_hash
from airworthy.recorder import Payloads, Recorded, audit, read_steps
from airworthy.recorder.audit import Entry
from airworthy.recorder.steps import body, insert_input
from airworthy.recorder.traces.ours import LIVE, REHEARSAL
from airworthy.runtime import handing, switches, tasks
from airworthy.runtime.admission.door import full, priority_of
from airworthy.runtime.admission.drain import QueueFull
from airworthy.runtime.admission.view import QueueView, queues
from airworthy.runtime.deciding import effect_decided
from airworthy.runtime.engine import Engine
from airworthy.runtime.engines import engine_of
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.machine import Event, IllegalTransition, State
from airworthy.runtime.switches import Switch
from airworthy.runtime.tasks import Kind, TaskQuery, TaskRow
from airworthy.store import Database, Tx
from airworthy.tools import EffectRow, EffectState, outbox, undoing

T = TypeVar("T")

# Beyond this nothing is accepted, so nothing is lost: the sender keeps it and is told.
INPUT_BYTES_HARD_MAX = 100 * 1024 * 1024


class IdempotencyConflict(InputError):
    """The key was used before with another input."""

    code = "idempotency_conflict"


class InputTooLarge(InputError):
    """The input was not accepted at all."""

    code = "input_too_large"


@dataclass(frozen=True, slots=True)
class Submission:
    """`key`: the same key with the same input is the same task, however often it is sent. `source`: see the policy.

    `dry_run`: every effect of the task is only rehearsed, whatever the policy says; it stays so through any restart.
    """

    input: Any
    key: str | None = None
    session: str = ""
    user: str = ""
    feature: str = ""
    source: str = ""
    priority: int | None = None  # None: what the policy says for the feature.
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """`repeated`: the key was known, and this is the task it stands for."""

    task: TaskRow
    repeated: bool


class Operations:
    """Synchronous, for commands and tests; `submit_in_loop` is for programs with an event loop."""

    def __init__(
        self, database: Database, clock: Clock, ids: Ids, payloads: Payloads, engine: Engine | None = None
    ) -> None:
        self.database = database
        self.clock = clock
        self._ids = ids
        self._payloads = payloads
        self._lifecycle = Lifecycle(engine or engine_of(database), payloads)

    def submit(self, policy: Policy, submission: Submission) -> Accepted:
        """Returns when the task is on disk. Raises: IdempotencyConflict, InputTooLarge, NotSerialisable, QueueFull."""
        return _accepted(self.database.write_now(self._submission(policy, submission)))

    async def submit_in_loop(self, policy: Policy, submission: Submission) -> Accepted:
        return _accepted(await self.database.write(self._submission(policy, submission)))

    def task(self, task_id: str) -> TaskRow:
        return self.database.read_now(lambda tx: tasks.get(tx, task_id))

    def answer(self, task_id: str) -> Any:
        """The agent's answer as plain data; None for a task that was not answered (or answered with nothing)."""
        last = self.steps(task_id)[-1]
        return last.result if last.kind == "outcome" else None

    def steps(self, task_id: str) -> list[Recorded]:
        return self.database.read_now(lambda tx: read_steps(tx, task_id))

    def effects(self, task_id: str) -> list[EffectRow]:
        return self.database.read_now(lambda tx: outbox.of_task(tx, task_id))

    def tasks(self, query: TaskQuery) -> list[TaskRow]:
        return self.database.read_now(lambda tx: tasks.listing(tx, query))

    def forks(self, task_id: str) -> list[TaskRow]:
        """Tasks that were forked from this one, the newest first."""
        return self.database.read_now(lambda tx: tasks.forks_of(tx, task_id))

    def counts(self, agent: str = "") -> dict[State, int]:
        return self.database.read_now(lambda tx: tasks.counts(tx, agent))

    def queues(self) -> list[QueueView]:
        return self.database.read_now(queues)

    def cancel(self, task_id: str, by: str, why: str = "") -> bool:
        """True: cancelled. False: it is running and stops before its next step. Raises: IllegalTransition."""
        return self._change(
            lambda tx, now_us: self._lifecycle.cancel(tx, tasks.get(tx, task_id), by, why, now_us),
            Entry("task.cancel", task_id, by),
        )

    def pause_task(self, task_id: str) -> bool:
        """True: paused. False: it is running and stops before its next step."""

        def op(tx: Tx, now_us: int) -> bool:
            task = tasks.get(tx, task_id)
            if task.state is State.RUNNING or (task.kind is Kind.SESSION and task.outcome is None):
                tasks.update(tx, task.id, pause_asked=1)
                return False
            tasks.move(tx, task, Event.PAUSE, now_us, pause_asked=1)
            self._lifecycle.forget(tx, task.id)
            return True

        return self._change(op, Entry("task.pause", task_id))

    def resume_task(self, task_id: str) -> State:
        """A paused task goes on; an escalated one is opened again once its cause is settled. The state before."""

        def op(tx: Tx, now_us: int) -> State:
            task = tasks.get(tx, task_id)
            match task.state:
                case State.PAUSED:
                    tasks.move(tx, task, Event.RESUME, now_us, waiting_for="", pause_asked=0)
                    self._lifecycle.schedule(tx, task, now_us, now_us)
                case State.RUNNING | State.WAITING if task.pause_asked and (
                    task.state is State.RUNNING or task.kind is Kind.SESSION
                ):
                    tasks.update(tx, task.id, pause_asked=0)
                case State.ESCALATED:
                    self._lifecycle.requeue(tx, task, Event.REOPEN, now_us)
                case State.WAITING if task.kind is Kind.RUN:
                    self._lifecycle.wake(tx, task.id, now_us)
                case _ if task.kind is Kind.SESSION:
                    raise IllegalTransition(
                        f"Task {task_id} is a session of an agent that runs elsewhere; nothing here can run it.",
                        mend=f"Decide on what it waits for; its agent goes on with it by `--task {task_id}`.",
                    )
                case _:
                    raise IllegalTransition(
                        f"Task {task_id} is {task.state.value}; there is nothing to resume.",
                        mend="A dead letter is brought back with `airworthy dead-letter requeue`.",
                    )
            return task.state

        return self._change(op, Entry("task.resume", task_id))

    def requeue(self, task_id: str) -> None:
        """A dead letter goes back into the queue: done steps stand, failed ones are tried again."""
        self._change(
            lambda tx, now_us: self._lifecycle.requeue(tx, tasks.get(tx, task_id), Event.REQUEUE, now_us),
            Entry("dead_letter.requeue", task_id),
        )

    def discard(self, task_id: str) -> None:
        """A dead letter is put away: kept whole, listed no more."""

        def op(tx: Tx, now_us: int) -> None:
            task = tasks.get(tx, task_id)
            if task.state is not State.DEAD_LETTERED:
                raise IllegalTransition(
                    f"Task {task_id} is {task.state.value}, not a dead letter.",
                    mend="Only dead letters are discarded.",
                )
            tasks.discard(tx, task.id, now_us)

        self._change(op, Entry("dead_letter.discard", task_id))

    def pause(self, scope: str, by: str, reason: str, *, manual: bool = False) -> bool:
        """`scope`: "all" or "agent:<name>". `manual`: its tasks go to people. False when it was so already."""
        clean = self._payloads.redactor.redact_text(reason)
        changed = self._change(
            lambda tx, now_us: switches.set_off(tx, Switch(scope, by, clean, now_us, manual)),
            Entry("switch.off", scope, by, detail={"manual": manual}),
        )
        while manual and self.hand_over():
            continue  # Batch by batch, so that no other writer waits for all of them.
        return changed

    def hand_over(self) -> int:
        """See `handing.hand_over`; 0 when nothing is left to hand over now."""
        return self._change(lambda tx, now_us: handing.hand_over(tx, self._lifecycle, (), now_us))

    async def hand_over_in_loop(self, agents: Sequence[str]) -> int:
        """The same beside a worker's tasks. `agents`: those whose policy says so."""
        now_us = self.clock.now_us()
        if not await self.database.read(lambda tx: handing.anything(tx, agents)):
            return 0
        return await self.database.write(lambda tx: handing.hand_over(tx, self._lifecycle, agents, now_us))

    def resume(self, scope: str) -> int | None:
        """Goes on, tasks that had been stopped on the way included; how many those were. None: it was not paused."""

        def op(tx: Tx, now_us: int) -> int | None:
            if not switches.set_on(tx, scope):
                return None
            agent = scope.removeprefix("agent:") if scope != switches.ALL else ""
            query = TaskQuery(states=(State.PAUSED,), agent=agent, limit=1_000_000)
            stopped = [
                task
                for task in tasks.listing(tx, query)
                if not task.pause_asked and switches.paused(tx, task.agent) is None
            ]
            for task in stopped:
                tasks.move(tx, task, Event.RESUME, now_us, waiting_for="")
                self._lifecycle.schedule(tx, task, now_us, now_us)
            return len(stopped)

        return self._change(op, Entry("switch.on", scope))

    def switches(self) -> list[Switch]:
        return self.database.read_now(switches.listing)

    def outbox(self, states: Sequence[EffectState], limit: int) -> list[EffectRow]:
        return self.database.read_now(lambda tx: outbox.listing(tx, states, limit))

    def effect(self, effect_id: str) -> EffectRow:
        row = self.database.read_now(lambda tx: outbox.find(tx, effect_id))
        if row is None:
            raise no_such_effect(effect_id)
        return row

    def decide(
        self, effect_id: str, to: EffectState, by: str, note: str = "", result: bytes = b""
    ) -> EffectRow:
        """A person's word on an effect: approved, rejected, cancelled; in doubt: done, failed, approved (again).

        `result` (JSON): what the other side answered, for an effect in doubt that did happen. The task that waits goes
        on. Two people at once: one decides, the other is told (TransitionRefused).
        """

        def op(tx: Tx, now_us: int) -> EffectRow:
            sets: list[tuple[str, Any]] = [("decided_by", by), ("decided_us", now_us)]
            if note:
                clean, _ = self._payloads.redactor.redact_bytes(note.encode())
                sets.append(("note", clean.decode()))
            if result:
                kept = encode(decode(result))
                sets.append(("result", self._payloads.redactor.redact_bytes(kept)[0].decode()))
            return effect_decided(tx, self._lifecycle, effect_id, to, sets, now_us)

        return self._change(op, Entry(f"effect.{to.value}", effect_id, by))

    def undo(self, effect_id: str, by: str, why: str = "") -> EffectRow:
        """Has a done effect taken back, once, by a worker; the effect that does so. Raises: TransitionRefused."""
        clean = self._payloads.redactor.redact_text(why)
        asked = Entry("effect.undo", effect_id, by)
        return self._change(lambda tx, now_us: undoing.ask(tx, effect_id, by, clean, now_us), asked)

    def approve_policy(self, policy: Policy, approver: str, note: str = "") -> Approval:
        if not approver.strip():
            raise InputError("An approval needs a name.", mend="Say who approves: --by 'Dana Smith'.")
        approval = Approval(policy_hash(policy), approver.strip(), self.clock.now_us(), note)
        self._change(
            lambda tx, _: tx.execute(
                "INSERT INTO approvals (agent, policy_hash, approver, at_us, note) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (agent, policy_hash) DO UPDATE SET approver = excluded.approver, at_us = excluded.at_us,"
                " note = excluded.note",
                (policy.agent, approval.policy_hash, approval.approver, approval.at_us, note),
            ),
            Entry("policy.approve", policy.agent, approval.approver, detail={"policy": approval.policy_hash}),
        )
        return approval

    def approval(self, agent: str) -> Approval | None:
        """The latest, whatever policy it was given for."""
        row = self.database.read_now(
            lambda tx: tx.row(
                "SELECT policy_hash, approver, at_us, note FROM approvals WHERE agent = ? ORDER BY at_us DESC LIMIT 1",
                (agent,),
            )
        )
        return None if row is None else Approval(*row)

    def _change(self, op: Callable[[Tx, int], T], told: Entry | None = None) -> T:
        """`told`: for the audit log, when somebody decided it."""
        now_us = self.clock.now_us()
        return self.database.write_now(audit.noted(lambda tx: op(tx, now_us), lambda _: told, now_us))

    def _submission(self, policy: Policy, submission: Submission) -> Callable[[Tx], Accepted | QueueFull]:
        raw = encode(submission.input)
        if len(raw) > INPUT_BYTES_HARD_MAX:
            raise InputTooLarge(
                f"The input has {len(raw)} bytes; at most {INPUT_BYTES_HARD_MAX} are taken, whatever the policy says.",
                mend="Nothing was stored. Send a part of it, or a reference to it.",
            )
        clean, _ = self._payloads.redactor.redact_bytes(raw)
        notes = ({"dry_run": True},) if submission.dry_run else ()
        packed = self._payloads.pack(body(clean, None, None, notes))
        now_us = self.clock.now_us()
        clean_text = self._payloads.redactor.redact_text
        row = TaskRow(
            id=self._ids.new("tsk", now_us),
            agent=policy.agent,
            policy_hash=policy_hash(policy),
            trace_id=self._ids.trace(),
            idempotency_key=submission.key,
            # A rehearsal is another task than the real one, also under the same key.
            input_digest=digest(raw, b"dry_run") if submission.dry_run else digest(raw),
            session=clean_text(submission.session),
            user_id=clean_text(submission.user),
            feature=clean_text(submission.feature),
            source=clean_text(submission.source),
            priority=priority_of(policy.admission, submission.priority, submission.feature),
            state=State.QUEUED,
            created_us=now_us,
            changed_us=now_us,
        )
        refused = refused_at_the_door(policy, submission.source, len(raw))
        mode = REHEARSAL if submission.dry_run else LIVE
        return lambda tx: self._accept(tx, row, packed, refused, policy, mode)

    def _accept(
        self, tx: Tx, row: TaskRow, packed: bytes, refused: Reason | None, policy: Policy, mode: str
    ) -> Accepted | QueueFull:
        now_us = row.created_us
        known = (
            tasks.find_by_key(tx, row.agent, row.idempotency_key) if row.idempotency_key is not None else None
        )
        if known is not None:
            if known.input_digest != row.input_digest:
                raise IdempotencyConflict(
                    f"The key {row.idempotency_key!r} belongs to task {known.id}, which had another input.",
                    mend="Use a new key for a new input.",
                )
            return Accepted(known, repeated=True)
        rule = policy.admission
        outcome, why = (
            (Outcome.DECLINED, refused)
            if refused is not None
            else (Outcome.ESCALATED, handing.at_the_door(tx, policy))
        )
        if rule is not None and why is None:
            told = full(tx, rule, row)
            if told is not None:
                return told  # Not raised here: that would undo the neighbours' writes in the same commit.
        tasks.insert(tx, row, mode)
        insert_input(tx, row.id, packed, now_us)
        if why is not None:
            self._lifecycle.close_unclaimed(tx, row, outcome, why, now_us)
            return Accepted(tasks.get(tx, row.id), repeated=False)
        self._lifecycle.enqueue(tx, row, rule, now_us)
        return Accepted(row, repeated=False)


def no_such_effect(effect_id: str) -> InputError:
    """Also of one that somebody may not see: in the very same words."""
    return InputError(
        f"There is no effect {effect_id!r}.", mend="List them with `airworthy outbox list --all`."
    )


def _accepted(answer: Accepted | QueueFull) -> Accepted:
    if isinstance(answer, QueueFull):
        raise answer
    return answer


def refused_at_the_door(policy: Policy, source: str, size: int) -> Reason | None:
    """What can be seen without running anything. The task is kept, declined, with its whole input."""
    scope = policy.input
    if size > scope.bytes_max:
        text = (
            f"The input has {size} bytes; {policy.agent} takes at most {scope.bytes_max}. Please send less."
        )
        return Reason(code=ReasonCode.BLOCKED_INPUT, text=text, evidence={"check": "too_long"})
    if scope.sources and source and source not in scope.sources:
        text = f"{policy.agent} takes no input from {source!r}, only from: {', '.join(scope.sources)}."
        return Reason(code=ReasonCode.BLOCKED_INPUT, text=text, evidence={"check": "source"})
    return None
