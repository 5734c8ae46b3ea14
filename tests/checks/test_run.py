"""A check that does anything but pass or flag stops the task, and says why without saying a secret."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airworthy.checks import (
    BadCheck,
    Check,
    CheckContext,
    Verdict,
    blocked,
    check,
    flagged,
    passed,
    run_checks,
)
from airworthy.core.redact import Redactor

CONTEXT = CheckContext("support", "task_1")
SECRET = "hunter2-hunter2"


@check(on="input")
def passes(value: object, context: CheckContext) -> None: ...


@check(on="input")
def flags(value: object, context: CheckContext) -> Verdict:
    return flagged("Look at this later.", evidence={"n": 1})


@check(on="output")
async def blocks(value: object, context: CheckContext) -> Verdict:
    return blocked("The price is not ours.", detail="12 is not 13", evidence={"price": 12})


async def test_checks_run_in_order_and_stop_at_the_first_block() -> None:
    report = await run_checks([flags, passes, blocks, passes], "x", CONTEXT)

    assert [(each.check, each.verdict.kind) for each in report.findings] == [
        ("flags", "flagged"),
        ("passes", "passed"),
        ("blocks", "blocked"),
    ]
    assert report.block is report.findings[-1]
    assert [each.check for each in report.flags] == ["flags"]


async def test_no_checks_and_no_block_is_an_empty_report() -> None:
    report = await run_checks([], "x", CONTEXT)

    assert report.findings == ()
    assert report.block is None


async def test_text_blocks_for_that_reason() -> None:
    report = await run_checks(
        [check(on="input", name="says")(lambda value, context: "Not today.")], "x", CONTEXT
    )

    assert report.block is not None
    assert report.block.verdict.reason == "Not today."


@pytest.mark.parametrize(
    ("on", "then", "ends", "why"),
    [
        ("input", None, "decline", "an input is declined unless the check says otherwise"),
        ("output", None, "escalate", "a blocked answer goes to a person"),
        ("input", "escalate", "escalate", "the check said so"),
        ("output", "decline", "decline", "the check said so"),
    ],
)
async def test_a_block_says_how_the_task_ends(on: str, then: str | None, ends: str, why: str) -> None:
    made = Check("c", on, lambda value, context: blocked("No.", then=then))  # type: ignore[arg-type]

    report = await run_checks([made], "x", CONTEXT)

    assert report.block is not None
    assert report.block.verdict.then == ends, why


def _raises(error: Callable[[str], BaseException]) -> Check:
    @check(on="input")
    def broken(value: object, context: CheckContext) -> None:
        raise error(f"cannot read {value}")

    return broken


def _raises_async() -> Check:
    @check(on="input")
    async def broken(value: object, context: CheckContext) -> None:
        raise KeyError(value)

    return broken


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (_raises(ValueError), "ValueError"),
        (_raises(StopIteration), "StopIteration"),
        (_raises(TimeoutError), "TimeoutError"),
        (_raises(RecursionError), "RecursionError"),
        (_raises_async(), "KeyError"),
        (Check("broken", "input", lambda value, context: value["x"], inline=True), "TypeError"),
        (Check("broken", "input", lambda value, context: True), "bool"),  # type: ignore[arg-type, return-value]
        (Check("broken", "input", lambda value, context: False), "bool"),  # type: ignore[arg-type, return-value]
        (Check("broken", "input", lambda value, context: 3), "int"),  # type: ignore[arg-type, return-value]
        (Check("broken", "input", lambda value, context: ""), "str"),
        (Check("broken", "input", lambda value, context: Verdict("fine")), "Verdict"),  # type: ignore[arg-type]
    ],
)
async def test_a_check_that_crashes_or_answers_nonsense_fails_closed(broken: Check, named: str) -> None:
    report = await run_checks([broken, passes], SECRET, CONTEXT)

    assert [each.check for each in report.findings] == ["broken"]
    verdict = report.findings[0].verdict
    assert verdict.kind == "blocked"
    assert verdict.then == "escalate"
    assert "'broken'" in verdict.reason
    assert named in verdict.reason
    assert SECRET not in f"{verdict}"


@given(
    answer=st.one_of(st.integers(), st.booleans(), st.floats(), st.binary(), st.lists(st.none()), st.just(""))
)
async def test_only_a_verdict_text_or_none_can_let_a_task_through(answer: object) -> None:
    report = await run_checks([Check("odd", "output", lambda value, context: answer)], "x", CONTEXT)  # type: ignore[arg-type, return-value]

    assert report.block is not None


async def test_an_async_check_that_hangs_fails_closed_at_its_timeout() -> None:
    @check(on="output", timeout_s=3.0)
    async def hangs(value: object, context: CheckContext) -> None:
        await asyncio.Event().wait()

    report = await run_checks([hangs], "x", CONTEXT)

    assert report.block is not None
    assert "timeout" in report.block.verdict.reason
    assert report.block.seconds == pytest.approx(3.0)


async def test_a_sync_check_that_hangs_fails_closed_without_holding_the_loop() -> None:
    release = threading.Event()

    @check(on="input", timeout_s=0.02)
    def hangs(value: object, context: CheckContext) -> None:
        release.wait(10)

    try:
        report = await _real_time(hangs)
    finally:
        release.set()

    assert "timeout" in report


async def _real_time(hanging: Check) -> str:
    """On a loop of its own: virtual time waits for threads, which is what must not happen here."""

    async def run() -> str:
        report = await run_checks([hanging], "x", CONTEXT)
        return report.findings[0].verdict.reason

    def in_loop() -> str:
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(run())
        finally:
            loop.close()

    return await asyncio.to_thread(in_loop)


async def test_cancelling_the_task_is_not_a_failed_check() -> None:
    started = asyncio.Event()

    @check(on="input")
    async def waits(value: object, context: CheckContext) -> None:
        started.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(run_checks([waits], "x", CONTEXT))
    await started.wait()
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_reason_is_one_line_without_secrets_or_control_characters() -> None:
    said = f"Bad:\n\x1b[31m key {SECRET} and password=abcdefgh1234 " + "x" * 5000

    report = await run_checks(
        [check(on="input", name="says")(lambda value, context: said)],
        "x",
        CONTEXT,
        redactor=Redactor([SECRET]),
    )

    reason = report.findings[0].verdict.reason
    assert SECRET not in reason
    assert "abcdefgh1234" not in reason
    assert reason.isprintable()
    assert len(reason) <= 500


async def test_a_block_without_a_reason_still_gives_one() -> None:
    report = await run_checks([Check("mute", "input", lambda value, context: blocked(""))], "x", CONTEXT)

    assert report.findings[0].verdict.reason == "This did not pass the check 'mute'."


def test_a_check_can_be_called_as_the_function_it_is() -> None:
    assert flags("x", CONTEXT) == flagged("Look at this later.", evidence={"n": 1})
    assert passed().kind == "passed"
    assert (flags.name, flags.on) == ("flags", "input")


def _bool(value: object, context: CheckContext) -> bool:
    return True


def _one(value: object) -> None: ...


@pytest.mark.parametrize(
    ("build", "part"),
    [
        (lambda: check(on="output")(_bool), "bool"),  # type: ignore[arg-type]
        (lambda: check(on="output", name="_")(_bool), "name"),  # type: ignore[arg-type]
        (lambda: check(on="output")(_one), "name"),  # type: ignore[arg-type]
        (lambda: check(on="output", name="one")(_one), "two parameters"),  # type: ignore[arg-type]
        (lambda: Check("x", "both", passes.function), "both"),  # type: ignore[arg-type]
        (lambda: Check("x", "input", passes.function, timeout_s=0), "timeout"),
        (lambda: Check("x", "input", blocks.function, inline=True), "inline"),
    ],
)
def test_a_function_that_cannot_be_a_check_is_refused_when_it_is_declared(
    build: Callable[[], object], part: str
) -> None:
    with pytest.raises(BadCheck) as raised:
        build()

    assert part in str(raised.value)
    assert raised.value.mend
