"""What every door to the review queue must do, whatever it is made of. A new door is one more entry of DOORS."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Airworthy
from tests.review.doors import ApiDoor, CommandDoor, Door, Refused

DOORS: dict[str, Callable[[Airworthy, Path], Door]] = {
    "commands": lambda airworthy, _: CommandDoor(airworthy),
    "api": lambda _, folder: ApiDoor(folder),
}
PEOPLE = """
[people.dana]
name = "Dana Smith"

[people.lee]
name = "Lee Wong"

[people.vera]
name = "Vera Look"
roles = ["viewer"]

[teams.team]
members = ["dana"]

[teams.finance]
members = ["lee"]
"""


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, airworthy: Airworthy, folder: Path) -> Door:
    return DOORS[request.param](airworthy, folder)


@pytest.fixture
def held(door: Door, ran: Callable[[str], str]) -> dict[str, Any]:
    """A payment that waits for a person, in the team's hands."""
    ran("pay ann")
    (line,) = door.listing()
    return door.show(line["id"])


@pytest.fixture
def people(folder: Path) -> None:
    (folder / "people.toml").write_text(PEOPLE)


def ended(airworthy: Airworthy, item: dict[str, Any]) -> tuple[str, Any]:
    airworthy("run", "--until-idle")
    task = airworthy("task", "show", item["task"], "--json").json
    return task["state"], task["answer"]


def test_an_item_says_in_words_what_happened_what_is_asked_and_what_follows(held: dict[str, Any]) -> None:
    assert held["kind"] == "approval"
    assert held["happened"] == "shop asked for pay, which sends something. Nothing was sent."
    assert held["stopped"] == "It was held: amount is above 50."
    assert held["asked"] == "Shall this call be made, with exactly these arguments?"
    assert [answer["act"] for answer in held["answers"]] == ["approve", "edit", "reject"]
    assert held["call"]["arguments"] == {"to": "ann", "amount": 80.0}
    assert held["origin"]["input"] == "pay ann"
    assert held["cost_usd"] == 0.0
    assert len(held["seen"]) == 16
    assert held["by_default"]


def test_approve(door: Door, airworthy: Airworthy, held: dict[str, Any]) -> None:
    said = door.approve(held["id"], "dana", held["seen"], "she called")

    assert (said["status"], said["decision"], said["decided_by"], said["note"]) == (
        "decided", "approve", "dana", "she called",
    )  # fmt: skip
    assert [(record["act"], record["by"], record["seen"]) for record in said["records"]] == [
        ("approve", "dana", held["seen"])
    ]
    assert ended(airworthy, held) == ("answered", "paid 80.0 to ann")
    assert door.listing() == []
    assert [line["id"] for line in door.listing(all_=True)] == [held["id"]]


def test_edit(door: Door, airworthy: Airworthy, held: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="break the schema"):
        door.edit(held["id"], "dana", held["seen"], {"to": "ann", "amount": "twenty"})

    said = door.edit(held["id"], "dana", held["seen"], {"to": "ann", "amount": 20.0})

    assert said["edited_by"] == "dana"
    assert said["records"][0]["detail"] == {
        "was": {"to": "ann", "amount": 80.0}, "is": {"to": "ann", "amount": 20.0},
    }  # fmt: skip
    assert ended(airworthy, held) == ("answered", "paid 20.0 to ann")


def test_reject(door: Door, airworthy: Airworthy, held: dict[str, Any]) -> None:
    assert door.reject(held["id"], "dana", held["seen"], "not covered")["note"] == "not covered"
    assert ended(airworthy, held)[0] != "answered"


@pytest.mark.parametrize("seen", ["0123456789abcdef", "x"])
def test_what_was_not_seen_is_not_decided(
    door: Door, airworthy: Airworthy, held: dict[str, Any], seen: str
) -> None:
    with pytest.raises(Refused, match="is not what you saw"):
        door.approve(held["id"], "dana", seen)

    assert ended(airworthy, held)[0] == "waiting"


