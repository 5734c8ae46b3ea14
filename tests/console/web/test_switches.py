"""The pages of alerts and of agents: what a role may not do is neither shown nor done."""

import pytest

from airworthy.recorder import alerts
from airworthy.recorder.alerts import Alert, raised
from airworthy.runtime.switches import Switch, set_off
from airworthy.store import Tx
from tests.console.web import world
from tests.console.web.html import read
from tests.console.web.kit import House


def troubled() -> House:
    house = House()
    world.fill(house.parts.database, house.now_us(), 2, share=0.05)
    house.parts.database.write_now(lambda tx: world.trouble(tx, house.now_us()))
    return house


async def test_an_alert_is_ended_by_who_may_and_the_audit_log_says_who() -> None:
    house = troubled()
    answer = await house.send("/alerts/end", "olga", key="schema:crm")
    row = house.parts.database.read_now(lambda tx: alerts.get(tx, "schema:crm"))
    noted = house.parts.database.read_now(lambda tx: tx.rows("SELECT who, what, about FROM audit"))
    async with house.visit("olga") as client:
        page = read((await client.get("/alerts")).text)

    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts")
    assert row.ended_by == "olga"
    assert ("olga", "alert.end", "schema:crm") in noted
    assert "crm_read" not in page.text


@pytest.mark.parametrize(
    ("person", "path", "fields", "status", "why"),
    [
        ("vera", "/alerts/end", {"key": "schema:crm"}, 403, "a viewer"),
        ("dana", "/agents/pause", {"agent": "support", "why": "x"}, 403, "a reviewer"),
        ("sven", "/alerts/end", {"key": "schema:crm"}, 400, "not his agent: there is no such alert"),
        ("sven", "/agents/pause", {"agent": "refunds", "why": "x"}, 403, "not his agent"),
        ("sven", "/agents/pause", {"why": "x"}, 403, "all agents are more than his"),
        ("sven", "/agents/resume", {"agent": "contract-check"}, 403, "not his agent"),
        ("olga", "/agents/pause", {"agent": "support", "why": "  "}, 400, "no reason"),
        ("olga", "/agents/pause", {"agent": "support", "why": "y" * 501}, 422, "too long"),
    ],
)
async def test_what_somebody_may_not_do_is_not_done(
    person: str, path: str, fields: dict[str, str], status: int, why: str
) -> None:
    house = troubled()
    before = house.parts.operations.switches()
    answer = await house.send(path, person, **fields)

    standing = house.parts.database.read_now(alerts.listing)
    assert answer.status_code == status, why
    assert read(answer.text).wrong == []
    assert house.parts.operations.switches() == before
    assert len(standing) == 2


async def test_a_form_of_another_session_switches_nothing() -> None:
    house = troubled()
    answer = await house.send("/agents/pause", "olga", csrf="another", agent="support", why="x")

    assert answer.status_code == 403
    assert [row.scope for row in house.parts.operations.switches()] == ["agent:contract-check"]


async def test_a_viewer_is_shown_no_button_that_acts() -> None:
    house = troubled()
    async with house.visit("vera") as client:
        pages = [read((await client.get(path)).text) for path in ("/", "/alerts", "/agents", "/traces")]
    async with house.visit("olga") as client:
        operator = read((await client.get("/agents")).text)

    acting = [form["action"] for page in pages for form in page.all("form") if form.get("method") == "post"]
    assert set(acting) == {"/logout"}
    assert {"/agents/pause", "/agents/resume"} <= {form["action"] for form in operator.all("form")}


async def test_an_agent_is_paused_with_a_reason_and_goes_on_again() -> None:
    house = troubled()
    await house.send("/agents/pause", "olga", agent="support", why="wrong prices", to_people="true")
    paused = {row.scope: row for row in house.parts.operations.switches()}["agent:support"]
    house.pass_s(2)
    async with house.visit() as client:
        page, start = read((await client.get("/agents")).text), read((await client.get("/")).text)
        twin = (await client.get("/api/v1/agents", headers={"Accept": "*/*"})).json()
    answer = await house.send("/agents/resume", "olga", agent="support")

    assert (paused.by_whom, paused.reason, paused.manual) == ("olga", "wrong prices", True)
    assert "people do its tasks" in page.text
    assert "wrong prices" in page.text
    assert "support works by hand" in start.text
    found = next(each for each in twin if each["agent"] == "support")
    assert found["paused"] == {
        "scope": "agent:support", "by": "olga", "why": "wrong prices", "since": found["paused"]["since"],
        "to_people": True,
    }  # fmt: skip
    assert answer.status_code == 303
    assert [row.scope for row in house.parts.operations.switches()] == ["agent:contract-check"]


async def test_all_agents_are_paused_and_the_page_says_so_first() -> None:
    house = troubled()
    await house.send("/agents/pause", "ada", why="the shop is closed")
    house.pass_s(2)
    async with house.visit() as client:
        page, start = read((await client.get("/agents")).text), read((await client.get("/")).text)
    await house.send("/agents/resume", "ada")

    assert "the shop is closed" in page.text
    assert "All agents are paused." in start.text
    assert [row.scope for row in house.parts.operations.switches()] == ["agent:contract-check"]


async def test_an_agent_that_runs_elsewhere_has_no_switch() -> None:
    house = troubled()
    async with house.visit("ada") as client:
        page = (await client.get("/agents")).text

    cards = {
        name: page.partition(f'id="{name}"')[2].partition("</article>")[0] for name in ("refunds", "support")
    }
    assert "it cannot be switched from here" in cards["refunds"]
    assert "/agents/pause" not in cards["refunds"]
    assert "/agents/pause" in cards["support"]


async def test_whoever_sees_one_agent_sees_its_alerts_alone() -> None:
    house = troubled()

    def op(tx: Tx) -> None:
        raised(tx, Alert("own", "x", "support", "warning", "Support is slow", ""), house.now_us())
        raised(tx, Alert("all", "x", "", "critical", "The disk is full", ""), house.now_us())
        set_off(tx, Switch("agent:hr-letters", "dana", "", house.now_us()))

    house.parts.database.write_now(op)
    async with house.visit("sven") as client:
        alerts_page, agents_page = [
            read((await client.get(path)).text).text for path in ("/alerts", "/agents")
        ]
        twin = (await client.get("/api/v1/alerts", headers={"Accept": "*/*"})).json()

    assert "Support is slow" in alerts_page
    assert [each["key"] for each in twin] == ["own"]
    assert "The disk is full" not in alerts_page
    assert "Refunds" not in alerts_page
    assert "hr-letters" not in agents_page
