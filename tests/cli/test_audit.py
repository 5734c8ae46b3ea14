"""`audit`: a log from the shell, a file beside the database that remembers it, and what either of them finds."""

import hashlib
import json
from pathlib import Path

import pytest

from airworthy.recorder import audit
from airworthy.store import Tx
from tests.cli.conftest import Airworthy
from tests.database import opened_at


@pytest.fixture
def noted(airworthy: Airworthy) -> Airworthy:
    """Three rows."""
    for name in ("dana", "erik", "vera"):
        airworthy("user", "add", name, "--role", "viewer")
    return airworthy


def change(folder: Path, *statements: str) -> None:
    database = opened_at(folder)
    database.write_now(lambda tx: [tx.execute(statement) for statement in statements])
    database.close()


def head_of(folder: Path) -> Path:
    [file] = folder.glob("*.audit-head")
    return file


def redone(folder: Path) -> None:
    """The log as somebody leaves it who knows how it is chained."""

    def op(tx: Tx) -> None:
        tx.execute("UPDATE audit SET who = 'mallory'")
        before = audit.BEGINNING
        for n, *told, _ in tx.rows("SELECT * FROM audit ORDER BY n"):
            before = audit.digest_after(before, audit.AuditRow(*(n, *told, b"")))
            tx.execute("UPDATE audit SET digest = ? WHERE n = ?", (before, n))
        tx.execute("UPDATE audit_head SET digest = ?", (before,))

    database = opened_at(folder)
    database.write_now(op)
    database.close()


def test_a_log_that_nobody_touched_is_whole(noted: Airworthy, folder: Path) -> None:
    head = noted("audit", "head").word
    said = noted("audit", "verify", "--head", head)

    assert (said.code, "All 3 rows" in said.out) == (0, True)
    assert head_of(folder).read_text() == f"{head}\n"


def test_a_row_that_was_changed_is_named(noted: Airworthy, folder: Path) -> None:
    change(folder, "UPDATE audit SET about = 'nobody' WHERE n = 2")
    said = noted("audit", "verify", "--json")

    assert (said.code, said.json["whole"], said.json["first_broken"]) == (1, False, 2)


def test_a_log_redone_whole_is_found_by_the_file_beside_it_and_told_as_an_alert_unasked(
    noted: Airworthy, folder: Path
) -> None:
    redone(folder)
    noted("status")
    [alert] = noted("alert", "list", "--json").lines

    assert noted("audit", "verify").code == 1
    assert (alert["key"], alert["severity"]) == ("audit", "critical")
    assert "not the one of the head" in alert["text"]


def test_whoever_redoes_the_file_too_is_found_by_a_head_kept_elsewhere_alone(
    noted: Airworthy, folder: Path
) -> None:
    kept = noted("audit", "head").word
    redone(folder)
    head_of(folder).unlink()

    assert noted("audit", "verify").code == 0
    assert noted("audit", "verify", "--head", kept).code == 1


def test_an_older_copy_put_back_is_told_and_can_be_taken_as_it_is(noted: Airworthy, folder: Path) -> None:
    change(
        folder, "DELETE FROM audit WHERE n = 3",
        "UPDATE audit_head SET n = 2, digest = (SELECT digest FROM audit WHERE n = 2)",
    )  # fmt: skip
    cut = noted("audit", "verify")
    noted("audit", "verify", "--accept", "--json")
    after = noted("audit", "verify")

    assert (cut.code, "cut off" in cut.out) == (1, True)
    assert after.code == 0
    assert noted("audit", "list", "--json").lines[0]["what"] == "audit.accept"


def test_a_damaged_file_beside_the_database_is_told_and_stops_no_command(
    noted: Airworthy, folder: Path
) -> None:
    head_of(folder).write_text("rubbish")

    assert noted("status").code == 0
    assert [alert["key"] for alert in noted("alert", "list", "--json").lines] == ["audit"]


def test_what_is_exported_can_be_checked_without_airworthy(noted: Airworthy) -> None:
    before = bytes(32)
    rows = noted("audit", "export").lines
    for row in rows:
        told = [row[name] or "" for name in ("who", "what", "about", "outcome", "door", "address", "through")]
        line = json.dumps(
            [row["n"], row["at_us"], *told, row["detail_text"]], separators=(",", ":"), ensure_ascii=False
        )
        before = hashlib.sha256(before + line.encode()).digest()
        assert before.hex() == row["digest"]

    assert f"{len(rows)}:{before.hex()}" == noted("audit", "head").word
    assert noted("audit", "export", "--after", "2").lines[0]["n"] == 3


def test_the_log_is_listed_by_what_and_about(noted: Airworthy) -> None:
    assert [row["about"] for row in noted("audit", "list", "--what", "account", "-n", "2", "--json").lines] == [
        "vera", "erik"
    ]  # fmt: skip
    assert "account.add" in noted("audit", "list", "--about", "dana").out
    assert noted("audit", "list", "--who", "nobody").out == ""
