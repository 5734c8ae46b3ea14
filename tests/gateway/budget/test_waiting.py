"""Who waits for a budget: in order, not for ever, never in vain, and without leaving anything behind."""

import asyncio

import pytest

from airworthy.gateway.budget import Amount, Exceeded, Hold, Ledger, Scope
from tests.gateway.budget.kit import hold, ledger, opened, refusal, row, soon_us

SMALL = Scope("key", "the key", 100)
ONE = Amount(100, 10)


async def test_who_waits_is_served_when_a_bill_is_smaller_than_feared() -> None:
    books = await ledger(opened())
    first = await hold(books, (SMALL,), Amount(80))
    waiting = asyncio.create_task(hold(books, (SMALL,), Amount(70)))
    await asyncio.sleep(3)
    books.settle(first, Amount(20))
    await asyncio.sleep(0)

    books.release(await waiting)
    await books.close()


async def test_the_first_to_come_is_the_first_served_and_a_small_call_does_not_pass_a_large_one() -> None:
    books = await ledger(opened())
    first = await hold(books, (SMALL,), Amount(60))
    order: list[int] = []

    async def one(nano: int) -> None:
        found = await hold(books, (SMALL,), Amount(nano))
        order.append(nano)
        await asyncio.sleep(1)
        books.release(found)

    tasks = []
    for nano in (90, 30, 20, 95):
        tasks.append(asyncio.create_task(one(nano)))
        await asyncio.sleep(0.1)
    jumped = books.try_reserve((SMALL,), Amount(5))
    books.release(first)
    await asyncio.gather(*tasks)

    assert jumped is None
    assert order == [90, 30, 20, 95]
    await books.close()


async def test_what_lies_free_is_not_for_a_newcomer_while_others_wait_for_more() -> None:
    books = await ledger(opened())
    first, second = await hold(books, (SMALL,), Amount(60)), await hold(books, (SMALL,), Amount(40))
    waiting = asyncio.create_task(hold(books, (SMALL,), Amount(90)))
    await asyncio.sleep(0.1)
    books.settle(first, Amount(0))
    jumped = books.try_reserve((SMALL,), Amount(5))
    books.settle(second, Amount(0))

    assert jumped is None
    books.release(await waiting)
    await books.close()


async def test_who_waits_in_one_scope_does_not_pass_an_older_one_in_another() -> None:
    books = await ledger(opened())
    other = Scope("other", "another key", 100)
    in_small = await hold(books, (SMALL,), ONE)
    in_other = [await hold(books, (other,), Amount(60)), await hold(books, (other,), Amount(40))]
    older = asyncio.create_task(hold(books, (other,), Amount(90)))
    await asyncio.sleep(0.1)
    younger = asyncio.create_task(hold(books, (SMALL, other), Amount(20)))
    await asyncio.sleep(0.1)
    books.release(in_other[0])
    books.release(in_small)
    await asyncio.sleep(0.1)
    passed = younger.done()
    books.release(in_other[1])
    found = await older
    books.release(found)
    books.release(await younger)

    assert not passed
    await books.close()


async def test_callers_of_another_scope_do_not_wait_behind_them() -> None:
    books = await ledger(opened())
    other, shared = Scope("other", "another key", 1_000), Scope("day", "the day", 10_000)
    first = await hold(books, (SMALL, shared), ONE)
    waiting = asyncio.create_task(hold(books, (SMALL, shared), ONE))
    await asyncio.sleep(1)
    beside = await hold(books, (other, shared), ONE, seconds=0.1)
    books.release(first)

    for found in (await waiting, beside):
        books.release(found)
    await books.close()


async def test_who_waits_too_long_is_told_what_stood_in_the_way() -> None:
    books = await ledger(opened())
    first = await hold(books, (SMALL,), ONE)
    began_us = soon_us(0)
    why = await refusal(books, (SMALL,), ONE, seconds=7)

    assert soon_us(0) - began_us == 7_000_000
    assert why.passing
    assert "the key" in why.text
    books.release(first)
    await books.close()


async def test_what_can_never_fit_is_refused_at_once_and_so_is_everybody_like_it() -> None:
    books = await ledger(opened())
    began_us = soon_us(0)
    answers = await asyncio.gather(*(refusal(books, (SMALL,), Amount(101)) for _ in range(50)))

    assert soon_us(0) == began_us
    assert {answer.passing for answer in answers} == {False}
    await books.close()


