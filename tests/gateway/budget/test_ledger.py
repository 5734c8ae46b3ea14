"""One ledger and one database: what a call takes, what it leaves behind, who waits, and what the store is told."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest

from airworthy.gateway.budget import Amount, Dimensions, Exceeded, Hold, Question, Scope, Tally, report
from airworthy.gateway.wire.facts import UNKNOWN, Usage
from airworthy.store import Fence, StoreFull, Tx
from tests.database import Before
from tests.gateway.budget.kit import bury_all, hold, ledger, opened, refusal, row, slices, soon_us

T = TypeVar("T")
DAY, MONTH, FREE = Scope("day", "the day", 1_000), Scope("month", "the month", 100_000), Scope("all", "all")
ONE = Amount(100, 10)


class Counting(Before):
    """How often it was written; and it can be told to fail, before or after the commit."""

    writes = 0
    fails_before = fails_after = False

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        if self.fails_before:
            raise StoreFull("no room")
        self.writes += 1
        result = await super().write(op, fence=fence, beside=beside)
        if self.fails_after:
            raise StoreFull("no word came back")
        return result


def counting() -> Counting:
    return Counting(opened())


@pytest.mark.slow
async def test_of_five_hundred_callers_with_money_for_three_exactly_three_are_under_way_at_a_time() -> None:
    """Slow: five hundred of them."""
    database, under_way, most, made = opened(), 0, 0, 0
    books = await ledger(database)
    three = Scope("day", "the day", 300)

    async def one() -> object:
        nonlocal under_way, most, made
        found = await books.reserve((three, FREE), ONE, deadline_us=soon_us())
        if isinstance(found, Exceeded):
            return found.passing
        under_way += 1
        most, made = max(most, under_way), made + 1
        await asyncio.sleep(1)
        under_way -= 1
        books.settle(found, Amount(60, 10))
        return None

    answers = await asyncio.gather(*(one() for _ in range(500)))
    await books.close()

    # Two more fit beside 180, one beside 300 less; after four bills of 60, and never over.
    assert (most, made) == (3, 4)
    assert answers.count(False) == 496
    assert row(database, "day").settled_nano == 240


async def test_a_call_that_is_short_in_one_scope_takes_from_none() -> None:
    database = opened()
    books = await ledger(database)
    calls = Scope("key", "the key", cap_calls=1)
    first = await hold(books, (DAY, calls), ONE)
    why = await refusal(books, (DAY, calls), ONE, seconds=3)
    books.settle(first, ONE)
    await books.flush()
    await asyncio.sleep(4)
    await books.flush()

    assert why.scope is calls
    assert (row(database, "day").reserved_nano, row(database, "day").settled_nano) == (0, 100)
    await books.close()


async def test_what_is_settled_is_told_to_the_store_in_every_scope_with_its_rest_still_leased() -> None:
    database = opened()
    books = await ledger(database)
    books.settle(await hold(books, (DAY, FREE), ONE), Amount(30, 4))
    await books.flush()

    day, free = row(database, "day"), row(database, "all")
    assert (day.settled_nano, day.reserved_nano, day.settled_tokens, day.calls) == (30, 70, 4, 1)
    assert (free.settled_nano, free.reserved_nano, free.settled_tokens, free.calls) == (30, 0, 4, 1)
    assert slices(database) == [("gw", "day", 70, 0, 0)]
    await books.close()
    assert row(database, "day").reserved_nano == 0
    assert slices(database) == []


async def test_a_call_that_was_never_sent_gives_its_money_and_its_count_back() -> None:
    database = opened()
    books = await ledger(database)
    scope = Scope("key", "the key", 100, 10, 1)
    books.release(await hold(books, (scope,), ONE))
    books.settle(await hold(books, (scope,), ONE), ONE)
    await books.close()

    found = row(database, "key")
    assert (found.settled_nano, found.settled_tokens, found.calls, found.reserved_calls) == (100, 10, 1, 0)


@pytest.mark.parametrize("end", ["settle", "release", "keep"])
async def test_a_hold_ends_once(end: str) -> None:
    books = await ledger(opened())
    found = await hold(books, (DAY,), ONE)
    books.keep(found)

    with pytest.raises(AssertionError):
        books.settle(found, ONE) if end == "settle" else getattr(books, end)(found)
    await books.close()


async def test_a_call_with_an_unknown_result_stays_reserved_and_nobody_waits_for_its_end() -> None:
    database = opened()
    books = await ledger(database)
    scope = Scope("key", "the key", 150)
    books.keep(await hold(books, (scope, FREE), ONE))
    await books.flush()
    began_us = soon_us(0)
    why = await refusal(books, (scope, FREE), ONE)

    assert not why.passing
    assert soon_us(0) == began_us
    assert (row(database, "key").reserved_nano, row(database, "key").lost_nano) == (100, 100)
    assert (row(database, "all").reserved_nano, row(database, "all").calls) == (100, 1)
    await books.close()
    assert row(database, "key").reserved_nano == 100


async def test_a_bill_above_its_reservation_is_counted_in_full() -> None:
    database = opened()
    books = await ledger(database)
    scope = Scope("key", "the key", 100)
    books.settle(await hold(books, (scope,), ONE), Amount(250, 10))
    await books.flush()
    why = await refusal(books, (scope,), Amount(1))

    assert row(database, "key").settled_nano == 250
    assert row(database, "key").reserved_nano == 0
    assert not why.passing
    await books.close()


async def test_tokens_bound_calls_for_which_there_would_be_money() -> None:
    database = opened()
    books = await ledger(database)
    scope = Scope("key", "the key", 10**9, cap_tokens=25)
    holds = [await hold(books, (scope,), ONE) for _ in range(2)]
    why = await refusal(books, (scope,), ONE, seconds=2)
    for found in holds:
        books.settle(found, ONE)
    await books.close()

    assert why.text == (
        "The next model call may use 10 tokens; of 25 for the key 0 are spent and 20 reserved."
    )


async def test_the_reason_says_which_budget_what_is_spent_what_reserved_and_what_was_asked() -> None:
    books = await ledger(opened())
    usd = Scope("key", "the key", 2_000_000_000)
    first = await hold(books, (usd,), Amount(700_000_000))
    second = await hold(books, (usd,), Amount(900_000_000))
    books.settle(first, Amount(600_000_000))
    await books.flush()
    why = await refusal(books, (usd,), Amount(800_000_000), seconds=0.1)
    books.release(second)
    await books.close()

    assert why == Exceeded(
        usd,
        "The next model call may cost 0.8000 USD; of 2.00 USD for the key 0.6000 USD is spent and "
        "1.00 USD reserved.",
        passing=True,
    )


async def test_scopes_that_nothing_bounds_need_nothing_from_the_store() -> None:
    database = counting()
    books = await ledger(database)
    database.writes = 0
    found = books.try_reserve((FREE,), ONE)

    assert isinstance(found, Hold)
    assert database.writes == 0
    books.release(found)
    await books.close()


@pytest.mark.slow
async def test_a_busy_scope_is_not_written_for_every_call() -> None:
    """Slow: two thousand calls in a row."""
    database = counting()
    books = await ledger(database)
    wide = (Scope("day", "the day", 10**9), Scope("month", "the month", 10**10, cap_calls=10**6))
    database.writes = waited = 0
    for _ in range(2_000):
        found = books.try_reserve(wide, ONE)
        if found is None:
            waited += 1
            found = await hold(books, wide, ONE)
        await asyncio.sleep(0.001)
        books.settle(found, ONE)

    assert database.writes < 60
    assert waited < 40
    await books.close()


async def test_what_a_crash_may_lose_is_small_beside_what_is_left() -> None:
    database = opened()
    books = await ledger(database)
    wide = Scope("day", "the day", 16_000)
    await asyncio.gather(*(hold(books, (wide,), ONE) for _ in range(5)))

    assert row(database, "day").reserved_nano <= 1_000 + 500
    await books.close()


async def test_an_idle_slice_goes_back_after_two_seconds() -> None:
    database = opened()
    books = await ledger(database)
    books.release(await hold(books, (MONTH,), ONE))
    await asyncio.sleep(1)
    leased = row(database, "month").reserved_nano
    await asyncio.sleep(2)

    assert leased > 0
    assert row(database, "month").reserved_nano == 0
    assert slices(database) == []
    await books.close()


async def test_the_rollup_takes_bills_and_keeps_apart_what_is_unpriced() -> None:
    database = opened()
    books = await ledger(database)
    who = Dimensions("2025-11-24", "support", "key", "ann", "mail", "m")
    for usage in (Usage(7, 3, cached=2), UNKNOWN, None):
        found = await books.reserve((DAY,), ONE, who, deadline_us=soon_us())
        assert isinstance(found, Hold)
        if usage is None:
            books.keep(found)
        else:
            books.settle(found, Amount(40, 10), usage)
    await books.flush()
    await books.close()

    [(_, sums)] = database.read_now(lambda tx: report(tx, Question(("user_id",))))
    assert sums == Tally(3, 7, 3, 2, reserved_nano=100, settled_nano=80, unpriced_calls=1)


async def test_records_are_written_in_the_transaction_that_settles_them_or_both_are_not() -> None:
    database = opened()
    books = await ledger(database)
    books.settle(await hold(books, (DAY,), ONE), ONE)

    def broken(_: Tx) -> None:
        raise StoreFull("no room")

    with pytest.raises(StoreFull):
        await books.flush(broken)
    before = row(database, "day")
    await books.flush(
        lambda tx: tx.execute(
            "INSERT INTO owners (id, host, pid, born, started_us, expires_us) VALUES ('record', '', 1, '', 0, 0)"
        )
    )

    assert (before.settled_nano, row(database, "day").settled_nano) == (0, 100)
    assert database.read_now(lambda tx: tx.row("SELECT 1 FROM owners WHERE id = 'record'"))
    await books.close()


async def test_changes_whose_write_is_in_doubt_are_applied_once() -> None:
    database = counting()
    books = await ledger(database)
    books.settle(await hold(books, (DAY, FREE), ONE), Amount(30, 4))
    database.fails_after = True
    with pytest.raises(StoreFull):
        await books.flush()
    database.fails_after = False
    books.settle(await hold(books, (DAY, FREE), ONE), Amount(5, 1))
    await books.flush()
    await books.flush()

    assert row(database, "all").settled_nano == row(database, "day").settled_nano == 35
    await books.close()
    assert row(database, "day").reserved_nano == 0


async def test_changes_handed_out_come_from_nobody_else_until_they_are_done_or_restored() -> None:
    database = opened()
    books = await ledger(database)
    books.settle(await hold(books, (DAY,), ONE), ONE)
    first, second = books.changes(), books.changes()
    books.restore(first)
    third = books.changes()
    alive = database.write_now(third.apply)
    books.done(third, alive)

    assert first
    assert not second
    assert third is first
    assert row(database, "day").settled_nano == 100
    assert not books.changes()
    await books.close()


async def test_a_budget_that_cannot_be_read_lets_nothing_through() -> None:
    database = counting()
    books = await ledger(database)
    database.fails_before = True
    with pytest.raises(StoreFull):
        await books.reserve((DAY,), ONE, deadline_us=soon_us())
    database.fails_before = False
    await asyncio.sleep(1)

    books.release(await hold(books, (DAY,), ONE))
    await books.close()


async def test_closing_refuses_those_who_wait_and_twice_is_once() -> None:
    database = opened()
    books = await ledger(database)
    small = Scope("key", "the key", 100)
    kept = await hold(books, (small,), ONE)
    waiting = asyncio.create_task(refusal(books, (small,), ONE))
    await asyncio.sleep(0.01)
    await books.close()
    await books.close()
    late = await refusal(books, (FREE,), ONE)
    books.settle(kept, ONE)

    assert (await waiting).passing
    assert late.passing
    assert books.try_reserve((FREE,), ONE) is None
    # The call under way at the end may have been billed.
    assert (row(database, "key").reserved_nano, row(database, "key").lost_nano) == (100, 100)
    assert database.read_now(lambda tx: tx.rows("SELECT * FROM owners")) == []
    bury_all(database)
    assert row(database, "key").lost_nano == 100
