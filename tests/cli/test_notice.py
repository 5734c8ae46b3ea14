"""`airworthy notice` shows what people were told and what failed, and tries a channel for real."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from airworthy.app.build import opened
from airworthy.app.config import load_config
from airworthy.cli.main import execute
from airworthy.recorder.alerts import Alert, raised
from airworthy.review.message import Content
from airworthy.review.notices import Notice, enqueue
from airworthy.store import Tx

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PEOPLE = """
[people.ann]
name = "Ann"

[teams.leads]
members = ["ann"]
notify = ["ops"]

[channels.ops]
kind = "webhook"
url_env = "OPS_URL"
secret_env = "OPS_SECRET"
internal = true
"""


class Hook(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.seen: list[tuple[dict[str, str], bytes]] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hook = self.server
        assert isinstance(hook, Hook)
        body = self.rfile.read(int(self.headers["content-length"]))
        hook.seen.append((dict(self.headers), body))
        self.send_response(hook.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  # as the base class has it


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    server = Hook()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    (tmp_path / "people.toml").write_text(PEOPLE)
    (tmp_path / "airworthy.toml").write_text("")
    monkeypatch.setenv("OPS_URL", f"http://127.0.0.1:{server.server_port}/SECRETPATH")
    monkeypatch.setenv("OPS_SECRET", SECRET)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _run(*arguments: object) -> int:
    return execute([str(argument) for argument in arguments])


def _rows(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, Any]]:
    assert _run("notice", "list", "-C", folder, "--json", *more) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def _insert(tx: Tx, row: tuple[object, ...]) -> None:
    tx.execute(
        "INSERT INTO notice_messages (id, channel, recipient, team, kind, critical, count, content, state,"
        " attempts, created_us, next_us, give_up_us, ended_us, error)"
        " VALUES (?, 'ops', '', 'leads', 'notice', 0, 1, ?, ?, 3, ?, ?, ?, ?, ?)",
        row,
    )


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Two messages, one of which was given up; a notice that waits and one that reaches nobody."""
    (tmp_path / "airworthy.toml").write_text("")
    (tmp_path / "people.toml").write_text(PEOPLE)
    with opened(load_config(tmp_path)) as app:
        now_us = app.clock.now_us()
        for place, (state, error) in enumerate((("sent", ""), ("failed", "\x1b[31mno"))):
            content = Content(f"Title {place}", ("One.", "\x1b[2J"), "", "warning", "support", "a", now_us)
            row = (f"msg_000{place}", content.stored(), state, now_us + place, now_us, now_us, now_us, error)
            app.database.write_now(partial(_insert, row=row))
        for key in ("one", "two"):
            notice = Notice(key, "review", "support", "leads", "T", "T", "", now_us)
            app.database.write_now(partial(enqueue, notice=notice))
        app.database.write_now(
            lambda tx: raised(tx, Alert("channel:ops:failed", "channel", "", "critical", "t", "x"), now_us)
        )
    return tmp_path


@pytest.mark.process
def test_a_channel_is_tried_for_real(hook: Hook, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("notice", "test", "ops", "-C", tmp_path) == 0
    assert capsys.readouterr().out == "The channel ops took the message.\n"
    headers, body = hook.seen[0]
    assert Webhook(SECRET).verify(body, headers)["type"] == "notice.test"

    hook.status = 503
    assert _run("notice", "test", "ops", "-C", tmp_path, "--json") == 1
    out = capsys.readouterr().out
    assert json.loads(out) == {
        "channel": "ops", "result": "later", "error": "The webhook at 127.0.0.1 answered 503.",
    }  # fmt: skip
    assert "SECRETPATH" not in out


def test_a_channel_without_its_variable_says_which(
    stored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPS_URL", raising=False)

    assert _run("notice", "test", "ops", "-C", stored) == 1
    assert "OPS_URL" in capsys.readouterr().err


def test_an_unknown_channel_is_a_usage_error(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("notice", "test", "oops", "-C", stored) == 2
    assert "Known channels: ops." in capsys.readouterr().err


def test_the_list_has_messages_and_what_is_in_none(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = _rows(stored, capsys)
    assert [(row["id"], row["state"]) for row in rows] == [
        ("msg_0001", "failed"), ("msg_0000", "sent"), (None, "unrouted"),
    ]  # fmt: skip
    assert rows[-1]["notices"] == 2
    assert [row["id"] for row in _rows(stored, capsys, "--failed")] == ["msg_0001"]
    assert _rows(stored, capsys, "--channel", "other") == []

    assert _run("notice", "list", "-C", stored) == 0
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out
    assert "2 notices for leads wait for a worker" in captured.err


def test_one_message_is_shown_without_moving_the_cursor(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("notice", "show", "msg_0001", "-C", stored) == 0
    out = capsys.readouterr().out
    assert "Title 1" in out
    assert "\x1b" not in out
    assert _run("notice", "show", "msg_0001", "-C", stored, "--json") == 0
    assert json.loads(capsys.readouterr().out)["text"] == ["One.", "\x1b[2J"]
    assert _run("notice", "show", "msg_9", "-C", stored) == 1


def test_what_failed_is_sent_again_and_its_alert_ends(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("notice", "retry", "--channel", "ops", "-C", stored) == 0
    assert capsys.readouterr().out == "1 message will be sent again.\n"
    assert {row["id"]: row["state"] for row in _rows(stored, capsys)}["msg_0001"] == "pending"
    with opened(load_config(stored)) as app:
        (alert,) = app.database.read_now(lambda tx: tx.rows("SELECT ended_us FROM alerts"))
        assert alert[0] is not None
    assert _run("notice", "retry", "msg_0000", "-C", stored) == 1
    assert _run("notice", "retry", "-C", stored) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[channels.ops]\nkind = "webhook"\nurl_env = "https://x.example/SECRETPATH"\n', "line 3"),
        ('[channels.ops]\nknd = "slack"\n', "Did you mean kind?"),
        ("[channls.ops]\n", "Did you mean channels?"),
        ('[teams.a]\nmembers = ["ann"]\n', "line 2"),
        ("[", "Not valid TOML"),
    ],
)
def test_a_broken_file_says_where(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "people.toml").write_text(text)

    assert _run("notice", "test", "ops", "-C", tmp_path) == 2
    err = capsys.readouterr().err
    assert says in err
    assert "SECRETPATH" not in err
