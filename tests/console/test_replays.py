"""Replays and forks over HTTP: whoever may operate gets a report, and a new task that never acts."""

from typing import Any

import pytest

from airworthy.core.outcome import ErrorFact, Outcome, Reason, ReasonCode
from airworthy.runtime import tasks
from airworthy.runtime.engine import EmbeddedEngine
from airworthy.runtime.lifecycle import Lifecycle
from tests.console.kit import Api, api


def closed(made: Api, task_id: str, outcome: Outcome, reason: Reason) -> None:
    lifecycle = Lifecycle(EmbeddedEngine(), made.app.payloads)
    now_us = made.clock.now_us()

    def op(tx: Any) -> None:
        tx.execute("UPDATE tasks SET state = 'running', run = 1 WHERE id = ?", (task_id,))
        lifecycle.close_unclaimed(tx, tasks.get(tx, task_id), outcome, reason, now_us)

    made.app.database.write_now(op)


async def test_a_replay_answers_with_a_report_whatever_it_comes_to() -> None:
    made = api()
    task_id = await made.submit()
    async with made.client("operator") as client:
        open_ = (await client.post(f"/api/v1/tasks/{task_id}/replay")).json()
        await client.post(f"/api/v1/tasks/{task_id}/cancel")
        over = (await client.post(f"/api/v1/tasks/{task_id}/replay")).json()

    assert (open_["verdict"], over["verdict"]) == ("cannot", "same")
    assert open_["mend"]
    assert over["recorded"] == over["replayed"]


async def test_an_agent_that_killed_its_workers_is_not_called_in_the_process_that_serves() -> None:
    made = api()
    task_id = await made.submit()
    why = Reason(
        code=ReasonCode.CRASHED, text="Died.", error=ErrorFact(type="WorkerCrashed", message="Died.")
    )
    closed(made, task_id, Outcome.DEAD_LETTERED, why)
    async with made.client("operator") as client:
        report = (await client.post(f"/api/v1/tasks/{task_id}/replay")).json()

    assert report["verdict"] == "cannot"
    assert f"airworthy replay {task_id}" in report["mend"]


@pytest.mark.parametrize(
    ("who", "replay", "fork"),
    [
        ("viewer", 403, 403),
        ("submitter", 403, 403),
        ("reviewer", 403, 403),
        ("operator", 200, 400),
        ("", 401, 401),
    ],
)
async def test_only_who_may_operate_replays_and_forks(who: str, replay: int, fork: int) -> None:
    made = api()
    task_id = await made.submit()
    async with made.client(who) as client:
        one = await client.post(f"/api/v1/tasks/{task_id}/replay")
        other = await client.post(f"/api/v1/tasks/{task_id}/fork", json={"at": 1})

    assert (one.status_code, other.status_code) == (replay, fork)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"at": 7}, 400, "cannot_fork"),
        ({"at": 1, "model": "huge"}, 400, "cannot_fork"),
        ({"at": 0}, 422, "unreadable"),
        ({}, 422, "unreadable"),
        ({"at": 1, "colour": "red"}, 422, "unreadable"),
    ],
)
async def test_what_cannot_be_forked_is_refused_with_the_reason(
    body: dict[str, Any], status: int, code: str
) -> None:
    made = api()
    task_id = await made.submit()
    async with made.client("operator") as client:
        answer = await client.post(f"/api/v1/tasks/{task_id}/fork", json=body)
        missing = await client.post("/api/v1/tasks/tsk_none/fork", json={"at": 1})

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert missing.status_code == 404