async def test_those_who_fit_are_not_refused_with_one_who_does_not() -> None:
    books = await ledger(opened())
    first = await hold(books, (SMALL,), Amount(60))
    large = asyncio.create_task(refusal(books, (SMALL,), Amount(101)))
    fitting = asyncio.create_task(hold(books, (SMALL,), Amount(40)))

    assert not (await large).passing
    for found in (first, await fitting):
        books.release(found)
    await books.close()


async def test_the_queue_is_bounded() -> None:
    books = await ledger(opened(), waiting_max=3)
    first = await hold(books, (SMALL,), ONE)
    waiting = [asyncio.create_task(refusal(books, (SMALL,), ONE, seconds=5)) for _ in range(3)]
    await asyncio.sleep(0.1)
    began_us = soon_us(0)
    why = await refusal(books, (SMALL,), ONE, seconds=5)

    assert (why.text, why.passing) == ("3 calls wait for their budgets.", True)
    assert soon_us(0) == began_us
    await asyncio.gather(*waiting)
    books.release(first)
    books.release(await hold(books, (SMALL,), ONE))
    await books.close()


async def test_who_gives_up_is_in_nobodys_way() -> None:
    books = await ledger(opened())
    wide = Scope("day", "the day", 1_000)
    first = await hold(books, (SMALL, wide), Amount(60))
    waiting = asyncio.create_task(hold(books, (SMALL, wide), Amount(90)))
    behind = asyncio.create_task(hold(books, (SMALL, wide), Amount(40)))
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.wait([waiting])
    began_us = soon_us(0)
    found = await behind
    books.release(found)
    assert soon_us(0) == began_us

    again = books.try_reserve((SMALL, wide), Amount(40))
    assert isinstance(again, Hold)
    for one in (first, again):
        books.release(one)
    await books.close()


@pytest.mark.parametrize("turns", range(6))
async def test_who_gives_up_in_the_moment_of_being_served_leaves_nothing_held(turns: int) -> None:
    database = opened()
    books = await ledger(database)
    first = await hold(books, (SMALL,), ONE)
    waiting = asyncio.create_task(hold(books, (SMALL,), ONE))
    await asyncio.sleep(1)
    books.release(first)
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    if not waiting.cancelled():
        books.release(waiting.result())
    await books.close()

    assert (row(database, "key").reserved_nano, row(database, "key").lost_nano) == (0, 0)


async def test_a_waiter_short_in_several_scopes_is_served_when_the_last_of_them_is_free() -> None:
    books = await ledger(opened())
    other = Scope("other", "another key", 100)
    first, second = await hold(books, (SMALL,), ONE), await hold(books, (other,), ONE)
    both = asyncio.create_task(hold(books, (SMALL, other), ONE))
    await asyncio.sleep(1)
    books.release(second)
    await asyncio.sleep(1)
    assert not both.done()
    books.release(first)

    books.release(await both)
    await books.close()


async def test_on_four_processes_the_money_for_n_calls_pays_for_n_calls() -> None:
    n, database = 40, opened()
    scope, month = Scope("day", "the day", n * 100), Scope("month", "the month", 10**6)
    ledgers = [await ledger(database, f"gw{number}") for number in range(4)]
    sent = 0

    async def one(books: Ledger) -> None:
        nonlocal sent
        found = await books.reserve((scope, month), ONE, deadline_us=soon_us(60))
        if isinstance(found, Exceeded):
            return
        sent += 1
        await asyncio.sleep(0.5)
        books.settle(found, ONE)

    await asyncio.gather(*(one(ledgers[number % 4]) for number in range(8 * n)))
    for books in ledgers:
        await books.close()

    assert sent == n
    assert row(database, "day").settled_nano == n * 100


@pytest.mark.parametrize("seed", range(3))
async def test_small_bills_make_room_for_more_calls_on_every_process(seed: int) -> None:
    """Calls fear 100 and cost 25: at least three quarters of what the money pays for get through."""
    n, database = 40, opened()
    scope = Scope("day", "the day", n * 25)
    ledgers = [await ledger(database, f"gw{number}") for number in range(1 + seed)]
    sent = 0

    async def one(books: Ledger) -> None:
        nonlocal sent
        found = await books.reserve((scope,), ONE, deadline_us=soon_us(60))
        if isinstance(found, Exceeded):
            return
        sent += 1
        await asyncio.sleep(0.5)
        books.settle(found, Amount(25, 10))

    await asyncio.gather(*(one(ledgers[number % len(ledgers)]) for number in range(8 * n)))
    for books in ledgers:
        await books.close()

    assert 0.75 * n <= sent <= n
    assert row(database, "day").settled_nano == sent * 25
