"""Who may do what at every route there is, by the right that each declares; a route that declares none must be named.

The routes are read from the application, so that a new one is asked too.
"""

import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from airworthy.app.console import created, revoked
from airworthy.console import openapi
from airworthy.console.access import PROGRAM_ROLES, rights_of
from airworthy.console.access import Caller as Key
from airworthy.console.api import api as made_of
from airworthy.review.people import People
from tests.console.kit import PEOPLE, Api, api
from tests.console.web.browsing import Browser, signed_in
from tests.database import lasting

# What asks for nobody, with the reason. Everything else must declare a right.
OPEN = {
    "/livez": "whether the process lives tells nothing",
    "/readyz": "whether the store can be read tells nothing",
    "/metrics": "asks for a key itself, or for none where console.toml says so",
    "/feedback/{link}": "the link is its own key",
    "/try/{link}": "the link is its own key",
    "/try/{link}/rate/{task}": "the link is its own key",
    "/assets/{digest}/{name}": "our own files, the same for everybody",
    "/login": "it is how one gets in",
    "/login/link/{link}": "the link is its own key",
    "/login/oidc": "it is how one gets in",
    "/login/oidc/back": "it is how one gets in",
}
with lasting():
    HOUSE = api()
HOUSE.people[0] = People()  # Roles alone decide; where people are declared, the queue knows who may what.
APPLICATION: FastAPI = made_of(HOUSE.parts)
ROUTES = sorted(openapi.declared(APPLICATION), key=lambda route: (route[0], route[1]))
NAMES = [f"{method} {path}" for path, method, _ in ROUTES]
API = [route for route in ROUTES if route[0].startswith("/api/")]
PAGES = [route for route in ROUTES if not route[0].startswith("/api/") and route[2] is not None]


def filled(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "none", path)


def client(key: str = "") -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(APPLICATION, raise_app_exceptions=False),
        base_url="http://api",
        headers=headers,
    )


async def asked(key: str, method: str, path: str) -> int:
    """With a body that fits nothing: what is asked about is whether the caller gets as far as that."""
    body: dict[str, Any] = {"json": {}} if method != "GET" else {}
    async with client(key) as http:
        return (await http.request(method, filled(path), **body)).status_code


@pytest.mark.parametrize(("path", "method", "right"), ROUTES, ids=NAMES)
def test_a_route_declares_its_right_or_is_named_as_open(path: str, method: str, right: str | None) -> None:
    assert (right is None) == (path in OPEN), (
        f"{method} {path}: declare a right, or say in OPEN why it needs none"
    )


def test_the_document_of_the_api_tells_every_right() -> None:
    document = APPLICATION.openapi()

    for path, method, right in API:
        assert document["paths"][path][method.lower()]["x-airworthy-right"] == (right or "any")


@pytest.mark.parametrize(("path", "method", "right"), API, ids=[f"{m} {p}" for p, m, _ in API])
async def test_each_role_gets_as_far_as_its_rights_and_a_stranger_nowhere(
    path: str, method: str, right: str
) -> None:
    for role in PROGRAM_ROLES:
        may = not right or right in rights_of(Key("x", frozenset({role})))
        status = await asked(HOUSE.keys[role], method, path)
        assert (status == 403) is (not may), f"{role}: {status}"
        assert status not in (401, 500)
    gone = created(HOUSE.app, PEOPLE, program="gone", roles=["admin"])[0]
    revoked(HOUSE.app, gone[:12])
    late = created(HOUSE.app, PEOPLE, program="late", roles=["admin"], expires="1m")[0]
    HOUSE.clock.advance(61)
    for key, why in (("", "nobody"), (gone, "revoked"), (late, "expired"), ("awp_nope", "unknown")):
        assert await asked(key, method, path) == 401, why


@pytest.fixture(scope="module")
def people() -> Api:
    from tests.console.web.browsing import house

    with lasting():
        return house()


