"""`models probe` and `models seen`: a person learns that a model is not the one that was pinned."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from airworthy.gateway.simulator import FaultPlan, Simulator, serving
from tests.cli.conftest import Airworthy
from tests.cli.test_gateway import MODEL
from tests.cli.test_gateway import POLICY as HELPER

LARGE = "sim-large-2026-11-01"


@pytest.fixture
def simulator() -> Simulator:
    return Simulator()


@pytest.fixture
def url(simulator: Simulator) -> Iterator[str]:
    with serving(simulator) as url:
        yield url


@pytest.fixture
def asking(folder: Path, url: str) -> None:
    policy = folder / "policy.toml"
    policy.write_text(policy.read_text() + MODEL.format(url=url))


pytestmark = pytest.mark.usefixtures("asking")


def replaced(simulator: Simulator) -> None:
    """The provider puts another model under the name."""
    simulator.faults = FaultPlan.parse("wrong_model=1")


def test_the_first_time_shows_who_answers_and_finds_no_change(airworthy: Airworthy) -> None:
    said = airworthy("models", "probe")

    assert said.code == 0
    head, row, last = said.out.splitlines()
    assert head.split("  ")[0] == "asked as"
    assert row.startswith(f"{LARGE} at http://127.0.0.1:")
    assert f"  {LARGE}  fp_" in row
    assert "the first" in row
    assert last == "No change of 1 model was found."


def test_a_change_is_told_with_what_was_before_and_ends_in_1(
    airworthy: Airworthy, simulator: Simulator
) -> None:
    airworthy("models", "probe")
    same = airworthy("models", "probe")
    replaced(simulator)
    changed = airworthy("models", "probe")
    known = airworthy("models", "probe")

    assert (same.code, changed.code, known.code) == (0, 1, 0)
    assert "0 of 8 differ" in same.out
    assert f"Changed: {LARGE} answers as " in changed.out
    assert f"the last time as {LARGE}." in changed.out
    assert "has the fingerprint fp_" in changed.out
    assert "which does not fit its pin" in changed.out
    assert "which does not fit its pin" in known.out


def test_json_has_one_line_a_model(airworthy: Airworthy, simulator: Simulator) -> None:
    (first,) = airworthy("models", "probe", "--repeat", "2", "--json").lines
    replaced(simulator)
    (second,) = airworthy("models", "probe", "--json").lines

    assert (first["agent"], first["asked"], first["answered"]) == ("shop", LARGE, [LARGE])
    assert (first["changed"], first["fits"], first["answers"], first["since"]) == (False, True, 16, None)
    assert (second["changed"], second["fits"], second["answers"]) == (True, False, 8)
    assert second["since"] is not None
    assert second["new_models"] == second["answered"]


def test_a_model_that_does_not_answer_is_told_and_ends_in_1(
    airworthy: Airworthy, simulator: Simulator
) -> None:
    simulator.faults = FaultPlan.parse("error_in_200=1")
    said, document = airworthy("models", "probe"), airworthy("models", "probe", "--json")

    assert (said.code, document.code) == (1, 1)
    assert "did not answer the probe 'arithmetic'" in said.err
    assert "No change" not in said.out
    assert document.lines[0]["changed"] is None
    assert "arithmetic" in document.lines[0]["error"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--agent", "nobody"), 2, "There is no agent 'nobody' here"),
        (("--model", "gpt-9"), 1, f"Name one of: {LARGE}"),
        (("--repeat", "0"), 2, "--repeat"),
    ],
)
def test_what_cannot_be_asked_is_told(
    words: tuple[str, ...], code: int, says: str, airworthy: Airworthy
) -> None:
    said = airworthy("models", "probe", *words)

    assert said.code == code
    assert says in said.err


def test_a_live_policy_with_gaps_is_not_asked_for(
    airworthy: Airworthy, folder: Path, simulator: Simulator
) -> None:
    policy = folder / "policy.toml"
    policy.write_text('stage = "beta"\n' + policy.read_text())

    said = airworthy("models", "probe")

    assert (said.code, simulator.calls) == (2, 0)
    assert "not ready to go live" in said.err


def test_the_policies_of_gateway_toml_are_asked_too(airworthy: Airworthy, folder: Path, url: str) -> None:
    (folder / "helper.toml").write_text(HELPER.format(agent="helper", url=url))
    (folder / "gateway.toml").write_text('policies = ["helper.toml"]')

    assert airworthy("models", "probe", "--json").lines[0]["agent"] == "helper"


def test_no_model_is_no_change(airworthy: Airworthy, folder: Path) -> None:
    (folder / "policy.toml").write_text('agent = "shop"\npurpose = "Nothing."\n')

    assert airworthy("models", "probe").code == 0


def test_who_answered_is_listed_and_marked_where_it_does_not_fit(
    airworthy: Airworthy, simulator: Simulator
) -> None:
    airworthy("models", "probe")
    replaced(simulator)
    airworthy("models", "probe")
    said, rows = airworthy("models", "seen"), airworthy("models", "seen", "--json").lines

    assert sorted(row["fits"] for row in rows) == [False, True]
    assert {row["calls"] for row in rows} == {8}
    assert all(row["first"] <= row["last"] for row in rows)
    assert said.out.count("does not fit") == 1


@pytest.mark.sqlite("a folder is without a file at first")
def test_nobody_seen_yet_is_said(airworthy: Airworthy) -> None:
    assert airworthy("models", "seen").code == 2
    airworthy("submit", "--input", "hello")
    said = airworthy("models", "seen")

    assert (said.code, said.out) == (0, "")
    assert "No model has answered yet" in said.err
