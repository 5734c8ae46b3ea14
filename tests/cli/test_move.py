"""`move`: whatever is stored is in the other database, however often it was broken off, and nothing else is."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airworthy.app.build import MIGRATIONS, opened
from airworthy.app.config import Config
from airworthy.core.errors import ConfigError
from airworthy.recorder.traces.filter import parse
from airworthy.recorder.traces.find import find
from airworthy.recorder.traces.read import spans_of
from airworthy.store import Database, PostgresDatabase, SQLiteDatabase, Tx, lease
from airworthy.store.catalog import tables
from tests.cli.conftest import Airworthy
from tests.database import fresh
from tests.recorder.traces.kit import NOON_US, put, span

DAY_US = 86_400_000_000
# The first lies before all days that have a part of their own.
TRACES = {"a" * 32: NOON_US, "b" * 32: NOON_US + 200 * DAY_US}


@pytest.fixture
def here(airworthy: Airworthy, folder: Path) -> Path:
    """A file with tasks of ours, one that waits among them, and traces of two days from elsewhere."""
    path = folder / "here.db"
    for text in ("look Rückgabe", "pay bob", "hello \\0 there"):
        airworthy("submit", "--input", text, "--database", str(path))
    assert airworthy("run", "--until-idle", "--database", str(path)).code == 0
    database = SQLiteDatabase(path)
    for trace, at_us in TRACES.items():
        spans = [
            span(n, trace_id=trace, started_us=at_us + n, text=f"word{n} of {trace[:3]}") for n in (1, 2, 3)
        ]
        put(database, spans[:2], at_us + DAY_US)
        put(database, spans[2:], at_us + DAY_US)
    database.write_now(lambda tx: tx.execute("UPDATE spans SET chunk = 0, part = -1 WHERE name = 'step 3'"))
    database.close()
    return path


def rows(database: Database) -> dict[str, int]:
    found = {}
    for name in database.read_now(lambda tx: tables(tx, database.dialect)):
        count = database.read_now(lambda tx, name=name: tx.rows(f"SELECT COUNT(*) FROM {name}"))[0][0]  # type: ignore[misc]
        if count and name not in (
            "migrations",
            "commits",
            "owners",
            "claims",
            "sweeps",
            "texts",
            "audit",
            "audit_head",
        ):
            found[name] = count
    return found


def words(database: Database, text: str) -> list[str]:
    return [row.id for row in database.read_now(lambda tx: find(tx, parse(text, NOON_US), limit=10)).rows]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The n-th write from now on ends the process: by turns before it is stored, and after, before anybody hears."""
    after = [1_000_000]
    real = PostgresDatabase.write_now

    def write_now(self: PostgresDatabase, op: Callable[[Tx], Any]) -> Any:
        after[0] -= 1
        if after[0] == 0:
            raise SystemExit(9)
        result = real(self, op)
        if after[0] == 1 and len(after) % 2:
            after.append(0)
            raise SystemExit(9)
        return result

    monkeypatch.setattr(PostgresDatabase, "write_now", write_now)
    return after


def test_all_is_moved_through_any_crash_and_is_used_there_and_moves_back(
    airworthy: Airworthy, here: Path, folder: Path, broken: list[int]
) -> None:
    url = fresh(migrated=True)
    before = here.read_bytes()
    for tries in range(4):
        broken[0] = (3, 7, 4, 1_000_000)[tries]
        try:
            said = airworthy("move", "--from", f"sqlite:{here.name}", "--to", url, "--json")
        except SystemExit:
            refused = airworthy("status", "--database", url)
            assert (refused.code, "move into this database has not ended" in refused.err) == (3, True)

    assert said.code == 0, said.err
    assert said.json["resumed"]
    assert here.read_bytes() == before

    source, target = SQLiteDatabase(here), PostgresDatabase(url)
    try:
        assert rows(target) == rows(source)
        assert sum(rows(source).values()) == said.json["rows"] - 1  # The head of an empty log of audits.
        for text in ("word1", "word2", "ruckgabe", "hello"):
            assert words(target, text) == words(source, text) != []
        for trace in TRACES:
            assert target.read_now(lambda tx, t=trace: spans_of(tx, t)) == source.read_now(  # type: ignore[misc]
                lambda tx, t=trace: spans_of(tx, t)  # type: ignore[misc]
            )
        # What is new goes behind what was moved, and finds what was there.
        put(target, [span(4, trace_id="a" * 32, started_us=NOON_US + 4, text="word4")], NOON_US + DAY_US)
        put(
            target, [span(1, trace_id="c" * 32, started_us=NOON_US + 209 * DAY_US, text="word4", agent="new")]
        )
        assert words(target, "word4") == ["c" * 32, "a" * 32]
    finally:
        source.close()
        target.close()
    assert airworthy("run", "--until-idle", "--database", url).code == 0
    assert airworthy("audit", "verify", "--database", url).code == 0
    assert airworthy("audit", "list", "--database", url, "--json").lines[-1]["what"] == "database.move"

    back = airworthy("move", "--from", url, "--to", "sqlite:back.db", "--json")
    assert back.code == 0, back.err
    again, there = SQLiteDatabase(folder / "back.db"), PostgresDatabase(url)
    try:
        assert rows(again) == rows(there)
        assert words(again, "word4") == ["c" * 32, "a" * 32]
        assert words(again, "ruckgabe") == words(there, "ruckgabe") != []
    finally:
        again.close()
        there.close()


