"""Stored keys: listed, revoked once, and followed by their versions."""

from functools import partial

import pytest

from airworthy.core.clock import ManualClock
from airworthy.gateway import keys
from airworthy.gateway.budget.scopes import KeyBudgets
from airworthy.gateway.keys import KeyFilter, NewKey, UnknownKey, book
from airworthy.store import StoreError, Tx
from tests.gateway.keys.kit import made, seeded, store


def test_a_key_comes_back_as_it_was_made() -> None:
    database, clock = store(), ManualClock()
    new = NewKey(
        "support", "u1", "refunds", "nightly job", 5, KeyBudgets(0.1, 2.5, 9_999_999.123456789, 4, 5),
        clock.now_us() + 10,
    )  # fmt: skip
    _, key = made(database, clock, seeded(), new)

    (found,) = database.read_now(lambda tx: keys.keys(tx, KeyFilter(clock.now_us())))

    assert found == key
    assert found.budgets == KeyBudgets(0.1, 2.5, 9_999_999.123456789, 4, 5)


def test_the_secret_is_nowhere_in_the_store() -> None:
    database = store()
    secret, _ = made(database, ManualClock(), seeded())

    rows = database.read_now(lambda tx: tx.rows("SELECT * FROM gateway_keys"))

    assert secret[11:] not in repr(rows)


def test_lists_hold_what_is_good_newest_first_and_the_rest_when_asked() -> None:
    database, clock, ids = store(), ManualClock(), seeded()
    first = made(database, clock, ids)[1]
    expiring = made(database, clock, ids, NewKey("support", expires_us=clock.now_us() + 1_000_000))[1]
    other = made(database, clock, ids, NewKey("billing"))[1]
    clock.advance(1)
    last = made(database, clock, ids)[1]
    database.write_now(lambda tx: keys.revoke(tx, first.id, clock.now_us()))

    def listed(**wanted: object) -> list[str]:
        query = KeyFilter(clock.now_us(), **wanted)  # type: ignore[arg-type]
        return [key.id for key in database.read_now(lambda tx: keys.keys(tx, query))]

    assert listed()[0] == last.id
    assert set(listed()) == {last.id, other.id}
    assert listed(agent="billing") == [other.id]
    assert set(listed(every=True)) == {first.id, expiring.id, other.id, last.id}
    assert listed(limit=1) == [last.id]


def test_revoking_twice_is_once_and_keeps_the_first_moment() -> None:
    database, clock = store(), ManualClock()
    _, key = made(database, clock, seeded())
    at_us = clock.now_us()

    first = database.write_now(lambda tx: keys.revoke(tx, key.id, at_us))
    again = database.write_now(lambda tx: keys.revoke(tx, key.id, at_us + 5))

    assert (first[1], again[1]) == (True, False)
    assert again[0].revoked_us == at_us


@pytest.mark.parametrize("kind", ["id", "beginning", "secret", "secret and run"])
def test_a_key_is_revoked_by_what_a_person_has_of_it(kind: str) -> None:
    database, clock = store(), ManualClock()
    secret, key = made(database, clock, seeded())
    part = {"id": key.id, "beginning": key.id[:6], "secret": secret, "secret and run": f"{secret}.run_1"}[
        kind
    ]

    revoked, was_good = database.write_now(lambda tx: keys.revoke(tx, part, clock.now_us()))

    assert (revoked.id, was_good) == (key.id, True)


@pytest.mark.parametrize("part", ["", "aw_", "aw_%", "aw_zzzzzz", "' OR 1=1 --", "aw_" + "z" * 32])
def test_an_unknown_id_revokes_nothing_and_a_secret_is_not_repeated(part: str) -> None:
    database, clock = store(), ManualClock()
    made(database, clock, seeded())

    with pytest.raises(UnknownKey) as raised:
        database.write_now(lambda tx: keys.revoke(tx, part, clock.now_us()))

    assert "z" * 32 not in str(raised.value)


def test_a_beginning_that_several_keys_share_revokes_none() -> None:
    database, clock, ids = store(), ManualClock(), seeded()
    keys_made = [made(database, clock, ids)[1] for _ in range(2)]

    def rename(tx: Tx) -> None:
        for number, key in enumerate(keys_made):
            tx.execute("UPDATE gateway_keys SET id = ? WHERE id = ?", (f"aw_same{number}", key.id))

    database.write_now(rename)

    with pytest.raises(UnknownKey, match="several"):
        database.write_now(lambda tx: keys.revoke(tx, "aw_same", clock.now_us()))


def test_two_keys_that_begin_alike_cannot_both_be_stored() -> None:
    database, clock = store(), ManualClock()
    made(database, clock, seeded(1))

    with pytest.raises(StoreError):
        made(database, clock, seeded(1))


def test_changes_are_told_once_and_use_is_no_change() -> None:
    database, clock, ids = store(), ManualClock(), seeded()
    key = made(database, clock, ids)[1]
    first, version = database.read_now(lambda tx: book.changed(tx, 0))
    database.write_now(lambda tx: book.touch(tx, [key.id], "2026-11-24"))
    none, same = database.read_now(lambda tx: book.changed(tx, version))
    database.write_now(lambda tx: keys.revoke(tx, key.id, clock.now_us()))
    revoked, _ = database.read_now(lambda tx: book.changed(tx, version))

    assert [key.id for key in first] == [key.id]
    assert (none, same) == ([], version)
    assert revoked[0].revoked_us == clock.now_us()
    assert revoked[0].used_day == "2026-11-24"


def test_the_day_of_use_never_goes_back() -> None:
    database = store()
    key = made(database, ManualClock(), seeded())[1]

    for day in ("2026-11-24", "2026-11-23"):
        database.write_now(partial(book.touch, ids=[key.id], day=day))

    assert database.read_now(lambda tx: book.changed(tx, 0))[0][0].used_day == "2026-11-24"
