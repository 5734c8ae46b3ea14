"""The review queue in a browser: the same items and decisions as elsewhere, recorded once, on what was seen."""

import asyncio
import json

import pytest

from airworthy.policy.review_rule import ReviewRules, WaitRule
from airworthy.review import ItemQuery, Kind, Status
from airworthy.runtime import State
from tests.console.web.html import Read, read
from tests.console.web.shop import Browser, Shop, shop
from tests.console.web.test_run_page import HOSTILE, forms, no_markup, page


async def item_page(made: Shop, person: str = "dana", *kinds: Kind) -> tuple[Read, str, str, Browser]:
    item = made.bench.waiting(*kinds)
    browser = made.browser(person)
    return await page(browser, f"/review/{item.look.item.id}"), item.look.item.id, item.look.seal, browser


async def test_an_empty_queue_says_so() -> None:
    assert "Nothing waits for a person" in (await page(shop().browser(), "/review")).text


async def test_the_queue_shows_mine_first_then_by_deadline() -> None:
    made = shop(review=ReviewRules(approvals=WaitRule(deadline_s=60)))
    later = (await made.waiting("refund 80")).look.item.id
    await asyncio.sleep(5)
    await made.done("refund 90")
    await asyncio.sleep(5)
    await made.done("refund 95")
    newest = made.bench.app.reviews.listing(ItemQuery())[-1].item.id
    made.bench.app.reviews.assign(newest, "ada", "dana")
    browser = made.browser()
    found = await page(browser, "/review")
    order = [held["href"].removeprefix("/review/") for held in found.all("a") if "data-item" in held]

    assert order[:2] == [newest, later]
    assert len(order) == 3
    assert "3 things wait" in found.text
    mine = await page(browser, "/review?mine=1")
    assert len([held for held in mine.all("a") if "data-item" in held]) == 1


async def test_the_queue_is_filtered() -> None:
    made = shop()
    await made.done("refund 80")
    await made.done("ask Is it?")
    browser = made.browser()

    for query, count in [
        ("", 2),
        ("kind=question", 1),
        ("kind=nonsense", 2),
        ("agent=nobody", 0),
        ("to=desk", 2),
        ("to=finance", 0),
    ]:
        found = await page(browser, f"/review?{query}")
        assert len([held for held in found.all("a") if "data-item" in held]) == count, query


async def test_delayed_sends_stand_apart_and_can_be_stopped_until_they_are_sent() -> None:
    made = shop()
    task = await made.done("mail ann@example.com")
    browser = made.browser()
    queue = await page(browser, "/review")
    _, id_, seal, _ = await item_page(made, "dana", Kind.DELAYED)
    answer = await browser.post(f"/review/{id_}/reject", seen=seal, note="wrong address")
    await asyncio.sleep(700)
    await made.bench.work()

    assert "Nothing waits for a person" in queue.text
    assert "Goes out by itself unless somebody stops it" in queue.text
    assert answer.status_code == 303
    assert made.bench.effect(task).state.value in ("cancelled", "rejected")


async def test_too_late_to_stop_is_told() -> None:
    made = shop()
    await made.done("mail ann@example.com")
    _, id_, seal, browser = await item_page(made, "dana", Kind.DELAYED)
    await asyncio.sleep(700)
    await made.bench.work()
    answer = await browser.post(f"/review/{id_}/reject", seen=seal, note="wrong")

    assert answer.status_code == 409
    assert "Nothing was done." in read(answer.text).text or "Somebody was faster." in read(answer.text).text


async def test_evidence_and_decision_stand_side_by_side() -> None:
    made = shop()
    await made.done("order 7; refund 80")
    found, _, seal, _ = await item_page(made)

    for said in (
        "With exactly these arguments",
        "amount_eur",
        "80.0",
        "Why it was held",
        "What led to it",
        "get_order",
        seal,
    ):
        assert said in found.text
    assert forms(found) >= {"approve", "edit", "reject", "assign"}
    labels = {held["for"] for held in found.all("label") if "for" in held}
    fields = {
        held["id"] for tag in ("input", "textarea", "select") for held in found.all(tag) if "id" in held
    }
    assert labels <= fields


async def test_a_call_is_approved_with_changed_arguments() -> None:
    made = shop()
    await made.done("refund 80")
    _, id_, seal, browser = await item_page(made)
    # As a browser sends the fields: amount, recipient, reason; the first was changed.
    answer = await browser.post(
        f"/review/{id_}/edit", seen=seal, **{"arg.0": "60", "arg.1": "ann@example.com", "arg.2": "it broke"}
    )
    await made.bench.work()

    assert answer.status_code == 303, read(answer.text).text[-600:]
    assert made.refunds == [("ann@example.com", 60.0)]


