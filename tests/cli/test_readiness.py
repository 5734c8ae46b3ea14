"""`readiness` and `release`: what is unanswered fails the command; who waives is on record; versions are compared."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import POLICY, Airworthy


def forget() -> None:
    """A command of its own begins without the agent's module."""
    for name in [name for name in sys.modules if name.startswith("scripted_")]:
        del sys.modules[name]


WAIVED = ("readiness", "--waive", "cases", "--by", "Dana", "--because", "few will do")


def test_what_is_not_answered_is_told_with_its_mend_and_fails_the_command(airworthy: Airworthy) -> None:
    said = airworthy("readiness")
    document = airworthy("readiness", "shop", "--json").json

    assert said.code == 1
    assert "unanswered  rollback" in said.out
    assert "Set rollback under [readiness]." in said.out
    assert document["ready"] is False
    assert {item["state"] for item in document["items"]} <= {"answered", "unanswered"}


def test_a_waiver_is_shown_until_it_is_taken_back(airworthy: Airworthy) -> None:
    day = "2999-01-01"
    refused = airworthy(*WAIVED, "--until", day)
    # A year ahead at most, whatever today is.
    soon = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%d")
    waived = airworthy(*WAIVED, "--until", soon)
    ended = airworthy("readiness", "--end", "cases", "--by", "Dana")
    again = airworthy("readiness", "--end", "cases", "--by", "Dana")

    assert "more than 366 days away" in refused.err
    assert f"Waived by Dana until {soon}: few will do" in waived.out
    assert "unanswered  cases" in ended.out
    assert "was not waived" in again.err
    log = airworthy("audit", "list").out
    assert "readiness.waive" in log
    assert "readiness.unwaive" in log


@pytest.mark.parametrize("lacks", ["--by", "--because", "--until"])
def test_a_waiver_lacks_nothing(airworthy: Airworthy, lacks: str) -> None:
    given = {"--by": "Dana", "--because": "so", "--until": "2999-01-01"}
    del given[lacks]
    words = [word for pair in given.items() for word in pair]

    said = airworthy("readiness", "--waive", "cases", *words)

    assert said.code == 1
    assert lacks in said.err or "is no day" in said.err


def test_scope_check_tells_the_checklist_where_the_policy_asks_for_it(
    airworthy: Airworthy, folder: Path
) -> None:
    before = airworthy("scope", "check").out
    forget()
    (folder / "policy.toml").write_text(POLICY + "\n[readiness]\nrequired = true\n")

    assert "readiness." not in before
    assert "readiness.rollback: Is there a plan to go back?" in airworthy("scope", "check").out


def test_a_release_is_noted_by_the_worker_and_compared_with_what_is_here(
    airworthy: Airworthy, folder: Path
) -> None:
    none = airworthy("release", "list")
    airworthy("submit", "--input", "x")
    airworthy("run", "--until-idle")
    listed = airworthy("release", "list", "--json").lines[0]
    same = airworthy("release", "diff", "last")
    forget()
    (folder / "policy.toml").write_text(POLICY + "\n[readiness]\nby_hand = 'Dana does it.'\n")
    changed = airworthy("release", "diff", listed["release"][:8], "here", "--json").json
    shown = airworthy("release", "show", "last", "--json").json

    assert none.code != 0 or "No release yet" in none.err
    assert "Nothing differs." in same.out
    assert [change["text"] for change in changed["changes"]] == [
        'policy: readiness.by_hand is new: "Dana does it."'
    ]
    assert shown["release"] == listed["release"]
    assert [name for name in shown["parts"]["code"] if name.startswith("scripted_")]


def test_a_release_that_is_not_known_is_told(airworthy: Airworthy) -> None:
    airworthy("submit", "--input", "x")

    said = airworthy("release", "show", "00000000")

    assert said.code == 1
    assert "There is no release '00000000' here." in said.err
