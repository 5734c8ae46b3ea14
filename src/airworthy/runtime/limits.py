"""The bounds of one task, decided before each call. Pure: usage and a call in, a reason to stop or nothing out."""

from collections.abc import Iterable
from dataclasses import dataclass

from airworthy.core.gate import CallFact
from airworthy.core.outcome import ReasonCode
from airworthy.policy import Limits, StopWhen
from airworthy.recorder import Recorded

# Steps that bring time, chance or a check into the run; they cost nothing, so they have a bound of their own.
FREE_KINDS = frozenset(
    {"now", "random", "uuid", "check", "input", "outcome", "sleep", "confidence", "context"}
)
FREE_PER_STEP = 50
OFF_SCOPE_MAX = 3


@dataclass(slots=True)
class Usage:
    """What a task has used over all its runs; recorded steps are counted before a resumed run begins."""

    steps: int = 0
    free_steps: int = 0
    tool_calls: int = 0
    tokens: int = 0
    off_scope: int = 0

    @classmethod
    def of(cls, recorded: Iterable[Recorded]) -> "Usage":
        usage = cls()
        for step in recorded:
            usage.count(step.kind, off_scope=step.effect is None and step.error_type == "ToolRefused")
            usage.tokens += (step.facts.tokens_in or 0) + (step.facts.tokens_out or 0)
        return usage

    def count(self, kind: str, *, off_scope: bool = False) -> None:
        if kind in FREE_KINDS:
            self.free_steps += 1
            return
        self.steps += 1
        if kind in ("tool", "refused"):
            self.tool_calls += 1
        if off_scope or kind == "refused":
            self.off_scope += 1


@dataclass(frozen=True, slots=True)
class Passed:
    """A limit that the next call would pass."""

    when: StopWhen
    code: ReasonCode
    text: str


def passed(limits: Limits, usage: Usage, call: CallFact, seconds_left: float) -> Passed | None:
    """The first limit the call would pass; `usage` does not count the call yet."""
    if seconds_left <= 0:
        return Passed(
            "limit", ReasonCode.LIMIT_SECONDS, f"The task has worked for {limits.seconds:g} s, its limit."
        )
    if call.kind in FREE_KINDS:
        free_max = limits.steps * FREE_PER_STEP
        if usage.free_steps >= free_max:
            text = f"The task took {usage.free_steps} readings of time and chance; {free_max} are allowed."
            return Passed("limit", ReasonCode.LIMIT_STEPS, text)
        return None
    if usage.steps >= limits.steps:
        return Passed("limit", ReasonCode.LIMIT_STEPS, f"The task has taken {usage.steps} steps, its limit.")
    if call.kind in ("tool", "refused") and usage.tool_calls >= limits.tool_calls:
        text = f"The task has made {usage.tool_calls} tool calls, its limit."
        return Passed("limit", ReasonCode.LIMIT_TOOL_CALLS, text)
    if call.kind == "refused" and usage.off_scope >= OFF_SCOPE_MAX - 1:
        text = f"The agent asked {usage.off_scope + 1} times for tools outside its scope, at last for {call.name!r}."
        return Passed("out_of_scope", ReasonCode.OUT_OF_SCOPE, text)
    if call.occurrence >= limits.identical_calls:
        text = (
            f"The agent made the same call of {call.name!r} {call.occurrence} times and asked for it again."
        )
        return Passed("loop", ReasonCode.LOOP_IDENTICAL, text)
    return _tokens_passed(limits, usage, call)


def _tokens_passed(limits: Limits, usage: Usage, call: CallFact) -> Passed | None:
    if call.kind != "model":
        return None
    if call.tokens_in > limits.tokens_in:
        text = f"The conversation has about {call.tokens_in} tokens; one call may have {limits.tokens_in}."
        return Passed("limit", ReasonCode.LIMIT_TOKENS_IN, text)
    if usage.tokens + call.tokens_in + call.tokens_out_max > limits.tokens:
        text = (
            f"The task has used {usage.tokens} of its {limits.tokens} tokens, and the next call may take "
            f"{call.tokens_in + call.tokens_out_max}."
        )
        return Passed("limit", ReasonCode.LIMIT_TOKENS, text)
    return None
