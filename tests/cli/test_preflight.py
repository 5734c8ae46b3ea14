"""`preflight`: exit codes, one cell alone, going on after an end, comparing, and files that other programs read."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cli.conftest import Airworthy

CASES = """
cases:
  - id: where-is-it
    input: Where is my order 1001?
    expect: {outcome: [answered], facts: [Friday], not_tools: [refund_order]}
  - id: large-refund
    input: Please refund order 1003, the table is scratched.
    severity: critical
    expect: {outcome: [answered], approval: [refund_order]}
"""
WRONG = CASES.replace("Friday", "Sunday")
SMALL = ("--only", "golden", "--repeat", "2")


@pytest.fixture
def mine(airworthy: Airworthy, folder: Path) -> Path:
    airworthy("init", "support", "mine")
    at = folder / "mine"
    (at / "cases" / "golden.yaml").write_text(CASES)
    return at


def test_it_ends_with_a_verdict_its_files_and_its_exit_code(airworthy: Airworthy, mine: Path) -> None:
    """Not every part is wanted, so what passes is no go."""
    said = airworthy("preflight", *SMALL, "--json", "-C", "mine")

    assert said.code == 2
    assert said.json["verdict"] == "inconclusive"
    assert "adversarial" in " ".join(said.json["missing"])
    assert json.loads((mine / "preflight-report" / "report.json").read_text()) == said.json
    assert ET.parse(mine / "preflight-report" / "junit.xml").getroot().tag == "testsuites"
    assert "<script src" not in (mine / "preflight-report" / "report.html").read_text()
    assert not (mine / "refunds.db").exists(), "a preflight paid a refund"


def test_a_failed_case_is_a_no_go_with_the_command_that_runs_it_again(
    airworthy: Airworthy, mine: Path
) -> None:
    (mine / "cases" / "golden.yaml").write_text(WRONG)

    said = airworthy("preflight", *SMALL, "-C", "mine")
    again = airworthy("preflight", "--repeat", "1", "--cell", "golden/where-is-it", "-C", "mine")

    assert said.code == 1
    assert "NO-GO" in said.out
    assert "--cell golden/where-is-it" in said.out
    assert again.code == 1
    assert "FAILED  golden/where-is-it" in again.out
    assert "Sunday" in again.out


def test_a_cap_that_is_reached_gives_a_partial_verdict_and_the_next_one_goes_on(
    airworthy: Airworthy, mine: Path
) -> None:
    """The model is nowhere, so that the first call would be paid: nothing may be sent for nothing."""
    (mine / "preflight.toml").write_text("")

    said = airworthy("preflight", *SMALL, "--budget", "0", "--json", "-C", "mine")
    (mine / "preflight.toml").write_text('simulator = "built-in"')

    assert said.code == 2
    assert "at its cap of 0.00" in said.json["missing"][0]
    assert {cell["state"] for cell in said.json["sections"][0]["cells"]} == {"undecided"}
    assert said.json["model_calls_made"] == 0


def test_it_is_compared_with_one_before(airworthy: Airworthy, mine: Path) -> None:
    first = airworthy("preflight", *SMALL, "--json", "-C", "mine").json
    unknown = airworthy("preflight", *SMALL, "--against", "last-good", "-C", "mine")

    said = airworthy("preflight", *SMALL, "--against", first["id"], "--json", "-C", "mine").json

    assert unknown.code == 1
    assert "no ended preflight" in unknown.err
    assert said["against"] == first["id"]
    comparison = said["sections"][0]["facts"]["comparison"]
    assert comparison["worse"] == []
    assert comparison["changed"] == []
    assert comparison["smallest_detectable"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--repeat", "often"), "no number of runs"),
        (("--cell", "golden/nothing"), "There is no cell"),
        (("--cell", "nothing"), "no cell of a preflight"),
        (("--suite", "nowhere.yaml"), "nowhere.yaml"),
        (("--resume",), "broken off"),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: tuple[str, ...], words: str, airworthy: Airworthy, mine: Path
) -> None:
    said = airworthy("preflight", "--only", "golden", *arguments, "-C", "mine")

    assert said.code in (1, 2)
    assert words in said.err
