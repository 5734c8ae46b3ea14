"""A recorded task becomes a case: its input, what was said in it, and what should have happened."""

from dataclasses import replace
from typing import Any

import pytest

from airworthy.core.outcome import Outcome
from airworthy.core.redact import Redactor
from airworthy.evals import Act, ToolUse, Trial, score
from airworthy.evals.suites import load, yaml_text
from airworthy.preflight.cases.keeping import Cases, NoSuchCase, record_of
from airworthy.preflight.cases.recorded import CannotMake, Kind, Made, Wish, made_of, renamed
from airworthy.recorder.audit import rows_after
from airworthy.review.feedback import Feedback
from airworthy.tools import EffectState
from tests.console.web.shop import Shop, shop

WELL = "order 8812; refund 20; mail ann@example.com; ok"


def _cases(made: Shop) -> Cases:
    app = made.bench.app
    return Cases(app.database, app.clock, app.payloads)


async def _made(made: Shop, words: str, wish: Wish | None = None, **about: Any) -> Made:
    return _cases(made).proposed(await made.done(words, **about), wish or Wish())


async def test_what_went_well_must_go_on_like_this() -> None:
    found = await _made(shop(), WELL, user="ann-7", session="s-1")

    case, expect = found.case, found.case.expect
    assert (found.kind, case.input, case.user, case.session) == (Kind.GOLDEN, WELL, "ann-7", "s-1")
    assert expect.outcome == ("answered",)
    assert [tool.name for tool in expect.tools] == ["get_order", "refund", "send_email"]
    assert expect.acts is not None
    assert [(act.name, dict(act.arguments)) for act in expect.acts] == [
        ("refund", {"to": "ann@example.com", "amount_eur": 20.0}),
        ("send_email", {"to": "ann@example.com"}),
    ]
    assert [each["tool"] for each in case.results] == ["get_order", "refund"]
    assert "Results of 1 tool calls are not in it" in found.notes[0]
    assert case.tags == ("normal",)


async def test_the_run_that_it_was_made_of_passes_it_and_a_second_refund_does_not() -> None:
    found = await _made(shop(), WELL)
    acts = [Act(each.name, each.arguments) for each in found.case.expect.acts or ()]
    uses = tuple(ToolUse(each.name, {}, "", 1) for each in found.case.expect.tools)
    trial = Trial("x", Outcome.ANSWERED, "done", tools=uses, acts=tuple(acts), steps=5)

    assert score(found.case, trial) == ()
    more = replace(trial, acts=(*acts, Act("refund", {"to": "eve", "amount_eur": 20.0})))
    assert [each.kind for each in score(found.case, more)] == ["wrong_effect"]


async def test_that_a_person_was_asked_and_what_they_said_is_part_of_it() -> None:
    made = shop()
    task = await made.done("refund 80; ok")
    made.bench.decide(task, EffectState.REJECTED, "no")
    await made.bench.work()
    found = _cases(made).proposed(task, Wish(Kind.GOLDEN))

    assert found.case.people == "reject"
    assert found.case.expect.approval == ("refund",)
    assert found.case.expect.acts == ()


async def test_of_a_failure_it_must_be_said_what_should_have_happened() -> None:
    made = shop()
    task = await made.done("ok")
    with pytest.raises(CannotMake, match="does not say what went wrong"):
        _cases(made).proposed(task, Wish(Kind.FAILURE))

    found = _cases(made).proposed(
        task, Wish(Kind.FAILURE, {"outcome": "declined", "no_acts": True}, {"severity": "critical"})
    )

    assert (found.case.expect.outcome, found.case.expect.no_acts, found.case.severity) == (
        ("declined",),
        True,
        "critical",
    )
    assert found.case.tags == ("failure", "incident")


async def test_a_task_that_nobody_could_process_says_itself_what_should_have_been() -> None:
    found = await _made(shop(), "crash no")

    assert found.kind is Kind.FAILURE
    assert found.case.expect.outcome == ("answered", "declined", "escalated")


async def test_a_users_correction_becomes_what_the_judge_goes_by() -> None:
    made = shop()
    task = await made.done("ok")
    made.parts.afterwards.say(Feedback("", task, "", 0, "api", "down", "Refunds end after 30 days."))

    found = _cases(made).proposed(task, Wish())

    assert found.kind is Kind.FAILURE
    assert "Refunds end after 30 days." in found.case.expect.rubric
    assert found.case.expect.judge == 0.7


