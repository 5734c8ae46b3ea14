"""What holds for all of the API: errors as RFC 9457, requests sent again, lists that say where they go on, /metrics."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from airworthy.app.console import created
from airworthy.console.door import Door
from airworthy.console.repeats import KEPT_US, UNDER_WAY_US
from airworthy.core.clock import US_PER_S
from airworthy.recorder import alerts, rollups
from airworthy.recorder.alerts import Alert
from airworthy.recorder.rollups import Change
from airworthy.store import Tx
from tests.console.kit import PEOPLE, Api, api

NEW = {"agent": "support", "input": "hi"}


@pytest.mark.parametrize(
    ("method", "path", "who", "status", "code"),
    [
        ("GET", "/api/v1/tasks/tsk_none", "admin", 404, "no_such_task"),
        ("GET", "/api/v1/nowhere", "admin", 404, "no_such_path"),
        ("DELETE", "/api/v1/tasks", "admin", 405, "wrong_method"),
        ("GET", "/api/v1/tasks?limit=0", "admin", 422, "unreadable"),
        ("GET", "/api/v1/tasks", "", 401, "no_key"),
        ("GET", "/api/v1/audit", "viewer", 403, "forbidden"),
    ],
)
async def test_every_error_is_a_problem_of_rfc_9457(
    method: str, path: str, who: str, status: int, code: str
) -> None:
    async with api().client(who) as client:
        answer = await client.request(method, path)
    told = answer.json()

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (told["type"], told["status"], told["code"]) == (f"urn:airworthy:problem:{code}", status, code)
    assert told["instance"] == path.partition("?")[0]
    assert told["error"] == {"code": code, "message": told["detail"], "mend": told["mend"]}
    assert told["title"]


async def test_what_was_not_foreseen_tells_nothing_of_our_insides() -> None:
    made = api()
    made.people[0] = None  # type: ignore[call-overload]  # something that breaks
    async with made.client("viewer") as client:
        answer = await client.get("/api/v1/tasks")

    assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")
    assert "NoneType" not in answer.text


async def sent(
    made: Api, key: str | None = "k1", who: str = "admin", body: Any = None, path: str = "tasks"
) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    async with made.client(who) as client:
        return await client.post(f"/api/v1/{path}", json=NEW if body is None else body, headers=headers)


async def test_a_request_sent_again_is_done_once_and_answered_as_before() -> None:
    made = api()
    first, again = [await sent(made) for _ in range(2)]
    async with made.client() as client:
        tasks = (await client.get("/api/v1/tasks")).json()

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert again.headers["location"] == first.headers["location"]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert len(tasks) == 1


async def test_a_key_is_of_one_caller_one_path_and_one_body() -> None:
    made = api()
    first = await sent(made)
    other = await sent(made, body={**NEW, "input": "other"})
    others = await sent(made, who="operator")

    assert (other.status_code, other.json()["code"]) == (422, "key_used_otherwise")
    assert others.status_code == 202
    assert others.json()["id"] != first.json()["id"]


async def test_a_day_later_the_key_is_free_again() -> None:
    made = api()
    first = await sent(made)
    made.clock.advance(KEPT_US / US_PER_S + 1)

    assert (await sent(made)).json()["id"] != first.json()["id"]


async def test_a_refusal_is_forgotten_so_that_what_was_mended_can_be_sent_again() -> None:
    made = api()
    task = await made.submit()
    path = f"tasks/{task}/resume"
    refused = await sent(made, body={}, path=path)
    async with made.client() as client:
        await client.post(f"/api/v1/tasks/{task}/pause")
    done = await sent(made, body={}, path=path)

    assert (refused.status_code, done.status_code) == (409, 200)


async def test_while_the_first_is_under_way_the_second_waits_and_after_a_crash_nobody_guesses() -> None:
    made = api()
    made.app.database.write_now(lambda tx: None)
    await sent(made)
    made.app.database.write_now(lambda tx: tx.execute("UPDATE answers SET status = NULL"))
    waits = await sent(made)
    made.clock.advance(UNDER_WAY_US / US_PER_S)
    unknown = await sent(made)

    assert (waits.status_code, waits.json()["code"], waits.headers["retry-after"]) == (
        409,
        "still_under_way",
        "1",
    )
    assert (unknown.status_code, unknown.json()["code"]) == (409, "outcome_unknown")


async def test_many_at_once_with_one_key_are_done_once() -> None:
    made = api()
    answers = await asyncio.gather(*(sent(made) for _ in range(8)))
    async with made.client() as client:
        tasks = (await client.get("/api/v1/tasks")).json()

    assert len(tasks) == 1
    assert {answer.status_code for answer in answers} <= {202, 409}


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
async def test_a_key_that_is_none_is_refused(key: str) -> None:
    answer = await sent(api(), key)

    assert (answer.status_code, answer.json()["code"]) == (400, "odd_key")


async def test_a_stranger_fills_no_table_with_keys() -> None:
    made = api()

    assert (await sent(made, who="")).status_code == 401
    assert made.app.database.read_now(lambda tx: tx.row("SELECT COUNT(*) FROM answers")) == (0,)


async def test_a_list_says_where_it_goes_on_until_it_does_not() -> None:
    made = api()
    ids = [await made.submit(str(n)) for n in range(5)]
    found, path = list[str](), "/api/v1/tasks?limit=2&agent=support"
    async with made.client() as client:
        while path:
            answer = await client.get(path)
            found += [task["id"] for task in answer.json()]
            path = answer.links.get("next", {}).get("url", "")

    assert found == sorted(ids, reverse=True)


def counted(tx: Tx) -> None:
    for agent, count in (("support", 3), ("billing", 2)):
        series = rollups.series_id(tx, agent, "r", "f")
        change = Change({"opened": count, "answered": count - 1, "escalated": 1, "cost_nano": 2_500_000_000})
        rollups.add(tx, 1_764_000_000 * US_PER_S, series, change)
    alert = Alert("k", "shape", "support", "warning", "t", "x")
    alerts.raised(tx, alert, 1)
    tx.execute("INSERT INTO intake (day, what, count) VALUES ('2026-11-26', 'dropped', 7)")


async def test_metrics_are_what_the_store_says() -> None:
    made = api()
    await made.submit()
    made.app.database.write_now(counted)
    async with made.client("viewer") as client:
        answer = await client.get("/metrics")
    lines = answer.text.splitlines()

    assert answer.headers["content-type"].startswith("text/plain")
    for line in (
        'airworthy_tasks_total{agent="support",outcome="answered"} 2.0',
        'airworthy_tasks_total{agent="billing",outcome="escalated"} 1.0',
        'airworthy_tasks_opened_total{agent="support"} 4.0',  # one of them was handed in
        'airworthy_cost_usd_total{agent="support"} 2.5',
        'airworthy_queue_tasks{agent="support"} 1.0',
        'airworthy_alerts{severity="warning"} 1.0',
        'airworthy_intake_total{what="dropped"} 7.0',
    ):
        assert line in lines, line
    assert any(line.startswith("process_resident_memory_bytes") for line in lines)


async def test_metrics_need_a_key_that_may_look_unless_they_are_open() -> None:
    made = api()
    answers = {}
    for who in ("", "submitter", "viewer"):
        async with made.client(who) as client:
            answers[who] = (await client.get("/metrics")).status_code
    made.door = Door(metrics_open=True)
    async with made.client("") as client:
        free = (await client.get("/metrics")).status_code

    assert (answers, free) == ({"": 401, "submitter": 403, "viewer": 200}, 200)


async def test_names_of_agents_from_outside_do_not_become_series_without_end() -> None:
    made = api()

    def many(tx: Tx) -> None:
        for n in range(300):
            rollups.add(
                tx, 1_764_000_000 * US_PER_S, rollups.series_id(tx, f"a{n}", "", ""), Change({"opened": 1})
            )

    made.app.database.write_now(many)
    async with made.client("viewer") as client:
        lines = (await client.get("/metrics")).text.splitlines()
    opened = [line for line in lines if line.startswith("airworthy_tasks_opened_total")]

    assert len(opened) == 201
    assert 'airworthy_tasks_opened_total{agent="other"} 100.0' in opened


async def test_a_key_for_one_agent_reads_the_metrics_of_no_other() -> None:
    made = api()
    made.app.database.write_now(counted)
    made.keys["mine"] = created(made.app, PEOPLE, program="mine", roles=["viewer"], agents=["billing"])[0]
    async with made.client("mine") as client:
        text = (await client.get("/metrics")).text

    assert 'agent="billing"' in text
    assert "support" not in text


def test_the_document_tells_what_holds_everywhere() -> None:
    from airworthy.console.api import api as made_of

    app: FastAPI = made_of(api().parts)
    document = app.openapi()
    submit, tasks = document["paths"]["/api/v1/tasks"]["post"], document["paths"]["/api/v1/tasks"]["get"]

    assert "application/problem+json" in submit["responses"]["default"]["content"]
    assert submit["parameters"][-1]["name"] == "Idempotency-Key"
    assert "Link" in tasks["responses"]["200"]["headers"]
    assert {"Session": []} in tasks["security"]
    assert {"Session": []} not in submit["security"]
    assert "HTTPValidationError" not in str(document)
