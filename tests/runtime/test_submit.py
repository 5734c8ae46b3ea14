"""What the door takes: once per key, whole or not at all, and an answer at once for what cannot be taken."""

import asyncio
from typing import Any

import pytest

from airworthy.core.canonical import NotSerialisable
from airworthy.core.outcome import Outcome, ReasonCode
from airworthy.policy import InputScope
from airworthy.runtime import IdempotencyConflict, Run, State, Submission, TaskQuery, operations
from airworthy.runtime.operations import InputTooLarge
from tests.runtime.kit import Bench, bench


async def echo(run: Run) -> Any:
    return run.input


def all_tasks(b: Bench) -> list[Any]:
    return b.app.operations.tasks(TaskQuery(limit=1000))


INPUTS: list[Any] = [
    "hello",
    "",
    7,
    1.5,
    True,
    None,
    [],
    {"a": [1, {"b": None}]},
    "\U0001f600 ünïcödé",
    " " * 50,
]


@pytest.mark.parametrize("value", INPUTS)
async def test_an_input_of_any_shape_reaches_the_agent_as_it_was(value: Any) -> None:
    b = bench(echo, input=InputScope(chars_min=0))
    task_id = b.submit(value)
    await b.work()

    assert b.steps(task_id)[0].arguments == value


async def test_the_same_key_with_the_same_input_is_the_same_task_even_when_it_is_over() -> None:
    b = bench(echo)
    first = b.app.operations.submit(b.agent.policy, Submission({"a": 1, "b": 2}, key="k"))
    again = b.app.operations.submit(b.agent.policy, Submission({"b": 2, "a": 1}, key="k"))
    await b.work()
    later = b.app.operations.submit(b.agent.policy, Submission({"a": 1, "b": 2}, key="k"))

    assert (first.repeated, again.repeated, later.repeated) == (False, True, True)
    assert first.task.id == again.task.id == later.task.id
    assert later.task.outcome is Outcome.ANSWERED
    assert len(all_tasks(b)) == 1


async def test_the_same_key_with_another_input_is_refused_and_stores_nothing() -> None:
    b = bench(echo)
    task_id = b.submit("one", key="k")

    with pytest.raises(IdempotencyConflict, match=task_id):
        b.submit("two", key="k")
    assert len(all_tasks(b)) == 1


async def test_a_hundred_senders_of_one_key_make_one_task() -> None:
    b = bench(echo)
    accepted = await asyncio.gather(
        *(b.app.operations.submit_in_loop(b.agent.policy, Submission("x", key="k")) for _ in range(100))
    )

    assert len({each.task.id for each in accepted}) == 1
    assert [each.repeated for each in accepted].count(False) == 1


async def test_without_a_key_the_same_input_is_a_new_task_each_time() -> None:
    b = bench(echo)

    assert b.submit("x") != b.submit("x")


async def test_an_input_that_is_no_data_is_refused_and_stores_nothing() -> None:
    b = bench(echo)

    with pytest.raises(NotSerialisable):
        b.submit(object())
    assert all_tasks(b) == []


@pytest.mark.parametrize(("size", "outcome"), [(1000, None), (1001, Outcome.DECLINED)])
async def test_the_policys_bound_on_the_input_declines_at_the_door(
    size: int, outcome: Outcome | None
) -> None:
    b = bench(echo, input=InputScope(bytes_max=1000))
    task = b.task(b.submit("x" * (size - 2)))  # The quotes count.

    assert task.outcome is outcome
    if outcome is not None:
        assert task.reason_code == ReasonCode.BLOCKED_INPUT
        assert task.why is not None
        assert "1001 bytes" in task.why.text


@pytest.mark.slow
async def test_fifty_megabytes_are_declined_politely_and_kept_whole() -> None:
    """Slow, because fifty megabytes are looked through for secrets and packed."""
    b = bench(echo)
    value = "The quick brown fox. " * 2_500_000
    task = b.task(b.submit(value))
    await b.work()

    assert task.outcome is Outcome.DECLINED
    assert task.why is not None
    assert "Please send less" in task.why.text
    assert b.steps(task.id)[0].arguments == value


async def test_beyond_the_last_bound_nothing_is_taken_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    # Lowered, because a hundred megabytes would take their time.
    monkeypatch.setattr(operations, "INPUT_BYTES_HARD_MAX", 1000)
    b = bench(echo)
    b.submit("x" * 998)

    with pytest.raises(InputTooLarge, match="1001 bytes"):
        b.submit("x" * 999)
    assert len(all_tasks(b)) == 1


@pytest.mark.parametrize(
    ("source", "outcome"), [("mail", None), ("", None), ("web", Outcome.DECLINED), ("MAIL", Outcome.DECLINED)]
)
async def test_a_source_the_policy_does_not_name_is_declined(source: str, outcome: Outcome | None) -> None:
    b = bench(echo, input=InputScope(sources=("mail", "form")))

    assert b.task(b.submit("hello", source=source)).outcome is outcome


async def test_urgent_tasks_go_first_and_equal_ones_in_their_order() -> None:
    order: list[str] = []

    async def note(run: Run) -> None:
        order.append(run.input)

    b = bench(note)
    for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)):
        b.submit(f"task {name}", priority=priority)
        await asyncio.sleep(0.01)
    await b.worker(concurrency=1).run(until_idle=True)

    assert [name[-1] for name in order] == ["b", "d", "a", "c", "e"]


async def test_who_and_what_a_task_is_for_is_kept_and_can_be_asked_for() -> None:
    b = bench(echo)
    task_id = b.submit("hello", session="s1", user="ann", feature="mail")
    b.submit("hello", session="s2", user="bob")
    found = b.app.operations.tasks(TaskQuery(user="ann", session="s1"))

    assert [task.id for task in found] == [task_id]
    assert found[0].ref.feature == "mail"
    assert b.app.operations.counts() == {State.QUEUED: 2}
