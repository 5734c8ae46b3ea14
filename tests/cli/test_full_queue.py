"""A full queue at the terminal: refused with its own code, or waited for; and what `status` tells of a queue."""

from pathlib import Path

from airworthy.cli.exits import Exit
from tests.cli.conftest import Airworthy


def bounded(folder: Path, **bounds: object) -> None:
    policy = folder / "policy.toml"
    lines = "\n".join(f"{key} = {value}" for key, value in bounds.items())
    policy.write_text(f"{policy.read_text()}\n[admission]\n{lines}\n")


def test_a_full_queue_is_a_code_of_its_own_and_says_when(airworthy: Airworthy, folder: Path) -> None:
    bounded(folder, queue_max=1)
    airworthy("submit", "--input", "one")
    said = airworthy("submit", "--input", "two")

    assert said.code == 75
    assert "1 tasks wait, and at most 1 may" in said.err
    assert "Send it again in 60 s" in said.err
    assert len(airworthy("task", "list", "--json").out.splitlines()) == 1


def test_waiting_for_room_gives_up_when_told_to(airworthy: Airworthy, folder: Path) -> None:
    bounded(folder, queue_max=1)
    airworthy("submit", "--input", "one")
    said = airworthy("submit", "--input", "two", "--when-full", "wait", "--timeout", "0.2")

    assert said.code == Exit.LATER
    assert "Waiting for room." in said.err


def test_waiting_for_room_hands_in_as_soon_as_there_is_some(airworthy: Airworthy, folder: Path) -> None:
    bounded(folder, queue_max=1)
    airworthy("submit", "--input", "one")
    airworthy("run", "--until-idle")
    said = airworthy("submit", "--input", "two", "--when-full", "wait")

    assert said.code == Exit.OK
    assert said.out.startswith("tsk_")


def test_status_tells_the_queue(airworthy: Airworthy, folder: Path) -> None:
    bounded(folder, queue_max=7, concurrency=2, rate='"1/h"', user_rate='"1/day"')
    for text in ("one", "two", "three"):
        airworthy("submit", "--input", text)
    (queue,) = airworthy("status", "--json").json["queues"]
    text = airworthy("status").out

    assert (queue["agent"], queue["waiting"], queue["under_way"]) == ("shop", 3, 0)
    assert queue["oldest"] is not None
    assert (queue["concurrency"], queue["rate"], queue["queue_max"]) == (2, "1 per hour", 7)
    assert "Queue of shop" in text
    assert "3 of at most 7 wait, the first for" in text


def test_status_says_nothing_of_queues_where_there_are_none(airworthy: Airworthy) -> None:
    airworthy("submit", "--input", "one")

    assert airworthy("status", "--json").json["queues"] == []
    assert "Queue" not in airworthy("status").out
