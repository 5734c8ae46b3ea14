"""What a deadline does when nobody decides: once, as declared, and never against a person who was faster."""

import asyncio
import random
from typing import Any

import pytest

from airworthy import Run, tool
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import AirworthyError
from airworthy.policy import ToolRule
from airworthy.policy.review_rule import ReviewRules
from airworthy.review import Act, ItemQuery, Kind, People, Status
from airworthy.runtime import State
from airworthy.runtime.reviews import AlreadyDecided, Whole
from airworthy.tools import EffectState, ToolError
from tests.runtime.kit import Bench, bench
from tests.virtual import START_US

TEAMS: dict[str, dict[str, Any]] = {
    "desk": {"members": ["dana"], "deadline_s": 600.0, "remind_s": [300.0, 60.0]},
    "boss": {"members": ["ada"], "deadline_s": 100.0},
    "night": {"members": ["ada"]},
}
PEOPLE = People.model_validate({"people": {"dana": {"name": "Dana"}, "ada": {"name": "Ada"}}, "teams": TEAMS})


@tool(effect="write")
async def note(text: str) -> str:
    """Notes."""
    return f"noted {text}"


async def notes(run: Run) -> str:
    try:
        return str(await run.tool(note, text="hello"))
    except ToolError as error:
        return f"told: {error.message}"


def desk(handler: Any, people: People = PEOPLE, **review: Any) -> Bench:
    return bench(
        handler, note, people=people, tools={"note": ToolRule(approval="always", critical=False, effect="write")},
        escalation={"default": "desk"}, review=ReviewRules.model_validate(review), runtime={"attempts_max": 1},
    )  # fmt: skip


def notices(made: Bench) -> list[tuple[Any, ...]]:
    return made.app.database.read_now(
        lambda tx: tx.rows("SELECT kind, to_team, at_us FROM notices ORDER BY at_us, key")
    )


async def waits(made: Bench) -> Whole:
    made.submit()
    await made.work()
    return made.waiting()


async def passed(made: Bench, seconds: float) -> None:
    """A worker is there meanwhile, and carries out what falls due."""
    working = asyncio.create_task(made.worker().run())
    await asyncio.sleep(seconds)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


def after(made: Bench, item: Whole) -> Whole:
    return made.app.reviews.item(item.look.item.id)


@pytest.mark.parametrize(
    ("rule", "state", "answer"),
    [
        (
            {"on_deadline": "reject", "deadline_s": 60.0},
            EffectState.REJECTED,
            "told: note was rejected by airworthy",
        ),
        ({"on_deadline": "wait", "deadline_s": 60.0}, EffectState.HELD, None),
        ({}, EffectState.HELD, None),
    ],
)
async def test_a_held_call_becomes_what_its_rule_says(
    rule: dict[str, Any], state: EffectState, answer: Any
) -> None:
    made = desk(notes, approvals=rule)
    item = await waits(made)

    await passed(made, 50)
    assert made.effect(item.look.task.id).state is EffectState.HELD
    await passed(made, 20)

    assert made.effect(item.look.task.id).state is state
    if answer is not None:
        assert str(made.answer(item.look.task.id)).startswith(answer)
        (record,) = after(made, item).records
        assert (record.act, record.by, record.role) == (Act.REJECT, "airworthy", "deadline")


async def test_a_harmless_call_can_be_approved_by_the_clock() -> None:
    made = desk(notes, tools={"note": {"on_deadline": "approve", "deadline_s": 60.0}})
    item = await waits(made)

    await passed(made, 70)

    assert made.answer(item.look.task.id) == "noted hello"
    assert after(made, item).look.item.role == "deadline"


async def test_it_goes_to_the_next_team_with_that_teams_deadline_and_then_waits() -> None:
    made = desk(notes, approvals={"on_deadline": "escalate", "escalate_to": "boss", "deadline_s": 60.0})
    item = await waits(made)

    await passed(made, 70)
    now = after(made, item).look.item
    assert (now.to, now.status, now.on_deadline) == ("boss", Status.OPEN, "wait")
    assert now.deadline_us is not None
    await passed(made, 300)

    assert made.effect(item.look.task.id).state is EffectState.HELD
    assert [(kind, to) for kind, to, _ in notices(made)] == [
        ("review", "desk"),
        ("review", "boss"),
        ("overdue", "boss"),
    ]
    with pytest.raises(AirworthyError, match="not of that team"):
        made.app.reviews.approve(now.id, "dana", seen=after(made, item).look.seal)
    made.app.reviews.approve(now.id, "ada", seen=after(made, item).look.seal)


