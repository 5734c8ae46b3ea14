"""What people decide in the console, and what becomes of the tasks that waited for it."""

import pytest

from tests.browser.conftest import Visit
from tests.browser.house import House

pytestmark = [pytest.mark.process, pytest.mark.slow]  # A server and a browser take seconds to start.


def test_a_call_that_waits_is_approved_and_its_task_ends_answered(visit: Visit, house: House) -> None:
    id_ = house.done("refund", "waiting")
    seen = visit("dana")
    page = seen.go(f"/review/{house.item(id_, 'approval')}")
    evidence = page.inner_text(".evidence")
    page.get_by_label("Note (may be empty)").first.fill("she has called twice")
    page.get_by_role("button", name="Approve: make the call").click()
    page.get_by_role("heading", name="It is decided").wait_for()
    done = page.inner_text(".evidence")
    house.until(id_, "answered")
    seen.go(f"/traces/{id_}")

    assert "ann@example.com" in evidence
    assert "80" in evidence
    assert page.inner_text(".ends").count("paid 80 to ann@example.com") == 1
    assert "by dana" in done
    assert "she has called twice" in done


def test_the_page_of_a_run_shows_by_itself_what_became_of_a_decision(visit: Visit, house: House) -> None:
    id_ = house.done("refund", "waiting")
    seen = visit("dana")
    page = seen.go(f"/traces/{id_}")
    page.locator("details.act > summary").filter(has_text="Approve").click()
    page.get_by_role("button", name="Approve: make the call").click()
    seen.at(f"/traces/{id_}")
    page.locator("#run .row .badge", has_text="answered").first.wait_for()

    assert "paid 80 to ann@example.com" in page.inner_text(".ends")


def test_a_question_is_answered_by_a_choice_of_its_agent(visit: Visit, house: House) -> None:
    id_ = house.done("ask May I give order 7710 a voucher?", "waiting")
    page = visit("dana").go(f"/review/{house.item(id_, 'question')}")
    page.get_by_label("yes").check()
    page.get_by_role("button", name="Answer").click()
    page.get_by_role("heading", name="It is decided").wait_for()

    assert house.until(id_)["state"] == "answered"
    assert house.task(id_)["outcome"] == "answered"


def test_a_question_is_answered_in_ones_own_words(visit: Visit, house: House) -> None:
    id_ = house.done("write What shall I tell her?", "waiting")
    seen = visit("dana")
    page = seen.go(f"/review/{house.item(id_, 'question')}")
    page.get_by_label("Your answer to the agent").fill("Tell her:\n<b>tomorrow</b>")
    page.get_by_role("button", name="Answer").click()
    page.get_by_role("heading", name="It is decided").wait_for()
    house.until(id_, "answered")
    seen.go(f"/traces/{id_}")

    assert "Tell her:\n<b>tomorrow</b>" in page.inner_text(".ends")


def test_a_delayed_send_is_cancelled_before_it_leaves(visit: Visit, house: House) -> None:
    id_ = house.done("mail bob@example.com")
    item = house.item(id_, "delayed")
    page = visit("dana").go("/review")
    page.locator(f'a[href="/review/{item}"]').click()
    page.get_by_label("Reason").fill("wrong customer")
    page.get_by_role("button", name="Cancel it before it is sent").click()
    page.get_by_role("heading", name="It is decided").wait_for()
    page.goto(f"{house.url}/traces/{id_}")
    effects = page.inner_text("section[aria-labelledby=effects]")

    assert "cancelled" in effects or "rejected" in effects
    assert "goes out" not in effects


def test_who_decides_second_is_told_and_nothing_is_done_twice(visit: Visit, house: House) -> None:
    id_ = house.done("refund", "waiting")
    item = house.item(id_, "approval")
    one, other = visit("dana"), visit("dana")
    one.go(f"/review/{item}")
    other.go(f"/review/{item}")
    one.page.get_by_role("button", name="Approve: make the call").click()
    one.page.get_by_role("heading", name="It is decided").wait_for()
    other.refusals = {409}
    other.page.get_by_role("button", name="Approve: make the call").click()

    assert "Somebody was faster." in other.page.get_by_role("alert").inner_text()
    house.until(id_, "answered")


def test_a_failed_task_is_tried_again_from_the_queue(visit: Visit, house: House) -> None:
    id_ = house.done("fail once more")
    page = visit("dana").go(f"/review/{house.item(id_, 'dead_letter')}")
    page.get_by_role("button", name="Requeue: try it again").click()
    page.get_by_role("heading", name="It is decided").wait_for()
    house.item(id_, "dead_letter")

    assert house.until(id_)["state"] == "dead_lettered"


def test_a_viewer_is_offered_no_decision_and_is_refused_one(visit: Visit, house: House) -> None:
    id_ = house.done("refund", "waiting")
    item = house.item(id_, "approval")
    seen = visit("vera")
    page = seen.go(f"/review/{item}")
    offered = page.locator("aside form, aside button").count()
    told = page.inner_text("aside")
    on_run = seen.go(f"/traces/{id_}").locator("main form").count()
    seen.refusals = {403}
    answers = [
        page.evaluate(
            """async (path) => (await fetch(path, {method: "POST", body: new URLSearchParams({
                csrf: document.querySelector("input[name=csrf]").value, seen: "", note: "x", at: "1", why: "x",
            })})).status""",
            path,
        )
        for path in (
            f"/review/{item}/approve", f"/review/{item}/reject", f"/traces/{id_}/cancel", f"/traces/{id_}/replay",
            f"/traces/{id_}/fork", "/agents/pause", "/alerts/end",
        )
    ]  # fmt: skip

    assert (offered, on_run) == (0, 0)
    assert "Ask" in told or "may" in told
    assert set(answers) == {403}
    assert house.task(id_)["state"] == "waiting"


def test_an_agent_is_paused_with_a_reason_and_goes_on(visit: Visit, house: House) -> None:
    """Of all agents at once it would stop the other tests; this one has no other agent, and resumes it."""
    page = visit("ada").go("/agents")
    page.locator(".agent-card summary").filter(has_text="Pause").click()
    page.locator(".agent-card").get_by_label("Why").fill("the ledger is moved")
    page.get_by_role("button", name="Pause support").click()
    page.get_by_text("the ledger is moved").wait_for()
    badge = page.inner_text(".agent-card header")
    page.get_by_role("button", name="Resume support").click()
    page.get_by_text("the ledger is moved").wait_for(state="detached")

    assert "paused" in badge
    assert house.task(house.done("find 1"))["state"] == "answered"
