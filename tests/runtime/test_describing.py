"""The index of traces catches up with tasks that ended: their sentence, their words, and tasks of before it existed."""

from functools import partial
from typing import Any

import pytest

from airworthy.policy import RuntimeRules
from airworthy.recorder import StepState
from airworthy.recorder.traces import gather, own_text, write
from airworthy.recorder.traces.span import Span, SpanKind
from airworthy.runtime import Run, State, describing
from airworthy.runtime.describing import describe
from airworthy.store import Tx
from airworthy.tools import EffectState, Permanent, tool
from tests.recorder.traces import kit
from tests.runtime.kit import Bench, bench
from tests.simulation.index import untrue

INDEX = ("traces", "facets", "rollups", "rollup_bins", "series", "docs")


@tool
async def look(order: int) -> str:
    """Looks an order up."""
    return f"order {order} is a heliotrope lamp"


async def handle(run: Run) -> str:
    found: str = await run.tool("look", order=8812)
    if run.text == "break":
        raise Permanent("the warehouse burnt down")
    return found


def made() -> Bench:
    return bench(handle, look, runtime=RuntimeRules())


async def described(world: Bench) -> None:
    while await describe(world.app.database):
        continue


def found(world: Bench, words: str) -> list[str]:
    return list(dict.fromkeys(kit.words(world.app.database, words)))


def indexed(world: Bench, word: str) -> int:
    """Entries with this word, whether or not anything says whose they are."""
    return len(kit.entries(world.app.database, word))


def differences(world: Bench, *task_ids: str) -> list[str]:
    known = [(world.task(task_id), world.steps(task_id)) for task_id in task_ids]
    return world.app.database.read_now(lambda tx: untrue(tx, known))


def sentence(world: Bench, task_id: str) -> Any:
    row = world.app.database.read_now(
        lambda tx: tx.row("SELECT sentence FROM traces WHERE id = ?", (task_id,))
    )
    return None if row is None else row[0]


async def test_a_task_that_ended_is_found_by_its_words_and_told_in_a_sentence() -> None:
    world = made()
    task = await world.done("where is my lamp")
    await described(world)

    assert found(world, "heliotrope") == [task.id]
    assert found(world, "nothing") == []
    assert "8812" in sentence(world, task.id)
    assert not differences(world, task.id)


async def test_a_task_sent_back_counts_once_and_keeps_both_its_texts() -> None:
    world = made()
    task = await world.done("break")
    await described(world)
    assert task.state is State.DEAD_LETTERED
    assert found(world, "warehouse") == [task.id]
    assert not differences(world, task.id)

    world.app.operations.requeue(task.id)
    assert not differences(world, task.id)
    await world.work()
    await described(world)

    assert not differences(world, task.id)
    rows = world.app.database.read_now(lambda tx: tx.rows("SELECT id FROM docs WHERE ref = ?", (task.id,)))
    assert len(rows) == 2


async def test_a_rehearsal_is_listed_and_counts_in_no_sum() -> None:
    world = made()
    task = await world.done("try", dry_run=True)

    assert not differences(world, task.id)
    assert world.app.database.read_now(lambda tx: tx.rows("SELECT mode FROM traces")) == [("rehearsal",)]
    assert world.app.database.read_now(lambda tx: tx.rows("SELECT * FROM rollups")) == []


@pytest.mark.parametrize("closed_first", [True, False])
async def test_tasks_of_before_the_index_are_entered_as_they_stand(closed_first: bool) -> None:
    world = made()
    task_ids = [world.submit("one"), world.submit("break")]

    def forget(tx: Tx) -> None:
        for table in INDEX:
            tx.execute(f"DELETE FROM {table}")
        tx.execute("DELETE FROM index_due")
        tx.execute("INSERT INTO index_due (ref, what) SELECT id, 'all' FROM tasks")

    if closed_first:
        await world.work()
    world.app.database.write_now(forget)
    if not closed_first:
        await world.work()  # They end before they are entered.
    await described(world)

    assert not differences(world, *task_ids)
    assert found(world, "heliotrope")


