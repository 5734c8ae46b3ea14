"""A run once more: replayed, forked, held against another."""

import pytest

from tests.browser.conftest import Visit
from tests.browser.house import House

pytestmark = [pytest.mark.process, pytest.mark.slow]  # A server and a browser take seconds to start.


def test_a_replay_of_a_closed_task_comes_to_the_same(visit: Visit, house: House) -> None:
    id_ = house.done("chat hello")
    page = visit("ada").go(f"/traces/{id_}")
    page.get_by_role("button", name="Replay from the record alone").click()
    page.get_by_role("heading", name="The replay came to the same").wait_for()

    assert page.locator(".badge", has_text="same").count() == 1


def test_a_fork_goes_on_from_a_step_in_another_way_and_is_compared(visit: Visit, house: House) -> None:
    id_ = house.done("chat hello")
    page = visit("ada").go(f"/traces/{id_}")
    page.get_by_role("link", name="Fork: go on from a step in another way").click()
    page.get_by_role("button", name="Choose").click()
    page.get_by_label("Another prompt").fill("You answer in one short sentence.")
    page.get_by_role("button", name="Fork here").click()
    page.get_by_text("A rehearsal that went on").wait_for()
    fork = page.url.rsplit("/", 1)[1]
    house.until(fork)
    page.get_by_role("link", name="Compare the two").click()
    page.wait_for_url(f"**/traces/{fork}/diff?with={id_}")

    assert fork != id_
    assert "You answer in one short sentence." in page.inner_text("main")


def test_two_runs_are_held_against_each_other(visit: Visit, house: House) -> None:
    one, other = house.done("find 8812", user="u-diff"), house.done("find 9003", user="u-diff")
    page = visit("vera").go(f"/traces/{one}/diff")
    page.get_by_label("With run").fill(other)
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(f"**/traces/{one}/diff?with={other}")
    text = page.inner_text("main")

    assert "steps differ" in page.inner_text("h1")
    assert "8812" in text
    assert "9003" in text


def test_what_cannot_be_compared_is_told_and_not_a_blank_page(visit: Visit, house: House) -> None:
    one = house.done("find 8812")
    seen = visit("vera")
    seen.refusals = {404, 400}
    page = seen.go(f"/traces/{one}/diff?with=tsk_nothing")

    assert page.inner_text("main").strip()
