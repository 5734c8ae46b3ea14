"""Each page in each of its states: read by landmark, heading and label, within the window, asking nobody else.

What is asserted stands in audit.js, and is looked for on every page that any test here comes by.
"""

from dataclasses import replace
from typing import Any

import pytest

from airworthy.preflight import records
from airworthy.preflight.records import RunState, Stored
from airworthy.preflight.report import Report
from airworthy.recorder.alerts import Alert
from tests.browser.conftest import Visit
from tests.browser.house import House, now_span
from tests.browser.watching import DESK, TELEPHONE
from tests.preflight.reporting.kit import realistic, spread

pytestmark = [pytest.mark.process, pytest.mark.slow]  # A server and a browser take seconds to start.
TRACE = "5bf92f3577b34da6a3ce929d0e0e4702"
UNBROKEN = "Donaudampfschifffahrtsgesellschaftskapitaen" * 8


def stored(house: House, report: Report) -> None:
    """As the command stores it at its end."""
    began = Stored(
        report.id, report.agent, report.release, RunState.RUNNING, "", report.began_us, None, 7, "", 0, 0
    )
    house.app.database.write_now(lambda tx: records.begun(tx, began))
    done = RunState.DONE
    house.app.database.write_now(
        lambda tx: records.ended(tx, report, done, at_us=1, worked_us=1, spent_nano=1)
    )


@pytest.fixture(scope="module")
def paths(house: House) -> list[str]:
    """Of every page, with something on it, and with words that break nowhere."""
    done = [
        house.done("find 8812", session="s-pages", user=UNBROKEN[:200], feature="web"),
        house.done(f"chat {UNBROKEN}", session="s-pages"),
        house.done(f"fail {UNBROKEN}"),
        house.done({"do": "mail", "text": UNBROKEN}),
        house.done({"do": "ask", "text": UNBROKEN, "choices": [UNBROKEN[:150], "no"]}, "waiting"),
        house.done({"do": "refund", "text": UNBROKEN}, "waiting"),
        house.done(f"escalate {UNBROKEN}"),
        house.done({"do": "read", "text": UNBROKEN}),
    ]
    house.api.post(
        f"/api/v1/tasks/{done[0]}/feedback", json={"thumb": "down", "text": UNBROKEN, "correction": UNBROKEN}
    )
    house.alert(
        Alert(f"breaks:{UNBROKEN[:80]}", "tool", "support", "critical", UNBROKEN[:150], UNBROKEN, done[2])
    )
    house.spans(
        now_span(
            1,
            0,
            TRACE,
            name=UNBROKEN,
            attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": UNBROKEN},
        ),
        *(
            now_span(number, number - 1, TRACE, name=UNBROKEN, attributes={"deep": UNBROKEN})
            for number in range(2, 30)
        ),
    )
    stored(house, replace(realistic(40), id="pfl_shown", agent="support"))
    stored(house, replace(spread(40, UNBROKEN), id="pfl_long"))
    items = [
        house.item(id_, kind)
        for id_, kind in (
            (done[2], "dead_letter"),
            (done[3], "delayed"),
            (done[4], "question"),
            (done[5], "approval"),
            (done[6], "escalation"),
        )
    ]
    return [
        "/",
        "/?window=1h",
        "/?window=7d",
        "/traces",
        "/traces?q=is:error",
        "/traces?q=user:nobody+since:1h",
        "/review",
        "/review?over=1",
        "/review?kind=question&mine=1",
        "/alerts",
        "/alerts?over=true",
        "/agents",
        "/preflights",
        "/preflights/pfl_shown",
        "/preflights/pfl_long",
        "/account",
        *(f"/traces/{id_}" for id_ in (*done, TRACE)),
        *(f"/review/{id_}" for id_ in items),
        *(f"/traces/{done[1]}/entries/{seq}" for seq in (1, 2, 3)),
        f"/traces/{TRACE}/entries/s{1:016x}",
        f"/traces/{done[1]}/fork?at=3",
        f"/traces/{done[0]}/diff?with={done[1]}&all=1",
        f"/traces/{done[0]}/diff",
        f"/tasks/{done[0]}",
    ]


@pytest.mark.parametrize(
    "how",
    [{"viewport": DESK}, {"viewport": TELEPHONE, "color_scheme": "dark", "has_touch": True}],
    ids=["desk", "telephone"],
)
def test_every_page_keeps_to_its_rules_closed_and_opened(
    visit: Visit, paths: list[str], how: dict[str, Any]
) -> None:
    seen = visit("ada", **how)
    for path in paths:
        seen.opened(path)

    assert seen.page.viewport_size == how["viewport"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_mark_of_the_heat_map_opens_its_run(visit: Visit, paths: list[str], scheme: str) -> None:
    """By the keyboard too, and without a script: the browser opens what holds the place a link leads to."""
    assert "/preflights/pfl_shown" in paths
    page = visit("vera", viewport=TELEPHONE, color_scheme=scheme).go("/preflights/pfl_shown")
    for state in ("failed", "passed"):
        mark = page.locator(f".heat a.{state}").first
        mark.focus()
        page.keyboard.press("Enter")
        place = page.locator("details > div:target")
        place.wait_for(state="visible")
        assert "airworthy preflight support --cell failures/" in place.inner_text()


def test_what_is_not_there_or_not_allowed_is_told_on_a_page_like_the_others(visit: Visit) -> None:
    seen = visit("vera")
    seen.refusals = {400, 403, 404, 405, 410, 422}
    said = {}
    for path in (
        "/nowhere",
        "/traces/tsk_none",
        "/review/rev_none",
        "/traces/tsk_none/fork",
        f"/?window={'x' * 50}",
    ):
        said[path] = seen.go(path).inner_text("main")

    assert all("Go to the overview" in text for text in said.values()), said


def test_an_anchor_that_is_none_breaks_nothing(visit: Visit, house: House) -> None:
    id_ = house.done("find 8812")
    seen = visit("vera")
    for anchor in ("%", "%E0%A4%A", "e-", "e-9' onclick='x", "\x00"):
        seen.page.goto("about:blank")
        seen.go(f"/traces/{id_}#{anchor}")
