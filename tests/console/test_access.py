"""Who may do what at the API, and what a stranger learns: nothing."""

from typing import Any

import pytest

from airworthy.app.console import created, listed, revoked
from airworthy.core.errors import InputError
from airworthy.recorder import audit
from airworthy.review.people import People
from tests.console.kit import PEOPLE, Api, api

LOOK = ("GET", "/api/v1/tasks", None)
SUBMIT = ("POST", "/api/v1/tasks", {"agent": "support", "input": "hi"})
CANCEL = ("POST", "/api/v1/tasks/tsk_none/cancel", None)


async def status(made: Api, who: str, call: tuple[str, str, object]) -> int:
    method, path, body = call
    async with made.client(who) as client:
        return (await client.request(method, path, json=body)).status_code


@pytest.mark.parametrize(
    ("who", "look", "submit", "cancel"),
    [
        ("viewer", 200, 403, 403),
        ("submitter", 403, 202, 403),
        ("reviewer", 200, 403, 403),
        ("operator", 200, 202, 404),
        ("admin", 200, 202, 404),
        ("dana", 200, 403, 403),
        ("", 401, 401, 401),
    ],
)
async def test_a_role_opens_what_it_is_for_and_nothing_else(
    who: str, look: int, submit: int, cancel: int
) -> None:
    made = api()

    assert [await status(made, who, call) for call in (LOOK, SUBMIT, CANCEL)] == [look, submit, cancel]


async def test_every_bad_key_gets_the_same_answer() -> None:
    made = api()
    gone, expired = (
        made.keys["viewer"],
        created(made.app, PEOPLE, program="late", roles=["viewer"], expires="1m")[0],
    )
    revoked(made.app, gone[:12])
    made.clock.advance(61)
    answers = set()
    for sent in (
        None,
        "Bearer",
        "Bearer awp_nope",
        f"Bearer {gone}",
        f"Bearer {expired}",
        "Basic YTpi",
        "Bearer awp_\xe9",
    ):
        async with made.client("") as client:
            headers = [] if sent is None else [(b"Authorization", sent.encode("latin-1"))]
            answer = await client.get("/api/v1/tasks", headers=headers)
        answers.add((answer.status_code, answer.text, answer.headers["www-authenticate"]))

    assert len(answers) == 1
    assert answers.pop()[0] == 401


async def test_a_person_who_left_people_toml_is_out_at_once_and_a_role_taken_away_is_gone() -> None:
    made = api()
    before = await status(made, "vera", LOOK)
    made.people[0] = People()

    assert (before, await status(made, "vera", LOOK)) == (200, 401)


def test_only_the_hash_of_a_key_is_stored() -> None:
    made = api()

    for key in listed(made.app):
        assert key.digest not in [secret.encode() for secret in made.keys.values()]
        assert len(key.digest) == 32


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({}, "for a person or for a program"),
        ({"person": "dana", "program": "shop"}, "for a person or for a program"),
        ({"person": "nobody"}, r"no 'nobody' in people.toml"),
        ({"program": "shop"}, "needs a role"),
        ({"program": "shop", "roles": ["king"]}, "no role .king."),
        ({"person": "dana", "roles": ["admin"]}, r"roles of 'dana' stand in people.toml"),
        ({"program": "shop\n", "roles": ["viewer"]}, "no name"),
    ],
)
def test_a_key_that_cannot_be_is_refused(what: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        created(api().app, PEOPLE, **what)


async def test_what_everybody_may_see_names_nobody() -> None:
    async with api().client("") as client:
        live, ready, document = [await client.get(path) for path in ("/livez", "/readyz", "/openapi.json")]

    assert (live.status_code, ready.status_code, document.status_code) == (200, 200, 200)
    assert "/api/v1/tasks/{task_id}/feedback" in document.json()["paths"]


async def test_what_a_key_does_is_in_the_audit_log_with_the_key_the_door_and_the_address() -> None:
    made = api()
    task = await made.submit()
    async with made.client("operator") as client:
        await client.post(f"/api/v1/tasks/{task}/pause")
        await client.post(f"/api/v1/tasks/{task}/resume")
        await client.post(f"/api/v1/tasks/{task}/cancel", json={"why": "a reason with a name in it"})
        await client.post("/api/v1/tasks/tsk_none/cancel")
    async with made.client("admin") as client:
        rows = (await client.get("/api/v1/audit?about=" + task)).json()
        head = (await client.get("/api/v1/audit/head")).json()

    assert [row["what"] for row in rows] == ["task.cancel", "task.resume", "task.pause"]
    assert {(row["who"], row["door"], row["address"]) for row in rows} == {
        ("program:a-operator", "api", "127.0.0.1")
    }
    assert {row["through"] for row in rows} == {made.keys["operator"][:12]}
    assert "a reason" not in str(rows)
    assert head["n"] == made.app.database.read_now(audit.head).n
    assert made.app.database.read_now(audit.verify) is None


async def test_a_decision_and_its_row_stand_together_or_not_at_all() -> None:
    """The log that cannot be written holds up the decision: there is none without a record."""
    made = api()
    task = await made.submit()
    made.app.database.write_now(lambda tx: tx.execute("ALTER TABLE audit RENAME TO audit_gone"))
    async with made.client("operator") as client:
        answer = await client.post(f"/api/v1/tasks/{task}/cancel")

    assert answer.status_code >= 500
    assert made.app.operations.task(task).state.value == "queued"
