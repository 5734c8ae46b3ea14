"""`run.ask`: a question is asked once, waits as a row, and its answer reaches the run where it stopped."""

import asyncio
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from airworthy import Run, tool
from airworthy.core.errors import InputError
from airworthy.review import ItemQuery, Kind
from airworthy.runtime import State, SyncRun
from airworthy.runtime.reviews import AlreadyDecided, Whole
from tests.runtime.kit import Bench, bench


def answers(made: Bench, value: Any, by: str = "dana") -> Whole:
    item = made.waiting(Kind.QUESTION)
    return made.app.reviews.answer(item.look.item.id, by, value, seen=item.look.seal, note="I asked her")


async def test_the_answer_reaches_the_run_and_nothing_before_it_is_done_again() -> None:
    sent: list[str] = []

    @tool(effect="send")
    async def mail(text: str) -> str:
        """Mails."""
        sent.append(text)
        return "sent"

    async def asks(run: Run) -> str:
        await run.tool(mail, text="we look into it")
        order = await run.ask("Which order does she mean?", to="desk")
        await run.tool(mail, text=f"it is {order}")
        return order

    made = bench(asks, mail)
    task = made.submit()
    await made.work()
    waiting = made.task(task)
    assert (waiting.state, waiting.wake_us) == (State.WAITING, None)
    assert waiting.waiting_for == "an answer to: Which order does she mean?"
    item = made.waiting(Kind.QUESTION)
    assert (item.look.item.to, item.look.item.agent) == ("desk", "support")

    answers(made, "8812")
    await made.work()

    assert made.answer(task) == "8812"
    assert sent == ["we look into it", "it is 8812"]
    step = next(step for step in made.steps(task) if step.kind == "ask")
    assert (step.arguments["question"], step.result) == ("Which order does she mean?", "8812")
    assert step.facts.notes == ({"answered_by": "dana", "role": "", "note": "I asked her"},)


async def test_a_second_answer_is_told_of_the_first() -> None:
    async def asks(run: Run) -> str:
        return await run.ask("Which?")

    made = bench(asks)
    await made.done()
    item = made.waiting(Kind.QUESTION)
    answers(made, "this one")

    with pytest.raises(AlreadyDecided, match=r"decided \(answer\) by dana"):
        made.app.reviews.answer(item.look.item.id, "lee", "that one", seen=item.look.seal)
    await made.work()

    assert made.answer(item.look.task.id) == "this one"


class Amount(BaseModel):
    usd: float
    reason: str


@pytest.mark.parametrize(
    ("why", "output", "choices", "wrong", "right", "answer"),
    [
        ("one of the choices", None, ["yes", "no"], "maybe", "yes", "yes"),
        ("text", None, [], 3, "three", "three"),
        ("a number", int, [], "three", 3, 3),
        ("no bool for a number", int, [], True, 3, 3),
        ("a word of a literal", Literal["a", "b"], [], "c", "b", "b"),
        ("a model", Amount, [], {"usd": 3}, {"usd": 3, "reason": "late"}, {"usd": 3.0, "reason": "late"}),
    ],
)
async def test_an_answer_that_does_not_fit_is_refused_and_the_question_waits_on(
    why: str, output: Any, choices: list[str], wrong: Any, right: Any, answer: Any
) -> None:
    async def asks(run: Run) -> Any:
        return await run.ask("How much?", choices=choices, output=output)

    made = bench(asks)
    task = made.submit()
    await made.work()

    if why != "text":
        with pytest.raises(InputError, match="answer"):
            answers(made, wrong)
        assert made.task(task).state is State.WAITING
    answers(made, right)
    await made.work()

    assert made.answer(task) == answer


async def test_an_answer_that_only_the_code_can_refuse_is_asked_for_again_with_the_reason() -> None:
    async def asks(run: Run) -> Any:
        return await run.ask("How much?", output=Amount)

    made = bench(asks)
    task = made.submit()
    await made.work()
    answers(made, {"usd": "a lot", "reason": "late"})
    await made.work()

    item = made.waiting(Kind.QUESTION)

    assert made.task(task).state is State.WAITING
    assert item.look.question is not None
    assert "dana answered" in item.look.question.problem
    answers(made, {"usd": 2, "reason": "late"})
    await made.work()
    assert made.answer(task) == {"usd": 2.0, "reason": "late"}


async def test_questions_in_parallel_are_answered_in_any_order() -> None:
    async def asks(run: Run) -> list[str]:
        return list(await asyncio.gather(run.ask("One?"), run.ask("Two?")))

    made = bench(asks)
    task = made.submit()
    await made.work()
    for _ in range(2):
        lines = made.app.reviews.listing(ItemQuery(kinds=(Kind.QUESTION,)))
        line = lines[-1]
        assert line.question is not None
        made.app.reviews.answer(line.item.id, "dana", f"to {line.question.text}", seen=line.seal)
        await made.work()

    assert made.answer(task) == ["to One?", "to Two?"]


async def test_the_same_question_twice_is_two_questions() -> None:
    async def asks(run: Run) -> list[str]:
        return [await run.ask("And now?"), await run.ask("And now?")]

    made = bench(asks)
    task = made.submit()
    await made.work()
    answers(made, "first")
    await made.work()
    answers(made, "second")
    await made.work()

    assert made.answer(task) == ["first", "second"]


async def test_a_question_of_a_cancelled_task_waits_no_more() -> None:
    async def asks(run: Run) -> str:
        return await run.ask("Which?")

    made = bench(asks)
    await made.done()
    item = made.waiting(Kind.QUESTION)
    made.app.operations.cancel(item.look.task.id, "sam")

    assert made.app.reviews.listing(ItemQuery()) == []
    with pytest.raises(AlreadyDecided):
        made.app.reviews.answer(item.look.item.id, "dana", "late", seen=item.look.seal)


async def test_a_function_that_is_not_async_asks_too() -> None:
    def asks(run: SyncRun) -> str:
        return str(run.ask("Which?", choices=["a", "b"]))

    made = bench(asks)
    task = made.submit()
    await made.work()
    answers(made, "b")
    await made.work()

    assert made.answer(task) == "b"


async def test_an_answer_given_while_the_run_was_on_its_way_to_waiting_is_not_lost() -> None:
    """Another branch keeps the run busy; the answer comes before the task is parked."""

    async def asks(run: Run) -> str:
        asked = asyncio.ensure_future(run.ask("Which?"))
        await run.step("slow", asyncio.sleep, 5)
        return await asked

    made = bench(asks)
    task = made.submit()
    working = asyncio.create_task(made.work())
    await asyncio.sleep(2)
    answers(made, "meanwhile")
    await working

    assert made.answer(task) == "meanwhile"


@pytest.mark.parametrize(
    "options",
    [
        {"choices": ["a", "a"]},
        {"choices": ["a"], "default": "b"},
        {"output": int, "default": "x"},
        {"deadline_s": 0},
    ],
)
async def test_a_question_that_nobody_could_answer_is_an_error_of_the_agent(options: dict[str, Any]) -> None:
    async def asks(run: Run) -> str:
        return await run.ask("Which?", **options)

    made = bench(asks)
    task = await made.done()

    assert task.state is State.DEAD_LETTERED
    assert made.app.reviews.listing(ItemQuery(kinds=(Kind.QUESTION,))) == []
