"""All of it by keyboard: what is reached by Tab can be seen to be reached, and a decision is a few keys."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Visit
from tests.browser.house import PASSWORD, House

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.process, pytest.mark.slow]  # A server and a browser take seconds to start.
TABS_MAX = 60


def tab_to(page: "Page", words: str) -> None:
    """Each stop on the way must show that it is one."""
    for _ in range(TABS_MAX):
        page.keyboard.press("Tab")
        name, ring = page.evaluate(
            """() => { const on = document.activeElement, look = getComputedStyle(on);
                if (on === document.body) return [null, true];
                const label = on.labels?.[0]?.innerText ?? "";
                return [(on.getAttribute("aria-label") ?? on.innerText ?? "").trim() || label,
                        look.outlineStyle !== "none" && parseFloat(look.outlineWidth) > 0]; }"""
        )
        if name is None:  # Round once: the page itself has it before the first link has.
            continue
        assert ring, f"the focus is on {name!r}, and nobody can see it"
        if words in name:
            return
    raise AssertionError(f"{words!r} is not reached by Tab")


def test_somebody_signs_in_finds_what_waits_and_decides_without_a_mouse(visit: Visit, house: House) -> None:
    id_ = house.done("refund cara@example.com", "waiting")
    seen = visit()
    page = seen.go("/login")
    page.keyboard.type("dana")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    seen.at("/")
    tab_to(page, "Skip to content")
    page.keyboard.press("Enter")
    skipped = page.evaluate("document.activeElement.id")
    page.reload()
    tab_to(page, "Review")
    page.keyboard.press("Enter")
    seen.at("/review")
    tab_to(page, "cara@example.com")
    page.keyboard.press("Enter")
    page.wait_for_url("**/review/rev_*")
    tab_to(page, "Approve: make the call")
    tab_to(page, "Note")
    page.keyboard.type("by keys alone")
    tab_to(page, "Approve: make the call")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="It is decided").wait_for()

    assert skipped == "main"
    assert house.until(id_)["state"] == "answered"


def test_single_keys_move_choose_and_decide(visit: Visit, house: House) -> None:
    id_ = house.done("refund dora@example.com", "waiting")
    item = house.item(id_, "approval")
    page = visit("dana").go("/review")
    for _ in range(TABS_MAX):
        page.keyboard.press("j")
        if page.evaluate("document.activeElement.getAttribute('href')") == f"/review/{item}":
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/review/{item}")
    page.keyboard.press("r")
    page.keyboard.type("not covered, as agreed; raise no alarm")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="It is decided").wait_for()
    done = page.inner_text(".evidence")

    assert "not covered, as agreed; raise no alarm" in done
    assert "reject" in done


def test_keys_with_a_modifier_stay_the_browsers_own(visit: Visit, house: House) -> None:
    id_ = house.done("refund", "waiting")
    page = visit("dana").go(f"/review/{house.item(id_, 'approval')}")
    before = page.locator("details.act[open]").evaluate_all("all => all.map((one) => one.dataset.key)")
    for key in ("Control+r", "Alt+e", "Shift+R"):
        if key != "Control+r":
            page.keyboard.press(key)
    page.keyboard.press("Control+e")

    assert (
        page.locator("details.act[open]").evaluate_all("all => all.map((one) => one.dataset.key)") == before
    )