async def test_what_cannot_be_is_said_and_nothing_typed_is_lost() -> None:
    made = shop()
    await made.done("refund 80")
    _, id_, seal, browser = await item_page(made)
    answer = await browser.post(f"/review/{id_}/edit", seen=seal, note="half of it", **{"arg.0": "sixty"})
    found = read(answer.text)

    assert answer.status_code == 400
    assert "Nothing was done." in found.text
    assert "sixty" in found.text
    assert "half of it" in {held.get("value") for held in found.all("input")}
    assert made.refunds == []


async def test_a_rejection_needs_a_reason() -> None:
    made = shop()
    await made.done("refund 80")
    _, id_, seal, browser = await item_page(made)

    assert (await browser.post(f"/review/{id_}/reject", seen=seal, note=" ")).status_code == 400
    assert made.bench.waiting().look.item.status is Status.OPEN


async def test_two_who_click_decide_once_and_the_slower_is_told() -> None:
    made = shop()
    await made.done("refund 80")
    _, id_, seal, dana = await item_page(made)
    ada = made.browser("ada")
    answers = await asyncio.gather(
        dana.post(f"/review/{id_}/approve", seen=seal),
        ada.post(f"/review/{id_}/reject", seen=seal, note="no"),
    )
    await made.bench.work()
    won, lost = sorted(answers, key=lambda answer: answer.status_code)

    assert (won.status_code, lost.status_code) == (303, 409)
    assert "Somebody was faster." in read(lost.text).text
    assert len(made.bench.app.reviews.item(id_).records) == 1
    assert len(made.refunds) == (1 if answers[0] is won else 0)


async def test_the_same_click_twice_is_one_decision() -> None:
    made = shop()
    await made.done("refund 80")
    _, id_, seal, browser = await item_page(made)
    answers = [await browser.post(f"/review/{id_}/approve", seen=seal) for _ in range(2)]
    await made.bench.work()

    assert [answer.status_code for answer in answers] == [303, 409]
    assert len(made.refunds) == 1


async def test_what_changed_meanwhile_is_not_decided_on() -> None:
    made = shop(review=ReviewRules(four_eyes=True))
    await made.done("refund 80", user="ann")
    _, id_, seal, dana = await item_page(made)
    await made.browser("ada").post(f"/review/{id_}/edit", seen=seal, **{"arg.0": "999"})
    answer = await dana.post(f"/review/{id_}/approve", seen=seal)
    found = read(answer.text)

    assert answer.status_code == 409
    assert "It has changed meanwhile" in found.text
    assert "999" in found.text
    assert made.refunds == []


async def test_four_eyes_offer_no_approval_to_whoever_changed_it() -> None:
    made = shop(review=ReviewRules(four_eyes=True))
    await made.done("refund 80")
    _, id_, seal, ada = await item_page(made, "ada")
    await ada.post(f"/review/{id_}/edit", seen=seal, **{"arg.0": "70"})
    found = await page(ada, f"/review/{id_}")
    now = made.bench.waiting().look.seal

    assert "approve" not in forms(found)
    assert "somebody else must approve it" in found.text
    assert (await ada.post(f"/review/{id_}/approve", seen=now)).status_code == 403
    assert (await made.browser("dana").post(f"/review/{id_}/approve", seen=now)).status_code == 303


@pytest.mark.parametrize(
    ("person", "acts"),
    [("vera", set()), ("lee", set()), ("otto", {"reject"}), ("dana", {"approve", "edit", "reject"})],
)
async def test_nobody_is_offered_what_they_may_not_do(person: str, acts: set[str]) -> None:
    made = shop()
    await made.done("refund 80")
    found, id_, seal, browser = await item_page(made, person)

    assert forms(found) & {"approve", "edit", "reject"} == acts
    answer = await browser.post(f"/review/{id_}/approve", seen=seal)
    assert answer.status_code == (303 if "approve" in acts else 403)
    if "approve" not in acts:
        assert "Those who may: Dana Smith" in found.text


async def test_whoever_may_not_see_the_agent_sees_no_item_of_it() -> None:
    made = shop()
    await made.done("refund 80")
    id_ = made.bench.waiting().look.item.id
    nina = made.browser("nina")

    assert "Nothing waits" in (await page(nina, "/review")).text
    await page(nina, f"/review/{id_}", 404)
    assert (await nina.post(f"/review/{id_}/approve", seen="x")).status_code == 404


async def test_a_question_is_answered_by_one_of_its_choices() -> None:
    made = shop()
    task = await made.done("ask Is the customer right?")
    found, id_, seal, browser = await item_page(made)
    wrong = await browser.post(f"/review/{id_}/answer", seen=seal, value="maybe")
    right = await browser.post(f"/review/{id_}/answer", seen=seal, value="yes")
    await made.bench.work()

    assert {held.get("value") for held in found.all("input") if held.get("type") == "radio"} == {"yes", "no"}
    assert (wrong.status_code, right.status_code) == (400, 303)
    assert made.bench.answer(task) == "yes"


