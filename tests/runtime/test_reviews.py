"""The review queue over a whole application: each kind of item, each decision, and what a task makes of it."""

from collections.abc import Callable
from typing import Any

import pytest

from airworthy import Run, tool
from airworthy.checks import CheckContext, Verdict, blocked, check
from airworthy.core.errors import AirworthyError, InputError
from airworthy.policy import BreakerRule, Limits, ToolRule
from airworthy.policy.review_rule import ReviewRules
from airworthy.review import Act, ItemQuery, Kind, NotAllowed, People, Status
from airworthy.runtime import State
from airworthy.runtime.deciding import NotFitting
from airworthy.runtime.reviews import AlreadyDecided, ItemChanged, Whole
from airworthy.tools import EffectState, ToolError, Transient
from tests.runtime.kit import Bench, bench

PEOPLE = People.model_validate({
    "people": {
        "dana": {"name": "Dana Smith"},
        "lee": {"name": "Lee Wong"},
        "vera": {"name": "Vera Look", "roles": ["viewer"]},
        "otto": {"name": "Otto Run", "roles": ["operator"]},
        "ada": {"name": "Ada Boss", "roles": ["admin"]},
    },
    "teams": {"desk": {"members": ["dana"]}, "finance": {"members": ["lee"]}},
})  # fmt: skip
ASKS: dict[str, Any] = {
    "tools": {
        "pay": ToolRule(
            amount_arg="amount", approval_above=50, amount_max=1000, recipient_arg="to", critical=False, attempts=1,
            breaker=BreakerRule(calls_min=100),
        )
    },
    "escalation": {"default": "desk"},
    "limits": Limits(steps=20, off_track=20),
}  # fmt: skip


class Shop:
    """What really happened."""

    def __init__(self) -> None:
        self.paid: list[tuple[str, float]] = []
        self.lost = False

    @property
    def pay(self) -> Any:
        @tool(effect="send")
        async def pay(to: str, amount: float) -> str:
            """Pays."""
            self.paid.append((to, amount))
            if self.lost:
                self.lost = False
                raise Transient("the line went dead", happened="maybe")
            return f"paid {amount:g}"

        return pay


async def pays(run: Run) -> str:
    try:
        return str(await run.tool("pay", to="ann", amount=80.0))
    except ToolError as error:
        return f"told: {error.message}"


def shop(
    handler: Callable[[Run], Any] = pays, people: People | None = None, **policy: Any
) -> tuple[Shop, Bench]:
    found = Shop()
    return found, bench(handler, found.pay, people=people, **{**ASKS, **policy})


async def waiting(made: Bench, *kinds: Kind, value: Any = "hello") -> Whole:
    await made.done(value)
    return made.waiting(*kinds)


async def test_a_held_call_is_one_item_with_all_that_it_is_about() -> None:
    _, made = shop()

    item = await waiting(made)

    assert item.look.item.kind is Kind.APPROVAL
    assert item.look.item.to == "desk"
    assert item.look.effect is not None
    assert item.look.effect.arguments == '{"amount":80.0,"to":"ann"}'
    assert made.waiting().look.item.id == item.look.item.id, "looking twice makes no second item"


async def test_an_approved_call_is_made_once_and_its_task_goes_on() -> None:
    found, made = shop()
    item = await waiting(made)

    after = made.app.reviews.approve(item.look.item.id, "dana", seen=item.look.seal, note="she called")
    await made.work()

    assert found.paid == [("ann", 80.0)]
    assert made.answer(item.look.task.id) == "paid 80"
    assert (after.look.item.status, after.look.item.by, after.look.item.note) == (
        Status.DECIDED,
        "dana",
        "she called",
    )
    (record,) = after.records
    assert (record.act, record.by, record.seen) == (Act.APPROVE, "dana", item.look.seal)


async def test_a_rejected_call_never_happens_and_the_agent_is_told_why() -> None:
    found, made = shop()
    item = await waiting(made)

    made.app.reviews.reject(item.look.item.id, "dana", seen=item.look.seal, note="not covered")
    await made.work()

    assert found.paid == []
    assert made.answer(item.look.task.id) == "told: pay was rejected by dana: not covered."


