"""`scope`: a person sees what an agent may do, approves exactly that, and is told what is missing."""

import io
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import POLICY, Airworthy


@pytest.mark.parametrize(
    ("form", "starts"), [("markdown", "# What the agent"), ("html", "<!doctype html>"), ("text", " ")]
)
def test_show_writes_every_form_to_stdout_or_a_file(
    form: str, starts: str, airworthy: Airworthy, folder: Path
) -> None:
    said = airworthy("scope", "show", "--format", form)
    airworthy("scope", "show", "shop", "--format", form, "--output", "scope.out")

    assert said.code == 0
    assert said.out.lower().startswith(starts.lower())
    assert "pay" in said.out
    assert (folder / "scope.out").read_text(encoding="utf-8").strip()


def test_a_file_that_cannot_be_written_is_told(airworthy: Airworthy) -> None:
    said = airworthy("scope", "show", "--output", "/nowhere/scope.md")

    assert said.code == 1
    assert "/nowhere/scope.md cannot be written" in said.err


def test_an_approval_is_of_the_hash_that_is_shown(airworthy: Airworthy) -> None:
    said = airworthy("scope", "approve", "--by", "Dana Smith", "--note", "looks right", "--yes")
    document = airworthy("scope", "show", "--json").json

    assert said.code == 0
    assert document["policy_hash"] in said.out
    assert document["policy_hash"] in said.err
    assert "Dana Smith" in document["scope"]


def test_an_approval_asks_first(airworthy: Airworthy) -> None:
    said = airworthy("scope", "approve", "--by", "Dana")

    assert said.code == 2
    assert "Dana" not in airworthy("scope", "show").out


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_only_a_yes_is_a_yes(
    typed: str, code: int, airworthy: Airworthy, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = io.StringIO(typed)
    person.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", person)  # somebody at a terminal

    said = airworthy("scope", "approve", "--by", "Dana")

    assert said.code == code
    assert "[y/N]" in said.err
    assert ("Dana" in airworthy("scope", "show").out) is (code == 0)


def test_an_approval_needs_a_name(airworthy: Airworthy) -> None:
    assert airworthy("scope", "approve", "--yes").code == 2
    assert airworthy("scope", "approve", "--by", " ", "--yes").code == 1


def test_check_lists_what_is_missing_and_fails(airworthy: Airworthy) -> None:
    said, document = airworthy("scope", "check"), airworthy("scope", "check", "--json")

    assert said.code == document.code == 1
    assert "owner.name" in said.out
    assert {gap["subject"] for gap in document.json["gaps"]} >= {"owner.name", "approval"}
    assert document.json["ready"] is False


def test_check_succeeds_once_nothing_is_missing(airworthy: Airworthy, folder: Path) -> None:
    (folder / "policy.toml").write_text(
        POLICY
        + '[[models]]\nname = "sim-large-2026-11-01"\ninput_usd_per_mtok = 1.0\noutput_usd_per_mtok = 1.0\n'
        + '[owner]\nname = "Dana"\ncontact = "dana@example.com"\nreview = "weekly"\n'
        + "[readiness]\nrequired = false\n"
    )
    airworthy("scope", "approve", "--by", "Dana", "--yes")

    said = airworthy("scope", "check", "--json")

    assert (said.code, said.json["ready"]) == (0, True)


def test_a_live_agent_with_gaps_does_not_run(airworthy: Airworthy, folder: Path) -> None:
    (folder / "policy.toml").write_text(POLICY.replace("[escalation]", 'stage = "beta"\n[escalation]'))

    said = airworthy("run", "--until-idle")

    assert said.code == 2
    assert "not ready to go live" in said.err
    assert "owner.name" in said.err