@pytest.mark.parametrize(
    ("words", "act", "fields", "state", "answer"),
    [
        ("escalate angry", "answer", {"value": "We call you."}, State.ANSWERED, "We call you."),
        ("escalate angry", "reject", {"note": "not ours"}, State.DECLINED, None),
        ("rude", "approve", {}, State.ANSWERED, "rude"),
        ("rude", "edit", {"value": "kind\r\nwords"}, State.ANSWERED, "kind\nwords"),
        ("rude", "answer", {"value": "Sorry."}, State.ANSWERED, "Sorry."),
        ("crash disk", "answer", {"value": "By hand."}, State.ANSWERED, "By hand."),
        ("crash disk", "reject", {"note": "a test"}, State.DEAD_LETTERED, None),
    ],
)
async def test_every_kind_is_decided_by_its_forms(
    words: str, act: str, fields: dict[str, str], state: State, answer: object
) -> None:
    made = shop()
    task = await made.done(words)
    found, id_, seal, browser = await item_page(made)
    done = await browser.post(f"/review/{id_}/{act}", seen=seal, **fields)

    assert act in forms(found)
    assert done.status_code == 303, read(done.text).text
    assert made.bench.task(task).state is state
    assert (made.bench.answer(task) if state is State.ANSWERED else None) == answer
    assert "It is decided" in (await page(browser, f"/review/{id_}")).text


async def test_an_escalated_task_goes_back_with_a_word() -> None:
    made = shop()
    task = await made.done("escalate angry")
    _, id_, seal, browser = await item_page(made)
    answer = await browser.post(f"/review/{id_}/reopen", seen=seal, word="Call her Ms Lee.")

    assert answer.status_code == 303
    assert made.bench.task(task).state is State.QUEUED


async def test_an_item_is_passed_on() -> None:
    made = shop()
    await made.done("refund 80")
    _, id_, _, browser = await item_page(made)
    passed = await browser.post(f"/review/{id_}/assign", to="finance", note="above our limit")
    nobody = await browser.post(f"/review/{id_}/assign", to="nobody")

    assert passed.status_code == 303
    assert made.bench.waiting().look.item.to == "finance"
    assert nobody.status_code in (400, 403)


async def test_a_form_leads_nowhere_else() -> None:
    made = shop()
    backs = ["//evil.example", "https://evil.example/", "/\\evil", "javascript:alert(1)", ""]
    for back in backs:
        await made.done("refund 80")
        _, id_, seal, browser = await item_page(made)
        answer = await browser.post(f"/review/{id_}/approve", seen=seal, back=back)
        assert answer.headers["location"] == f"/review/{id_}", back


async def test_an_act_that_is_none_and_a_form_of_others_change_nothing() -> None:
    made = shop()
    await made.done("refund 80")
    _, id_, seal, browser = await item_page(made)

    assert (await browser.post(f"/review/{id_}/destroy", seen=seal)).status_code == 404
    stolen = await browser.client.post(f"/review/{id_}/approve", data={"seen": seal, "csrf": "guess"})
    assert stolen.status_code == 403
    assert made.bench.waiting().look.item.status is Status.OPEN


async def test_hostile_text_stays_text_in_every_kind_of_item() -> None:
    made = shop()
    bad = HOSTILE.replace(";", "")
    for words in (f"ask {bad}", f"escalate {bad}", f"crash {bad}", f"mail {bad}"):
        await made.done(words, user=bad, session=bad, feature=bad, source=bad)
    browser = made.browser("ada")
    looks = made.bench.app.reviews.listing(ItemQuery(kinds=tuple(Kind)))
    assert len(looks) == 4
    await no_markup(browser, "/review")
    for look in looks:
        await no_markup(browser, f"/review/{look.item.id}")


async def test_arguments_with_hidden_characters_are_edited_as_what_they_are() -> None:
    """A field cannot carry them unseen: whoever edits must see them, and what is not touched must not change."""
    made = shop()
    hidden = "ann\u202e@example.com\x01"
    await made.done(f"mail {hidden}")
    item = made.bench.waiting(Kind.DELAYED)
    browser = made.browser()
    await browser.post(f"/review/{item.look.item.id}/hold", seen=item.look.seal)
    _, id_, seal, _ = await item_page(made, "dana", Kind.APPROVAL)
    shown = await browser.get(f"/review/{id_}")
    fields = {"arg.0": "Your money is on its way.", "arg.1": json.dumps(hidden)}
    answer = await browser.post(f"/review/{id_}/edit", seen=seal, **fields)

    assert "\\u202e" in shown.text
    assert "\u202e" not in shown.text
    assert answer.status_code in (303, 400, 409)
