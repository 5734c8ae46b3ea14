"""What happens to a task between the reading of its record and the write that describes it: nothing stale is kept."""

from collections.abc import Callable
from inspect import isawaitable
from typing import Any, cast

import pytest

from airworthy.app.holdings import HOLDINGS
from airworthy.recorder import Payloads
from airworthy.recorder.holdings import Whose, emptied, gone, trace_bytes
from airworthy.recorder.traces import own_text
from airworthy.runtime import State, describing, documents
from airworthy.runtime.describing import describe
from airworthy.store import Database, Tx
from tests.runtime.kit import Bench
from tests.runtime.test_describing import described, differences, found, indexed, made, sentence

WORD = "heliotrope"


class Meanwhile:
    """A database in which something happens once, after all is read and before anything is written."""

    def __init__(self, database: Database, what: Callable[[], Any]) -> None:
        self._database = database
        self._what: Callable[[], Any] | None = what

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write(self, op: Callable[[Tx], Any], **how: Any) -> Any:
        what, self._what = self._what, None
        waits = what() if what is not None else None
        if isawaitable(waits):
            await waits
        return await self._database.write(op, **how)


async def described_while(world: Bench, what: Callable[[], Any]) -> None:
    await describe(cast("Database", Meanwhile(world.app.database, what)))


def changed(world: Bench, op: Callable[[Tx], Any]) -> Callable[[], None]:
    return lambda: world.app.database.write_now(op)


def due(world: Bench) -> list[str]:
    return world.app.database.read_now(lambda tx: [row[0] for row in tx.rows("SELECT ref FROM index_due")])


def docs(world: Bench, task_id: str) -> int:
    rows = world.app.database.read_now(lambda tx: tx.rows("SELECT id FROM docs WHERE ref = ?", (task_id,)))
    return len(rows)


def without_the_word(tx: Tx, task_id: str) -> None:
    """As whoever takes a word out of what is stored of a task."""
    payloads = Payloads()
    for seq, body in tx.rows("SELECT seq, body FROM payloads WHERE task_id = ?", (task_id,)):
        clean = payloads.pack(Payloads.unpack(bytes(body)).replace(WORD.encode(), b"vermilion"))
        tx.execute("UPDATE payloads SET body = ? WHERE task_id = ? AND seq = ?", (clean, task_id, seq))


async def test_words_that_were_taken_out_meanwhile_do_not_come_back() -> None:
    world = made()
    task = await world.done("where is my lamp")

    def clean(tx: Tx) -> None:
        own_text.forget(tx, task.id, spans=False)
        without_the_word(tx, task.id)
        own_text.due(tx, task.id)

    await described_while(world, changed(world, clean))
    assert (indexed(world, WORD), indexed(world, "vermilion"), due(world)) == (0, 0, [task.id])

    await described(world)
    assert (indexed(world, WORD), indexed(world, "vermilion")) == (0, 1)


async def test_words_of_a_step_that_was_written_over_meanwhile_are_not_kept() -> None:
    """Nothing of it is indexed yet, so nothing has to be forgotten, and still what was read is old."""
    world = made()
    task = await world.done("where is my lamp")

    def over(tx: Tx) -> None:
        own_text.changes(tx, task.id)
        without_the_word(tx, task.id)

    await described_while(world, changed(world, over))
    await described(world)

    assert (indexed(world, WORD), indexed(world, "vermilion")) == (0, 1)
    world.app.database.write_now(lambda tx: own_text.forget(tx, task.id))
    assert indexed(world, "vermilion") == 0


async def test_a_task_that_was_erased_meanwhile_has_no_words_and_no_sentence() -> None:
    world = made()
    task = await world.done("where is my lamp")
    whose = Whose(task.id, trace_bytes(task.trace_id))

    def erase(tx: Tx) -> None:
        own_text.forget(tx, task.id)
        emptied(tx, HOLDINGS, whose, names=True)

    await described_while(world, changed(world, erase))
    await described(world)

    assert (indexed(world, WORD), docs(world, task.id), sentence(world, task.id)) == (0, 0, None)


