"""Where people.toml says who is who, every command that stops, starts or lets out asks it; broken, only those stop."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Airworthy

PEOPLE = """
[people.vera]
name = "Vera Look"
roles = ["viewer"]

[people.rita]
name = "Rita Review"
roles = ["reviewer"]

[people.otto]
name = "Otto Operate"
roles = ["operator"]

[people.ada]
name = "Ada Admin"
roles = ["admin"]

[teams.team]
members = ["rita"]
"""
COMMANDS = [
    ("otto", ("task", "cancel", "last")),
    ("otto", ("task", "pause", "last")),
    ("otto", ("task", "resume", "last")),
    ("otto", ("replay", "last")),
    ("otto", ("fork", "last", "--at", "2")),
    ("otto", ("pause", "--all")),
    ("otto", ("resume", "--all")),
    ("otto", ("dead-letter", "requeue", "last")),
    ("otto", ("dead-letter", "discard", "last")),
    ("otto", ("tools", "schema", "accept", "look")),
    ("rita", ("mcp", "accept", "--agent", "shop", "--yes")),
    ("rita", ("outbox", "undo", "eff_0000")),
    ("ada", ("access", "create", "--person", "rita")),
    ("ada", ("access", "revoke", "awp_12345678")),
]
NO = "and this needs the role"


@pytest.fixture
def by(airworthy: Airworthy, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a person is told when they give a command."""

    def said(who: str, *command: str) -> str:
        monkeypatch.setenv("AIRWORTHY_USER", who)
        return airworthy(*command).err

    return said


@pytest.fixture
def people(folder: Path, ran: Callable[[str], str]) -> Path:
    """After a task that is over, so that there is something of each."""
    ran("look out")
    path = folder / "people.toml"
    path.write_text(PEOPLE)
    return path


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(("who", "command"), COMMANDS)
def test_each_command_is_for_one_role_and_for_admins(
    by: Callable[..., str], who: str, command: tuple[str, ...]
) -> None:
    refused = {each for each in ("mallory", "vera", "rita", "otto", "ada") if NO in by(each, *command)}

    assert refused == {"mallory", "vera", "rita", "otto", "ada"} - {who, "ada"}


@pytest.mark.parametrize(("who", "command"), COMMANDS)
def test_without_people_whoever_reaches_the_database_may(
    by: Callable[..., str], ran: Callable[[str], str], who: str, command: tuple[str, ...]
) -> None:
    ran("look out")

    assert NO not in by(who, *command)


@pytest.mark.usefixtures("people")
def test_an_escalated_task_goes_on_only_on_the_word_of_who_may_decide_it(
    by: Callable[..., str], ran: Callable[[str], str]
) -> None:
    """An operator tries again what failed; whether the agent is to go on with what it asked people is for them."""
    ran("escalate what now")

    assert "decides nothing of this kind" in by("otto", "task", "resume", "last")
    assert by("rita", "task", "resume", "last") == ""


@pytest.mark.usefixtures("people")
def test_what_was_approved_is_not_called_off_by_a_stranger(
    by: Callable[..., str], airworthy: Airworthy, ran: Callable[[str], str]
) -> None:
    """It waits on no list any more, so no item says who may."""
    ran("pay ann")
    (held,) = airworthy("outbox", "list", "--json").lines
    assert by("rita", "outbox", "approve", held["id"]) == ""

    assert NO in by("vera", "outbox", "cancel", held["id"])
    assert by("otto", "outbox", "cancel", held["id"]) == ""


def test_a_broken_people_file_stops_who_decides_and_nobody_who_looks_or_stops(
    airworthy: Airworthy, people: Path, ran: Callable[[str], str]
) -> None:
    ran("pay ann")
    (held,) = airworthy("outbox", "list", "--json").lines
    people.write_text("[people.dana]\nname = 7\n")

    for looking in (
        ("status",), ("task", "list"), ("task", "show", "last"), ("outbox", "list"), ("alert", "list"),
        ("review", "list"), ("submit", "--input", "look up"), ("pause", "--all"),
    ):  # fmt: skip
        assert airworthy(*looking).code == 0, looking
    assert "people.toml cannot be read" in airworthy("review", "list").err
    assert "people.toml cannot be read" in airworthy("status").err
    for deciding in (
        ("outbox", "approve", held["id"]), ("resume", "--all"), ("run", "--until-idle"), ("api", "--listen", "x:0"),
        ("access", "create", "--program", "p", "--role", "admin"), ("manual", "call", "last", "look"),
    ):  # fmt: skip
        said = airworthy(*deciding)
        assert said.code != 0, deciding
    assert "people.toml" in airworthy("outbox", "approve", held["id"]).err
    assert "people.toml" in airworthy("run", "--until-idle").err
