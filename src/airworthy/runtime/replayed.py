"""What a replay came to, held against the record: the same, not the same and where, or nothing to replay."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airworthy.core.canonical import decode
from airworthy.core.halt import Halt, NeedsMending, Stop, Suspend, TryLater
from airworthy.core.outcome import ErrorFact, Outcome, Reason, ReasonCode
from airworthy.recorder import Recorded
from airworthy.recorder.sealed_journal import Sealed, SealedJournal, Unanswered
from airworthy.runtime.differing import Place, answer_diff, nearest, places
from airworthy.runtime.tasks import TaskRow


class Verdict(StrEnum):
    SAME = "same"
    DIFFERS = "differs"
    CANNOT = "cannot"  # There is nothing to replay, or no code to replay it with.


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended. `outcome` None: it could not go on, and the record does not say that it stopped there."""

    outcome: Outcome | None
    code: ReasonCode | None
    text: str
    answer: Any = None
    error: ErrorFact | None = None

    def document(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome.value if self.outcome is not None else None,
            "code": self.code.value if self.code is not None else None,
            "text": self.text,
            "answer": self.answer,
            "error": self.error.model_dump(mode="json") if self.error is not None else None,
        }


@dataclass(frozen=True, slots=True)
class NamedStep:
    seq: int
    kind: str
    name: str

    @classmethod
    def of(cls, step: Recorded) -> "NamedStep":
        return cls(step.seq, step.kind, step.name)

    def __str__(self) -> str:
        return f"{self.kind} {self.name} (step {self.seq})"

    def document(self) -> dict[str, Any]:
        return {"seq": self.seq, "kind": self.kind, "name": self.name}


@dataclass(frozen=True, slots=True)
class StrangeCall:
    """A call that the record has no answer for. `near`: the recorded call most like it, and `places` where its
    arguments are others; none: that very call is on record, but was made fewer times. `next`: what the record has and
    the replay has not asked for.
    """

    kind: str
    name: str
    arguments: Any
    near: NamedStep | None
    places: tuple[Place, ...]
    next: NamedStep | None

    def document(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "arguments": self.arguments,
            "nearest": self.near.document() if self.near is not None else None,
            "differs_in": [{"path": p.path, "recorded": p.recorded, "replayed": p.now} for p in self.places],
            "next_recorded": self.next.document() if self.next is not None else None,
        }


@dataclass(frozen=True, slots=True)
class Replayed:
    """`differs`: any of call, steps, outcome, reason, answer. `met` of `steps` recorded calls were made again; `unmet`
    are those that were not and should have been. `diff`: of the answers, as lines. `other_policy`: the task ran under
    another policy than today's.
    """

    task: str
    agent: str
    verdict: Verdict
    text: str
    mend: str = ""
    differs: tuple[str, ...] = ()
    recorded: End | None = None
    replayed: End | None = None
    met: int = 0
    steps: int = 0
    call: StrangeCall | None = None
    unmet: tuple[NamedStep, ...] = ()
    diff: tuple[str, ...] = ()
    other_policy: bool = False

    def document(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "agent": self.agent,
            "verdict": self.verdict.value,
            "text": self.text,
            "mend": self.mend or None,
            "differs": list(self.differs),
            "recorded": self.recorded.document() if self.recorded is not None else None,
            "replayed": self.replayed.document() if self.replayed is not None else None,
            "calls_met": self.met,
            "calls_recorded": self.steps,
            "call": self.call.document() if self.call is not None else None,
            "unmet": [step.document() for step in self.unmet],
            "diff": list(self.diff),
            "other_policy": self.other_policy,
        }


def cannot(task: TaskRow, text: str, mend: str = "", recorded: End | None = None) -> Replayed:
    return Replayed(task.id, task.agent, Verdict.CANNOT, text, mend, recorded=recorded)


def end_of(halt: Halt, answer: Any) -> End:
    """`answer`: what the agent's function returned, if it did."""
    match halt:
        case Stop():
            reason = halt.reason
            return End(halt.outcome, reason.code, reason.text, answer, reason.error)
        case Unanswered() if halt.slot.recorded is not None:
            state = halt.slot.recorded.state.value.replace("_", " ")
            return End(None, None, f"It stopped at {halt.slot.kind} {halt.slot.name}, which is {state}.")
        case Unanswered():
            return End(
                None, None, f"It made a call that is not on record: {halt.slot.kind} {halt.slot.name}."
            )
        case TryLater() | NeedsMending():
            return End(None, None, f"It gave up for a time: {halt.fact.message}", error=halt.fact)
        case Suspend():
            return End(None, None, f"It waits for {halt.waiting_for}.")
        case Sealed():
            return End(None, None, str(halt))
        case _:
            return End(None, None, f"{type(halt).__name__}: {halt}")