async def test_reminders_come_before_the_deadline_of_the_team_each_once() -> None:
    made = desk(notes)
    item = await waits(made)
    assert item.look.item.deadline_us is not None

    for _ in range(10):
        await passed(made, 70)

    told = [(kind, round((at - item.look.item.deadline_us) / US_PER_S)) for kind, _, at in notices(made)]
    assert [kind for kind, _ in told] == ["review", "reminder", "reminder", "overdue"]
    for (_, at), expected in zip(told[1:], (-300, -60, 0), strict=True):
        assert expected <= at <= expected + 3


async def asks(run: Run) -> str:
    return await run.ask("Which?", deadline_s=60.0)


async def asks_with_default(run: Run) -> str:
    return await run.ask("Which?", deadline_s=60.0, default="the first")


@pytest.mark.parametrize(
    ("handler", "rule", "state", "answer"),
    [
        (asks, {}, State.WAITING, None),
        (asks, {"on_deadline": "decline"}, State.DECLINED, None),
        (asks_with_default, {}, State.ANSWERED, "the first"),
        (asks_with_default, {"on_deadline": "decline"}, State.ANSWERED, "the first"),
    ],
)
async def test_a_question_nobody_answers(
    handler: Any, rule: dict[str, Any], state: State, answer: Any
) -> None:
    made = desk(handler, questions=rule)
    item = await waits(made)
    assert item.look.item.deadline_us is not None

    await passed(made, 70)

    task = made.task(item.look.task.id)
    assert task.state is state
    if answer is not None:
        assert made.answer(task.id) == answer


async def test_an_escalation_nobody_takes_is_declined_where_the_policy_says_so() -> None:
    async def gives_up(run: Run) -> str:
        run.escalate("help")

    made = desk(gives_up, escalations={"on_deadline": "decline", "deadline_s": 60.0})
    item = await waits(made)

    await passed(made, 70)

    assert made.task(item.look.task.id).state is State.DECLINED


async def test_an_approval_after_the_deadline_comes_too_late_even_where_no_worker_has_noticed() -> None:
    made = desk(notes, approvals={"on_deadline": "reject", "deadline_s": 60.0})
    item = await waits(made)
    await asyncio.sleep(61)

    with pytest.raises(AlreadyDecided, match=r"decided \(reject\) by airworthy, deadline,"):
        made.app.reviews.approve(item.look.item.id, "dana", seen=item.look.seal)

    assert made.effect(item.look.task.id).state is EffectState.REJECTED


async def test_after_a_deadline_that_only_waits_a_person_may_still_decide() -> None:
    made = desk(notes, approvals={"deadline_s": 60.0})
    item = await waits(made)
    await asyncio.sleep(61)
    assert after(made, item).overdue

    made.app.reviews.approve(item.look.item.id, "dana", seen=item.look.seal)
    await made.work()

    assert made.answer(item.look.task.id) == "noted hello"


async def test_what_comes_outside_the_hours_goes_to_the_stand_in() -> None:
    # The virtual clock begins on a Monday at 16:00 UTC.
    hours = [{"days": ["mon"], "begin": "09:00", "end": "15:00"}]
    teams = {**TEAMS, "desk": {**TEAMS["desk"], "hours": hours, "out_of_hours": "to:night"}}
    people = People.model_validate(
        {"people": {"dana": {"name": "Dana"}, "ada": {"name": "Ada"}}, "teams": teams}
    )
    made = desk(notes, people)

    item = await waits(made)

    assert (item.look.item.to, item.look.item.deadline_us) == ("night", None)
    assert START_US // US_PER_S // 86_400 % 7 == 4, "a Monday, counted from the Thursday of 1970"