async def test_a_task_that_is_gone_meanwhile_leaves_nothing_behind() -> None:
    world = made()
    task = await world.done("where is my lamp")
    whose = Whose(task.id, trace_bytes(task.trace_id))

    def remove(tx: Tx) -> None:
        own_text.forget(tx, task.id)
        gone(tx, HOLDINGS, whose)

    await described_while(world, changed(world, remove))
    await described(world)

    assert (indexed(world, WORD), docs(world, task.id), due(world)) == (0, 0, [])


async def test_a_task_that_is_due_and_in_no_list_is_looked_at_once() -> None:
    world = made()
    task = await world.done()
    world.app.database.write_now(lambda tx: tx.execute("DELETE FROM traces WHERE id = ?", (task.id,)))

    assert [await describe(world.app.database) for _ in range(2)] == [1, 0]


async def test_a_task_that_was_opened_again_meanwhile_is_not_told_as_if_it_were_over() -> None:
    world = made()
    task = await world.done("break")
    assert task.state is State.DEAD_LETTERED

    await described_while(world, lambda: world.app.operations.requeue(task.id))
    assert sentence(world, task.id) is None
    assert found(world, "warehouse") == []

    await described(world)  # It ends, though the task is still open.
    await world.work()
    await described(world)
    assert docs(world, task.id) == 2
    assert found(world, "warehouse") == [task.id]
    assert not differences(world, task.id)


async def test_a_task_that_ended_again_meanwhile_is_described_with_both_its_ends() -> None:
    world = made()
    task = await world.done("break")

    async def again() -> None:
        world.app.operations.requeue(task.id)
        await world.work()

    await described_while(world, again)
    assert due(world) == [task.id]
    assert docs(world, task.id) == 0

    await described(world)
    assert docs(world, task.id) == 2
    assert "dead-letter" in sentence(world, task.id) or "warehouse" in sentence(world, task.id)


async def test_an_open_task_that_ends_meanwhile_stays_due() -> None:
    world = made()
    task = await world.done("break")
    world.app.operations.requeue(task.id)

    await described_while(world, world.work)
    assert due(world) == [task.id]

    await described(world)
    assert sentence(world, task.id) is not None
    assert docs(world, task.id) == 2


async def test_what_another_described_meanwhile_is_there_once() -> None:
    world = made()
    tasks = [world.submit(f"lamp {number}") for number in range(3)]
    await world.work()

    await described_while(world, lambda: described(world))
    await described(world)

    assert [docs(world, task) for task in tasks] == [1, 1, 1]
    assert indexed(world, WORD) == 3


async def test_one_who_was_late_by_a_whole_end_keeps_nothing() -> None:
    """What it read is due again by then, for another reason."""
    world = made()
    task = await world.done("break")

    async def described_and_ended_again() -> None:
        await described(world)
        world.app.operations.requeue(task.id)
        await world.work()

    await described_while(world, described_and_ended_again)
    assert due(world) == [task.id]

    await described(world)
    assert docs(world, task.id) == 2
    world.app.database.write_now(lambda tx: own_text.forget(tx, task.id))
    assert indexed(world, "warehouse") == 0


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("UPDATE traces SET ended_us = ended_us + 1", "it ended again"),
        ("UPDATE traces SET ended_us = NULL", "it was opened again"),
        ("DELETE FROM index_due", "it was described, or erased"),
    ],
)
async def test_what_a_version_from_before_the_number_does_is_seen_all_the_same(sql: str, why: str) -> None:
    world = made()
    await world.done("where is my lamp")

    await described_while(world, changed(world, lambda tx: tx.execute(sql)))

    assert indexed(world, WORD) == 0, why


async def test_what_changed_holds_up_no_other() -> None:
    world = made()
    broken, sound = world.submit("break"), world.submit("where is my lamp")
    await world.work()

    await described_while(world, lambda: world.app.operations.requeue(broken))

    assert found(world, WORD) == [sound]
    assert (sentence(world, broken), due(world)) == (None, [broken])


async def test_what_no_database_takes_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    world = made()
    odd, sound = world.submit("one"), world.submit("two")
    await world.work()
    tell = documents.sentence_of
    monkeypatch.setattr(
        describing,
        "sentence_of",
        lambda task, *record: "half a sign: \ud83d" if task.id == odd else tell(task, *record),
    )
    await described(world)

    assert "cannot be read" in sentence(world, odd)
    assert "8812" in sentence(world, sound)
    assert (docs(world, odd), docs(world, sound), due(world)) == (0, 1, [])
