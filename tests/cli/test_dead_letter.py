"""`dead-letter`: nothing is brought back or put away by accident, and one bad id holds up no other."""

import pytest

from tests.cli.conftest import Airworthy


@pytest.fixture
def dead(airworthy: Airworthy) -> list[str]:
    """Three dead letters, the oldest first."""
    ids = [airworthy("submit", "--input", f"fail {number}").word for number in range(3)]
    airworthy("run", "--until-idle")
    return ids


def _states(airworthy: Airworthy) -> dict[str, str]:
    return {row["id"]: row["state"] for row in airworthy("task", "list", "--json").lines}


def test_list_shows_dead_letters_alone(airworthy: Airworthy, dead: list[str]) -> None:
    airworthy("submit", "--input", "hello")

    assert [row["id"] for row in airworthy("dead-letter", "list", "--json").lines] == dead[::-1]
    assert airworthy("dead-letter", "list", "--reason", "crashed", "--json").lines == []
    assert "agent_error" in airworthy("dead-letter", "list").out


def test_show_has_the_error_with_its_trace(airworthy: Airworthy, dead: list[str]) -> None:
    said = airworthy("dead-letter", "show", dead[0])

    assert "RuntimeError: 0" in said.out
    assert "raise RuntimeError(rest)" in said.out
    assert said.code == 0


def test_show_refuses_a_task_that_is_none(airworthy: Airworthy) -> None:
    id_ = airworthy("submit", "--input", "hello").word

    assert airworthy("dead-letter", "show", id_).code == 1
    assert "queued, not a dead letter" in airworthy("dead-letter", "show", id_).err


def test_requeue_sends_the_named_ones_back(airworthy: Airworthy, dead: list[str]) -> None:
    said = airworthy("dead-letter", "requeue", dead[0], dead[2][-8:])

    assert said.out == f"{dead[0]} requeued\n{dead[2]} requeued\n"
    assert _states(airworthy) == {dead[0]: "queued", dead[1]: "dead_lettered", dead[2]: "queued"}


def test_one_that_cannot_be_requeued_holds_up_no_other(airworthy: Airworthy, dead: list[str]) -> None:
    said = airworthy("dead-letter", "requeue", "tsk_none", dead[0], dead[0], dead[1], "--json")

    assert said.code == 1
    assert [line["task"] for line in said.lines] == [dead[0], dead[1]]
    assert "There is no task" in said.err


@pytest.mark.parametrize(("command", "left"), [("requeue", "queued"), ("discard", "dead_lettered")])
def test_all_asks_first_and_where_nobody_can_be_asked_does_nothing(
    command: str, left: str, airworthy: Airworthy, dead: list[str]
) -> None:
    asked = airworthy("dead-letter", command, "--all")
    before = _states(airworthy)
    done = airworthy("dead-letter", command, "--all", "--reason", "agent_error", "--yes")

    assert asked.code == 2
    assert "3 dead letters" in asked.err
    assert set(before.values()) == {"dead_lettered"}
    assert done.code == 0
    assert set(done.out.split()[::2]) == set(dead)
    assert airworthy("dead-letter", "list", "--json").lines == []
    assert set(_states(airworthy).values()) <= {left}


def test_all_with_a_filter_that_leaves_nothing_does_nothing(airworthy: Airworthy, dead: list[str]) -> None:
    said = airworthy("dead-letter", "requeue", "--all", "--agent", "other")

    assert said.code == 0
    assert said.out == ""
    assert set(_states(airworthy).values()) == {"dead_lettered"}


def test_a_discarded_one_is_kept_and_can_be_listed(airworthy: Airworthy, dead: list[str]) -> None:
    airworthy("dead-letter", "discard", dead[1])

    assert len(airworthy("dead-letter", "list", "--json").lines) == 2
    assert len(airworthy("dead-letter", "list", "--discarded", "--json").lines) == 3
    assert airworthy("task", "show", dead[1], "--json").json["discarded"]


def test_ids_and_filters_together_are_refused(airworthy: Airworthy, dead: list[str]) -> None:
    assert airworthy("dead-letter", "requeue", dead[0], "--agent", "shop").code == 2
    assert airworthy("dead-letter", "requeue", dead[0], "--all").code == 2
    assert set(_states(airworthy).values()) == {"dead_lettered"}