def strange(halt: Halt | None, journal: SealedJournal, unmet: Sequence[Recorded]) -> StrangeCall | None:
    if not isinstance(halt, Unanswered) or halt.slot.recorded is not None:
        return None
    slot = halt.slot
    arguments = decode(slot.arguments)
    near = nearest(unmet, slot.kind, slot.name, arguments) or nearest(
        journal.answering(), slot.kind, slot.name, arguments
    )
    return StrangeCall(
        slot.kind, slot.name, arguments,
        NamedStep.of(near) if near is not None else None,
        tuple(places(near.arguments, arguments)) if near is not None else (),
        NamedStep.of(unmet[0]) if unmet else None,
    )  # fmt: skip


# What an agent says of itself in ending a task is part of what it does; the words of others tell times and counts.
_OWN_WORDS = frozenset({ReasonCode.AGENT_DECLINED, ReasonCode.AGENT_ESCALATED})


def held_against(
    task: TaskRow, recorded: End, now: End, strange_call: StrangeCall | None, calls: "Calls"
) -> Replayed:
    differs = [
        *(["call"] if strange_call is not None else []),
        *(["steps"] if calls.unmet else []),
        *(["outcome"] if now.outcome is not recorded.outcome else []),
        *(["reason"] if _other_reason(recorded, now) else []),
    ]
    diff = answer_diff(recorded.answer, now.answer) if now.outcome is recorded.outcome else ()
    if diff:
        differs.append("answer")
    verdict = Verdict.DIFFERS if differs else Verdict.SAME
    unmet = tuple(NamedStep.of(step) for step in calls.unmet)
    text = _same(recorded, calls) if not differs else _told(recorded, now, strange_call, unmet, diff)
    return Replayed(
        task.id, task.agent, verdict, text, differs=tuple(differs), recorded=recorded, replayed=now, met=calls.met,
        steps=calls.recorded, call=strange_call, unmet=unmet, diff=diff,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Calls:
    met: int
    recorded: int
    unmet: Sequence[Recorded]


def _other_reason(recorded: End, now: End) -> bool:
    if now.outcome is not recorded.outcome:
        return False
    if now.code is not recorded.code:
        return True
    if now.code is ReasonCode.AGENT_ERROR and recorded.error is not None and now.error is not None:
        return not _same_error(recorded.error.type, now.error.type)
    return now.code in _OWN_WORDS and not recorded.text.startswith(now.text.rstrip(".!?"))


def _same_error(recorded: str, now: str) -> bool:
    # A failed step raises its own error the first time, and StepFailed when it is met again.
    return now in (recorded, "StepFailed")


def _same(recorded: End, calls: Calls) -> str:
    outcome = recorded.outcome.value.replace("_", " ") if recorded.outcome is not None else ""
    count = f"{calls.met} recorded call{'' if calls.met == 1 else 's'}"
    return f"The same: {outcome}, from {count} and nothing else."


def _told(
    recorded: End, now: End, call: StrangeCall | None, unmet: Sequence[NamedStep], diff: Sequence[str]
) -> str:
    parts = []
    if call is not None:
        parts.append(_told_call(call))
    elif now.outcome is None:
        parts.append(now.text)
    elif now.outcome is not recorded.outcome or now.code is not recorded.code:
        parts.append(f"The record says {_named(recorded)}; the replay came to {_named(now)}: {now.text}")
    if diff:
        parts.append("The answer is another one.")
    if unmet and call is None:
        parts.append(f"It never made: {', '.join(str(step) for step in unmet[:5])}.")
    return " ".join(parts) or f"The record says: {recorded.text} The replay: {now.text}"


def _told_call(call: StrangeCall) -> str:
    text = f"It called {call.kind} {call.name}, and the record has no answer for that."
    if call.near is not None and call.places:
        text += f" Nearest is step {call.near.seq}; it differs in {call.places[0].path or 'its arguments'}."
    elif call.near is not None:
        text += f" The same call is step {call.near.seq}, and was not made so often."
    return text


def _named(end: End) -> str:
    outcome = end.outcome.value.replace("_", " ") if end.outcome is not None else "no end"
    return f"{outcome} ({end.code.value})" if end.code is not None else outcome


def recorded_reason(step: Recorded) -> Reason:
    """Of an outcome's step."""
    return Reason.model_validate(step.arguments)