async def test_a_changed_call_goes_out_as_changed_and_the_record_keeps_both() -> None:
    found, made = shop()
    item = await waiting(made)

    after = made.app.reviews.edit(
        item.look.item.id, "dana", {"to": "ann", "amount": 20.0}, seen=item.look.seal, note="half"
    )
    await made.work()

    assert found.paid == [("ann", 20.0)]
    assert made.answer(item.look.task.id) == "paid 20"
    assert after.records[0].detail == '{"is":{"amount":20.0,"to":"ann"},"was":{"amount":80.0,"to":"ann"}}'
    step = next(step for step in made.steps(item.look.task.id) if step.name == "pay")
    assert step.arguments == {"to": "ann", "amount": 80.0}
    assert {"amended": {"to": "ann", "amount": 20.0}} in step.facts.notes


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"to": "ann"}, "break the schema"),
        ({"to": "ann", "amount": "20"}, "break the schema"),
        ({"to": "ann", "amount": 20.0, "cc": "x"}, "break the schema"),
        ([1, 2], "break the schema"),
        ({"to": "ann", "amount": 80.0}, "has already"),
        ({"to": "ann", "amount": 5000.0}, "1000"),
        ({"to": "ann", "amount": 20.0, "note": "sk-ant-api03-" + "a" * 90}, "break the schema"),
        ({"to": "sk-ant-api03-" + "a" * 93 + "AA", "amount": 20.0}, "secret"),
    ],
)
async def test_a_change_that_the_tool_or_the_policy_forbids_changes_nothing(changed: Any, says: str) -> None:
    found, made = shop()
    item = await waiting(made)

    with pytest.raises(AirworthyError, match=says):
        made.app.reviews.edit(item.look.item.id, "dana", changed, seen=item.look.seal)

    assert made.waiting().look.seal == item.look.seal
    await made.work()
    assert found.paid == []


async def test_a_changed_call_in_doubt_is_done_again_as_changed() -> None:
    found, made = shop()
    found.lost = True
    item = await waiting(made)
    made.app.reviews.edit(item.look.item.id, "dana", {"to": "ann", "amount": 20.0}, seen=item.look.seal)
    await made.work()
    doubt = made.waiting(Kind.IN_DOUBT)

    made.app.reviews.settle(doubt.look.item.id, "dana", Act.AGAIN, seen=doubt.look.seal)
    await made.work()

    assert found.paid == [("ann", 20.0), ("ann", 20.0)]
    assert made.answer(item.look.task.id) == "paid 20"


async def test_what_has_changed_since_it_was_seen_is_refused_and_nothing_happens() -> None:
    found, made = shop(review=ReviewRules(four_eyes=True))
    item = await waiting(made)
    made.app.reviews.edit(item.look.item.id, "lee", {"to": "bob", "amount": 80.0}, seen=item.look.seal)

    with pytest.raises(ItemChanged):
        made.app.reviews.approve(item.look.item.id, "dana", seen=item.look.seal)
    with pytest.raises(ItemChanged):
        made.app.reviews.approve(item.look.item.id, "dana", seen="")
    await made.work()

    assert found.paid == []
    now = made.waiting()
    assert now.look.item.edited_by == "lee"
    made.app.reviews.approve(item.look.item.id, "dana", seen=now.look.seal)
    await made.work()
    assert found.paid == [("bob", 80.0)]


async def test_whoever_changed_a_call_or_handed_in_its_task_cannot_approve_it_under_four_eyes() -> None:
    _, made = shop(review=ReviewRules(four_eyes=True))
    task = made.submit("hello", user="sam")
    await made.work()
    item = made.waiting()
    with pytest.raises(NotAllowed, match="handed in"):
        made.app.reviews.approve(item.look.item.id, "sam", seen=item.look.seal)
    made.app.reviews.edit(item.look.item.id, "lee", {"to": "bob", "amount": 80.0}, seen=item.look.seal)

    with pytest.raises(NotAllowed, match="changed this call"):
        made.app.reviews.approve(item.look.item.id, "lee", seen=made.waiting().look.seal)

    assert made.effect(task).state is EffectState.HELD


async def test_of_two_people_one_decides_and_the_other_is_told_who_and_when() -> None:
    _, made = shop()
    item = await waiting(made)
    made.app.reviews.reject(item.look.item.id, "dana", seen=item.look.seal, note="no")

    with pytest.raises(AlreadyDecided, match=r"decided \(reject\) by dana on 20") as raised:
        made.app.reviews.approve(item.look.item.id, "lee", seen=item.look.seal)

    assert item.look.item.id in raised.value.mend
    assert made.effect(item.look.task.id).state is EffectState.REJECTED


