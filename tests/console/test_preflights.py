"""Preflights over HTTP and as pages: whoever sees an agent sees them, and a report stays text whatever it holds."""

from dataclasses import replace

import pytest

from airworthy.app.console import created
from airworthy.preflight import records
from airworthy.preflight.records import RunState, Stored
from airworthy.preflight.report import Report
from airworthy.preflight.reporting import to_document
from airworthy.preflight.reporting.html import style_hash
from airworthy.store import Tx
from tests.console.kit import Api, api
from tests.console.web.browsing import signed_in
from tests.preflight.reporting.kit import hostile, realistic

REPORT = realistic(20)


def house_with(*reports: Report) -> Api:
    house = api()

    def op(tx: Tx) -> None:
        for report in reports:
            began = Stored(
                report.id,
                report.agent,
                report.release,
                RunState.RUNNING,
                "",
                report.began_us,
                None,
                7,
                "",
                0,
                0,
            )
            records.begun(tx, began)
            if report.sections:
                records.ended(
                    tx, report, RunState.DONE, at_us=report.began_us, worked_us=5, spent_nano=1_000_000_000
                )

    house.app.database.write_now(op)
    return house


@pytest.mark.parametrize(("role", "status"), [("viewer", 200), ("", 401)])
async def test_whoever_may_look_finds_the_list_and_the_whole_report(role: str, status: int) -> None:
    house = house_with(REPORT, replace(REPORT, id="pfl_now", sections=(), began_us=REPORT.began_us + 1))
    async with house.client(role) as http:
        listed, whole = (
            await http.get("/api/v1/preflights"),
            await http.get(f"/api/v1/preflights/{REPORT.id}"),
        )

    assert (listed.status_code, whole.status_code) == (status, status)
    if status == 200:
        assert [(row["id"], row["verdict"], row["cost_usd"]) for row in listed.json()] == [
            ("pfl_now", None, 0), (REPORT.id, "no-go", 1.0),
        ]  # fmt: skip
        assert whole.json() == to_document(REPORT)


@pytest.mark.parametrize("id_", ["pfl_none", "pfl_now"])
async def test_one_that_is_not_there_or_has_no_report_yet_is_not_found(id_: str) -> None:
    house = house_with(replace(REPORT, id="pfl_now", sections=()))
    async with house.client("viewer") as http:
        found = await http.get(f"/api/v1/preflights/{id_}")

    assert (found.status_code, found.json()["code"]) == (404, "unknown_preflight")


async def test_who_may_not_see_an_agent_sees_none_of_its_preflights() -> None:
    house = house_with(REPORT)
    secret, _ = created(house.app, house.people[0], program="other", roles=("viewer",), agents=("another",))
    house.keys["other"] = secret
    async with house.client("other") as http:
        listed, whole = (
            await http.get("/api/v1/preflights"),
            await http.get(f"/api/v1/preflights/{REPORT.id}"),
        )

    assert (listed.json(), whole.status_code) == ([], 404)


async def test_the_pages_show_the_list_and_the_very_report_under_a_policy_of_its_own() -> None:
    bad = replace(hostile(), id="pfl_bad", agent="support", release="0123")
    house = house_with(bad)
    browser = await signed_in(house, "vera")
    listed, shown = await browser.get("/preflights"), await browser.get("/preflights/pfl_bad")
    await browser.aclose()

    assert 'href="/preflights/pfl_bad"' in listed.text
    assert "<script>alert" not in listed.text + shown.text
    assert shown.headers["content-security-policy"].startswith(
        f"default-src 'none'; style-src '{style_hash()}'"
    )
    assert 'href="/preflights"' in shown.text
    assert "What is missing" in shown.text
