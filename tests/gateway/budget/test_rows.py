"""The same budgets without a ledger: by row, in the caller's own transaction."""

import pytest

from airworthy.gateway.budget import (
    Amount,
    Dimensions,
    Scope,
    Standing,
    Tally,
    begin_anew,
    keep,
    of_task,
    release,
    report,
    reserve,
    roll,
    settle,
    spent,
)
from airworthy.gateway.budget.rollup import Question
from airworthy.store import Tx
from tests.gateway.budget.kit import opened, row

TASK, DAY = Scope("task:t1", "this task", 100, 20, 2), Scope("day", "the day")
ONE = Amount(60, 15)


@pytest.mark.parametrize(
    ("scope", "second", "says"),
    [
        (Scope("s", "it", 100), Amount(41), "cost"),
        (Scope("s", "it", cap_tokens=20), Amount(0, 6), "tokens"),
        (Scope("s", "it", cap_calls=1), Amount(0), "1 model calls were made for it; 1 are allowed"),
    ],
)
def test_each_kind_of_cap_holds_and_nothing_is_reserved_beside_it(
    scope: Scope, second: Amount, says: str
) -> None:
    database = opened()
    first = database.write_now(lambda tx: reserve(tx, (DAY, scope), ONE))
    why = database.write_now(lambda tx: reserve(tx, (DAY, scope), second))

    assert first is None
    assert why is not None
    assert says in why.text
    assert row(database, "day") == Standing(reserved_nano=60, reserved_tokens=15, calls=1)


def test_a_settled_a_released_and_a_kept_call_leave_what_they_should() -> None:
    database = opened()

    def op(tx: Tx) -> None:
        for _ in range(3):
            reserve(tx, (DAY,), ONE)
        settle(tx, (DAY,), ONE, Amount(50, 12))
        release(tx, (DAY,), ONE)
        keep(tx, (DAY,), ONE)

    database.write_now(op)

    assert row(database, "day") == Standing(
        reserved_nano=60, settled_nano=50, lost_nano=60, reserved_tokens=15, settled_tokens=12, lost_tokens=15,
        calls=2,
    )  # fmt: skip


def test_nobody_waits_for_a_bill_that_will_never_come() -> None:
    database = opened()
    database.write_now(lambda tx: reserve(tx, (TASK,), ONE))
    before = database.write_now(lambda tx: reserve(tx, (TASK,), Amount(50)))
    database.write_now(lambda tx: keep(tx, (TASK,), ONE))
    after = database.write_now(lambda tx: reserve(tx, (TASK,), Amount(50)))

    assert before is not None
    assert after is not None
    assert (before.passing, after.passing) == (True, False)


def test_a_task_opened_again_starts_at_nothing_and_its_whole_life_is_remembered() -> None:
    database = opened()

    def op(tx: Tx) -> None:
        reserve(tx, (TASK,), ONE)
        settle(tx, (TASK,), ONE, Amount(50, 12))
        begin_anew(tx, "t1")
        begin_anew(tx, "t1")
        # A worker that was given up for dead must not bring the old row back.
        settle(tx, (TASK,), ONE, Amount(1, 1))
        reserve(tx, (TASK,), Amount(90, 1))

    database.write_now(op)

    assert database.read_now(lambda tx: spent(tx, "task:t1")) == (90, 0)
    assert database.read_now(lambda tx: of_task(tx, "t1")) == 140


def test_a_sum_goes_up_with_a_reservation_and_down_again() -> None:
    database = opened()
    who = Dimensions("2025-11-24", "support", user_id="ann", model="m")

    def op(tx: Tx) -> None:
        roll(tx, who, Tally(calls=1, reserved_nano=60))
        roll(tx, who, Tally(reserved_nano=-60, settled_nano=50, tokens_in=9, tokens_out=3, cached=1))

    database.write_now(op)

    assert database.read_now(lambda tx: report(tx, Question(("agent", "model"), agent="support"))) == [
        (("support", "m"), Tally(1, 9, 3, 1, 0, 50, 0))
    ]
    assert database.read_now(lambda tx: report(tx, Question(("day",), since="2025-11-25"))) == []
