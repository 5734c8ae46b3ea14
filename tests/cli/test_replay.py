"""`replay` and `fork`: a person sees whether a record explains its task, and tries another way without acting."""

from collections.abc import Callable

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
