"""`airworthy event` shows what other programs are not told yet or could not be, and sends it again."""

import json
from pathlib import Path
from typing import Any

import pytest

from airworthy.app.build import opened
from airworthy.app.config import load_config
from airworthy.cli.main import execute
from airworthy.recorder import events
from airworthy.recorder.events import Event, Wish
from airworthy.store import Tx


def _run(*arguments: object) -> int:
    return execute([str(argument) for argument in arguments])


def _lines(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, Any]]:
    assert _run("event", "list", "-C", folder, "--json", *more) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def _happened(tx: Tx) -> None:
    events.set_up(tx, [Wish("crm", ("task.closed",)), Wish("bi", ("review.waiting",))], 1_000)
    for number in range(2):
        events.note(tx, Event("task.closed", f"tsk_{number}", "support", "3", 2_000 + number, "answered"))
    events.fail(tx, events.due(tx, "crm", 3_000, 1)[0], 3_000, "The webhook answered 422.")
    events.stop(tx, "bi", 4_000, "The webhook answered 410.")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """One event that failed and one that waits; a subscription whose receiver is gone."""
    (tmp_path / "airworthy.toml").write_text("")
    with opened(load_config(tmp_path)) as app:
        app.database.write_now(_happened)
    return tmp_path


def test_what_waits_and_what_failed_is_listed_with_how_each_subscription_stands(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bi, crm, *rows = _lines(stored, capsys)

    assert (crm["events"], crm["waiting"], crm["failed"], crm["stopped"]) == ("crm", 1, 1, None)
    assert (bi["events"], bi["stopped"] is None) == ("bi", False)
    assert [(row["task"], row["state"]) for row in rows] == [("tsk_1", "pending"), ("tsk_0", "failed")]
    assert [row["task"] for row in _lines(stored, capsys, "--failed", "--of", "crm")[1:]] == ["tsk_0"]
    assert _run("event", "list", "-C", stored) == 0
    assert "Stopped" in capsys.readouterr().out


def test_one_or_all_are_sent_again_and_what_had_stopped_goes_on(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (failed,) = _lines(stored, capsys, "--failed", "--of", "crm")[1:]

    assert _run("event", "retry", failed["id"][:12], "-C", stored) == 0
    assert _run("event", "retry", "--of", "bi", "-C", stored) == 1
    capsys.readouterr()
    bi, crm, *rows = _lines(stored, capsys)
    assert bi["stopped"] is None
    assert {row["state"] for row in rows} == {"pending"}
    assert (crm["waiting"], crm["failed"]) == (2, 0)


def test_what_cannot_be_sent_again_is_told_with_its_mend(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("event", "retry", "--of", "nobody", "-C", stored) != 0
    assert "bi, crm" in capsys.readouterr().err
    assert _run("event", "retry", "evt_none", "-C", stored) != 0
    assert "airworthy event list" in capsys.readouterr().err
    assert _run("event", "retry", "-C", stored) != 0
