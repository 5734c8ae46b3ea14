"""How often a task is taken up again is bounded by its own agent's policy."""

import pytest

from airworthy.app.build import assembled
from airworthy.core.clock import ManualClock
from airworthy.core.outcome import Outcome
from airworthy.policy import Policy
from airworthy.recorder import Payloads
from airworthy.runtime import Submission
from airworthy.runtime.engine import EmbeddedEngine
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.store import lease
from tests.database import memory

ATTEMPTS_MAX = {"patient": 5, "strict": 2}


@pytest.mark.parametrize(("agent", "claims"), [("patient", 5), ("strict", 2)])
def test_crashes_without_progress_are_counted_against_the_tasks_own_agent(agent: str, claims: int) -> None:
    clock = ManualClock()
    app = assembled(memory(), clock=clock)
    lifecycle = Lifecycle(EmbeddedEngine(), Payloads())
    task = app.operations.submit(Policy(agent=agent, purpose="Dies."), Submission("x")).task

    made = 0
    for number in range(10):
        clock.advance(1)
        owner = f"wkr_{number}"
        claimed = app.database.write_now(
            lambda tx, owner=owner: lifecycle.claim(tx, task.id, owner, clock.now_us(), ATTEMPTS_MAX)  # type: ignore[misc]
        )
        if claimed is None:
            break
        made += 1
        app.database.write_now(lambda tx, owner=owner: lease.leave(tx, owner))  # type: ignore[misc]

    assert made == claims
    assert app.operations.task(task.id).outcome is Outcome.DEAD_LETTERED
