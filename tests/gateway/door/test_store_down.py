"""A store that takes nothing: calls are refused in plain words, or made and counted; nothing that waited is lost."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from airworthy.gateway import records
from airworthy.gateway.records import FAILING_S_MAX
from airworthy.store import Database, Fence, StoreError, Tx
from tests.database import Before
from tests.gateway.door.kit import (
    FIRST,
    House,
    ask,
    bill,
    header,
    house,
    rule,
    streamed,
    tables,
    text_of,
    whole,
)

T = TypeVar("T")


class Broken(Before):
    """A connection that fails as told: not at all, before the write, or after it was done."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.fails: Callable[[], BaseException] | None = None
        self.done_all_the_same = False
        self.reads_fail = False

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        await asyncio.sleep(0)
        if self.fails is not None:
            if self.done_all_the_same:
                await super().write(op, fence=fence, beside=beside)
            raise self.fails()
        return await super().write(op, fence=fence, beside=beside)

    async def read(self, query: Callable[[Tx], T]) -> T:
        if self.reads_fail:
            raise down()
        return await super().read(query)

    def write_now(self, op: Callable[[Tx], T]) -> T:
        raise AssertionError

    def read_now(self, query: Callable[[Tx], T]) -> T:
        raise AssertionError

    def close(self) -> None:
        raise AssertionError


def down() -> StoreError:
    return StoreError("the disk said no")


async def running(made: House) -> "asyncio.Task[None]":
    task = asyncio.ensure_future(made.door.run())
    await asyncio.sleep(0)
    return task


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
async def test_calls_are_refused_in_plain_words_and_made_again_once_the_store_is_back(dialect: str) -> None:
    database = tables()
    line = Broken(database)
    provider = "anthropic" if dialect == "messages" else "openai"
    async with house(
        {FIRST: whole(dialect, "one")}, models=[rule(provider=provider)], database=database, line=line
    ) as made:
        writing = await running(made)
        await made.said(dialect)
        line.fails = down
        _, short = await made.said(dialect)  # A failure of a moment stops nobody.
        await asyncio.sleep(FAILING_S_MAX + 1)
        answer, body = await made.said(dialect)
        asked = len(made[FIRST].asked)
        line.fails = None
        await asyncio.sleep(1)
        _, again = await made.said(dialect)
        await ended(writing)
        found = await made.records()

    assert text_of(dialect, short) == text_of(dialect, again) == "one"
    assert (answer.status, header(answer, "x-airworthy-stop")) == (503, "store_down")
    assert header(answer, "retry-after") == "5"
    assert b"Calls cannot be recorded now" in body
    assert asked == 2
    assert [each["ended_as"] for each in found] == ["answered", "answered", "stopped", "answered"]
    assert made.shared.recorder.dropped == 0


async def test_with_allow_calls_go_on_and_all_of_them_are_recorded_later() -> None:
    database = tables()
    line = Broken(database)
    async with house({FIRST: whole(text="one")}, database=database, line=line, allow_unrecorded=True) as made:
        writing = await running(made)
        await made.said()
        line.fails = down
        for _ in range(30):
            _, body = await made.said()
            assert text_of("chat", body) == "one"
            await asyncio.sleep(1)
        line.fails = None
        await asyncio.sleep(1)
        await ended(writing)
        found = await made.records()
        row = made.standing("agent:support:day:2025-11-24")

    assert len(found) == 31
    assert row.settled_nano == 31 * bill()


