"""Tasks over HTTP: what a program sees when it hands one in, and when that goes wrong."""

from collections.abc import AsyncIterator

import pytest

from airworthy.runtime import State
from tests.console.kit import api


async def test_a_task_is_handed_in_once_per_key_and_looked_at() -> None:
    made = api()
    body = {"agent": "support", "input": {"q": 1}, "key": "k1", "user": "ann", "priority": 5}
    async with made.client("operator") as client:
        first = await client.post("/api/v1/tasks", json=body)
        again = await client.post("/api/v1/tasks", json=body)
        other = await client.post("/api/v1/tasks", json={**body, "input": {"q": 2}})
        seen = (await client.get(first.headers["location"])).json()
        listed = (await client.get("/api/v1/tasks", params={"user": "ann"})).json()

    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409)
    assert first.json()["id"] == again.json()["id"] == listed[0]["id"]
    assert other.json()["error"]["code"] == "idempotency_conflict"
    assert (seen["input"], seen["user"], seen["priority"], seen["journal"][0]["kind"]) == (
        {"q": 1},
        "ann",
        5,
        "input",
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"agent": "nobody", "input": 1}, 400, "input"),
        ({"agent": "support"}, 422, "unreadable"),
        ({"agent": "support", "input": 1, "colour": "red"}, 422, "unreadable"),
        ({"agent": "support", "input": 1, "priority": 10_000}, 422, "unreadable"),
        ([], 422, "unreadable"),
    ],
)
async def test_what_cannot_be_a_task_is_refused_with_the_reason(body: object, status: int, code: str) -> None:
    async with api().client() as client:
        answer = await client.post("/api/v1/tasks", json=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["mend"]


async def test_a_refusal_repeats_no_value_that_was_sent() -> None:
    async with api().client() as client:
        answer = await client.post(
            "/api/v1/tasks", json={"agent": 5, "input": 1, "key": {"secret": "hunter2hunter2"}}
        )

    assert answer.status_code == 422
    assert "hunter2" not in answer.text


async def test_tasks_are_cancelled_paused_and_resumed_by_whoever_may() -> None:
    made = api()
    task = await made.submit()
    path = f"/api/v1/tasks/{task}"
    async with made.client("operator") as client:
        paused = (await client.post(f"{path}/pause")).json()
        resumed = (await client.post(f"{path}/resume")).json()
        cancelled = (await client.post(f"{path}/cancel", json={"why": "sent twice"})).json()
        again = await client.post(f"{path}/cancel")

    assert (paused["done"], resumed["was"], cancelled["done"]) == (True, "paused", True)
    assert again.status_code == 409
    task_row = made.app.operations.task(task)
    assert task_row.state is State.CANCELLED
    assert "a-operator" in (task_row.reason or "")


async def test_a_body_beyond_the_bound_is_refused_while_it_comes() -> None:
    made = api()
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1_000):
            read += 1
            yield b'"' + b"x" * 10_000

    async with made.client(body_bytes_max=50_000) as client:
        answer = await client.post("/api/v1/tasks", content=endless())

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert read < 10


async def test_a_path_or_method_that_is_none_is_told_as_every_error_is() -> None:
    async with api().client() as client:
        path, method = await client.get("/api/v1/nothing"), await client.put("/api/v1/tasks")

    assert (path.status_code, path.json()["error"]["code"]) == (404, "no_such_path")
    assert (method.status_code, method.json()["error"]["code"]) == (405, "wrong_method")


async def test_answers_are_kept_by_no_cache_and_framed_by_no_page() -> None:
    async with api().client() as client:
        answer = await client.get("/api/v1/tasks")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