async def test_tasks_of_one_moment_are_all_found() -> None:
    """They share the places that the index has for it."""
    world = made()
    tasks = [world.submit(f"lamp {number}") for number in range(30)]
    await world.work()
    await described(world)

    assert sorted(found(world, "heliotrope")) == sorted(tasks)
    assert not differences(world, *tasks)


async def test_large_tasks_are_taken_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes beside them waits while they are stored."""
    world = made()
    for number in range(5):
        world.submit(f"lamp {number}")
    await world.work()
    monkeypatch.setattr(describing, "BATCH_BYTES", 10)

    assert [await describe(world.app.database) for _ in range(6)] == [1, 1, 1, 1, 1, 0]


async def test_a_record_that_cannot_be_read_holds_up_no_other() -> None:
    world = made()
    broken, sound = world.submit("one"), world.submit("two")
    await world.work()
    world.app.database.write_now(
        lambda tx: tx.execute("UPDATE payloads SET body = ? WHERE task_id = ?", (b"\x01torn", broken))
    )
    await described(world)

    assert "cannot be read" in sentence(world, broken)
    assert "8812" in sentence(world, sound)


async def test_a_step_settled_by_a_person_is_found_by_what_it_came_to_and_forgotten_whole() -> None:
    @tool(effect="send")
    async def post(what: str) -> str:
        """Posts it."""
        raise ConnectionError("the line broke after the parcel was named obsidian")

    async def send(run: Run) -> str:
        await run.tool("post", what="a vase")
        return "done"

    world = bench(send, post, runtime=RuntimeRules())
    task = await world.done("send it")
    await described(world)
    assert task.state is State.ESCALATED
    assert (indexed(world, "vase"), indexed(world, "obsidian")) == (1, 1)

    world.decide(task.id, EffectState.DONE, result=b'"under amaranth"')
    await world.work()
    await described(world)
    assert any(step.state is StepState.DONE and step.name == "post" for step in world.steps(task.id))
    assert found(world, "amaranth") == found(world, "vase") == [task.id]

    world.app.database.write_now(lambda tx: own_text.forget(tx, task.id))
    words = ("amaranth", "obsidian", "vase", "post", "send", "answered", "escalated")
    assert [word for word in words if indexed(world, word)] == []
    assert world.app.database.read_now(lambda tx: tx.rows("SELECT * FROM docs")) == []


async def test_spans_that_its_own_process_sent_hide_none_of_its_words() -> None:
    world = made()
    task = await world.done("where is my lamp")
    span = Span(
        task.trace_id, "ab" * 8, "", SpanKind.STEP, "http", task.created_us, task.created_us + 5, payload=b"{}",
        text="a vermilion header",
    )  # fmt: skip
    world.app.database.write_now(lambda tx: write.write(tx, [gather.gather([span], [], task.created_us)]))
    await described(world)

    assert found(world, "heliotrope") == found(world, "vermilion") == [task.id]

    world.app.database.write_now(lambda tx: own_text.forget(tx, task.id, spans=False))
    assert (found(world, "heliotrope"), found(world, "vermilion")) == ([], [task.id])


async def test_what_a_person_ended_counts_as_they_ended_it_and_once() -> None:
    async def ask(run: Run) -> str:
        run.escalate("too hard")

    world = bench(ask, runtime=RuntimeRules())
    task = await world.done("help")
    assert task.state is State.ESCALATED
    assert not differences(world, task.id)

    look = world.waiting().look
    world.app.reviews.answer(look.item.id, "dana", "done by hand", seen=look.seal)

    assert world.task(task.id).state is State.ANSWERED
    assert not differences(world, task.id)


async def test_two_that_catch_up_at_once_count_a_task_once() -> None:
    world = made()
    task = await world.done("one")

    def before_the_index(tx: Tx) -> None:
        for table in (*INDEX, "index_due"):
            tx.execute(f"DELETE FROM {table}")
        tx.execute("INSERT INTO index_due (ref, what) VALUES (?, 'all')", (task.id,))

    world.app.database.write_now(before_the_index)
    for _ in range(2):  # Both have read that it is due.
        world.app.database.write_now(partial(describing._enter_all, found=[task.id]))
    await described(world)

    assert not differences(world, task.id)
    assert found(world, "heliotrope") == [task.id]
