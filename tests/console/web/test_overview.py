"""The overview: what it says, to whom, what it makes of hostile text, and the stream that keeps it so."""

import asyncio
from typing import Any

import pytest

from airworthy.app.console import parts_of
from airworthy.console.live import STREAMS_MAX
from airworthy.console.web.overview import ALIVE_S, STREAM_S_MAX
from airworthy.recorder.alerts import Alert, raised
from airworthy.recorder.otel.bounds import LABEL_CHARS_MAX
from airworthy.runtime import Run, Submission
from airworthy.runtime.switches import Switch, set_off
from tests.console.web import world
from tests.console.web.hostile import TEXTS, UNSEEN
from tests.console.web.html import read
from tests.console.web.kit import BASE, PEOPLE, House
from tests.database import lasting
from tests.runtime.kit import bench


@pytest.fixture(scope="module")
def full() -> House:
    """Nothing is changed in it."""
    with lasting():
        return filled(30)


def filled(hours: float, share: float = 0.1) -> House:
    house = House()
    world.fill(house.parts.database, house.now_us(), hours, share=share)
    house.parts.database.write_now(lambda tx: world.trouble(tx, house.now_us()))
    return house


async def test_an_empty_house_says_so_and_what_to_do() -> None:
    async with House().visit() as client:
        page = read((await client.get("/")).text)

    assert "All is well. Nothing waits for a person." in page.text
    assert "Nothing needs a person now." in page.text
    assert "airworthy task submit" in page.text
    assert page.wrong == []


async def test_the_page_says_first_how_it_stands_then_what_needs_a_person_then_each_agent(
    full: House,
) -> None:
    async with full.visit() as client:
        answer = await client.get("/")

    page = read(answer.text)
    order = [
        "3 of 8 agents need attention: refunds has a critical alert; contract-check is paused; onboarding has a",
        "What needs a person now", "Refunds fail: the payment service answers 503", "How tasks ended",
    ]  # fmt: skip
    places = [page.text.index(words) for words in order]
    assert answer.status_code == 200
    assert places == sorted(places)
    assert page.wrong == []
    assert {
        "rel": "alternate",
        "type": "application/json",
        "href": "/api/v1/overview?window=24h",
    } in page.all("link")
    assert "unpriced" in page.text


async def test_each_number_leads_to_the_traces_behind_it(full: House) -> None:
    async with full.visit() as client:
        page = read((await client.get("/")).text)
        links = sorted({tag["href"] for tag in page.all("a") if tag["href"].startswith("/traces?")})
        answers = [(await client.get(link)).status_code for link in links]

    assert "/traces?q=agent%3Asupport+outcome%3Aescalated+since%3A24h" in links
    assert len(links) > 30
    assert set(answers) == {200}


async def test_the_numbers_on_the_page_are_those_of_its_twin(full: House) -> None:
    async with full.visit() as client:
        page = read((await client.get("/?window=7d")).text)
        twin = (await client.get("/api/v1/overview?window=7d", headers={"Accept": "application/json"})).json()

    support = next(agent for agent in twin["agents"] if agent["agent"] == "support")
    assert twin["state"]["text"] in page.text
    assert f"{support['opened']:,}" in page.text
    assert [need["what"] for need in twin["needs"]] == ["critical", "warning", "paused"]
    assert len(support["trend"]["opened"]) == 84
    assert sum(support["trend"]["opened"]) == support["opened"]


async def test_a_window_that_is_none_is_a_page_with_those_there_are() -> None:
    async with House().visit() as client:
        answer = await client.get("/?window=9y")

    assert answer.status_code == 400
    assert "1h, 24h, 7d, 30d" in read(answer.text).text


async def test_an_agent_that_one_may_not_see_is_in_no_word_and_no_number(full: House) -> None:
    async with full.visit("sven") as client:
        page = (await client.get("/")).text
        twin = (await client.get("/api/v1/overview", headers={"Accept": "*/*"})).json()
    async with full.visit("vera") as client:
        whole = (await client.get("/api/v1/overview", headers={"Accept": "*/*"})).json()

    for kind in world.KINDS:
        assert (kind.agent in page) == (kind.agent == "support"), kind.agent
    assert [agent["agent"] for agent in twin["agents"]] == ["support"]
    assert 0 < twin["all"]["opened"] < whole["all"]["opened"]
    assert "Refunds fail" not in page


async def test_without_a_session_one_is_sent_to_sign_in_and_a_stream_is_not_opened() -> None:
    house = House()
    async with house.client() as client:
        page, stream = await client.get("/?window=1h"), await client.get("/events")

    assert page.status_code == 303
    assert page.headers["location"] == "/login?next=/%3Fwindow%3D1h"
    assert stream.status_code == 303
    assert house.parts.streams.open == 0


@pytest.mark.slow
async def test_hostile_text_is_text_everywhere_on_the_page() -> None:
    """Four pages of a megabyte each and of everything that hides."""
    house = House()
    now_us = house.now_us()
    (one,) = list(world.traces(now_us, 2, share=0.01))[:1]

    def op(tx: Any) -> None:
        for n, text in enumerate(TEXTS):
            raised(tx, Alert(f"{n}{text[:900]}", text, text[:200], "warning", text, text), now_us)
            set_off(tx, Switch(f"agent:{n}{text[:200]}", text, text, now_us))
            # No index of PostgreSQL takes more, and nothing longer is let in.
            kept = text if tx.dialect == "sqlite" else text[:LABEL_CHARS_MAX]
            world.write(tx, world.hostile(one, f"{n:032x}", kept))

    house.parts.database.write_now(op)
    async with house.visit() as client:
        pages = [(await client.get(path)).text for path in ("/", "/agents", "/alerts", "/traces")]

    for page in pages:
        seen = read(page)
        assert seen.wrong == []
        assert len(page) < 500_000
        assert not set(UNSEEN) & set(page)
        assert "alert(1)" in seen.text
        assert {"http-equiv": "refresh", "content": "30"} not in seen.all("meta") or "Overview" in seen.text
        assert [tag for tag in seen.all("script") if not tag["src"].startswith("/assets/")] == []
        assert not [tag for tag, _ in seen.tags if tag in {"img", "b"}]


