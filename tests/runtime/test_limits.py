"""Each bound from both sides: one below passes, at the bound the next call stops."""

from typing import Any

import pytest

from airworthy.core.gate import CallFact
from airworthy.core.halt import Lost, Stop
from airworthy.core.outcome import ReasonCode
from airworthy.policy import Limits, Policy
from airworthy.runtime.gate import RunGate
from airworthy.runtime.limits import FREE_KINDS, FREE_PER_STEP, OFF_SCOPE_MAX, Usage, passed
from tests.virtual import LoopClock

LIMITS = Limits(steps=5, tool_calls=4, tokens_in=100, tokens=1000, identical_calls=3, seconds=60.0)


def call(kind: str = "tool", occurrence: int = 0, tokens_in: int = 0, out: int = 0) -> CallFact:
    return CallFact(kind, "look", b"{}", occurrence, tokens_in, out)


CODES = ReasonCode
BOUNDS = [
    (Usage(steps=4), call(), 60.0, None, "the last step"),
    (Usage(steps=5), call(), 60.0, CODES.LIMIT_STEPS, "one more step"),
    (Usage(steps=5), call("model"), 60.0, CODES.LIMIT_STEPS, "a model call is a step"),
    (Usage(steps=5), call("step"), 60.0, CODES.LIMIT_STEPS, "a step of the agent's own too"),
    (Usage(steps=5), call("now"), 60.0, None, "the time is free"),
    (Usage(free_steps=5 * FREE_PER_STEP - 1), call("now"), 60.0, None, "the last free one"),
    (Usage(free_steps=5 * FREE_PER_STEP), call("now"), 60.0, CODES.LIMIT_STEPS, "even free ones end"),
    (Usage(tool_calls=3), call(), 60.0, None, "the last tool call"),
    (Usage(tool_calls=4), call(), 60.0, CODES.LIMIT_TOOL_CALLS, "one more"),
    (Usage(tool_calls=4), call("model"), 60.0, None, "a model call is no tool call"),
    (Usage(tool_calls=4), call("refused"), 60.0, CODES.LIMIT_TOOL_CALLS, "one that is refused is one"),
    (Usage(), call(occurrence=2), 60.0, None, "the third of the same"),
    (Usage(), call(occurrence=3), 60.0, CODES.LOOP_IDENTICAL, "the fourth"),
    (Usage(), call("model", occurrence=3), 60.0, CODES.LOOP_IDENTICAL, "of the same question too"),
    (Usage(), call(), 0.001, None, "a moment left"),
    (Usage(), call(), 0.0, CODES.LIMIT_SECONDS, "none"),
    (Usage(), call("now"), -1.0, CODES.LIMIT_SECONDS, "not even for the time"),
    (Usage(), call("model", tokens_in=100), 60.0, None, "as long as one may be"),
    (Usage(), call("model", tokens_in=101), 60.0, CODES.LIMIT_TOKENS_IN, "longer"),
    (Usage(), call("tool", tokens_in=101), 60.0, None, "tools have no tokens"),
    (Usage(tokens=850), call("model", tokens_in=100, out=50), 60.0, None, "exactly the rest"),
    (Usage(tokens=851), call("model", tokens_in=100, out=50), 60.0, CODES.LIMIT_TOKENS, "one more than the rest"),
    (Usage(off_scope=OFF_SCOPE_MAX - 2), call("refused"), 60.0, None, "off scope once more is told"),
    (Usage(off_scope=OFF_SCOPE_MAX - 1), call("refused"), 60.0, CODES.OUT_OF_SCOPE, "and once more stops"),
]  # fmt: skip


@pytest.mark.parametrize(("usage", "fact", "seconds_left", "code", "why"), BOUNDS)
def test_a_limit_stops_the_call_that_would_pass_it_and_none_before(
    usage: Usage, fact: CallFact, seconds_left: float, code: ReasonCode | None, why: str
) -> None:
    found = passed(LIMITS, usage, fact, seconds_left)

    assert (None if found is None else found.code) == code, why
    assert found is None or found.text


def test_a_limit_of_no_tool_calls_allows_none() -> None:
    found = passed(Limits(tool_calls=0), Usage(), call(), 60.0)

    assert found is not None
    assert found.code is ReasonCode.LIMIT_TOOL_CALLS


def gate(**limits: Any) -> RunGate:
    policy = Policy(agent="a", purpose="gates", limits=Limits(**limits))
    return RunGate(policy, LoopClock(), b'"in"', 0)


async def test_the_gate_admits_exactly_as_many_as_the_limit() -> None:
    g = gate(steps=5, tool_calls=3)
    for _ in range(3):
        g.admit(call())

    with pytest.raises(Stop) as stopped:
        g.admit(call())
    assert stopped.value.reason.code is ReasonCode.LIMIT_TOOL_CALLS


async def test_after_a_stop_every_call_meets_the_same_stop_whatever_it_is() -> None:
    g = gate(steps=1, tool_calls=1)
    g.admit(call())
    with pytest.raises(Stop) as first:
        g.admit(call())
    with pytest.raises(Stop) as again:
        g.admit(call("now"))
    with pytest.raises(Stop) as checked:
        g.check_halted()

    assert first.value is again.value is checked.value


async def test_the_first_reason_is_the_true_one() -> None:
    g = gate(steps=1)
    first, second = Lost(ValueError("1")), Lost(ValueError("2"))

    assert g.stopping(first) is first
    assert g.stopping(second) is first


async def test_after_the_end_nothing_may_begin_and_the_end_stays_what_it_was() -> None:
    g = gate()
    g.seal()

    with pytest.raises(Lost, match="over"):
        g.admit(call())
    assert g.halt is None


async def test_time_counts_over_all_runs_of_a_task() -> None:
    policy = Policy(agent="a", purpose="gates", limits=Limits(seconds=60.0))
    g = RunGate(policy, LoopClock(), b"", 59_000_000)

    assert g.seconds_left() == pytest.approx(1.0)


def test_free_kinds_are_those_that_neither_cost_nor_act() -> None:
    assert FREE_KINDS.isdisjoint({"tool", "model", "step", "refused"})
