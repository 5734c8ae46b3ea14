"""`call`: a person finds a call, reads what became of it, and sees nothing that is not text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.core.clock import US_PER_S
from airworthy.gateway.reading import CallRow
from airworthy.recorder import Payloads
from airworthy.store import Database, MemoryDatabase, SQLiteDatabase, Tx, migrate
from tests.cli.conftest import Airworthy
from tests.database import opened_at

START_US = 1_793_534_400 * US_PER_S  # 2026-11-01 12:00 UTC.
LARGE, SMALL = "sim-large-2026-11-01", "sim-small-2026-11-01"
EVIL = "\x1b[31m red \u202e"
PLAIN: dict[str, Any] = {
    "id": "", "task_id": "", "agent": "shop", "key_id": "key_abcd1234", "session": "", "user": "ann", "feature": "",
    "operation": "chat", "streamed": 0, "ended_as": "answered", "code": "", "finish": "stop", "status": 200,
    "asked": "large", "model": LARGE, "place": f"{LARGE} at its provider", "answered": LARGE, "fingerprint": "fp_1",
    "started_us": 0, "first_us": None, "ended_us": 0, "attempts": 1, "tokens_in": 10, "tokens_out": 5, "cached": 0,
    "cost_nano": 2_100_000, "estimated": 0, "notes": None,
}  # fmt: skip
COLUMNS = ", ".join(f'"{name}"' for name in PLAIN)
NOTES = [
    {"model": LARGE, "attempt": 1, "error": "ModelRateLimited", "wait_s": 0.5},
    {"model": LARGE, "error": "ModelOutage", "message": f"overloaded {EVIL}"},
    {"note": "withheld", "tool": "pay", "why": "over its amount"},
]


@dataclass(frozen=True)
class Spec:
    """A call by what is special about it; `bodies`: request and reply."""

    changes: dict[str, Any]
    bodies: tuple[bytes, bytes] | None = None


SPECS = (
    Spec({}, (b'{"model": "large", "text": "\\u202e"}', f"data: {EVIL}\n\n".encode())),
    Spec({"agent": "desk", "user": "bob", "feature": "mail", "key_id": "key_zzzz9999", "task_id": "order-17"}),
    Spec({
        "attempts": 3, "model": SMALL, "answered": SMALL, "notes": orjson.dumps(NOTES).decode(), "task_id": "order-17",
    }),
    Spec({
        "ended_as": "failed", "code": "model_timeout", "status": 504, "model": "", "place": "", "answered": "",
        "fingerprint": "", "tokens_in": None, "tokens_out": None, "cached": None, "cost_nano": None, "attempts": 2,
        "user": EVIL,
    }),
    Spec({
        "ended_as": "stopped", "code": "budget", "status": 402, "model": "", "answered": "", "cost_nano": None,
        "attempts": 0,
    }),
    Spec({"ended_as": "cached", "cost_nano": 0, "attempts": 0, "answered": ""}),
)  # fmt: skip


def fill(database: Database) -> list[str]:
    """One call a minute, each a second and a half long; answers with their ids, the oldest first."""
    migrate(database, MIGRATIONS)
    ids = [f"call_0{number}mh2c9{number}vw3r{number}x" for number in range(len(SPECS))]

    def op(tx: Tx) -> None:
        for number, (id_, spec) in enumerate(zip(ids, SPECS, strict=True)):
            at_us = START_US + number * 60 * US_PER_S
            row = {
                **PLAIN, "id": id_, "task_id": id_, "started_us": at_us, "ended_us": at_us + 1_400_000, **spec.changes
            }  # fmt: skip
            marks = ", ".join("?" * len(row))
            tx.execute(f"INSERT INTO calls ({COLUMNS}) VALUES ({marks})", tuple(row.values()))
            if spec.bodies is not None:
                packed = map(Payloads().pack, spec.bodies)
                tx.execute(
                    "INSERT INTO call_bodies (call_id, request, reply) VALUES (?, ?, ?)", (id_, *packed)
                )

    database.write_now(op)
    database.close()
    return ids


@pytest.fixture
def ids(folder: Path) -> list[str]:
    return fill(opened_at(folder))


def test_the_newest_call_comes_first_and_every_row_says_how_it_ended(
    airworthy: Airworthy, ids: list[str]
) -> None:
    lines = airworthy("call", "list").out.splitlines()

    assert [line.split()[0] for line in lines] == ["id", *reversed(ids)]
    assert "failed: model_timeout" in lines[3]
    assert "0.0021 USD" in lines[-1]


@pytest.mark.parametrize(
    ("words", "found", "why"),
    [
        (("--agent", "desk"), [1], "the agent"),
        (("--user", "bob"), [1], "the user"),
        (("--feature", "mail"), [1], "the feature"),
        (("--key", "key_zzzz"), [1], "the beginning of a key"),
        (("--task", "order-17"), [2, 1], "the run"),
        (("--model", SMALL), [2], "the pin that answered"),
        (("--model", "large", "--limit", "2"), [5, 4], "the name that was asked for"),
        (("--code", "model_timeout"), [3], "a code"),
        (("--code", "stopped"), [4], "how it ended"),
        (("--since", "2026-11-01T12:04:00"), [5, 4], "a moment"),
        (("--since", "2026-11-01T13:04:00+01:00"), [5, 4], "a moment elsewhere"),
        (("--since", "2026-11-01", "--agent", "shop", "-n", "1"), [5], "a day"),
        (("--since", "2026-11-02"), [], "a day after all"),
        (("--agent", "' OR 1=1 --"), [], "a name is never SQL"),
    ],
)
def test_calls_are_found_by_what_is_known_of_them(
    words: tuple[str, ...], found: list[int], why: str, airworthy: Airworthy, ids: list[str]
) -> None:
    rows = airworthy("call", "list", *words, "--json").lines

    assert [ids.index(row["id"]) for row in rows] == found, why


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "20261101x", "5 parsecs"])
def test_a_time_that_is_none_is_refused_with_how_to_write_it(
    since: str, airworthy: Airworthy, ids: list[str]
) -> None:
    said = airworthy("call", "list", "--since", since)

    assert said.code == 2
    assert "2026-11-01T12:30" in said.err
    assert ids


def test_a_time_ago_is_counted_from_now(airworthy: Airworthy, ids: list[str]) -> None:
    assert airworthy("call", "list", "--since", "1 s", "--json").lines == []
    assert len(airworthy("call", "list", "--since", "100000 days", "--json").lines) == len(ids)


@pytest.mark.sqlite("a folder is without a file at first")
def test_no_call_is_said_and_a_folder_without_a_database_too(airworthy: Airworthy, folder: Path) -> None:
    missing = airworthy("call", "list")
    fill(opened_at(folder))
    none = airworthy("call", "list", "--agent", "nobody")

    assert (missing.code, none.code, none.out) == (2, 0, "")
    assert "There is no database" in missing.err
    assert "No call is like that" in none.err


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (0, f"Asked large (answered by {LARGE}), 1 attempt, 0.0021 USD, 1.4 s."),
        (2, f"Asked large (answered by {SMALL}), 3 attempts, 0.0021 USD, 1.4 s."),
        (3, "Asked large, and got no whole answer (model_timeout), 2 attempts, unpriced, 1.4 s."),
        (4, "Asked large, and was stopped (budget), 1.4 s."),
        (5, f"Asked large (answered from the cache, as {LARGE} once did), 0.0000 USD, 1.4 s."),
    ],
)
def test_the_first_line_says_what_became_of_a_call(
    number: int, sentence: str, airworthy: Airworthy, ids: list[str]
) -> None:
    assert airworthy("call", "show", ids[number]).out.splitlines()[0] == sentence
    assert airworthy("call", "show", ids[number], "--json").json["summary"] == sentence


def test_attempts_and_fallbacks_are_told_with_their_reasons(airworthy: Airworthy, ids: list[str]) -> None:
    out = airworthy("call", "show", ids[2]).out

    assert f"{LARGE}: attempt 1 failed (ModelRateLimited), tried again after 0.5 s" in out
    assert f"{LARGE}: given up (ModelOutage: overloaded \\x1b[31m red \\u202e)" in out
    assert "withheld: tool pay, why over its amount" in out


def test_bodies_are_shown_only_when_asked_for_and_never_move_the_cursor(
    airworthy: Airworthy, ids: list[str]
) -> None:
    brief = airworthy("call", "show", ids[0])
    full = airworthy("call", "show", ids[0], "--full")
    document = airworthy("call", "show", ids[0], "--full", "--json")

    assert "data:" not in brief.out
    assert f"airworthy call show {ids[0]} --full" in brief.err
    assert "data: \\x1b[31m red \\u202e" in full.out
    assert not set("\x1b\u202e") & set(full.out + document.out)
    assert document.json["request"]["model"] == "large"
    assert document.json["reply"] == f"data: {EVIL}\n\n"


def test_a_call_of_which_only_facts_are_kept_says_so(airworthy: Airworthy, ids: list[str]) -> None:
    assert "was not kept" in airworthy("call", "show", ids[1], "--full").out
    assert airworthy("call", "show", ids[1], "--full", "--json").json["request"] is None


def test_names_from_outside_are_text_in_every_list(airworthy: Airworthy, ids: list[str]) -> None:
    for words in (("list",), ("show", ids[3])):
        assert "\x1b" not in airworthy("call", *words).out


@pytest.mark.parametrize("part", ["last", "call_05mh", "vw3r5x"])
def test_a_call_is_found_by_a_part_of_its_id(part: str, airworthy: Airworthy, ids: list[str]) -> None:
    assert airworthy("call", "show", part, "--json").json["id"] == ids[5]


def test_a_call_that_is_not_there_and_one_of_many_are_told(airworthy: Airworthy, ids: list[str]) -> None:
    missing, many = airworthy("call", "show", "nothing"), airworthy("call", "show", "call_0")

    assert (missing.code, many.code) == (1, 1)
    assert "There is no call 'nothing'" in missing.err
    assert ids[5] in many.err


@pytest.mark.parametrize("part", ["order-17", "order"])
def test_a_run_that_is_no_task_leads_to_its_calls(part: str, airworthy: Airworthy, ids: list[str]) -> None:
    said = airworthy("task", "show", part)

    assert said.code == 1
    assert "'order-17' is no task here but a run of calls over HTTP (2 so far)" in said.err
    assert "airworthy call list --task order-17" in said.err
    assert ids


def test_calls_are_read_from_the_gateways_own_database(
    airworthy: Airworthy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRWORTHY_DATABASE", raising=False)
    fill(SQLiteDatabase(folder / "own.db"))
    (folder / "gateway.toml").write_text('database = "own.db"')

    assert len(airworthy("call", "list", "--json").lines) == len(SPECS)


def test_every_column_of_a_call_is_read() -> None:
    """A column that is added to the table must be read, too."""
    database = MemoryDatabase()
    migrate(database, MIGRATIONS)
    columns = database.read_now(lambda tx: [row[1] for row in tx.rows("PRAGMA table_info(calls)")])
    database.close()

    assert columns == list(CallRow.__dataclass_fields__)