@pytest.mark.parametrize("seed", range(40))
async def test_a_person_and_the_deadline_race_and_exactly_one_decides(seed: int) -> None:
    chance = random.Random(seed)
    made = desk(notes, approvals={"on_deadline": "reject", "deadline_s": 60.0})
    item = await waits(made)
    workers = [asyncio.create_task(made.worker().run()) for _ in range(chance.randint(1, 3))]
    await asyncio.sleep(chance.uniform(58.0, 63.0))
    told = ""
    try:
        made.app.reviews.approve(item.look.item.id, "dana", seen=item.look.seal)
    except AlreadyDecided as error:
        told = error.message
    await asyncio.sleep(30)
    for each in workers:
        each.cancel()
    await asyncio.gather(*workers, return_exceptions=True)

    end = after(made, item)
    decisions = [record for record in end.records if record.act in (Act.APPROVE, Act.REJECT)]
    assert len(decisions) == 1
    assert (decisions[0].by == "dana") == (not told)
    assert made.answer(item.look.task.id) == (
        "told: note was rejected by airworthy: Nobody decided in time." if told else "noted hello"
    )


async def test_a_default_that_cannot_be_carried_out_waits_for_a_person_and_says_so() -> None:
    """The tool is gone from the code, so even the clock may not approve it."""
    made = desk(notes, tools={"note": {"on_deadline": "approve", "deadline_s": 60.0}})
    item = await waits(made)
    made.agent.tools = ()
    queue = made.app.reviews.with_agents([made.agent])
    await asyncio.sleep(61)

    queue.keep_up()

    now = queue.item(item.look.item.id).look.item
    assert (now.status, now.on_deadline, now.kind) == (Status.OPEN, "wait", Kind.APPROVAL)
    assert "overdue" in [kind for kind, _, _ in notices(made)]


@tool(effect="write")
async def tell(to: str, text: str) -> str:
    """Tells."""
    return f"told {to} {text}"


@pytest.mark.parametrize(
    ("why", "rule"),
    [
        ("has never reached", {"approval_new_recipient": True, "recipient_arg": "to"}),
        (
            "neither the user nor a trusted source",
            {"approval_untrusted": "strict", "destination_args": ("to",)},
        ),
        ("did not say how sure", {"approval_below_confidence": 0.5}),
    ],
)
async def test_the_clock_never_lets_out_a_call_that_was_held_for_what_is_in_it(
    why: str, rule: dict[str, Any]
) -> None:
    async def tells(run: Run) -> str:
        return str(await run.tool(tell, to="eve@example.com", text="hi"))

    made = bench(
        tells, tell, tools={"tell": ToolRule(critical=False, effect="write", **rule)},
        review=ReviewRules.model_validate({"tools": {"tell": {"on_deadline": "approve", "deadline_s": 60.0}}}),
    )  # fmt: skip
    item = await waits(made)

    await passed(made, 70)

    now = after(made, item).look
    assert now.effect is not None
    assert (now.effect.state, now.item.on_deadline) == (EffectState.HELD, "wait")
    (text,) = made.app.database.read_now(
        lambda tx: tx.rows("SELECT text FROM notices WHERE kind = 'overdue'")
    )
    assert "A person has to look at this call" in text[0]
    assert why in (now.effect.note or "")


async def test_the_clock_never_lets_out_what_a_person_changed_or_held() -> None:
    """Under four eyes a changed call waits for somebody else; a delayed one was held because somebody doubted it."""
    rule = {"note": {"on_deadline": "approve", "deadline_s": 60.0}}
    made = desk(notes, People(), tools=rule, four_eyes=True)
    item = await waits(made)
    made.app.reviews.edit(item.look.item.id, "lee", {"text": "changed"}, seen=item.look.seal)
    late = bench(
        notes, note, tools={"note": ToolRule(approval="always", delay_s=3600, critical=False, effect="write")},
        review=ReviewRules.model_validate({"tools": rule}),
    )  # fmt: skip
    asked = await waits(late)
    late.app.reviews.approve(asked.look.item.id, "dana", seen=asked.look.seal)
    await late.work()
    (line,) = late.app.reviews.listing(ItemQuery(kinds=(Kind.DELAYED,)))
    late.app.reviews.hold(line.item.id, "lee", seen=line.seal)

    await passed(made, 70)
    await passed(late, 70)

    assert made.effect(item.look.task.id).state is EffectState.HELD
    assert late.effect(line.item.task_id).state is EffectState.HELD
