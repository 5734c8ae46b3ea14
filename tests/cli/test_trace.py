"""`trace` and `import`: a person finds a trace, reads it, takes it along, and sees nothing that is not text."""

import csv
import gzip
import io
import json
from pathlib import Path

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.cli.options import filter_terms
from airworthy.recorder.traces.gather import gather
from airworthy.recorder.traces.span import SpanKind
from airworthy.recorder.traces.write import write
from airworthy.store import migrate
from tests.cli.conftest import Airworthy
from tests.database import ON_POSTGRES, opened_at
from tests.recorder.traces.kit import NOON_US, span
from tests.recorder.traces.stored import Made, add, row

EVIL = '=cmd|"/c calc"!A0\x1b[31m\u202e\n\0'
SPANS = [
    span(
        1, kind=SpanKind.AGENT, name="support", agent="support", user="u1", ended_us=NOON_US + 4_000_000,
        text="refund the teapot", payload=b'{"input": "refund\\u202e the teapot"}',
    ),
    span(2, kind=SpanKind.MODEL, name="chat", model="m-1", tokens_in=9, tokens_out=2, ended_us=NOON_US + 2_000_000),
    span(
        3, kind=SpanKind.TOOL, name=f"pay {EVIL}", tool="pay", started_us=NOON_US + 2_000_000,
        ended_us=NOON_US + 2_500_000, error_type="Timeout", parent_id=f"{2:016x}",
    ),
]  # fmt: skip


@pytest.fixture
def seeded(folder: Path) -> Path:
    """Twenty of one agent, and one from elsewhere with its spans, the newest."""
    database = opened_at(folder)
    migrate(database, MIGRATIONS)
    made = [
        Made(row(place, NOON_US - place, agent="billing", name=EVIL), (("tool", "refund"),))
        for place in range(1, 21)
    ]
    add(database, made)
    database.write_now(lambda tx: write(tx, [gather(SPANS, (), NOON_US + 60_000_000)]))
    database.close()
    return folder


def test_a_query_is_words_with_their_minus_among_options(airworthy: Airworthy, seeded: Path) -> None:
    found = airworthy("trace", "list", "-tool:refund", "-n", "5", "duration>1s", "--json", "-agent:nobody")
    none = airworthy("trace", "list", "-Czz:x")

    assert [one["agent"] for one in found.lines] == ["support"]
    assert (found.lines[0]["state"], found.lines[0]["cost_usd"], found.lines[0]["unpriced"]) == (
        "failed",
        None,
        1,
    )
    assert none.code == 1
    assert "There is no key 'Czz'" in none.err


def test_pages_follow_each_other_by_the_place_that_is_told(airworthy: Airworthy, seeded: Path) -> None:
    seen, more = [], list[str]()
    for _ in range(4):
        page = airworthy("trace", "list", "agent:billing", "--limit", "8", "--json", *more)
        seen += [int(one["id"], 16) for one in page.lines]
        more = page.err.split()[-2:] if "There are more" in page.err else []
        if not more:
            break

    assert seen == list(range(1, 21))


def test_what_is_wrong_is_told_with_its_place(airworthy: Airworthy, seeded: Path) -> None:
    wrong = airworthy("trace", "list", "outcom:x")
    none = airworthy("trace", "list", "agent:suport")

    assert (wrong.code, none.code, none.out) == (1, 0, "")
    assert "There is no key 'outcom', at character 1." in wrong.err
    assert "Did you mean support?" in none.err


def test_a_trace_of_another_program_is_shown_as_a_waterfall(airworthy: Airworthy, seeded: Path) -> None:
    shown = airworthy("trace", "show", "aaaaaa", "--full")
    document = airworthy("trace", "show", "last", "--json").json

    lines = shown.out.splitlines()
    assert lines[0] == "support: failed."
    assert "Cost     unpriced" in lines
    assert any(line.endswith("    model chat  2.0s  (m-1, 9+2 tokens, unpriced)") for line in lines)
    assert any(line.startswith("···········###·") and "      tool pay =cmd" in line for line in lines)
    assert not any(sign in shown.out for sign in "\x1b\u202e\0")
    assert [each["name"] for each in document["spans"]][:2] == ["support", "chat"]