def test_a_target_with_other_data_is_refused_and_stays_as_it_is(airworthy: Airworthy, here: Path) -> None:
    url = fresh(migrated=True)
    airworthy("submit", "--input", "mine", "--database", url)
    said = airworthy("move", "--from", f"sqlite:{here}", "--to", url)

    assert said.code == 3
    assert "has data already" in said.err
    assert len(airworthy("task", "list", "--json", "--database", url).lines) == 1


def test_a_server_that_only_seems_to_lock_is_refused_as_a_target(
    airworthy: Airworthy, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check_turns(_: PostgresDatabase) -> None:
        raise ConfigError("It gives one lock to two at once.", mend="Use PostgreSQL itself.")

    monkeypatch.setattr(PostgresDatabase, "check_turns", check_turns)
    said = airworthy("move", "--from", f"sqlite:{here}", "--to", fresh())

    assert said.code == 2
    assert "gives one lock to two" in said.err


def test_nothing_is_moved_while_somebody_works_on_the_source_unless_told(
    airworthy: Airworthy, here: Path
) -> None:
    database = SQLiteDatabase(here)
    with opened(Config(here.parent, here.name)) as app:
        owner = lease.Owner("wkr_1", "elsewhere", 7, "", "worker", "red", "0.1")
        database.write_now(lambda tx: lease.join(tx, owner, app.clock.now_us()))
    database.close()
    url = fresh(migrated=True)

    said = airworthy("move", "--from", f"sqlite:{here}", "--to", url)
    told = airworthy("move", "--from", f"sqlite:{here}", "--to", url, "--despite-workers")

    assert said.code == 3
    assert re.search(r"at work on .*here\.db: worker \(pid 7 on red", said.err)
    assert told.code == 0, told.err
    assert "are the same on both sides" in told.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--from", "sqlite:none.db", "--to", "postgresql://x@127.0.0.1:1/x"), 2, "There is no database"),
        (("--from", "sqlite", "--to", "sqlite"), 2, "Both are"),
        (("--from", "mysql://x@y/z", "--to", "sqlite"), 2, "is no database that can be moved"),
        (("--from", "sqlite", "--to", "postgresql"), 2, "names a PostgreSQL"),
        (("--from", "sqlite:here.db", "--to", "postgresql://x:pw-secret@127.0.0.1:1/x"), 3, "did not answer"),
    ],
)
def test_what_cannot_be_moved_is_said(
    arguments: tuple[str, ...],
    code: int,
    says: str,
    airworthy: Airworthy,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AIRWORTHY_DATABASE", raising=False)
    if "sqlite:here.db" in arguments:
        airworthy("submit", "--input", "x", "--database", "here.db")
    said = airworthy("move", *arguments)

    assert said.code == code, said.err
    assert says in said.err
    assert "pw-secret" not in said.out + said.err


def test_a_source_of_an_older_version_is_brought_to_this_one_first(airworthy: Airworthy, here: Path) -> None:
    with sqlite3.connect(here) as raw:
        raw.execute("DELETE FROM migrations WHERE room = 'preflight' AND number = 5")
    raw.close()
    said = airworthy("move", "--from", f"sqlite:{here}", "--to", fresh(migrated=True))

    assert said.code == 3
    assert "it lacks preflight 5" in said.err
    assert any((each.room, each.number) == ("preflight", 5) for each in MIGRATIONS)
