"""When the database fails, every command says what is wrong and how to mend it, and exits with 3."""

import functools
import sqlite3
from pathlib import Path

import pytest

from airworthy.store import SQLiteDatabase, StoreError, StoreFull
from tests.cli.conftest import Airworthy
from tests.database import opened_at

COMMANDS = [
    ("task", "list"),
    ("run", "--until-idle"),
    ("submit", "--input", "x"),
    ("status",),
    ("pause", "--all"),
]


def _ids(command: tuple[str, ...]) -> str:
    return " ".join(command[:2])


@pytest.mark.sqlite("a file can be something else")
@pytest.mark.parametrize("command", COMMANDS, ids=_ids)
def test_a_file_that_is_no_database_is_left_alone(
    command: tuple[str, ...], airworthy: Airworthy, folder: Path
) -> None:
    (folder / "airworthy.db").write_bytes(b"certainly no database, but somebody's thesis" * 100)

    said = airworthy(*command)

    assert said.code == 3
    assert "not a database" in said.err
    assert "do not delete it" in said.err
    assert (folder / "airworthy.db").read_bytes().startswith(b"certainly")


@pytest.mark.sqlite("a file needs a place")
@pytest.mark.parametrize("command", COMMANDS, ids=_ids)
def test_a_place_that_cannot_be_written_is_told(
    command: tuple[str, ...], airworthy: Airworthy, folder: Path
) -> None:
    """A folder in the database's place: even root cannot write that."""
    (folder / "airworthy.db").mkdir()

    said = airworthy(*command)

    assert said.code == 3
    assert "cannot be opened or made" in said.err
    assert "--database" in said.err


@pytest.mark.sqlite("a file needs a folder")
def test_a_database_in_a_missing_folder_is_told(airworthy: Airworthy) -> None:
    said = airworthy("submit", "--input", "x", "--database", "no/such/folder.db")

    assert said.code == 3
    assert "mkdir -p" in said.err


@pytest.mark.sqlite("a file is locked whole")
def test_a_locked_database_is_told_after_the_bound(
    airworthy: Airworthy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    airworthy("submit", "--input", "x")
    hasty = functools.partial(SQLiteDatabase, busy_s=0.01)
    monkeypatch.setattr("airworthy.app.build.SQLiteDatabase", hasty)  # half a minute is the real bound

    with sqlite3.connect(folder / "airworthy.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        said = airworthy("submit", "--input", "y")
        other.execute("ROLLBACK")
    other.close()

    assert said.code == 3
    assert "locked by another process" in said.err
    assert said.out == ""


@pytest.mark.parametrize("method", ["write", "read"])
def test_a_store_that_fails_under_a_worker_stops_it_and_loses_nothing(
    method: str, airworthy: Airworthy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk cannot be had on demand, so the engine says it is full once the worker has begun."""
    id_ = airworthy("submit", "--input", "hello").word

    async def full(*_: object, **__: object) -> None:
        raise StoreFull("No room to write the database.", mend="Free disk space.")

    with monkeypatch.context() as patched:
        patched.setattr(f"airworthy.store.grouped.GroupedDatabase.{method}", full)
        said = airworthy("run", "--until-idle")
    airworthy("run", "--until-idle")

    assert said.code == 3
    assert "No room to write the database" in said.err
    assert "Traceback" not in said.err
    assert airworthy("task", "wait", id_).out == "echo hello\n"


def test_a_database_of_a_newer_version_is_told(airworthy: Airworthy, folder: Path) -> None:
    airworthy("submit", "--input", "x")
    other = opened_at(folder)
    later = "INSERT INTO migrations (room, number, name, breaks) VALUES ('store', 99, 'later', 1)"
    other.write_now(lambda tx: tx.execute(later))
    other.close()

    said = airworthy("task", "list")

    assert said.code == 3
    assert "newer" in said.err


def test_every_store_error_has_words_for_a_person() -> None:
    assert all(kind("what", mend="how").mend for kind in StoreError.__subclasses__())


@pytest.mark.sqlite("a file is made by whoever writes first")
def test_a_command_that_only_looks_makes_no_database(airworthy: Airworthy, folder: Path) -> None:
    for command in (
        ("task", "list"),
        ("status",),
        ("outbox", "list"),
        ("dead-letter", "list"),
        ("resume", "--all"),
    ):
        assert airworthy(*command).code == 2

    assert not list(folder.glob("*.db"))