def test_the_second_person_is_told_who_was_first_and_when(door: Door, held: dict[str, Any]) -> None:
    door.reject(held["id"], "dana", held["seen"], "no")

    with pytest.raises(Refused, match=r"decided \(reject\) by dana on 2"):
        door.approve(held["id"], "lee", held["seen"])


def test_nobody_decides_what_is_not_there(door: Door, held: dict[str, Any]) -> None:
    assert held

    with pytest.raises(Refused, match="Nothing in the review queue"):
        door.show("rev_0000")
    with pytest.raises(Refused, match="Nothing in the review queue"):
        door.approve("rev_0000", "dana", "x")


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("by", "says"),
    [("lee", "not of that team"), ("vera", "viewer"), ("mallory", "not in people.toml")],
)
def test_whoever_may_not_is_told_who_may(
    door: Door, airworthy: Airworthy, held: dict[str, Any], by: str, says: str
) -> None:
    with pytest.raises(Refused, match=says) as raised:
        door.approve(held["id"], by, held["seen"])

    assert "Dana Smith" in raised.value.words
    assert ended(airworthy, held)[0] == "waiting"


@pytest.mark.usefixtures("people")
def test_assign(door: Door, held: dict[str, Any]) -> None:
    assert door.assign(held["id"], "dana", "finance")["to"] == "finance"
    assert [line["id"] for line in door.listing(to="finance")] == [held["id"]]
    assert door.listing(to="team") == []
    assert door.assign(held["id"], "lee", "dana")["assigned"] == "dana"
    assert door.approve(held["id"], "dana", held["seen"])["role"] == "reviewer, assigned"


def test_an_escalated_task_is_answered_by_hand(
    door: Door, airworthy: Airworthy, ran: Callable[[str], str]
) -> None:
    task = ran("escalate which one?")
    (line,) = door.listing(kind="escalation")
    item = door.show(line["id"])
    assert "nobody checked: which one?" in item["stopped"]

    said = door.answer(item["id"], "dana", item["seen"], "The red one.")

    assert said["decision"] == "answer"
    assert ended(airworthy, {"task": task}) == ("answered", "The red one.")


def test_an_escalated_task_is_opened_again(
    door: Door, airworthy: Airworthy, ran: Callable[[str], str]
) -> None:
    ran("escalate which one?")
    (line,) = door.listing(kind="escalation")
    item = door.show(line["id"])

    said = door.reopen(item["id"], "dana", item["seen"], "the red one")
    airworthy("run", "--until-idle")

    assert said["records"][0]["detail"] == "the red one"
    (again,) = door.listing(kind="escalation")
    assert again["id"] != item["id"], "this agent does not listen, and asks again"


@pytest.mark.parametrize("how", ["happened", "not_happened", "again"])
def test_a_call_in_doubt_is_settled(
    door: Door, airworthy: Airworthy, ran: Callable[[str], str], how: str
) -> None:
    ran("pay lost")
    held = door.show(door.listing()[0]["id"])
    door.approve(held["id"], "dana", held["seen"])
    airworthy("run", "--until-idle")
    (line,) = door.listing(kind="in_doubt")
    doubt = door.show(line["id"])

    said = door.settle(doubt["id"], "dana", doubt["seen"], how, "paid as R-17" if how == "happened" else None)

    assert said["decision"] == how
    state, answer = ended(airworthy, held)
    if how == "happened":
        assert (state, answer) == ("answered", "paid as R-17")


def test_a_dead_letter_is_tried_again(door: Door, ran: Callable[[str], str], airworthy: Airworthy) -> None:
    ran("fail badly")
    (line,) = door.listing(kind="dead_letter")
    item = door.show(line["id"])
    assert "RuntimeError" in item["stopped"]

    door.approve(item["id"], "dana", item["seen"])

    assert door.listing() == []
    assert ended(airworthy, item)[0] == "dead_lettered"
    assert len(door.listing(kind="dead_letter")) == 1
