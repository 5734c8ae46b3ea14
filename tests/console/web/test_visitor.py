"""Who gets to a page: the session that the cookie stands for, and no form that another page has made."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from airworthy.console import problems, sessions
from airworthy.console.door import HOUR_US
from airworthy.console.web.visitor import NotSignedIn, Visiting, VisitOperating
from airworthy.core.clock import US_PER_S
from airworthy.review.people import People, PersonRule
from tests.console.kit import Api, api

PEOPLE = People(
    people={
        "olga": PersonRule(name="Olga", roles=("operator",)),
        "vera": PersonRule(name="Vera", roles=("viewer",)),
    }
)


def pages(made: Api) -> FastAPI:
    app = FastAPI()
    app.state.parts = made.parts
    problems.install(app)
    app.add_exception_handler(NotSignedIn, lambda request, error: PlainTextResponse("sign in", 303))

    @app.get("/page")
    def page(who: Visiting) -> str:
        return f"{who.caller.name} {who.csrf}"

    @app.post("/act")
    async def act(who: VisitOperating) -> str:
        return who.caller.name

    return app


def signed_in(
    made: Api, person: str = "olga", base: str = "http://localhost"
) -> tuple[httpx.AsyncClient, str]:
    made.people[0] = PEOPLE
    door = made.parts.door
    secret, session = sessions.drawn_for(
        made.app.ids, made.clock.now_us(), door.session_us, person, "password"
    )
    made.app.database.write_now(lambda tx: sessions.begin(tx, secret, session))
    cookie = door.cookie("airworthy", *base.split("://"))
    transport = httpx.ASGITransport(pages(made), raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url=base, headers={"Cookie": f"{cookie}={secret}"})
    return client, sessions.csrf_of(secret)


async def test_a_session_opens_a_page_and_tells_it_what_forms_must_bring() -> None:
    client, csrf = signed_in(api())

    assert (await client.get("/page")).json() == f"olga {csrf}"


@pytest.mark.parametrize(
    ("minutes", "lives"),
    [((119,), True), ((121,), False), ((100,) * 7, True), ((100,) * 7 + (21,), False)],
    ids=["a little idle", "idle too long", "in use for hours", "in use to its end"],
)
async def test_a_session_ends_when_it_is_idle_or_old(minutes: tuple[int, ...], lives: bool) -> None:
    made = api()
    client, _ = signed_in(made)
    answer = await client.get("/page")
    for each in minutes:
        made.clock.advance(each * 60)
        answer = await client.get("/page")

    assert answer.status_code == (200 if lives else 303)
    assert made.parts.door.idle_us == 2 * HOUR_US
    assert made.parts.door.session_us == 12 * HOUR_US


async def test_an_ended_session_and_that_of_somebody_who_left_open_nothing() -> None:
    made = api()
    client, _ = signed_in(made)
    other, _ = signed_in(made, "vera")
    [session] = made.app.database.read_now(lambda tx: sessions.listing(tx, "olga"))
    made.app.database.write_now(lambda tx: sessions.end(tx, session.id, made.clock.now_us()))
    ended = (await client.get("/page")).status_code
    made.people[0] = People(people={"olga": PEOPLE.people["olga"]})

    assert (ended, (await other.get("/page")).status_code) == (303, 303)


async def test_a_role_is_read_at_each_request() -> None:
    made = api()
    client, csrf = signed_in(made)
    before = await client.post("/act", data={"csrf": csrf})
    made.people[0] = People(people={"olga": PersonRule(name="Olga", roles=("viewer",))})

    assert (before.status_code, (await client.post("/act", data={"csrf": csrf})).status_code) == (200, 403)


@pytest.mark.parametrize(
    ("data", "headers", "status", "why"),
    [
        ("own", {}, 200, "its own form"),
        ("own", {"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200, "a browser that names no referrer"),
        ("own", {"Origin": "http://localhost"}, 200, "an older browser"),
        ("own", {"Sec-Fetch-Site": "cross-site"}, 403, "another site"),
        ("own", {"Sec-Fetch-Site": "same-site"}, 403, "another host of the domain"),
        ("own", {"Origin": "http://evil.example"}, 403, "another site, older browser"),
        ("own", {"Origin": "null"}, 403, "a page without an origin"),
        ("", {}, 403, "no token"),
        ("other", {}, 403, "a token of another session"),
        ("é", {}, 403, "a token that is no ASCII"),
        ("header", {}, 200, "a script of ours"),
    ],
)
async def test_a_form_must_come_from_a_page_of_that_session(
    data: str, headers: dict[str, str], status: int, why: str
) -> None:
    made = api()
    _, others = signed_in(made)
    client, csrf = signed_in(made)
    sent: dict[str, Any] = {"data": {"csrf": {"own": csrf, "other": others}.get(data, data)}}
    if data == "header":
        sent, headers = {"data": {}}, {"X-CSRF-Token": csrf}

    assert (await client.post("/act", headers=headers, **sent)).status_code == status, why


async def test_away_from_this_machine_a_cookie_goes_by_tls_alone_and_no_other_host_can_set_it() -> None:
    made = api()
    client, _ = signed_in(made, base="http://console.example")
    [(_, cookie)] = [pair for pair in client.headers.items() if pair[0] == "cookie"]
    plain = httpx.AsyncClient(
        transport=httpx.ASGITransport(pages(made)), base_url="http://console.example",
        headers={"Cookie": cookie.removeprefix("__Host-")},
    )  # fmt: skip

    assert cookie.startswith("__Host-airworthy=")
    assert ((await client.get("/page")).status_code, (await plain.get("/page")).status_code) == (200, 303)


async def test_the_cookie_of_a_session_reads_the_api_and_changes_nothing_there() -> None:
    made = api()
    made.people[0] = PEOPLE
    client, _ = signed_in(made)
    reads = made.client("")
    reads.base_url = httpx.URL("http://localhost")
    reads.headers["Cookie"] = client.headers["Cookie"]

    assert (await reads.get("/api/v1/tasks")).status_code == 200
    assert (await reads.post("/api/v1/tasks/tsk_none/cancel")).status_code == 401


def test_only_hashes_of_sessions_are_stored_and_the_oldest_of_too_many_ends() -> None:
    made = api()
    made_secrets = []
    for _ in range(sessions.SESSIONS_MAX + 1):
        secret, session = sessions.drawn_for(
            made.app.ids, made.clock.now_us(), 3_600 * US_PER_S, "olga", "link"
        )
        made.app.database.write_now(lambda tx, s=secret, x=session: sessions.begin(tx, s, x))  # type: ignore[misc]
        made_secrets.append(secret)
        made.clock.advance(1)
    rows = made.app.database.read_now(lambda tx: tx.rows("SELECT * FROM sessions"))
    listed = made.app.database.read_now(lambda tx: sessions.listing(tx, "olga"))

    assert not any(secret.encode() in repr(rows).encode() for secret in made_secrets)
    assert [session.ended_us is None for session in listed] == [True] * sessions.SESSIONS_MAX + [False]
