"""What changes on a page by itself, while somebody looks at it."""

import pytest

from tests.browser.conftest import Visit
from tests.browser.house import House

pytestmark = [pytest.mark.process, pytest.mark.slow]  # A server and a browser take seconds to start.

QUESTION = "Is the purple kettle still made?"


def test_the_overview_shows_a_new_need_without_being_loaded_again(visit: Visit, house: House) -> None:
    seen = visit("vera")
    page = seen.go("/")
    page.get_by_text("Live. Last changed").wait_for()
    page.evaluate("window.still = true")
    assert QUESTION not in seen.text()
    # Not the number of things that wait: of what another test did a moment ago, some may be counted, and go.
    # With a deadline it stands among the first, however many wait.
    house.done({"do": "ask", "text": QUESTION, "deadline_s": 3_600}, "waiting")
    page.locator(".need").filter(has_text=QUESTION).wait_for()

    assert page.evaluate("window.still")
    assert page.evaluate("window.airworthyAudit()") == []


def test_the_overview_draws_its_charts_within_the_content_policy(visit: Visit, house: House) -> None:
    house.done("find 8812")
    page = visit("vera").go("/?window=1h")
    page.locator(".charts canvas").nth(2).wait_for()

    assert page.locator("#charts h3").all_inner_texts() == ["Tasks", "Duration, seconds", "Cost, USD"]


def test_a_page_of_a_run_does_not_move_while_somebody_reads_a_step(visit: Visit, house: House) -> None:
    id_ = house.done("refund", "waiting")
    page = visit("vera").go(f"/traces/{id_}")
    page.clock.install()
    page.reload()
    page.locator("details.entry summary").first.click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_selector("details.entry[open] .payload")
    asked.clear()
    page.clock.run_for(10_000)
    quiet = list(asked)
    page.locator("details.entry summary").first.click()
    with page.expect_request(f"**/traces/{id_}"):
        page.clock.run_for(4_000)

    assert quiet == []