async def test_an_expectation_that_nothing_can_meet_is_refused() -> None:
    with pytest.raises(CannotMake, match="at least 5 and at most 2"):
        await _made(shop(), "ok", Wish(Kind.FAILURE, {"steps": {"min": 5, "max": 2}}))


async def test_an_open_task_makes_no_case() -> None:
    made = shop()
    task = await made.done("refund 80; ok")

    with pytest.raises(CannotMake, match="has not ended"):
        _cases(made).proposed(task, Wish())


async def test_secrets_are_not_in_it() -> None:
    made = shop()
    made.order = "shipped with hunter-2-token"
    task = await made.done("order 1; ok")
    record = made.bench.app.database.read_now(lambda tx: record_of(tx, task))

    found = made_of(record, Wish(), Redactor(["hunter-2-token"]))

    assert "hunter-2-token" not in yaml_text([found.case])
    assert "Secrets were taken out of the case." in found.notes


async def test_a_file_holds_other_names_and_is_read_back(tmp_path: Any) -> None:
    found = await _made(shop(), "mail ann-7@example.com; ok", user="ann-7", session="s-1")
    other = renamed(found.case)
    (tmp_path / "case.yaml").write_text(yaml_text([other]))

    assert "ann-7" not in yaml_text([other])
    assert load([tmp_path]).cases == (other,)


async def test_kept_cases_are_listed_read_and_deleted_and_the_log_tells_it() -> None:
    made = shop()
    task, cases = await made.done(WELL, user="ann-7"), _cases(made)
    kept = cases.make(task, Wish(), "dana")
    with pytest.raises(CannotMake, match="already"):
        cases.make(task, Wish(), "dana")

    stored = cases.get(kept.case.id)
    cases.remove(stored, "dana")
    cases.remove(stored, "dana")

    assert (stored.case, stored.task_id, stored.made_by, stored.kind) == (
        kept.case,
        task,
        "dana",
        Kind.GOLDEN,
    )
    assert cases.listing() == []
    with pytest.raises(NoSuchCase):
        cases.get(kept.case.id)
    told = made.bench.app.database.read_now(lambda tx: [row.what for row in rows_after(tx, 0)])
    assert told.count("case.make") == 1


async def test_who_is_erased_is_erased_from_cases() -> None:
    made = shop()
    _cases(made).make(await made.done("order 1; ok", user="ann-7"), Wish(), "dana")
    _cases(made).make(await made.done("order 1; ok", user="bob-8"), Wish(), "dana")
    assert made.parts.users is not None
    made.parts.users.erased("ann-7", "dana", cancel=False)

    assert [each.case.user for each in _cases(made).listing()] == ["bob-8"]


async def test_a_viewer_finds_no_button_and_an_operator_makes_a_case_with_one() -> None:
    made = shop()
    task = await made.done(WELL, user="ann-7")
    button = f'action="/traces/{task}/case"'

    assert button not in (await made.browser("vera").get(f"/traces/{task}")).text
    browser = made.browser("otto")
    assert button in (await browser.get(f"/traces/{task}")).text
    answer = await browser.post(f"/traces/{task}/case")
    page = await browser.get(answer.headers["location"])

    assert answer.status_code == 303
    (stored,) = _cases(made).listing()
    assert (stored.made_by, stored.task_id) == ("otto", task)
    assert stored.case.id in page.text
    assert (await made.browser("vera").post(f"/traces/{task}/case")).status_code == 403
    assert (await made.browser("nina").post(f"/traces/{task}/case")).status_code == 404


async def test_the_form_asks_what_should_have_happened_and_shows_hostile_text_as_text() -> None:
    made = shop()
    task = await made.done("<script>alert(1)</script>")
    browser = made.browser("otto")

    refused = await browser.post(f"/traces/{task}/case", kind="failure")
    made_it = await browser.post(
        f"/traces/{task}/case", kind="failure", outcome="declined", facts="a\nb", id="mine"
    )
    page = await browser.get(f"/traces/{task}/case")

    assert refused.status_code == 409
    assert "Say below what should have happened." in refused.text
    assert made_it.status_code == 303
    (stored,) = _cases(made).listing()
    assert (stored.case.id, stored.case.expect.outcome, stored.case.expect.facts) == (
        "mine",
        ("declined",),
        ("a", "b"),
    )
    assert "<script>alert" not in page.text
