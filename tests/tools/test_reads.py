"""A read on its way through the chain: what lets it through, what is tried again, and what the agent is told."""

import asyncio
from typing import Any

import pytest

from airworthy.core.halt import Stop, TryLater
from airworthy.core.outcome import ReasonCode
from airworthy.policy import ToolRule
from airworthy.recorder import StepState
from airworthy.tools import (
    Permanent,
    ToolArgumentsInvalid,
    ToolFailed,
    ToolRefused,
    ToolResultInvalid,
    ToolUnavailable,
    Transient,
    tool,
)
from tests.tools.kit import Script, kit, reading

ONCE = ToolRule(attempts=1, critical=False)
AGAIN = ToolRule(attempts=3, critical=False)


async def test_a_read_answers_is_recorded_and_answers_a_replay_without_a_call() -> None:
    script = Script(5)
    look = reading(script)
    k = kit(look)

    first = await k.call(k.run(), look)
    again = await k.call(k.run(), look)

    (step,) = k.steps()
    assert first == again == 5
    assert len(script.calls) == 1
    assert (step.kind, step.name, step.state, step.effect) == ("tool", "look", StepState.DONE, "read")
    assert step.arguments == {"order": "7"}


async def test_equal_calls_in_one_run_are_two_calls_and_replay_as_two() -> None:
    script = Script(1, 2)
    look = reading(script)
    k = kit(look)

    run = k.run()
    first = [await k.call(run, look), await k.call(run, look)]
    run = k.run()
    again = [await k.call(run, look), await k.call(run, look)]

    assert first == again == [1, 2]
    assert len(script.calls) == 2


@pytest.mark.parametrize(
    ("name", "stage", "says"),
    [
        ("rm", "development", "outside this agent's scope. Tools within it: look"),
        ("look", "general", "outside this agent's scope. Tools within it: none"),
    ],
)
async def test_a_tool_outside_the_scope_is_refused_recorded_and_never_called(
    name: str, stage: str, says: str
) -> None:
    script = Script(1)
    k = kit(reading(script), stage=stage)

    with pytest.raises(ToolRefused, match=says):
        await k.call(k.run(), name)
    with pytest.raises(ToolRefused):
        await k.call(k.run(), name)

    assert script.calls == []
    assert [step.state for step in k.steps()] == [StepState.REFUSED]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("rm\nrf\x1b[31m", "rm?rf?[31m"),
        ("x" * 10_000, "x" * 128),
        ("key ghp_abcdefghijklmnopqrstuvwxyz0123456789", "key [redacted:github_token]"),
        ("\ud800", "\\ud800"),
        ("", ""),
    ],
)
async def test_a_name_a_model_made_up_is_kept_as_a_harmless_label(name: str, kept: str) -> None:
    k = kit(reading(Script(1)))
    with pytest.raises(ToolRefused):
        await k.call(k.run(), name)

    assert k.steps()[0].name == kept


async def test_the_third_call_outside_the_scope_stops_the_task() -> None:
    k = kit(reading(Script(1)))
    run = k.run()
    for name in ("rm", "format"):
        with pytest.raises(ToolRefused):
            await k.call(run, name)

    with pytest.raises(Stop) as stopped:
        await k.call(run, "shutdown")

    assert stopped.value.reason.code is ReasonCode.OUT_OF_SCOPE


@pytest.mark.parametrize(
    "raw", [b'{"order": 7}', b'{"orders": "7"}', b"{", b"\xff\xfe", b"[1]", b'"text"', b"x" * (5 * 1024 * 1024)]
)  # fmt: skip
async def test_arguments_that_break_the_schema_go_no_further_whatever_bytes_they_are(raw: bytes) -> None:
    script = Script(1)
    k = kit(reading(script))

    with pytest.raises(ToolArgumentsInvalid):
        await k.box.call(k.run(), "look", raw)

    assert script.calls == []
    assert [step.state for step in k.steps()] == [StepState.REFUSED]