async def test_what_is_decided_at_another_door_waits_no_more() -> None:
    _, made = shop()
    item = await waiting(made)

    made.decide(item.look.task.id, EffectState.REJECTED, "no")

    assert made.app.reviews.listing(ItemQuery()) == []
    with pytest.raises(AlreadyDecided, match="waits no more by dana"):
        made.app.reviews.approve(item.look.item.id, "lee", seen=item.look.seal)


async def test_a_cancelled_task_takes_its_items_with_it() -> None:
    found, made = shop()
    item = await waiting(made)
    made.app.operations.cancel(item.look.task.id, "sam")

    with pytest.raises(AlreadyDecided, match="waits no more"):
        made.app.reviews.approve(item.look.item.id, "dana", seen=item.look.seal)
    await made.work()

    assert found.paid == []


@pytest.mark.parametrize(
    ("by", "act", "says"),
    [
        ("dana", Act.APPROVE, None),
        ("ada", Act.APPROVE, None),
        ("otto", Act.REJECT, None),
        ("lee", Act.APPROVE, "Lee Wong is not of that team"),
        ("otto", Act.APPROVE, "Otto Run is operator here"),
        ("vera", Act.REJECT, "Vera Look is viewer here"),
        ("mallory", Act.APPROVE, "'mallory' is not in people.toml"),
        ("", Act.APPROVE, "needs a name"),
    ],
)
async def test_only_the_team_and_those_above_it_decide_and_a_refusal_says_who_may(
    by: str, act: Act, says: str | None
) -> None:
    _, made = shop(people=PEOPLE)
    item = await waiting(made)

    def decide() -> None:
        if act is Act.APPROVE:
            made.app.reviews.approve(item.look.item.id, by, seen=item.look.seal)
        else:
            made.app.reviews.reject(item.look.item.id, by, seen=item.look.seal, note="no")

    if says is None:
        decide()
        assert only_record(made, item).role
        return
    with pytest.raises(AirworthyError, match=says) as raised:
        decide()
    assert not by or "Dana Smith" in raised.value.mend
    assert made.effect(item.look.task.id).state is EffectState.HELD


def only_record(made: Bench, item: Whole) -> Any:
    (record,) = made.app.reviews.item(item.look.item.id).records
    return record


async def test_an_assigned_person_may_decide_whatever_team_they_are_of_and_a_team_takes_it_over() -> None:
    _, made = shop(people=PEOPLE)
    item = await waiting(made)
    id_ = item.look.item.id
    with pytest.raises(NotAllowed):
        made.app.reviews.assign(id_, "lee", "lee")
    with pytest.raises(InputError, match="neither a team nor a person"):
        made.app.reviews.assign(id_, "dana", "nobody")

    made.app.reviews.assign(id_, "dana", "finance", note="above us")
    with pytest.raises(NotAllowed, match="This is for finance"):
        made.app.reviews.approve(id_, "dana", seen=item.look.seal)
    made.app.reviews.assign(id_, "lee", "dana")
    after = made.app.reviews.approve(id_, "dana", seen=item.look.seal)

    assert [(record.act, record.by) for record in after.records] == [
        (Act.ASSIGN, "dana"), (Act.ASSIGN, "lee"), (Act.APPROVE, "dana"),
    ]  # fmt: skip
    assert after.look.item.role == "reviewer, assigned"


async def escalates(run: Run) -> str:
    await run.step("looked", lambda: 1)
    if not run.word:
        run.escalate("I do not know which order.", orders=[1, 2])
    return f"done with {run.word}"


async def test_an_escalated_task_answered_by_hand_is_answered_with_the_persons_words() -> None:
    _, made = shop(escalates)
    item = await waiting(made)

    made.app.reviews.answer(item.look.item.id, "dana", "We refund you 20 EUR.", seen=item.look.seal)

    task = made.task(item.look.task.id)
    assert (task.state, made.answer(task.id)) == (State.ANSWERED, "We refund you 20 EUR.")
    assert task.why is not None
    assert task.why.code == "by_person"
    assert task.why.evidence["by"] == "dana"
    assert made.app.reviews.listing(ItemQuery()) == []


async def test_an_escalated_task_opened_again_goes_on_with_the_persons_word() -> None:
    _, made = shop(escalates)
    item = await waiting(made)

    made.app.reviews.reopen(item.look.item.id, "dana", "order 8812", seen=item.look.seal)
    await made.work()

    assert made.answer(item.look.task.id) == "done with order 8812"
    assert [step.run for step in made.steps(item.look.task.id) if step.name == "looked"] == [1]