async def test_what_waits_for_people_is_on_the_page_with_what_it_is_about() -> None:
    async def handler(run: Run) -> str:
        text = str(run.input)
        if text == "dies":
            raise ValueError("a bug")
        if text != "asks":
            run.escalate("The customer wants the manager.")
        return str(await run.ask("Is 10 EUR fine?", choices=["yes", "no"]))

    made = bench(handler, runtime={"attempts_max": 1})
    for value in ("asks", "hands over", "dies"):
        await made.done(value)
    house = House(parts_of(made.app, [made.agent], lambda: PEOPLE))
    async with house.visit() as client:
        page = read((await client.get("/")).text)
        twin = (await client.get("/api/v1/overview", headers={"Accept": "*/*"})).json()

    needs = {need["what"]: need for need in twin["needs"]}
    assert set(needs) == {"question", "escalation", "dead letters"}
    assert needs["question"]["about"] == "Is 10 EUR fine?"
    assert needs["question"]["page"].startswith("/review/rev_")
    assert "The customer wants the manager." in page.text
    assert "1 of 1 agent needs attention: support has 1 dead letter. 3 things wait for a person." in page.text
    assert twin["agents"][0]["waiting_for_people"] == {"question": 1, "escalation": 1, "dead_letter": 1}


async def test_tasks_that_wait_while_no_worker_runs_are_said_first() -> None:
    house = House()
    house.parts.operations.submit(house.parts.policies["support"], Submission("hello"))
    async with house.visit() as client:
        first = read((await client.get("/")).text).text
        house.pass_s(400)
        later = (await client.get("/api/v1/overview", headers={"Accept": "*/*"})).json()

    assert "No worker is running and 1 task waits." in first
    assert later["workers"] == 0
    assert (later["agents"][0]["queued"], later["agents"][0]["stuck"]) == (1, 1)
    assert [need["what"] for need in later["needs"]] == ["no worker", "stuck"]


async def test_the_stream_tells_at_once_and_then_only_what_has_changed() -> None:
    house = filled(3)
    seen = house.watch("/events?window=1h")
    await seen.until(1)
    for _ in range(4):
        await asyncio.sleep(1)
    quiet = len(seen.chunks)
    house.parts.database.write_now(
        lambda tx: raised(tx, Alert("new", "x", "", "warning", "Something is new", ""), house.now_us())
    )
    house.pass_s(1)
    await seen.until(2)
    await seen.leave()

    assert (seen.status, seen.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert quiet == 1
    assert "Something is new" in seen.chunks[1]
    assert all(line.startswith("data: ") for line in seen.chunks[1].strip().split("\n"))
    assert read(seen.chunks[1].replace("data: ", "")).wrong == []


async def test_whoever_leaves_makes_room_and_the_end_of_the_server_ends_all() -> None:
    house = House()
    one, other = house.watch("/events"), house.watch("/events")
    await one.until(1)
    await other.until(1)
    both = house.parts.streams.open
    await one.leave()
    left = house.parts.streams.open
    house.parts.streams.close()
    await asyncio.wait([other.ended])

    assert (both, left, house.parts.streams.open) == (2, 1, 0)


@pytest.mark.slow
async def test_a_quiet_stream_shows_that_it_lives_and_ends_by_itself_to_be_opened_anew() -> None:
    """Ten minutes of looking once a second."""
    seen = House().watch("/events")
    begun = asyncio.get_running_loop().time()
    await seen.until(2)
    alive = asyncio.get_running_loop().time() - begun
    await asyncio.wait([seen.ended])

    assert seen.chunks[1] == ": alive\n\n"
    assert ALIVE_S <= alive < ALIVE_S + 2
    assert STREAM_S_MAX <= asyncio.get_running_loop().time() - begun < STREAM_S_MAX + 2


async def test_one_stream_too_many_is_told_when_to_come_again() -> None:
    house = House()
    held = [house.parts.streams.opened() for _ in range(STREAMS_MAX)]
    async with house.visit() as client:
        answer = await client.get("/events")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert len(held) == house.parts.streams.open


async def test_a_hundred_viewers_read_the_store_as_often_as_one() -> None:
    house = filled(3)
    reads = []
    inner = house.parts.database.read_now

    def counted(query: Any) -> Any:
        reads.append(1)
        return inner(query)

    house.parts.database.read_now = counted  # type: ignore[method-assign]
    cookie, _ = house.session("vera")
    del reads[:]
    watching = [house.watch("/events") for _ in range(3)]
    for each in watching:
        await each.until(1)
    few = len(reads)
    for each in watching:
        await each.leave()
    async with house.client({"Cookie": cookie}) as client:
        assert (await client.get(f"{BASE}/api/v1/overview", headers={"Accept": "*/*"})).status_code == 200

    assert few <= 3 * 2 + 4, "who they are is asked of each, how it stands once"