TROUBLE = [
    (AGAIN, [Transient("busy"), 7], 7, 2, "may pass: tried again"),
    (AGAIN, [ConnectionError("reset"), TimeoutError("slow"), 7], 7, 3, "a broken line, then a slow one"),
    (AGAIN, ["no number", 7], 7, 2, "nonsense once, then well"),
    (AGAIN, [Transient("busy")], ToolUnavailable, 3, "the attempts are used up"),
    (AGAIN, ["no number"], ToolUnavailable, 3, "nonsense to the end"),
    (AGAIN, [Permanent("no such order")], ToolFailed, 1, "a plain no is not asked for twice"),
    (AGAIN, [ValueError("bug")], ToolFailed, 1, "a bug is the same bug again"),
    (AGAIN, [float("nan")], ToolUnavailable, 3, "a whole number was promised"),
    (ONCE, [Transient("busy"), 7], ToolUnavailable, 1, "the policy allows one try"),
    (AGAIN, [SystemExit(3)], ToolFailed, 1, "a tool that wants to end the process"),
    (AGAIN, [KeyboardInterrupt()], ToolFailed, 1, "or interrupt it"),
    (AGAIN, [asyncio.CancelledError()], ToolFailed, 1, "or says it was cancelled when nobody did"),
    (AGAIN, [GeneratorExit()], ToolFailed, 1, "or ends like a generator"),
    (AGAIN, [StopAsyncIteration()], ToolFailed, 1, "or like one more"),
    (ToolRule(attempts=3, critical=True), [Transient("busy")], TryLater, 3, "pointless without it: later"),
    (ToolRule(attempts=3, critical=True), [Permanent("no")], ToolFailed, 1, "a no is an answer for the agent"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "answers", "comes", "calls", "why"), TROUBLE)
async def test_what_goes_wrong_is_tried_again_where_it_may_pass_and_told_in_kind(
    rule: ToolRule, answers: list[Any], comes: Any, calls: int, why: str
) -> None:
    script = Script(*answers)
    look = reading(script)
    k = kit(look, rules={"look": rule})

    if isinstance(comes, int):
        assert await k.call(k.run(), look) == comes
    else:
        with pytest.raises(comes):
            await k.call(k.run(), look)
        with pytest.raises(comes):  # The record says the same without a call.
            await k.call(k.run(), look)

    (step,) = k.steps()
    assert len(script.calls) == calls, why
    assert step.facts.attempts == calls
    assert step.state is (StepState.DONE if isinstance(comes, int) else StepState.FAILED)


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("error", [Mute(), FileNotFoundError("caf\udce9.txt")])
async def test_an_error_whose_text_cannot_be_read_or_stored_is_told_all_the_same(error: Exception) -> None:
    look = reading(Script(error))
    k = kit(look, rules={"look": ONCE})

    with pytest.raises(ToolFailed, match=type(error).__name__):
        await k.call(k.run(), look)

    assert k.steps()[0].error is not None


@pytest.mark.parametrize(
    ("value", "kind", "why"),
    [
        (object(), ToolResultInvalid, "no JSON form"),
        ({"a": {1, object()}}, ToolResultInvalid, "deep inside"),
        ("x" * 101, ToolResultInvalid, "too large by the quotes"),
        ("x" * 98, None, "at the bound with its quotes"),
        ("\ud800", ToolResultInvalid, "no Unicode"),
    ],
)
async def test_a_result_that_cannot_be_kept_goes_no_further(value: Any, kind: Any, why: str) -> None:
    @tool
    async def give() -> Any:
        """Gives."""
        return value

    k = kit(give, rules={"give": ToolRule(result_bytes_max=100)})

    if kind is None:
        assert await k.call(k.run(), give) == value
        return
    with pytest.raises(kind):
        await k.call(k.run(), give)
    assert k.steps()[0].result is None, why