@pytest.mark.parametrize(("path", "method", "right"), PAGES, ids=[f"{m} {p}" for p, m, _ in PAGES])
async def test_a_page_leads_strangers_to_the_form_and_refuses_a_form_that_is_not_its_own(
    path: str, method: str, right: str, people: Api
) -> None:
    stranger = await Browser(people).request(method, filled(path))
    assert (stranger.status_code, stranger.headers["location"].split("?")[0]) == (303, "/login")
    if method == "GET":
        return
    browser = await signed_in(people, "vera") if not people.parts.accounts.listing() else Browser(people)
    if not browser.cookies.get("airworthy"):
        await browser.sign_in("vera")
    forged = await browser.request(method, filled(path), data={"csrf": "x"})
    token = re.search(r'name="csrf" value="([^"]*)"', (await browser.get("/account")).text)
    assert token is not None
    own = await browser.request(method, filled(path), data={"csrf": token[1]})

    assert forged.status_code == 403
    assert (own.status_code == 403) is bool(right and right not in ("look",) and right != "decide"), (
        own.status_code
    )


@pytest.mark.parametrize(("path", "method", "right"), API, ids=[f"{m} {p}" for p, m, _ in API])
async def test_a_key_for_another_agent_finds_no_task_and_no_item(path: str, method: str, right: str) -> None:
    """A task of `support`, asked for by an admin's key that is for `billing`: as if it were not there."""
    if not {"{task_id}", "{trace_id}"} & set(path.split("/")):
        return
    made = api()
    task = await made.submit()
    other = created(made.app, PEOPLE, program="other", roles=["admin"], agents=["billing"])[0]
    bodies: dict[str, dict[str, Any]] = {"feedback": {"thumb": "up"}, "fork": {"at": 1}}
    body = bodies.get(path.rpartition("/")[2], {})
    told = set()
    for id_ in (task, "tsk_none"):
        async with made.client("admin") as http:
            http.headers["Authorization"] = f"Bearer {other}"
            at = path.replace("{task_id}", id_).replace("{trace_id}", id_).replace("{tool}", "none")
            answer = await (http.get(at) if method == "GET" else http.post(at, json=body))
        told.add((answer.status_code, answer.text.replace(id_, "ID")))

    assert len(told) == 1, f"{method} {path} tells a task of another agent from none"
    assert told.pop()[0] in (404, 200 if method == "GET" else 404)


async def test_lists_of_a_key_for_another_agent_are_empty_and_nothing_can_be_handed_in_for_others() -> None:
    made = api()
    await made.submit()
    made.keys["other"] = created(made.app, PEOPLE, program="other", roles=["admin"], agents=["billing"])[0]
    async with made.client("other") as http:
        lists = [
            (await http.get(f"/api/v1/{path}")).json()
            for path in ("tasks", "review", "review/counts", "feedback", "results", "alerts")
        ]
        new = await http.post("/api/v1/tasks", json={"agent": "support", "input": "hi"})
    async with made.client("admin") as http:
        mine = (await http.get("/api/v1/tasks")).json()

    assert lists == [[], [], {}, [], [], []]
    assert (new.status_code, "support" in new.json()["mend"]) == (400, False)
    assert len(mine) == 1


async def test_what_knows_no_agents_bounds_is_for_an_admin_of_all_agents() -> None:
    made = api()
    made.keys["other"] = created(made.app, PEOPLE, program="other", roles=["admin"], agents=["billing"])[0]
    async with made.client("other") as http:
        told = [
            (await http.get("/api/v1/audit")).status_code, (await http.get("/api/v1/audit/head")).status_code,
            (await http.post("/api/v1/users/look", json={"user": "ada"})).status_code,
        ]  # fmt: skip
    async with made.client("admin") as http:
        whole = (await http.get("/api/v1/audit")).status_code

    assert (told, whole) == ([403, 403, 403], 200)


async def test_a_person_for_another_agent_neither_sees_nor_decides() -> None:
    made = api()
    rule = PEOPLE.people["dana"].model_copy(update={"agents": ("billing",)})
    made.people[0] = People(people={"dana": rule})
    task = await made.submit()
    async with made.client("dana") as http:
        assert (await http.get("/api/v1/tasks")).json() == []
        assert (await http.get(f"/api/v1/tasks/{task}")).status_code == 404
        assert (await http.get("/api/v1/me")).json()["agents"] == ["billing"]
