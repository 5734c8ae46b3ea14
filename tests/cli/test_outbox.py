"""`outbox`: a person's word on an effect is carried out once, and each command does only what it says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import AGENT, Airworthy, make_folder


@pytest.fixture
def held(airworthy: Airworthy, ran: Callable[[str], str]) -> tuple[str, str]:
    """A task that waits for a payment to be approved, and the payment."""
    task = ran("pay ann")
    return task, airworthy("outbox", "list", "--json").lines[0]["id"]


@pytest.fixture
def doubtful(airworthy: Airworthy, ran: Callable[[str], str]) -> tuple[str, str]:
    """A task whose approved payment may or may not have happened."""
    task = ran("pay lost")
    effect = airworthy("outbox", "list", "--json").lines[0]["id"]
    airworthy("outbox", "approve", effect, "--note", "fine by me")
    airworthy("run", "--until-idle")
    return task, effect


def _ended(airworthy: Airworthy, task: str) -> tuple[str, object]:
    airworthy("run", "--until-idle")
    document = airworthy("task", "show", task, "--json").json
    return document["outcome"], document["answer"]


def test_list_shows_what_waits_with_its_arguments(airworthy: Airworthy, held: tuple[str, str]) -> None:
    text = airworthy("outbox", "list").out

    assert held[1] in text
    assert '{"amount": 80.0, "to": "ann"}' in text
    assert "above 50" in text


def test_an_approved_effect_is_carried_out_and_its_task_answered(
    airworthy: Airworthy, held: tuple[str, str]
) -> None:
    task, effect = held

    said = airworthy("outbox", "approve", effect[:12], "--note", "called", "--json")

    assert said.json["state"] == "approved"
    assert (said.json["decided_by"], said.json["note"]) == ("dana", "called")
    assert _ended(airworthy, task) == ("answered", "paid 80.0 to ann")
    assert airworthy("outbox", "list", "--json").lines == []
    assert [row["state"] for row in airworthy("outbox", "list", "--all", "--json").lines] == ["done"]


@pytest.mark.parametrize(
    ("command", "state"),
    [(("reject", "--why", "not covered"), "rejected"), (("cancel",), "cancelled")],
    ids=["reject", "cancel"],
)
def test_an_effect_that_was_turned_down_never_happens(
    command: tuple[str, ...], state: str, airworthy: Airworthy, held: tuple[str, str]
) -> None:
    task, effect = held

    said = airworthy("outbox", command[0], effect, *command[1:])
    ended = _ended(airworthy, task)

    assert said.code == 0
    assert ended[0] != "answered"
    assert airworthy("outbox", "show", effect, "--json").json["state"] == state
    assert state in airworthy("task", "show", task).out


def test_rejecting_needs_a_reason(airworthy: Airworthy, held: tuple[str, str]) -> None:
    assert airworthy("outbox", "reject", held[1]).code == 2
    assert "--why" in airworthy("outbox", "reject", held[1]).err


def test_two_people_decide_and_the_second_is_told(airworthy: Airworthy, held: tuple[str, str]) -> None:
    airworthy("outbox", "reject", held[1], "--why", "no")

    said = airworthy("outbox", "approve", held[1])

    assert said.code == 1
    assert "rejected" in said.err
    assert airworthy("outbox", "show", held[1], "--json").json["state"] == "rejected"


def test_an_effect_in_doubt_escalates_its_task_and_says_what_to_do(
    airworthy: Airworthy, doubtful: tuple[str, str]
) -> None:
    task, effect = doubtful
    text = airworthy("task", "show", task).out

    assert "escalated" in text
    assert f"airworthy outbox settle {effect} --happened" in text
    assert f"airworthy outbox settle {effect} --happened" in airworthy("outbox", "show", effect).out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--happened", "--result", '"paid before"'), ("answered", "paid before")),
        (("--happened",), ("answered", "None")),
    ],
    ids=["with its result", "without"],
)
def test_settling_that_it_happened_gives_the_agent_that_result(
    words: tuple[str, ...], expected: tuple[str, str], airworthy: Airworthy, doubtful: tuple[str, str]
) -> None:
    """Without a result the agent gets none, and not the note of whoever approved it."""
    task, effect = doubtful

    said = airworthy("outbox", "settle", effect, *words)

    assert said.code == 0
    assert _ended(airworthy, task) == expected
    assert airworthy("outbox", "show", effect, "--json").json["state"] == "done"


def test_settling_that_it_did_not_happen_tells_the_agent(
    airworthy: Airworthy, doubtful: tuple[str, str]
) -> None:
    task, effect = doubtful

    airworthy("outbox", "settle", effect, "--not-happened")

    assert _ended(airworthy, task)[0] != "answered"
    assert airworthy("outbox", "show", effect, "--json").json["state"] == "failed"


def test_settling_again_does_it_once_more(airworthy: Airworthy, doubtful: tuple[str, str]) -> None:
    task, effect = doubtful

    airworthy("outbox", "settle", effect, "--again")

    assert _ended(airworthy, task)[0] == "escalated"
    assert airworthy("outbox", "show", effect, "--json").json["state"] == "in_doubt"


def test_approving_is_no_settling_and_settling_no_approving(
    airworthy: Airworthy, doubtful: tuple[str, str]
) -> None:
    """Approving what may have happened already would do it twice without saying so."""
    approved = airworthy("outbox", "approve", doubtful[1])
    held = airworthy("submit", "--input", "pay bob").word
    airworthy("run", "--until-idle")
    effect = airworthy("task", "show", held, "--json").json["effects"][0]["id"]
    settled = airworthy("outbox", "settle", effect, "--again")

    assert (approved.code, settled.code) == (1, 1)
    assert "may have happened already" in approved.err
    assert "nothing to settle" in settled.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--happened", "--again"), 2, "one of"),
        (("--again", "--result", "1"), 2, "--happened"),
        (("--happened", "--result", "{nope"), 1, "no JSON"),
    ],
)
def test_a_settlement_that_contradicts_itself_changes_nothing(
    words: tuple[str, ...], code: int, says: str, airworthy: Airworthy, doubtful: tuple[str, str]
) -> None:
    said = airworthy("outbox", "settle", doubtful[1], *words)

    assert said.code == code
    assert says in said.err
    assert airworthy("outbox", "show", doubtful[1], "--json").json["state"] == "in_doubt"


def test_an_effect_that_is_not_there_is_not_found(airworthy: Airworthy, held: tuple[str, str]) -> None:
    assert held
    assert airworthy("outbox", "show", "eff_0000000").code == 1
    assert airworthy("outbox", "approve", "eff_0000000").code == 1


BOOKING = AGENT.replace(
    '@tool(effect="send")\ndef pay',
    "def repay(arguments: dict, result: str) -> str:\n"
    "    return f\"repaid {arguments['to']}\"\n\n"
    '@tool(effect="send", undo=repay)\ndef pay',
)


def test_a_done_effect_is_taken_back_once_and_both_show_it(folder: Path, airworthy: Airworthy) -> None:
    make_folder(folder, agent=BOOKING)
    airworthy("submit", "--input", "pay ann")
    airworthy("run", "--until-idle")
    effect = airworthy("outbox", "list", "--json").lines[0]["id"]
    airworthy("outbox", "approve", effect)
    airworthy("run", "--until-idle")
    assert f"airworthy outbox undo {effect}" in airworthy("outbox", "show", effect).out

    said = airworthy("outbox", "undo", effect, "--why", "wrong ann", "--by", "Dana Smith", "--json")
    airworthy("run", "--until-idle")
    again = airworthy("outbox", "undo", effect)

    assert (said.json["undo_of"], said.json["decided_by"], said.json["note"]) == (
        effect,
        "Dana Smith",
        "wrong ann",
    )
    assert airworthy("outbox", "show", effect, "--json").json["state"] == "undone"
    shown = airworthy("outbox", "show", said.json["id"]).out
    assert f"Takes back  {effect}" in shown
    assert "repaid ann" in shown
    assert again.code != 0
    assert "has been taken back already" in again.err


def test_an_undo_that_its_tool_does_not_declare_is_refused(
    airworthy: Airworthy, held: tuple[str, str]
) -> None:
    airworthy("outbox", "approve", held[1])
    airworthy("run", "--until-idle")
    said = airworthy("outbox", "undo", held[1])

    assert said.code != 0
    assert "its tool declares no undo" in said.err


def test_show_tells_every_rule_that_held_it(airworthy: Airworthy, held: tuple[str, str]) -> None:
    assert "amount: amount is above 50" in airworthy("outbox", "show", held[1]).out
    (rule,) = airworthy("outbox", "show", held[1], "--json").json["evidence"]["rules"]
    assert (rule["rule"], rule["argument"], rule["value"]) == ("amount", "amount", "80.0")


def test_a_rehearsed_task_says_so_and_asks_nobody(airworthy: Airworthy) -> None:
    task = airworthy("submit", "--input", "pay ann", "--dry-run").word
    airworthy("run", "--until-idle")

    assert "Rehearsed" in airworthy("task", "show", task).out
    assert [row["state"] for row in airworthy("outbox", "list", "--all", "--json").lines] == ["rehearsed"]