def test_a_task_of_ours_is_shown_as_a_task(airworthy: Airworthy, folder: Path) -> None:
    """slow: a task is worked on."""
    id_ = airworthy("submit", "--input", "look tea").word
    assert airworthy("run", "--until-idle").code == 0
    database = opened_at(folder)
    if not database.read_now(lambda tx: tx.row("SELECT 1 FROM traces WHERE id = ?", (id_,))):
        add(database, [Made(row(1, NOON_US, id=id_, trace_id="b" * 32, origin="task"))])
    database.close()

    assert airworthy("trace", "show", id_[-6:]).out == airworthy("task", "show", id_).out
    lines = airworthy("trace", "export", f"id:{id_}", "--steps").lines
    assert [step["kind"] for step in lines[0]["journal"]] == [
        step["kind"] for step in airworthy("task", "show", id_, "--json").json["journal"]
    ]


def test_exports_hold_every_trace_and_nothing_that_runs(airworthy: Airworthy, seeded: Path) -> None:
    lines = airworthy("trace", "export").lines
    table = airworthy("trace", "export", "agent:billing", "--format", "csv")
    steps = airworthy("trace", "export", "-agent:billing", "--format", "csv", "--steps")

    rows = list(csv.DictReader(io.StringIO(table.out)))
    assert (len(lines), len(rows)) == (21, 20)
    nul = "\u2400" if ON_POSTGRES else "\\x00"  # Its text holds no NUL, but the picture of one.
    assert {one["name"] for one in rows} == {'\'=cmd|"/c calc"!A0\\x1b[31m\\u202e\\n' + nul}
    assert [(one["kind"], one["state"]) for one in csv.DictReader(io.StringIO(steps.out))] == [
        ("agent", "done"), ("model", "done"), ("tool", "failed"),
    ]  # fmt: skip
    assert not any(sign in table.out + steps.out for sign in "\x1b\u202e\0")


def test_traces_are_taken_in_from_files_and_found(airworthy: Airworthy, folder: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.jsonl.gz"
    good.write_bytes(gzip.compress(json.dumps({"agent": "moved", "input": "teapot"}).encode()))
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text('{"agent": "moved", "input": "cup"}\nnonsense \x1b[31m\n')
    bad = tmp_path / "bad.jsonl"
    bad.write_text("nonsense\n")

    first = airworthy("import", str(good), str(mixed))
    again = airworthy("import", str(good), "--json")
    codes = [airworthy("import", str(path), *more).code for path, more in ((bad, ()), (mixed, ("--strict",)))]

    assert first.code == 0
    assert f"{mixed}: 1 line, 1 span taken in; 1 line cannot be read." in first.out
    assert f"{mixed}, line 2: It is no JSON" in first.err
    assert (again.json["spans"], again.json["duplicate"]) == (0, 1)
    assert codes == [1, 1]
    assert len(airworthy("trace", "list", "agent:moved", "origin:import", "--json").lines) == 2
    assert airworthy("import", str(tmp_path / "none")).code == 1


def test_keys_and_values_are_completed(seeded: Path) -> None:
    class Typing:
        def __init__(self) -> None:
            self.params = {"folder": seeded}

    def complete(begun: str) -> list[str]:
        return [text for text, _ in filter_terms(Typing(), begun)]  # type: ignore[arg-type]  # all that is looked at

    assert complete("o") == ["outcome:", "origin:"]
    assert complete("-cos") == ["-cost>"]
    assert complete("agent:s") == ["agent:support"]
    assert complete("tool:pay,r") == ["tool:pay,refund"]
    assert complete("is:") == ["is:open", "is:error", "is:unpriced"]
    assert complete("colour:") == []
