"""What becomes of each table is declared: a new one cannot be forgotten, and no declaration is of what is not there."""

import re

import pytest

from airworthy.app.holdings import HOLDINGS
from airworthy.recorder.holdings import Holding, Whose, bound, change, tables_of, undeclared
from airworthy.store import Database, Tx
from tests.database import lasting, migrated

_COLUMNS = {
    "sqlite": "SELECT name FROM pragma_table_info(?)",
    "postgresql": "SELECT column_name FROM information_schema.columns WHERE table_name = ?",
}


@pytest.fixture(scope="module")
def database() -> Database:
    with lasting():
        return migrated()


def test_every_table_says_what_retention_and_erasure_do_with_it(database: Database) -> None:
    assert database.read_now(lambda tx: undeclared(tx, HOLDINGS)) == [], (
        "say in the room's holdings.py what the new table holds of people, and what becomes of it"
    )


def test_no_table_is_declared_twice_or_without_being_there(database: Database) -> None:
    declared = [holding.table for holding in HOLDINGS]

    assert sorted(declared) == sorted(database.read_now(tables_of))
    assert len(set(declared)) == len(declared)


@pytest.mark.parametrize("holding", HOLDINGS, ids=lambda holding: holding.table)
def test_what_is_declared_can_be_asked_of_the_table(database: Database, holding: Holding) -> None:
    """Every condition and every change runs, so that none fails on the day somebody asks to be erased."""
    whose = Whose("tsk_1", bytes(16), "ada", 0)
    conditions = [
        each
        for each in (holding.of_task, holding.of_trace, holding.of_user, holding.waits, holding.ages)
        if each
    ]
    keyed = (
        holding.ages or holding.packed or (holding.of_task and holding.words and holding.words != "delete")
    )
    columns = {*holding.told, *holding.packed, *(holding.key.split(", ") if keyed else ())}

    def ask(tx: Tx) -> None:
        for where in conditions:
            sql, values = bound(f"SELECT 1 FROM {holding.table} WHERE {where}", whose)
            tx.rows(sql, values)
        for how in (holding.words, holding.names):
            if not isinstance(how, str) and how:
                change(tx, holding, how, "1 = 0", whose)
        if columns:
            tx.rows(f"SELECT {', '.join(sorted(columns))} FROM {holding.table} LIMIT 1")

    database.write_now(ask)


# A column of such a name holds something of a user, or of staff; this says which of those are staff's.
_OF_STAFF = {
    ("erasures", "by_whom"), ("switches", "by_whom"), ("breakers", "by_whom"), ("review_records", "by_whom"),
    ("review_items", "decided_by"), ("effects", "decided_by"), ("readiness_waivers", "by_whom"),
}  # fmt: skip


def test_every_column_that_names_a_user_is_emptied_by_erasure(database: Database) -> None:
    def named(tx: Tx) -> set[tuple[str, str]]:
        return {
            (table, name)
            for table in tables_of(tx)
            for (name,) in tx.rows(_COLUMNS[tx.dialect], (table,))
            if re.fullmatch(r"user|user_id|whom|owner|by_whom|session|recipient", name)
        }

    # Leases of processes, and rows that live only as long as a task is open.
    of_machines = {("claims", "owner"), ("slices", "owner"), ("ledgers", "owner"), ("waiting", "user_id"),
                   ("under_way", "user_id"), ("notice_deliveries", "recipient"), ("notice_messages", "recipient"),
                   ("spend_rollup", "user_id"), ("gateway_keys", "user_id")}  # fmt: skip
    emptied = set()
    for holding in HOLDINGS:
        for how in (holding.words, holding.names):
            if isinstance(how, str):
                emptied |= {
                    (holding.table, name)
                    for table, name in database.read_now(named)
                    if table == holding.table
                }
            else:
                emptied |= {(holding.table, name.strip('"')) for name in how}

    assert database.read_now(named) - emptied - _OF_STAFF - of_machines == set()
