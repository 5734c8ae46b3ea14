"""The transactions of a task's life: claimed, parked, retried, closed, woken. Each is whole or not at all."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from airworthy.core.errors import told
from airworthy.core.halt import Suspend
from airworthy.core.outcome import ErrorFact, Outcome, Reason, ReasonCode
from airworthy.gateway import budget
from airworthy.policy import AdmissionRule
from airworthy.recorder import Payloads, Recorded, StepState, events, outgoing, read_steps
from airworthy.recorder.steps import INSERT_PAYLOAD, INSERT_STEP, body, doubt_started, supersede
from airworthy.recorder.traces import ours
from airworthy.review import questions
from airworthy.runtime import switches, tasks
from airworthy.runtime.admission import bounds, queue
from airworthy.runtime.admission.look import room
from airworthy.runtime.claimed import Claimed, check_of, closing, words_of
from airworthy.runtime.engine import Engine
from airworthy.runtime.machine import ENDING, Event, IllegalTransition, State
from airworthy.runtime.switches import Switch
from airworthy.runtime.tasks import Kind, TaskRow
from airworthy.store import StoreError, Tx
from airworthy.store import lease as leases
from airworthy.tools import EffectState, outbox, resource


class Lifecycle:
    """Written once for workers and for people's commands; holds no state but its collaborators.

    `admission`: by agent, for those whose policy has such a section. Only who claims tasks needs it.
    """

    def __init__(
        self, engine: Engine, payloads: Payloads, admission: Mapping[str, AdmissionRule] | None = None
    ) -> None:
        self.engine = engine
        self.payloads = payloads
        self.admission = admission if admission is not None else {}

    def enqueue(self, tx: Tx, task: TaskRow, rule: AdmissionRule | None, now_us: int) -> None:
        """A new task. Under admission it waits for its turn in the store, and the engine wakes the queue as a whole."""
        if rule is None:
            self.schedule(tx, task, now_us, now_us)
        elif self._line_up(tx, task, now_us):
            queue.note_first_rule(tx, task.agent, rule.model_dump_json())

    def claim(
        self, tx: Tx, task_id: str, owner_id: str, now_us: int, attempts_max: Mapping[str, int],
        *, admitted: bool = False,
    ) -> Claimed | None:  # fmt: skip
        """None when there is nothing to run: closed meanwhile, paused, cancelled, given up, or no place for it yet.

        `attempts_max`: by agent, from its policy. `admitted`: its turn in the queue has come.
        """
        task = tasks.find(tx, task_id)
        if task is None or task.kind is Kind.SESSION:
            return None  # No code of ours can go on with a session; see `sessions`.
        if task.state not in (State.QUEUED, State.WAITING, State.RUNNING):
            return None
        if task.state is State.RUNNING and leases.holder(tx, task.id) is not None:
            return None  # A wake-up too many; somebody is at it.
        if task.cancel_asked:
            self.close_unclaimed(tx, task, Outcome.CANCELLED, _cancelled(), now_us)
            return None
        if task.pause_asked:
            tasks.move(tx, task, Event.PAUSE, now_us)
            resource.release_all(tx, task.id)  # A dead worker's run may have held some.
            return None
        rule = None if admitted else self.admission.get(task.agent)
        if rule is not None:
            self._place_free(tx, task, now_us)  # A dead worker's.
            if not task.run or not room(tx, rule, task.agent, task.user_id, task.feature):
                self._line_up(tx, task, now_us)
                return None
        claimed = self._claimed(tx, task, owner_id, now_us, attempts_max)
        if rule is not None and claimed is not None:
            bounds.begin(tx, task.agent, task.user_id, task.feature, claimed.fence)
        return claimed

    def _claimed(
        self, tx: Tx, task: TaskRow, owner_id: str, now_us: int, attempts_max: Mapping[str, int]
    ) -> Claimed | None:
        try:
            recorded = tuple(read_steps(tx, task.id))
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # one damaged record must not hold up every other task
            self.close_unclaimed(tx, task, Outcome.DEAD_LETTERED, _unreadable(error), now_us)
            return None
        seq = recorded[-1].seq
        attempts = 1
        if task.state is State.RUNNING:  # Its worker died. Progress since then makes it a new start.
            attempts = task.attempts + 1 if seq == task.seq_claimed else 1
            if attempts > attempts_max[task.agent]:
                self.close_unclaimed(tx, task, Outcome.DEAD_LETTERED, _crashed(attempts - 1, seq), now_us)
                return None
        fence = leases.take(tx, task.id, owner_id, now_us)
        event = Event.TAKE_OVER if task.state is State.RUNNING else Event.CLAIM
        lost_us = _worked_before_death(task, recorded) if event is Event.TAKE_OVER else 0
        changes: dict[str, Any] = {
            "run": task.run + 1,
            "attempts": attempts,
            "seq_claimed": seq,
            "run_started_us": now_us,
            "active_us": task.active_us + lost_us,
            "waiting_for": "",
            "wake_us": None,
        }
        state = tasks.move(tx, task, event, now_us, **changes)
        words = words_of(tx, task, recorded)
        return Claimed(replace(task, state=state, **changes), fence, recorded, words)

    def cancelled_meanwhile(self, tx: Tx, claimed: Claimed, now_us: int, active_us: int) -> bool:
        """Closes a task whose cancellation was asked for while its run was on the way to being parked."""
        task = tasks.get(tx, claimed.task.id)
        if task.cancel_asked:
            self._end(tx, task, Outcome.CANCELLED, _cancelled(), None, now_us, active_us)
        return task.cancel_asked

    def park(
        self,
        tx: Tx,
        claimed: Claimed,
        suspend: Suspend,
        awaited: Iterable[str],
        now_us: int,
        active_us: int,
    ) -> None:
        """Waiting or paused from now on, unless what people did meanwhile says otherwise: no word of theirs is lost.

        They may have lifted the pause, or decided on one of the effects or questions that this run found `awaited`,
        while the run was still on its way here.
        """
        task = tasks.get(tx, claimed.task.id)
        paused = suspend.paused and (task.pause_asked or switches.paused(tx, task.agent) is not None)
        event = Event.PAUSE if paused else Event.SUSPEND
        wake_us = suspend.wake_us
        if not paused and (suspend.paused or (wake_us is None and _decided(tx, awaited))):
            wake_us = now_us
        changes = {"waiting_for": suspend.waiting_for, "wake_us": wake_us, "active_us": active_us}
        tasks.move(tx, task, event, now_us, failures=0, **changes)
        if wake_us is not None and not paused:
            self.schedule(tx, task, wake_us, now_us)
        self._let_go(tx, claimed, now_us)

    def retry(
        self, tx: Tx, claimed: Claimed, fact: ErrorFact, seq: int, due_us: int, now_us: int, active_us: int
    ) -> None:
        """The step that failed is to be done again; everything before it stands."""
        task = claimed.task
        supersede(tx, task.id, seq)
        waiting_for = self._clean(f"{fact.dependency or 'a dependency'} to recover: {fact.message}")
        changes = {"waiting_for": waiting_for, "wake_us": due_us, "active_us": active_us}
        tasks.move(tx, task, Event.RETRY, now_us, failures=task.failures + 1, **changes)
        self.schedule(tx, task, due_us, now_us)
        self._let_go(tx, claimed, now_us)

    def hold_agent(
        self, tx: Tx, claimed: Claimed, fact: ErrorFact, seq: int, now_us: int, active_us: int
    ) -> None:
        """Every task would fail alike, so the agent is paused; this one goes on with it."""
        task = claimed.task
        # An error's own text may end in its mend already.
        why = self._clean(f"{fact.message.removesuffix(fact.mend).rstrip()} {fact.mend}".strip())
        supersede(tx, task.id, seq)
        tasks.move(
            tx, task, Event.PAUSE, now_us, waiting_for=f"somebody to mend it: {why}", active_us=active_us
        )
        switches.set_off(tx, Switch(switches.of_agent(task.agent), "airworthy", why, now_us))
        self._let_go(tx, claimed, now_us)

    def apart(self, agent: str) -> bool:
        """Whether a task that is answered changes no row that another's end changes, but for sums: then it needs no
        turn. Places in a queue are shared.
        """
        return agent not in self.admission

    def close(
        self, tx: Tx, claimed: Claimed, outcome: Outcome, reason: Reason, answer: bytes | None, now_us: int,
        active_us: int,
    ) -> None:  # fmt: skip
        """The outcome, its reason, and all that ends with the task, in one transaction."""
        self._end(tx, claimed.task, outcome, reason, answer, now_us, active_us)

    def wake(self, tx: Tx, task_id: str, now_us: int) -> bool:
        """After a decision. False when the task does not wait (it is running, paused or closed), or is a session."""
        task = tasks.get(tx, task_id)
        if task.state is not State.WAITING or task.kind is Kind.SESSION:
            return False
        tasks.move(tx, task, Event.WAKE, now_us, waiting_for="", wake_us=None)
        self.schedule(tx, task, now_us, now_us)
        return True

    def requeue(self, tx: Tx, task: TaskRow, event: Event, now_us: int) -> None:
        """A closed task is opened again: its failed steps are to be redone, its effects stand.

        Raises: IllegalTransition.
        """
        if task.kind is Kind.SESSION:
            raise IllegalTransition(
                f"Task {task.id} was a session of an agent that runs elsewhere; nothing here can run it again.",
                mend="Let that agent begin a new session.",
            )
        steps = read_steps(tx, task.id)
        acted = max((step.seq for step in steps if step.acted), default=0)
        for step in steps:
            # Failures before the last act are part of the path that led to it, so they stay.
            if step.kind in ("outcome", "check") or (step.state is StepState.FAILED and step.seq > acted):
                supersede(tx, task.id, step.seq)
        budget.begin_anew(tx, task.id)
        ours.reopened(tx, task.id, task.reason_code or "", check_of(task.why))
        tasks.move(
            tx, task, event, now_us, closed_us=None, reason_code=None, reason=None, escalated_to="", attempts=0,
            failures=0, active_us=0, cancel_asked=0, pause_asked=0, discarded_us=None, counted_from=steps[-1].seq + 1,
        )  # fmt: skip
        self.schedule(tx, task, now_us, now_us)

    def settle(
        self, tx: Tx, task: TaskRow, outcome: Outcome, reason: Reason, answer: bytes | None, now_us: int
    ) -> None:
        """A person ends what was handed to them. Calls that only another run could carry out are called off."""
        outbox.cancel_unreached(tx, task.id, now_us, reason.text)
        self.close_unclaimed(tx, task, outcome, reason, now_us, answer)

    def cancel(self, tx: Tx, task: TaskRow, by: str, why: str, now_us: int) -> bool:
        """True when the task is cancelled now; False when a worker has it and will stop before its next step."""
        outbox.cancel_unsent(tx, task.id, now_us, by)
        if task.state is State.RUNNING:
            tasks.update(tx, task.id, cancel_asked=1)
            return False
        self.close_unclaimed(tx, task, Outcome.CANCELLED, _cancelled(by, why), now_us)
        return True

    def forget(self, tx: Tx, task_id: str) -> None:
        """Nobody wakes it any more, and it waits for no turn."""
        self.engine.forget(tx, task_id)
        queue.leave(tx, task_id)

    def _clean(self, text: str) -> str:
        """What others said may hold a secret, in a column as in a payload."""
        return self.payloads.redactor.redact_text(text)

    def schedule(self, tx: Tx, task: TaskRow, due_us: int, now_us: int) -> None:
        """The engine advances it, not before then."""
        self.engine.schedule(
            tx, task.id, agent=task.agent, priority=task.priority, due_us=due_us, now_us=now_us
        )

    def _line_up(self, tx: Tx, task: TaskRow, now_us: int) -> bool:
        """True when the queue has to be looked at, which is seen to."""
        new = queue.enter(tx, task)
        if new:
            self.wake_queue(tx, task.agent, now_us, now_us)
        return new

    def wake_queue(self, tx: Tx, agent: str, due_us: int, now_us: int) -> None:
        """The queue of the agent is looked at not before then."""
        name, priority = queue.wake_id(agent), queue.priority(tx, agent)
        self.engine.schedule(tx, name, agent=agent, priority=priority, due_us=due_us, now_us=now_us)

    def _let_go(self, tx: Tx, claimed: Claimed, now_us: int) -> None:
        """Its run is over and the task is not: whatever the run held is free."""
        resource.release_all(tx, claimed.task.id)
        leases.release(tx, claimed.fence)
        self._place_free(tx, claimed.task, now_us)

    def _place_free(self, tx: Tx, task: TaskRow, now_us: int) -> None:
        """Its run is over, for now or for good: whoever waits for the place is looked for at once."""
        if task.agent not in self.admission:
            return
        freed = bounds.end(tx, task.id)
        if freed is not None:
            queue.release_user(tx, *freed)
        if not queue.empty(tx, task.agent):
            self.wake_queue(tx, task.agent, now_us, now_us)

    def close_unclaimed(
        self, tx: Tx, task: TaskRow, outcome: Outcome, reason: Reason, now_us: int, answer: bytes | None = None
    ) -> None:  # fmt: skip
        """A task that no run of this moment holds."""
        self.forget(tx, task.id)
        self._end(tx, task, outcome, reason, answer, now_us, task.active_us)

    def _end(
        self, tx: Tx, task: TaskRow, outcome: Outcome, reason: Reason, answer: bytes | None, now_us: int, active_us: int
    ) -> None:  # fmt: skip
        totals = tx.row(
            "SELECT COUNT(CASE WHEN ? = 0 OR run > 0 OR seq = 0 THEN 1 END), MAX(seq),"
            " SUM(COALESCE(tokens_in, 0) + COALESCE(tokens_out, 0)) FROM steps WHERE task_id = ?",
            (int(task.fork_of is not None), task.id),  # What a fork began with was no step of its own.
        )
        assert totals is not None
        raw = reason.model_dump_json()
        clean, _ = self.payloads.redactor.redact_bytes(raw.encode())
        cost_nano = budget.of_task(tx, task.id)
        tasks.move(
            tx, task, ENDING[outcome], now_us, closed_us=now_us, reason_code=reason.code, reason=clean.decode(),
            escalated_to=reason.to, steps=totals[0] - 1, tokens=totals[2] or 0, cost_nano=cost_nano,
            active_us=active_us, waiting_for="", wake_us=None, cancel_asked=0, pause_asked=0,
        )  # fmt: skip
        self._write_outcome(tx, task, totals[1] + 1, outcome, clean, answer, now_us)
        resource.release_all(tx, task.id)
        if outbox.any_of(tx, task.id):
            _settle_effects(tx, task.id, outcome, now_us)
        leases.forget(tx, task.id)
        self._place_free(tx, task, now_us)
        if task.outcome is not None:  # A person ends what had ended in another way.
            ours.reopened(tx, task.id, task.reason_code or "", check_of(task.why))
        kept = reason if clean == raw.encode() else Reason.model_validate_json(clean)
        ours.closed(tx, task.id, closing(outcome, kept, now_us, active_us, cost_nano))
        outgoing.note(tx, task.id, totals[1] + 1)
        facts = {
            "outcome": outcome.value, "reason": reason.code.value, "to": reason.to, "steps": totals[0] - 1,
            "tokens": totals[2] or 0, "cost_nano": cost_nano, "active_us": active_us,
        }  # fmt: skip
        seq = str(totals[1] + 1)
        events.note(tx, events.Event("task.closed", task.id, task.agent, seq, now_us, outcome.value, facts))

    def _write_outcome(
        self,
        tx: Tx,
        task: TaskRow,
        seq: int,
        outcome: Outcome,
        reason: bytes,
        answer: bytes | None,
        now_us: int,
    ) -> None:
        clean = None if answer is None else self.payloads.redactor.redact_bytes(answer)[0]
        tx.put(INSERT_STEP, (
            task.id, seq, task.run, "outcome", outcome.value, None, "done", None, 1, now_us, now_us, 1,
            None, None, None, None, None, None, None,
        ))  # fmt: skip
        tx.put(INSERT_PAYLOAD, (task.id, seq, self.payloads.pack(body(reason, clean, None, ()))))


def _settle_effects(tx: Tx, task_id: str, outcome: Outcome, now_us: int) -> None:
    if outcome is Outcome.CANCELLED:
        outbox.cancel_unsent(tx, task_id, now_us, "the cancellation of the task")
    if outbox.doubt_started(tx, task_id, now_us):
        doubt_started(tx, task_id)
    if outcome in (Outcome.ANSWERED, Outcome.DECLINED):
        outbox.drop_unasked(tx, task_id, now_us, f"its task was {outcome.value} without it")
    elif outcome is not Outcome.CANCELLED:
        outbox.hold_unsent(tx, task_id, f"its task ended as {outcome.value}")


def _worked_before_death(task: TaskRow, recorded: tuple[Recorded, ...]) -> int:
    """What is known of the lost run's working time: from its claim to its last record."""
    if task.run_started_us is None:
        return 0
    last_us = max((step.ended_us or step.started_us for step in recorded), default=0)
    return max(0, last_us - task.run_started_us)


