"""`replay` and `fork`: a person sees whether a record explains its task, and tries another way without acting."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Airworthy


def test_replay_says_that_a_record_explains_its_task(airworthy: Airworthy, ran: Callable[[str], str]) -> None:
    id_ = ran("look teapot")

    said = airworthy("replay", "last")

    assert said.code == 0
    assert said.out == f"{id_}  The same: answered, from 1 recorded call and nothing else.\n"


def test_replay_of_a_task_without_an_end_says_why_not(
    airworthy: Airworthy, ran: Callable[[str], str]
) -> None:
    said = airworthy("replay", ran("pay ann"))

    assert said.code == 2
    assert "Cannot be replayed. It is waiting" in said.out
    assert "airworthy task show" in said.err


def test_replay_of_several_ends_as_the_worst_of_them(airworthy: Airworthy, ran: Callable[[str], str]) -> None:
    ids = [ran("look teapot"), ran("fail badly"), ran("pay ann")]

    said = airworthy("replay", *ids, "--json")

    assert [line["verdict"] for line in said.lines] == ["same", "same", "cannot"]
    assert said.code == 2


def test_replay_shows_where_the_code_of_today_leaves_the_record(
    airworthy: Airworthy, ran: Callable[[str], str], folder: Path
) -> None:
    id_ = ran("look teapot")
    (module,) = folder.glob("scripted_*.py")
    module.write_text(module.read_text().replace("look, what=rest", "look, what=rest + '!'"))
    sys.modules.pop(module.stem)
    importlib.invalidate_caches()

    said = airworthy("replay", id_)

    assert said.code == 1
    assert f"{id_}  Differs. It called tool look, and the record has no answer for that." in said.out
    assert "tool look (step 2)" in said.out
    assert 'what: "teapot" -> "teapot!"' in said.out


def test_a_hostile_task_cannot_forge_a_line_of_the_report(
    airworthy: Airworthy, ran: Callable[[str], str]
) -> None:
    said = airworthy("replay", ran("decline \x1b[2Jgone\nand forged"))

    assert "\x1b" not in said.out
    assert len(said.out.splitlines()) == 1


def test_a_fork_goes_on_with_another_result_and_is_shown_beside_its_origin(
    airworthy: Airworthy, ran: Callable[[str], str]
) -> None:
    origin = ran("look teapot")

    fork = airworthy("fork", origin, "--at", "2", "--tool-result", '"a kettle"').word
    airworthy("run", "--until-idle")
    listed = {row["id"]: row["fork_of"] for row in airworthy("task", "list", "--json").lines}
    shown = airworthy("task", "show", fork).out

    assert listed == {fork: origin, origin: None}
    assert f"of {origin} at step 2" in shown
    assert "no tool of it acts" in shown
    assert "a kettle" in shown
    assert airworthy("task", "show", origin, "--json").json["forks"] == [fork]
    assert f"fork of {origin}" in airworthy("task", "list").out


def test_waiting_for_a_fork_compares_both(airworthy: Airworthy, ran: Callable[[str], str]) -> None:
    origin = ran("look teapot")

    said = airworthy("fork", origin, "--at", "2", "--wait", "--timeout", "0.01", "--json")

    assert said.json["origin"]["answer"] == "TEAPOT"
    assert said.json["fork"]["state"] == "queued"
    assert said.code == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--at", "9"], "Step 9"),
        (["--at", "2", "--tool-result", "{no json"], "no JSON"),
        (["--at", "2", "--tool-result", "17"], "no result of step 2"),
        (["--at", "2", "--model", "huge-2026-01-01"], "not in the policy"),
    ],
)
def test_what_cannot_be_forked_is_refused_with_the_reason(
    arguments: list[str], says: str, airworthy: Airworthy, ran: Callable[[str], str]
) -> None:
    said = airworthy("fork", ran("look teapot"), *arguments)

    assert said.code != 0
    assert says in said.err
    assert len(airworthy("task", "list", "--json").lines) == 1


def test_a_result_and_a_prompt_may_stand_in_a_file(
    airworthy: Airworthy, ran: Callable[[str], str], folder: Path
) -> None:
    origin = ran("look teapot")
    (folder / "result.json").write_text('"from a file"')
    (folder / "prompt.txt").write_text("Be brief.")

    fork = airworthy(
        "fork", origin, "--at", "2", "--tool-result", "result.json", "--prompt", "prompt.txt"
    ).word
    journal = airworthy("task", "show", fork, "--json").json["journal"]

    assert journal[-1]["result"] == "from a file"
    assert journal[0]["notes"][-1]["fork"]["prompt"] == "Be brief."
