"""The shop is the same for the same seed and holds the people and orders that the letters refer to."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from airworthy.demo import shop, stock


@pytest.fixture
def rows() -> Iterator[sqlite3.Connection]:
    with closing(shop.in_memory(7)) as connection:
        yield connection


def _made(seed: int) -> list[str]:
    with closing(shop.in_memory(seed)) as connection:
        return _dump(connection)


def _dump(connection: sqlite3.Connection) -> list[str]:
    return list(connection.iterdump())


def test_one_seed_makes_one_shop() -> None:
    assert _made(7) == _made(7)
    assert _made(7) != _made(8)


def test_the_shop_has_the_size_it_promises(rows: sqlite3.Connection) -> None:
    for table, count in (("customers", 60), ("products", 40), ("orders", 150), ("policies", 10)):
        assert rows.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == count, table


def test_filling_a_shop_twice_fails_and_changes_nothing(rows: sqlite3.Connection) -> None:
    before = _dump(rows)

    with pytest.raises(sqlite3.OperationalError):
        shop.build(rows, 7)

    rows.execute("ROLLBACK")
    assert _dump(rows) == before


def test_two_customers_with_mirrored_names_keep_their_own_orders(rows: sqlite3.Connection) -> None:
    (meyer,) = shop.customers_by_email(rows, "anna.meyer-schmidt@example.com")
    (schmidt,) = shop.customers_by_email(rows, "Anna.Schmidt-Meyer@example.com")
    assert isinstance(meyer["id"], int)
    assert isinstance(schmidt["id"], int)

    assert [order["id"] for order in shop.orders_of(rows, meyer["id"])] == [1001]
    assert [order["id"] for order in shop.orders_of(rows, schmidt["id"])] == [1002]


def test_the_odd_cases_exist(rows: sqlite3.Connection) -> None:
    statuses = {row[0] for row in rows.execute("SELECT status FROM orders")}
    debts = rows.execute("SELECT count(*) FROM customers WHERE balance_cents < 0").fetchone()[0]
    names = [row[0] for row in rows.execute("SELECT name FROM customers")]

    assert statuses == set(shop.STATUS_TEXT) == set(shop.STATUS_BEFORE)
    assert debts == 1
    assert any(not name.isascii() for name in names)
    assert [product["discontinued"] for product in shop.products(rows, "wall clock")] == [True]


@pytest.mark.parametrize("seed", range(5))
def test_nobody_has_paid_for_an_order_that_is_not_paid(seed: int) -> None:
    wrong = (
        "SELECT count(*) FROM orders WHERE (paid_cents = 0) != (status IN ('awaiting_payment', 'cancelled'))"
    )

    with closing(shop.in_memory(seed)) as connection:
        assert connection.execute(wrong).fetchone()[0] == 0


@pytest.mark.parametrize(
    ("order_id", "amount_cents", "reason"),
    [
        (1001, 500, None),
        (1001, 10_000_000, "more_than_paid"),
        (1001, 0, "amount_not_positive"),
        (1003, 500, "order_not_paid"),
        (1005, 500, "order_not_paid"),
        (1008, 500, "already_refunded"),
        (9999, 500, "unknown_order"),
    ],
)
def test_a_refund_is_refused_with_its_reason(
    rows: sqlite3.Connection, order_id: int, amount_cents: int, reason: str | None
) -> None:
    assert shop.refund_refusal(rows, order_id, amount_cents) == reason


def test_a_search_needs_every_word(rows: sqlite3.Connection) -> None:
    assert [found["name"] for found in shop.products(rows, "harbour mug")] == ["Harbour Mug"]
    assert len(shop.products(rows, "harbour")) == 2
    assert shop.products(rows, "harbour submarine") == []
    assert shop.products(rows, "  ") == []


def test_a_policy_can_be_quoted_whole() -> None:
    for promise in stock.POLICIES:
        assert '"' not in promise.text
        assert "\n" not in promise.text


def test_a_debt_keeps_its_sign() -> None:
    assert [shop.euros(cents) for cents in (1290, 5, -4250, -5)] == [
        "12.90 EUR",
        "0.05 EUR",
        "-42.50 EUR",
        "-0.05 EUR",
    ]
