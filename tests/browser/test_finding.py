"""From what stands on the overview, or from a filter, to why a task failed."""

import pytest

from tests.browser.conftest import Visit
from tests.browser.house import House

pytestmark = [pytest.mark.process, pytest.mark.slow]  # A server and a browser take seconds to start.
WHY = "The ledger does not know order 7710."


def test_the_overview_leads_to_a_failed_task_and_to_why_it_failed(visit: Visit, house: House) -> None:
    id_ = house.done(f"fail {WHY}")
    seen = visit("ada")
    page = seen.go("/")
    said = page.inner_text("h1")
    need = page.get_by_role("listitem").filter(has_text="could not be processed")
    need.get_by_role("link").click()
    page.wait_for_url("**/review?**")
    item = house.item(id_, "dead_letter")
    page.locator(f'a[href="/review/{item}"]').click()
    seen.at(f"/review/{item}")
    evidence = seen.text()
    page.get_by_role("link", name=id_).click()
    seen.at(f"/traces/{id_}")

    assert "needs attention" in said
    assert WHY in evidence
    assert WHY in page.inner_text(".reason")
    assert "RuntimeError" in page.inner_text(".reason")


def test_a_filter_finds_the_failed_task_among_others(visit: Visit, house: House) -> None:
    id_ = house.done(f"fail {WHY}", user="u-filter")
    other = house.done("find 8812", user="u-filter")
    page = visit("vera").go("/traces")
    page.keyboard.press("/")
    page.keyboard.type("user:u-filter outcome:dead_lettered")
    page.keyboard.press("Enter")
    page.wait_for_url("**/traces?q=**")
    rows = page.locator("table.runs tbody tr")
    found = rows.count()
    chips = page.locator(".chip").all_inner_texts()
    page.get_by_role("link", name="Remove outcome:dead_lettered").click()
    page.wait_for_url("**/traces?q=user%3Au-filter")
    both = page.locator("table.runs tbody a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    rows.filter(has_text="dead letter").get_by_role("link").click()
    page.wait_for_url(f"**/traces/{id_}")

    assert found == 1
    assert [chip.rstrip("×").strip() for chip in chips] == ["user:u-filter", "outcome:dead_lettered"]
    assert both == [f"/traces/{other}", f"/traces/{id_}"]
    assert WHY in page.inner_text(".reason")


def test_a_filter_that_is_none_says_where_it_breaks_off_and_keeps_what_was_typed(visit: Visit) -> None:
    seen = visit("vera")
    seen.refusals = {400}
    page = seen.go("/traces?q=cost%3E%3E1")

    assert page.get_by_role("alert").inner_text()
    assert page.get_by_role("searchbox").input_value() == "cost>>1"


def test_each_step_opens_with_what_went_in_and_what_came_out(visit: Visit, house: House) -> None:
    id_ = house.done("chat Where is my kettle?")
    page = visit("vera").go(f"/traces/{id_}")
    page.locator("details.entry summary").filter(has_text="sim-large").first.click()
    page.wait_for_selector("details.entry[open] .turn")
    turns = page.inner_text("details.entry[open] .body")
    page.get_by_text("As recorded (JSON)").first.click()

    assert "You are brief." in turns
    assert "Where is my kettle?" in turns
    assert page.locator("details.raw[open]").count() == 1


def test_a_trace_of_another_program_is_read_like_one_of_ours(visit: Visit, house: House) -> None:
    from tests.browser.house import now_span

    trace = "5bf92f3577b34da6a3ce929d0e0e4701"
    house.spans(
        now_span(
            1,
            0,
            trace,
            name="invoke_agent planner",
            attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"},
        ),
        now_span(
            2,
            1,
            trace,
            name="execute_tool plan_route",
            attributes={
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "plan_route",
                "error.type": "Timeout",
                "gen_ai.tool.call.arguments": '{"to": "Lisbon"}',
            },
            status={"code": 2, "message": "no route within 5 s"},
        ),
    )
    page = visit("vera").go("/traces?q=agent:planner+is:error")
    page.locator("table.runs tbody a").first.click()
    page.wait_for_url(f"**/traces/{trace}")
    page.locator("details.entry summary").filter(has_text="plan_route").click()
    page.wait_for_selector("details.entry[open] .payload")

    assert "Lisbon" in page.inner_text("details.entry[open] .body")
    assert "Timeout" in page.inner_text("main")
    assert page.get_by_role("button", name="Replay").count() == 0
