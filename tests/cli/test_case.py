"""`case`: made of tasks, kept or written, listed, checked, made small and taken in."""

import json
from pathlib import Path

from airworthy.evals.suites import load
from tests.cli.conftest import Airworthy


def _task(airworthy: Airworthy, text: str, **options: str) -> str:
    more = [part for name, value in options.items() for part in (f"--{name}", value)]
    id_ = airworthy("submit", "--input", text, *more).word
    airworthy("run", "--until-idle")
    return id_


def test_a_task_becomes_a_case_that_is_listed_shown_and_deleted(airworthy: Airworthy) -> None:
    _task(airworthy, "look parcel", user="ann-7")
    made = airworthy("case", "from-task", "last", "--id", "mine", "--tag", "parcels")

    listed = airworthy("case", "list", "--json").json
    shown = airworthy("case", "show", "mine").out
    gone = airworthy("case", "delete", "mine", "--yes")

    assert made.out.startswith("mine is kept (golden).")
    assert (listed["id"], listed["tags"], listed["where"]) == (
        "mine",
        "normal, parcels",
        "shop, made by dana",
    )
    assert "result: PARCEL" in shown
    assert gone.out == "mine is deleted.\n"
    assert airworthy("case", "show", "mine").code == 1


def test_of_a_failure_it_must_be_said_what_should_have_happened(airworthy: Airworthy) -> None:
    _task(airworthy, "look parcel")

    unsaid = airworthy("case", "from-task", "last", "--as", "failure")
    said = airworthy("case", "from-task", "last", "--as", "failure", "--outcome", "declined", "--no-acts")
    odd = airworthy("case", "from-task", "last", "--outcome", "declind", "--id", "b")

    assert unsaid.code == 1
    assert "--outcome" in unsaid.err
    assert said.code == 0
    assert "Did you mean declined?" in odd.err


def test_a_file_is_written_once_with_other_names(airworthy: Airworthy, tmp_path: Path) -> None:
    _task(airworthy, "look ann-7", user="ann-7")
    out = tmp_path / "out" / "case.yaml"

    made = airworthy("case", "from-task", "last", "--out", str(out))
    again = airworthy("case", "from-task", "last", "--out", str(out))

    (case,) = load([out]).cases
    assert (made.code, again.code) == (0, 1)
    assert "ann-7" not in out.read_text()
    assert case.input == "look user-of-case"
    assert "There is a file" in again.err


def test_cases_that_nothing_can_meet_are_told_with_their_line(airworthy: Airworthy, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("- id: a\n  input: x\n  expect: {steps: {min: 3, max: 1}}\n")
    good = tmp_path / "good.yaml"
    good.write_text("- {id: a, input: x, expect: {outcome: declined}}\n")

    refused = airworthy("case", "check", str(bad))
    fine = airworthy("case", "check", str(good), "--json").json

    assert refused.code == 2
    assert "bad.yaml:3: case a, expect.steps:" in refused.err
    assert fine["do_nothing"] == "An agent that declines every case passes 1 of 1 cases."


def test_a_failing_case_is_made_small_by_the_real_agent(airworthy: Airworthy, tmp_path: Path) -> None:
    """The agent answers by an echo of what it does not know; the case wants it declined."""
    _task(airworthy, "say hello and a lot of words that have nothing to do with it")
    airworthy(
        "case",
        "from-task",
        "last",
        "--as",
        "failure",
        "--outcome",
        "declined",
        "--not-fact",
        "echo say",
        "--id",
        "long",
    )

    small = airworthy("case", "shrink", "long", "--out", str(tmp_path / "small.yaml"))

    assert small.code == 0, small.err
    assert load([tmp_path / "small.yaml"]).cases[0].input == "say"
    assert "It fails by not_facts, outcome" in small.err


def test_attacks_of_another_tool_are_taken_in(airworthy: Airworthy, tmp_path: Path) -> None:
    report = tmp_path / "r.jsonl"
    report.write_text(
        json.dumps({"entry_type": "attempt", "probe_classname": "p.X", "prompt": "\x1b[2J do it"}) + "\n{torn"
    )

    taken = airworthy("case", "import", str(report), "--from", "garak", "--out", str(tmp_path / "a.yaml"))
    none = airworthy("case", "import", str(report), "--from", "burp", "--out", str(tmp_path / "b.yaml"))

    assert load([tmp_path / "a.yaml"]).cases[0].input == "\x1b[2J do it"
    assert "line 2: it is no JSON." in taken.err
    assert none.code == 1
    assert "garak, promptfoo, pyrit" in none.err