async def test_the_same_task_escalated_again_is_another_item_with_another_seal() -> None:
    _, made = shop(escalates)
    item = await waiting(made)
    made.app.reviews.approve(item.look.item.id, "dana", seen=item.look.seal)
    await made.work()

    again = made.waiting()

    assert again.look.task.id == item.look.task.id
    assert again.look.item.id != item.look.item.id
    with pytest.raises(AlreadyDecided):
        made.app.reviews.answer(item.look.item.id, "dana", "late", seen=item.look.seal)


async def test_an_escalated_task_can_be_declined_with_the_reason_as_its_answer() -> None:
    _, made = shop(escalates)
    item = await waiting(made)
    with pytest.raises(InputError, match="needs a reason"):
        made.app.reviews.reject(item.look.item.id, "dana", seen=item.look.seal, note=" ")

    made.app.reviews.reject(item.look.item.id, "dana", seen=item.look.seal, note="We cannot help with that.")

    task = made.task(item.look.task.id)
    assert task.state is State.DECLINED
    assert task.why is not None
    assert task.why.text == "We cannot help with that."


async def leaves_a_held_call(how: str) -> tuple[Shop, Bench, str]:
    """Its first run asks for a call; the next one, woken too early, takes another way out of the task."""
    runs: list[int] = []

    async def twice(run: Run) -> str:
        runs.append(1)
        if len(runs) > 1:
            run.escalate("help") if how == "escalate" else run.decline("not ours")
        return await pays(run)

    found, made = shop(twice)
    task = made.submit()
    await made.work()
    made.app.operations.resume_task(task)
    await made.work()
    return found, made, task


async def test_an_answer_by_hand_calls_off_what_only_a_run_could_have_done() -> None:
    found, made, task = await leaves_a_held_call("escalate")
    assert made.effect(task).state is EffectState.HELD
    item = made.waiting(Kind.ESCALATION)

    made.app.reviews.answer(item.look.item.id, "dana", "done by hand", seen=item.look.seal)

    assert made.effect(task).state is EffectState.CANCELLED
    assert made.app.reviews.listing(ItemQuery(kinds=tuple(Kind))) == []
    assert found.paid == []


@check(on="output")
def never(answer: str, context: CheckContext) -> Verdict:
    """Blocks all."""
    return blocked("It may promise something.")


async def promises(run: Run) -> str:
    return "We promise."


@pytest.mark.parametrize(
    ("act", "value", "state", "answer"),
    [
        (Act.APPROVE, None, State.ANSWERED, "We promise."),
        (Act.EDIT, "We try.", State.ANSWERED, "We try."),
        (Act.ANSWER, "Call us.", State.ANSWERED, "Call us."),
        (Act.REJECT, None, State.DECLINED, None),
    ],
)
async def test_a_blocked_answer_is_released_changed_replaced_or_declined(
    act: Act, value: Any, state: State, answer: str | None
) -> None:
    found = Shop()
    made = bench(promises, found.pay, checks=[never], **ASKS)
    item = await waiting(made)
    assert item.look.item.kind is Kind.BLOCKED_ANSWER
    queue, about = made.app.reviews, {"seen": item.look.seal}
    match act:
        case Act.APPROVE:
            queue.approve(item.look.item.id, "dana", **about)
        case Act.EDIT:
            queue.edit(item.look.item.id, "dana", value, **about)
        case Act.ANSWER:
            queue.answer(item.look.item.id, "dana", value, **about)
        case _:
            queue.reject(item.look.item.id, "dana", note="no", **about)

    assert made.task(item.look.task.id).state is state
    assert made.answer(item.look.task.id) == answer


async def test_an_answer_by_hand_must_have_the_form_that_the_agent_declares() -> None:
    async def counts(run: Run) -> int:
        run.escalate("how many?")

    _, made = shop(counts)
    item = await waiting(made)

    with pytest.raises(InputError, match="no answer of support"):
        made.app.reviews.answer(item.look.item.id, "dana", "many", seen=item.look.seal)
    made.app.reviews.answer(item.look.item.id, "dana", 3, seen=item.look.seal)

    assert made.answer(item.look.task.id) == 3


async def fails(run: Run) -> str:
    if run.task.id and not Mood.mended:
        raise RuntimeError("the shop is closed")
    return "open again"


class Mood:
    mended = False


