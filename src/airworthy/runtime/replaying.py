"""Replays: a closed task's agent is called again with its record alone; what it comes to is held against the record.

Nothing is asked, done, spent or written: not for the models, the tools, their dependencies and credentials, nor by a
check. What was put to the run from outside (a limit, a budget, a cancellation, a person's word, a check's verdict)
stands as it is on record.
"""

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from airworthy.core.canonical import decode, encode
from airworthy.core.errors import AirworthyError, told
from airworthy.core.halt import NeedsMending, Stop, TryLater
from airworthy.core.outcome import Outcome, Reason, ReasonCode
from airworthy.recorder import Payloads, Recorded, read_steps
from airworthy.runtime import kept, tasks, verdicts
from airworthy.runtime.agent import Agent
from airworthy.runtime.claimed import words_of
from airworthy.runtime.hasty import HastyLoop
from airworthy.runtime.operations import refused_at_the_door
from airworthy.runtime.replayed import (
    Calls,
    End,
    Replayed,
    Verdict,
    cannot,
    end_of,
    held_against,
    recorded_reason,
    strange,
)
from airworthy.runtime.rerun import AT_ANY_POINT, Ran, Rerun, missed, told_words
from airworthy.runtime.tasks import TaskRow
from airworthy.runtime.waiting import BLOCKED
from airworthy.store import Database, Tx

SECONDS_MAX: Final = 60.0  # For real, in `replay_now`: an agent that computes for longer is left to itself.
AT_ONCE_MAX: Final = 4
_BY_PEOPLE: Final = frozenset({ReasonCode.BY_PERSON, ReasonCode.MANUAL})
_GIVEN_UP: Final = frozenset({ReasonCode.TOOL_FAILURE, ReasonCode.MODEL_FAILURE})
_BEFORE_THE_AGENT: Final = frozenset({"input", "check", "outcome"})


class ReplaysFull(AirworthyError):
    """As many replays as may be are under way; nothing was done."""

    code = "hands_full"
    retry_after_s = 2.0


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored of a closed task. `end`: its step; `reason` and `answer` as they stand there."""

    task: TaskRow
    steps: tuple[Recorded, ...]
    words: tuple[str, ...]
    end: Recorded
    reason: Reason

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.end.name)

    @property
    def stop(self) -> Stop:
        return Stop(self.outcome, self.reason)

    @property
    def answer(self) -> Any:
        """What the agent answered, also if it was held back."""
        return self.reason.evidence.get(BLOCKED) if self.end.result is None else self.end.result

    @property
    def ending(self) -> End:
        return End(self.outcome, self.reason.code, self.reason.text, self.answer, self.reason.error)

    @property
    def settled(self) -> bool:
        """People ended it after its run had come to this."""
        return self.task.outcome is not self.outcome or self.task.reason_code in _BY_PEOPLE

    @property
    def began(self) -> bool:
        """Whether the agent's function was called."""
        if not self.task.run:
            return False
        if any(step.kind not in _BEFORE_THE_AGENT for step in self.steps):
            return True
        match self.reason.code:
            case ReasonCode.BLOCKED_INPUT | ReasonCode.POLICY_STOP:
                return False
            case ReasonCode.TOOL_FAILURE:
                return "unready" not in self.reason.evidence
            case _:
                return True


