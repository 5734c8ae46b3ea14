"""`breaker`: what is cut off is listed with its reason, and a person's word holds until a person takes it back."""

import asyncio
from pathlib import Path

import pytest

from airworthy.core.clock import SystemClock
from airworthy.resilience import Breaker, CircuitOpen
from airworthy.resilience.shared import Circuits, UnknownBreaker, alike
from airworthy.resilience.shared.rows import AmbiguousBreaker
from tests.cli.conftest import Airworthy
from tests.database import opened_at

MINI = "model:gpt-5-mini-2025-08-07 at its provider"
LARGE = "model:gpt-5-2025-08-07 at its provider"


def _work(folder: Path, failures: int, name: str = MINI) -> str:
    """A process that uses the breaker, reports, and ends. What it is told when it asks for leave."""

    async def main() -> str:
        database = opened_at(folder)
        try:
            home = Circuits(database, SystemClock(), "wkr_1")
            circuit = home.circuit(name, Breaker(calls_min=4))
            await home.tick()
            try:
                for _ in range(failures):
                    circuit.leave(circuit.enter(), "failure")
                permit = await circuit.admit()
            except CircuitOpen as refused:
                await home.tick()
                return refused.message
            circuit.leave(permit, "ok")
            await home.tick()
            return "let in"
        finally:
            database.close()

    return asyncio.run(main())


@pytest.fixture
def used(airworthy: Airworthy, folder: Path) -> Path:
    airworthy("submit", "--input", "hello")
    _work(folder, 0)
    _work(folder, 0, LARGE)
    return folder


def test_breakers_are_listed_with_what_is_wrong_with_them(airworthy: Airworthy, used: Path) -> None:
    _work(used, 4)

    large, mini = airworthy("breaker", "list", "--json").lines
    text = airworthy("breaker", "list").out

    assert (large["name"], large["mode"], large["reason"]) == (LARGE, "closed", "new")
    assert (mini["name"], mini["mode"], mini["forced"], mini["by"]) == (MINI, "open", False, "wkr_1")
    assert mini["reason"] == "4 of 4 calls failed within 30 s"
    assert mini["next_probe"] > mini["since"]
    assert "4 of 4 calls failed within 30 s" in text


def test_failures_in_the_window_are_counted_while_it_is_closed(airworthy: Airworthy, used: Path) -> None:
    _work(used, 2)

    _, mini = airworthy("breaker", "list", "--json").lines

    assert (mini["mode"], mini["failures"], mini["calls"]) == ("closed", 2, 3)
    assert "2 of 3" in airworthy("breaker", "list").out


def test_what_a_person_opened_is_refused_until_a_person_closes_it(airworthy: Airworthy, used: Path) -> None:
    said = airworthy("breaker", "open", "gpt-5-mini", "--reason", "wrong answers")
    refused = _work(used, 0)
    _, mini = airworthy("breaker", "list", "--json").lines
    closed = airworthy("breaker", "close", "gpt-5-mini", "--reason", "mended", "--json").json

    assert said.out.splitlines()[0] == f"{MINI} was closed and is now open by hand."
    assert f"airworthy breaker close '{MINI}'" in said.out
    assert "opened by hand: wrong answers" in refused
    assert (mini["mode"], mini["forced"], mini["by"], mini["next_probe"]) == ("open", True, "dana", None)
    assert (closed["mode"], closed["before"], closed["changed"], closed["by"]) == (
        "closed",
        "open",
        True,
        "dana",
    )
    assert closed["reason"] == "closed by hand: mended"
    assert _work(used, 0) == "let in"


def test_doing_it_twice_says_so_and_keeps_the_first_reason(airworthy: Airworthy, used: Path) -> None:
    airworthy("breaker", "open", MINI, "--reason", "first")

    again = airworthy("breaker", "open", MINI, "--reason", "second")
    closed = [airworthy("breaker", "close", MINI, "--json").json["changed"] for _ in range(2)]

    assert again.code == 0
    assert "is open by hand already" in again.out
    assert "first" in again.out
    assert closed == [True, False]


def test_what_opened_by_itself_can_be_forced_and_closed(airworthy: Airworthy, used: Path) -> None:
    _work(used, 4)
    said = airworthy("breaker", "open", "mini", "--reason", "stay out")
    airworthy("breaker", "close", "mini")

    assert said.out.startswith(f"{MINI} was open and is now open by hand.")
    assert _work(used, 0) == "let in"


@pytest.mark.usefixtures("used")
def test_a_name_that_fits_several_or_none_is_told(airworthy: Airworthy) -> None:
    several = airworthy("breaker", "open", "gpt", "--reason", "x")
    none = airworthy("breaker", "close", "claude")
    silent = airworthy("breaker", "open", "mini", "--reason", " ")

    assert several.code == none.code == 1
    assert MINI in several.err
    assert LARGE in several.err
    assert "There is no breaker 'claude'" in none.err
    assert "airworthy breaker list" in none.err
    assert silent.code == 2


def test_without_any_breaker_the_list_is_empty(airworthy: Airworthy) -> None:
    airworthy("submit", "--input", "hello")

    said = airworthy("breaker", "list")

    assert (said.code, said.out) == (0, "")
    assert "No breaker has been used yet." in said.err


NAMES = ["model:a-1 at https://x.example", "model:a-1 at its provider", "tool:crm", "tool:crm-write"]


@pytest.mark.parametrize(
    ("part", "name", "why"),
    [
        ("tool:crm", "tool:crm", "a whole name is that one, though another begins with it"),
        ("TOOL:CRM-W", "tool:crm-write", "capitals do not count"),
        ("crm-", "tool:crm-write", "the kind may be left out"),
        ("x.example", "model:a-1 at https://x.example", "any part that only one has"),
    ],
)
def test_names_are_found_as_people_type_them(part: str, name: str, why: str) -> None:
    assert alike(NAMES, part) == name, why


@pytest.mark.parametrize("part", ["model:", "a-1", "tool"])
def test_a_part_of_several_names_is_refused(part: str) -> None:
    with pytest.raises(AmbiguousBreaker):
        alike(NAMES, part)


@pytest.mark.parametrize("part", ["", "crn", " "])
def test_no_part_of_a_name_is_unknown(part: str) -> None:
    with pytest.raises(UnknownBreaker):
        alike(NAMES, part)