def _decided(tx: Tx, awaited: Iterable[str]) -> bool:
    return any(not _still_asks(tx, each) for each in awaited)


def _still_asks(tx: Tx, awaited: str) -> bool:
    if awaited.startswith(questions.ID_PREFIX):
        question = questions.find(tx, awaited)
        return question is not None and question.open
    row = outbox.find(tx, awaited)
    return row is not None and row.state is EffectState.HELD


def _cancelled(by: str = "", why: str = "") -> Reason:
    text = "The task was cancelled" + (f" by {by}" if by else "") + (f": {why}" if why else "") + "."
    return Reason(code=ReasonCode.CANCELLED, text=text)


def _unreadable(error: Exception) -> Reason:
    text = f"What is stored of this task cannot be read: {type(error).__name__}: {told(error)}"
    mend = "Look at the database, with `airworthy doctor`, and at a backup."
    fact = ErrorFact(
        type="Unreadable", message=text, mend=mend, step="reading its record", dependency="the store"
    )
    return Reason(code=ReasonCode.CRASHED, text=text, error=fact)


def _crashed(times: int, seq: int) -> Reason:
    """`seq`: the last step that is on record."""
    text = (
        f"The worker died {times} times while it worked on this task, each time without getting any further."
    )
    step = f"after step {seq}"
    error = ErrorFact(type="WorkerCrashed", message=text, step=step, dependency="the worker", attempt=times)
    return Reason(code=ReasonCode.CRASHED, text=text, error=error)