class Replays:
    """`agents`: by name, those whose code is here."""

    def __init__(self, database: Database, payloads: Payloads, agents: Mapping[str, Agent]) -> None:
        self._database = database
        self._payloads = payloads
        self._agents = agents
        self._places = threading.BoundedSemaphore(AT_ONCE_MAX)

    def replay_now(self, task_id: str, *, spare_process: bool = False) -> Replayed:
        """For threads that may wait: in a thread and a loop of its own, whose time does not wait.

        `spare_process`: not for a task that ended because its workers died, for its agent may have killed them.
        Raises: NoSuchTask, ReplaysFull.
        """
        if spare_process:
            task = self._database.read_now(lambda tx: tasks.get(tx, task_id))
            if task.reason_code == ReasonCode.CRASHED:
                return cannot(
                    task, "Its workers died, and whoever calls its agent again here may die as well.",
                    f"Replay it in a terminal: airworthy replay {task_id}",
                )  # fmt: skip
        if not self._places.acquire(blocking=False):
            raise ReplaysFull(f"{AT_ONCE_MAX} replays are under way here.", mend="Try again in a moment.")
        done: list[Replayed | BaseException] = []

        def work() -> None:
            try:
                with asyncio.Runner(loop_factory=HastyLoop) as runner:
                    done.append(runner.run(self.replay(task_id)))
            except BaseException as error:  # noqa: BLE001  # it is raised where somebody waits for it
                done.append(error)
            finally:
                self._places.release()

        thread = threading.Thread(target=work, name=f"replay {task_id}", daemon=True)
        thread.start()
        thread.join(SECONDS_MAX)
        if not done:
            task = self._database.read_now(lambda tx: tasks.get(tx, task_id))
            return cannot(
                task,
                f"After {SECONDS_MAX:g} s its agent was still computing.",
                "Look for a loop without an end.",
            )
        if isinstance(done[0], BaseException):
            raise done[0]
        return done[0]

    async def replay(self, task_id: str) -> Replayed:
        """On the running loop. Raises: NoSuchTask."""
        task = await self._database.read(lambda tx: tasks.get(tx, task_id))
        agent = self._agents.get(task.agent)
        why_not = _why_not(task, agent)
        if why_not is not None:
            return cannot(task, *why_not)
        assert agent is not None
        try:
            record = await self._database.read(lambda tx: _whole_record(tx, task))
        except AirworthyError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever is damaged in one record
            return cannot(
                task, f"What is stored of it cannot be read: {type(error).__name__}: {told(error)}",
                "Look at the database, with `airworthy doctor`, and at a backup.",
            )  # fmt: skip
        if isinstance(record, str):
            return cannot(task, record, "Nothing brings it back; a replay needs the whole record.")
        if record is None:
            return cannot(task, "People did it; no run of its agent came to an end.")
        found = await self._replayed(record, agent)
        if record.settled:
            found = replace(found, text=f"{found.text} People ended it afterwards.")
        if found.verdict is Verdict.DIFFERS and not found.mend:
            found = replace(found, mend=kept.inexact(record.steps))
        return replace(found, other_policy=agent.policy_hash != task.policy_hash)

    async def _replayed(self, record: Record, agent: Agent) -> Replayed:
        task = record.task
        if not record.began:
            return _before_the_agent(record, agent)
        stopped = verdicts.policy_stop(agent.policy, _text(record.steps[0].arguments))
        if stopped is not None and record.reason.code is not ReasonCode.POLICY_STOP:
            return held_against(task, record.ending, end_of(stopped, None), None, Calls(0, 0, ()))
        try:
            rerun = Rerun(agent, task, record.steps, record.words, self._payloads, record.stop)
        except AirworthyError as error:
            return cannot(
                task, f"The agent's code cannot be used: {error.message}", error.mend, record.ending
            )
        ran = await rerun.ran()
        unmet = missed(ran.journal, task)
        made = [step for step in ran.journal.answering() if step.kind not in _BEFORE_THE_AGENT]
        met = sum(step.seq in ran.journal.met for step in made)
        now = self._ended(record, ran)
        call = strange(ran.at, ran.journal, unmet) if now.outcome is None else None
        return held_against(task, record.ending, now, call, Calls(met, len(made), unmet))

    def _ended(self, record: Record, ran: Ran) -> End:
        """How it would have ended, with what was put to it from outside as it is on record."""
        redactor, code = self._payloads.redactor, record.reason.code
        answer = None if ran.answer is None else decode(redactor.redact_bytes(ran.answer)[0])
        by_itself = ran.at is None
        if by_itself and code in AT_ANY_POINT:
            return record.ending
        if by_itself and isinstance(ran.halt, TryLater | NeedsMending) and code in _GIVEN_UP:
            return record.ending
        if answer is not None and code is ReasonCode.BLOCKED_OUTPUT:  # Its check's word stands.
            return replace(record.ending, answer=answer)
        found = end_of(ran.halt, answer)
        return replace(found, text=redactor.redact_text(found.text))


def _whole_record(tx: Tx, task: TaskRow) -> Record | str | None:
    """Text: why there is none that a replay could go by."""
    return kept.why_not_whole(tx, task, read_steps(tx, task.id)) or record_of(tx, task)


def record_of(tx: Tx, task: TaskRow) -> Record | None:
    """Up to the last end that a run came to; None when only people ended it."""
    steps = tuple(read_steps(tx, task.id))
    ends = [(step, recorded_reason(step)) for step in steps if step.kind == "outcome"]
    own = [(step, reason) for step, reason in ends if reason.code not in _BY_PEOPLE]
    if not own:
        return None
    return Record(task, steps, told_words(words_of(tx, task, steps)), *own[-1])


def _why_not(task: TaskRow, agent: Agent | None) -> tuple[str, str] | None:
    """What broke, and the mend."""
    if task.kind is tasks.Kind.SESSION:
        return "It was a session: its agent runs elsewhere, and made its calls one by one.", ""
    if task.outcome is None:
        return (
            f"It is {task.state.value}, and has no end yet that a replay could come to.",
            f"See what it waits for: airworthy task show {task.id}",
        )
    if agent is None:
        return f"The code of agent {task.agent} is not here.", "Do it in the agent's working folder."
    return None


def _before_the_agent(record: Record, agent: Agent) -> Replayed:
    """Its agent had no part in its end. What a policy decides from the input alone is decided anew."""
    task, value, now = record.task, record.steps[0].arguments, record.ending
    if record.reason.code is ReasonCode.BLOCKED_INPUT and not task.run:
        refused = refused_at_the_door(agent.policy, task.source, len(encode(value)))
        now = _taken("the door") if refused is None else End(Outcome.DECLINED, refused.code, refused.text)
    elif record.reason.code is ReasonCode.POLICY_STOP:
        stopped = verdicts.policy_stop(agent.policy, _text(value))
        now = _taken("[[stop]]") if stopped is None else end_of(stopped, None)
    found = held_against(task, record.ending, now, None, Calls(0, 0, ()))
    if found.verdict is not Verdict.SAME:
        return found
    outcome = record.outcome.value.replace("_", " ")
    return replace(
        found, text=f"The same: {outcome} before its agent was called; no code of it had a part in that."
    )


def _taken(where: str) -> End:
    return End(None, None, f"By today's policy {where} lets it pass, and its agent would be called.")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()