async def test_a_full_queue_refuses_calls_and_with_allow_counts_what_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bound itself is large, so here a small one stands in for it."""
    monkeypatch.setattr(records, "WAITING_MAX", 5)
    for allow in (False, True):
        async with house({FIRST: whole()}, allow_unrecorded=allow) as made:
            found = [(await made.said())[0].status for _ in range(12)]
            waiting, dropped = made.shared.recorder.waiting, made.shared.recorder.dropped

        assert waiting == 5
        assert found == ([200] * 12 if allow else [200] * 5 + [503] * 7)
        assert dropped == 7


async def test_large_bodies_fill_the_queue_by_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "WAITING_BYTES_MAX", 100_000)
    async with house({FIRST: whole()}, limits={"tokens_in": 100_000}) as made:
        for _ in range(20):
            await made.said(raw=ask(more=[{"role": "user", "content": "x" * 30_000}]))
        waiting = made.shared.recorder.waiting
        assert waiting == 4
        assert not made.shared.recorder.room
        assert await made.shared.recorder.flush(made.shared.ledger.flush)
        assert made.shared.recorder.room


@pytest.mark.parametrize("error", [down, asyncio.CancelledError])
async def test_what_was_written_after_all_is_not_written_twice(error: Any) -> None:
    """The answer of the store was lost, not the write."""
    database = tables()
    line = Broken(database)
    async with house({FIRST: whole()}, database=database, line=line) as made:
        for _ in range(3):
            await made.said()
        line.fails, line.done_all_the_same = error, True
        try:
            await made.shared.recorder.flush(made.shared.ledger.flush)
        except asyncio.CancelledError:
            pass
        line.fails = None
        await made.said()
        found = await made.records()
        await asyncio.sleep(1)
        row = made.standing("agent:support:day:2025-11-24")
        seen = database.read_now(lambda tx: tx.rows("SELECT model, answered, calls FROM sightings"))

    assert [each["ended_as"] for each in found] == ["answered"] * 4
    assert row.settled_nano == 4 * bill()
    assert seen == [(FIRST, "m-1", 4)]


async def test_one_record_that_no_store_takes_is_counted_and_keeps_none_of_the_others() -> None:
    async with house({FIRST: whole()}) as made:
        writing = await running(made)
        for _ in range(4):
            await made.said()
        made.shared.recorder._waiting[1].cost_nano = 2**70
        await asyncio.sleep(1)
        assert not writing.done()
        await made.said()
        await ended(writing)
        found = await made.records()

    assert len(found) == 4
    assert made.shared.recorder.dropped == 1


@pytest.mark.parametrize("streams", [False, True])
async def test_a_budget_that_cannot_be_read_is_told_and_no_model_is_asked(streams: bool) -> None:
    database = tables()
    line = Broken(database)
    say = streamed() if streams else whole()
    async with house({FIRST: say}, database=database, line=line, budgets={"day_usd": 1.0}) as made:
        line.fails = down
        answer, body = await made.said(raw=ask(stream=streams))
        line.fails = None
        await asyncio.sleep(1)
        again, _ = await made.said(raw=ask(stream=streams))
        found = await made.records()

    assert answer.status == 503
    assert (header(answer, "x-should-retry"), header(answer, "retry-after")) == (None, "5")
    assert b"the disk said no" in body
    assert again.status == 200
    assert len(made[FIRST].asked) == 1
    assert [each["ended_as"] for each in found] == ["failed", "answered"]


async def test_what_is_leased_can_be_spent_while_the_store_is_away() -> None:
    """The store knows of the lease, so nothing is spent that it has not counted."""
    database = tables()
    line = Broken(database)
    async with house(
        {FIRST: whole(text="one")},
        database=database,
        line=line,
        allow_unrecorded=True,
        budgets={"day_usd": 1.0},
    ) as made:
        for _ in range(4):
            await made.said()
        line.fails = down
        found = [await made.said() for _ in range(2)]
        row = made.standing("agent:support:day:2025-11-24")
        line.fails = None

    assert [text_of("chat", body) for _, body in found] == ["one", "one"]
    assert row.reserved_nano >= 6 * bill()


async def test_a_guard_without_its_memory_says_so_and_goes_on() -> None:
    database = tables()
    line = Broken(database)
    async with house(
        {FIRST: whole(text="one")},
        database=database,
        line=line,
        gateway={"guard_tools": True},
        tools={"look": {}},
    ) as made:
        line.reads_fail = True
        _, body = await made.said()

    assert text_of("chat", body) == "one"
