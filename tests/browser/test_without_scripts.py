"""The main path with scripts off: sign in, read, decide, replay."""

import pytest

from tests.browser.conftest import Visit
from tests.browser.house import PASSWORD, House

pytestmark = [pytest.mark.process, pytest.mark.slow]  # A server and a browser take seconds to start.
PLAIN = {"java_script_enabled": False}


def test_somebody_signs_in_reads_and_decides(visit: Visit, house: House) -> None:
    id_ = house.done("refund", "waiting")
    item = house.item(id_, "approval")
    seen = visit("", **PLAIN)
    page = seen.go(f"/review/{item}")
    page.get_by_label("Name").fill("dana")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    seen.at(f"/review/{item}")
    page.get_by_role("link", name=id_).click()
    seen.at(f"/traces/{id_}")
    page.locator("details.entry summary").filter(has_text="find_order").click()
    page.get_by_role("link", name="Everything recorded of this step").locator("visible=true").click()
    page.wait_for_url(f"**/traces/{id_}/entries/*")
    step = seen.text()
    seen.go(f"/review/{item}")
    page.get_by_role("button", name="Approve: make the call").click()
    seen.at(f"/review/{item}")
    decided = page.get_by_role("heading", name="It is decided").is_visible()
    house.until(id_, "answered")
    seen.go(f"/traces/{id_}")

    assert "8812" in step
    assert "a blue kettle" in step
    assert decided
    assert "paid 80 to ann@example.com" in page.inner_text(".ends")


def test_the_overview_leads_on_and_a_run_is_replayed(visit: Visit, house: House) -> None:
    id_ = house.done("fail no such kettle", user="u-plain")
    seen = visit("ada", **PLAIN)
    page = seen.go("/")
    says = page.locator("noscript").all_inner_texts()
    page.get_by_role("link", name="Traces").first.click()
    page.get_by_role("searchbox").fill("user:u-plain")
    page.get_by_role("button", name="Find").click()
    page.locator("table.runs tbody a").click()
    seen.at(f"/traces/{id_}")
    page.get_by_role("button", name="Replay from the record alone").click()
    page.get_by_role("heading", name="The replay came to the same").wait_for()

    assert any("every 30 seconds" in text for text in says)