@pytest.mark.parametrize("act", [Act.APPROVE, Act.REJECT, Act.ANSWER])
async def test_a_dead_letter_is_tried_again_put_away_or_answered_by_hand(act: Act) -> None:
    Mood.mended = False
    _, made = shop(fails, runtime={"attempts_max": 1})
    item = await waiting(made)
    assert item.look.item.kind is Kind.DEAD_LETTER
    Mood.mended = True
    queue, id_, seal = made.app.reviews, item.look.item.id, item.look.seal
    match act:
        case Act.APPROVE:
            queue.approve(id_, "dana", seen=seal)
        case Act.REJECT:
            queue.reject(id_, "dana", seen=seal, note="spam")
        case _:
            queue.answer(id_, "dana", "by hand", seen=seal)
    await made.work()

    task = made.task(item.look.task.id)
    assert queue.listing(ItemQuery()) == []
    assert (task.state, made.answer(task.id), task.discarded_us is not None) == {
        Act.APPROVE: (State.ANSWERED, "open again", False),
        Act.REJECT: (State.DEAD_LETTERED, None, True),
        Act.ANSWER: (State.ANSWERED, "by hand", False),
    }[act]


@pytest.mark.parametrize(
    ("how", "value", "paid", "answer"),
    [
        (Act.HAPPENED, "paid 80 as R-17", 1, "paid 80 as R-17"),
        (Act.NOT_HAPPENED, None, 1, "told: pay did not happen, says dana."),
        (Act.AGAIN, None, 2, "paid 80"),
    ],
)
async def test_a_call_in_doubt_is_settled_as_a_person_found_it(
    how: Act, value: Any, paid: int, answer: str
) -> None:
    found, made = shop()
    found.lost = True
    item = await waiting(made)
    made.app.reviews.approve(item.look.item.id, "dana", seen=item.look.seal)
    await made.work()
    doubt = made.waiting()
    assert doubt.look.item.kind is Kind.IN_DOUBT, "one item, although its task is escalated too"
    with pytest.raises(NotFitting, match="happened, not_happened, again"):
        made.app.reviews.approve(doubt.look.item.id, "dana", seen=doubt.look.seal)

    made.app.reviews.settle(doubt.look.item.id, "dana", how, seen=doubt.look.seal, value=value)
    await made.work()

    assert len(found.paid) == paid
    assert made.answer(item.look.task.id) == answer


async def delayed(made: Bench) -> Whole:
    made.submit()
    await made.work()
    return made.waiting(Kind.DELAYED)


LATER: dict[str, Any] = {"tools": {"pay": ToolRule(delay_s=600)}}


async def test_a_delayed_call_can_be_stopped_and_is_then_never_sent() -> None:
    found, made = shop(**LATER)
    item = await delayed(made)
    assert made.app.reviews.listing(ItemQuery()) == [], "it waits for nobody's decision"

    made.app.reviews.reject(item.look.item.id, "dana", seen=item.look.seal, note="wrong")

    assert made.effect(item.look.task.id).state is EffectState.CANCELLED
    assert found.paid == []


async def test_a_delayed_call_can_be_held_and_then_waits_for_a_yes() -> None:
    found, made = shop(**LATER)
    item = await delayed(made)

    made.app.reviews.hold(item.look.item.id, "dana", seen=item.look.seal)
    held = made.waiting()

    assert held.look.item.kind is Kind.APPROVAL
    made.app.reviews.approve(held.look.item.id, "lee", seen=held.look.seal)
    await made.work()
    assert found.paid == [("ann", 80.0)]


async def test_an_approval_under_a_stricter_policy_is_judged_by_the_new_one() -> None:
    """Held when 1000 were allowed; the agent that runs now allows 60."""
    found, made = shop()
    item = await waiting(made)
    rule = ToolRule(amount_arg="amount", approval_above=50, amount_max=60)
    stricter = made.agent.policy.model_copy(update={"tools": {"pay": rule}})
    made.agent.policy = stricter
    vars(made.agent).pop("policy_hash", None)
    queue = made.app.reviews.with_agents([made.agent])

    with pytest.raises(NotFitting, match="The policy has changed since it was held"):
        queue.approve(item.look.item.id, "dana", seen=item.look.seal)
    after = queue.edit(item.look.item.id, "dana", {"to": "ann", "amount": 55.0}, seen=item.look.seal)

    assert "judged_by_policy" in after.records[0].detail
    await made.work()
    assert found.paid == [("ann", 55.0)]


async def test_a_call_of_a_task_that_is_over_waits_for_nobody_any_more() -> None:
    found, made, task = await leaves_a_held_call("decline")

    assert made.app.reviews.listing(ItemQuery()) == []
    assert made.effect(task).state is EffectState.CANCELLED
    assert "declined without it" in (made.effect(task).note or "")
    assert found.paid == []
