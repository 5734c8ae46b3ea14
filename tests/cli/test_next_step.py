"""What a person is told to do next, for every state a task can be in."""

from dataclasses import replace

import pytest

from airworthy.cli.next_step import Surroundings, next_steps
from airworthy.core.outcome import ErrorFact, Reason, ReasonCode
from airworthy.runtime import State, TaskRow
from airworthy.tools import EffectRow, EffectState

TASK = TaskRow("tsk_1", "shop", "", "", None, b"", "", "", "", "", 0, State.QUEUED, 0, 0)
EFFECT = EffectRow("eff_1", "tsk_1", 1, "shop", "pay", "send", EffectState.HELD, False, "{}", None, "", 0)
SETTLE = (
    "pay may have happened. Look at the other side, then say: airworthy outbox settle eff_1 --happened"
    "  or: --not-happened  or: --again"
)
WAKE_US = 1_764_000_000_000_000


@pytest.mark.parametrize(
    ("task", "around", "says"),
    [
        (TASK, Surroundings(), ["No worker is running: airworthy run"]),
        (TASK, Surroundings(workers=1), ["It is worked on as soon as one of 1 worker is free."]),
        (TASK, Surroundings(switches=["all"]), ["Its agent is paused; let it go on: airworthy resume --all"]),
        (replace(TASK, state=State.PAUSED), Surroundings(), ["Let it go on: airworthy task resume tsk_1"]),
        (
            replace(TASK, state=State.PAUSED), Surroundings(switches=["agent:shop"]),
            ["Its agent is paused; let it go on: airworthy resume --agent shop"],
        ),
        (
            replace(TASK, state=State.RUNNING), Surroundings(workers=1), ["Wait for it: airworthy task wait tsk_1"],
        ),
        (
            replace(TASK, state=State.RUNNING), Surroundings(),
            ["No worker is running any more; the next one takes it over: airworthy run"],
        ),
        (
            replace(TASK, state=State.RUNNING, cancel_asked=True), Surroundings(workers=1),
            ["It is cancelled before its next step.", "Wait for it: airworthy task wait tsk_1"],
        ),
        (
            replace(TASK, state=State.WAITING, wake_us=WAKE_US), Surroundings(),
            ["It goes on at 2025-11-24 16:00:00 UTC; at once: airworthy task resume tsk_1"],
        ),
        (
            replace(TASK, state=State.WAITING), Surroundings([EFFECT]),
            [
                "pay waits for a person: airworthy review show eff_1"
            ],
        ),
        (
            replace(TASK, state=State.WAITING, waiting_for="an answer to: Which order?"), Surroundings(),
            ["It waits for somebody's answer: airworthy review show tsk_1"],
        ),
        (
            replace(TASK, state=State.ESCALATED), Surroundings(),
            [
                "A person decides: airworthy review show tsk_1",
                "Or mend the cause, then let it go on: airworthy task resume tsk_1",
            ],
        ),
        (
            replace(TASK, state=State.ESCALATED), Surroundings([replace(EFFECT, state=EffectState.IN_DOUBT)]),
            [
                SETTLE,
                "Once that is done, it goes on by itself.",
            ],
        ),
        (
            replace(TASK, state=State.ANSWERED),
            Surroundings([replace(EFFECT, state=EffectState.SCHEDULED, due_us=WAKE_US)]),
            [
                "pay is carried out at 2025-11-24 16:00:00 UTC; until then: airworthy outbox cancel eff_1"
            ],
        ),
        (
            replace(
                TASK, state=State.DEAD_LETTERED,
                reason=Reason(
                    code=ReasonCode.MODEL_FAILURE, text="t", error=ErrorFact(type="T", message="m", mend="Start it.")
                ).model_dump_json(),
            ),
            Surroundings(),
            [
                "Start it.", "Try it again: airworthy dead-letter requeue tsk_1",
                "Or put it away: airworthy dead-letter discard tsk_1",
            ],
        ),
        (replace(TASK, state=State.ANSWERED), Surroundings([replace(EFFECT, state=EffectState.DONE)]), []),
        (replace(TASK, state=State.DECLINED), Surroundings(), []),
        (replace(TASK, state=State.CANCELLED), Surroundings(), []),
    ],
)  # fmt: skip
def test_each_situation_has_its_next_step(task: TaskRow, around: Surroundings, says: list[str]) -> None:
    assert next_steps(task, around) == says
