"""`tools` and `alert`: a changed result is told, shown in words, and accepted by a person."""

import json
from pathlib import Path
from typing import Any

import pytest

from airworthy.app.build import opened
from airworthy.app.config import load_config
from airworthy.recorder.alerts import Alert, raised
from tests.cli.conftest import Airworthy, make_folder

AGENT = '''
"""Looks orders up, as the shop answers them."""
import json
from pathlib import Path
from typing import Any

from airworthy import Agent, Run, tool

@tool(dependency="shop")
def get_order(id: str) -> Any:
    """Gets an order."""
    return json.loads(Path("FOLDER/answer.json").read_text())

@tool(effect="send", keyed=True)
def mail(to: str, *, idempotency_key: str) -> str:
    """Writes a mail."""
    return "sent"

agent = Agent("FOLDER/policy.toml", tools=[get_order, mail])

@agent.task
async def handle(run: Run) -> str:
    return str(await run.tool(get_order, id="7"))
'''
POLICY = """
agent = "shop"
purpose = "Looks orders up."
[checks]
input = ["empty"]
output = []
[tools.get_order]
schema_learn = 20
[tools.mail]
approval = "always"
schema_watch = false
"""
ORDER = {"id": 7, "total": 129, "status": "paid"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "work", agent=AGENT, policy=POLICY)


def works(airworthy: Airworthy, folder: Path, answer: Any, tasks: int) -> list[str]:
    (folder / "answer.json").write_text(json.dumps(answer))
    ids = [airworthy("submit", "--input", "Where is it?").word for _ in range(tasks)]
    assert airworthy("run", "--until-idle").code == 0
    return ids


@pytest.fixture
def changed(airworthy: Airworthy, folder: Path) -> str:
    """The task that met the change first."""
    works(airworthy, folder, ORDER, 20)
    (task,) = works(airworthy, folder, {"id": 7, "total": "129", "note": None}, 1)
    return task


def test_list_shows_effect_dependency_rule_and_shape(airworthy: Airworthy, folder: Path) -> None:
    before = airworthy("tools", "list").out
    works(airworthy, folder, ORDER, 3)
    said = airworthy("tools", "list")
    order, mail = airworthy("tools", "list", "--json").lines

    assert "no result yet" in before
    assert "learning, 3 of 20" in said.out
    assert "send, keyed" in said.out
    assert "approval, schema_watch" in said.out
    assert "not watched" in said.out
    assert (order["tool"], order["effect"], order["dependency"]) == ("get_order", "read", "shop")
    assert order["rule"] == {"schema_learn": 20}
    assert (order["shape"]["state"], order["shape"]["results"]) == ("learning", 3)
    assert (mail["keyed"], mail["shape"]) == (True, None)


def test_a_pinned_shape_is_shown_place_by_place_and_without_a_value(
    airworthy: Airworthy, folder: Path
) -> None:
    works(airworthy, folder, {**ORDER, "who": "ada@example.com", "lines": [{"sku": "A-1"}]}, 20)

    said = airworthy("tools", "schema", "show", "get_order")
    document = airworthy("tools", "schema", "show", "get_order", "--json").json

    assert "total: an integer" in said.out
    assert "lines[].sku: a text" in said.out
    assert "who: a text, always an e-mail address" in said.out
    assert "20 results" in said.out
    assert "ada" not in said.out
    assert (document["state"], document["results"]) == ("pinned", 20)
    assert document["shape"]["root"]["fields"]["total"]["kinds"] == {"integer": 20}


def test_a_change_is_told_with_its_first_task_and_diff_exits_with_1(
    airworthy: Airworthy, folder: Path, changed: str
) -> None:
    said = airworthy("tools", "schema", "diff", "get_order")
    document = airworthy("tools", "schema", "diff", "get_order", "--json")

    assert (said.code, document.code) == (1, 1)
    assert "`total` was an integer; it is a text in 1 of 1 results since" in said.out
    assert "`status` is missing" in said.out
    assert changed in said.out
    paths = {each["path"]: each["breaking"] for each in document.json["changes"]}
    assert paths == {"total": True, "status": True}
    assert airworthy("tools", "list", "--json").lines[0]["shape"]["state"] == "changed"


def test_without_a_change_diff_exits_with_0(airworthy: Airworthy, folder: Path) -> None:
    works(airworthy, folder, ORDER, 21)

    said = airworthy("tools", "schema", "diff", "get_order")

    assert (said.code, said.out) == (0, "Results of get_order look as pinned.\n")


def test_accept_pins_what_is_seen_now_with_who_and_when(
    airworthy: Airworthy, folder: Path, changed: str
) -> None:
    said = airworthy("tools", "schema", "accept", "get_order", "--json").json
    works(airworthy, folder, {"id": 7, "total": "129", "note": None}, 3)

    assert (said["pinned_by"], said["accepted"], said["source"]) == ("dana", 2, "accepted")
    assert said["pinned"] is not None
    assert airworthy("tools", "schema", "diff", "get_order").code == 0
    assert airworthy("alert", "list", "--json").lines == []
    assert [row["ended_by"] for row in airworthy("alert", "list", "--all", "--json").lines] == ["dana"]


def test_an_alert_is_listed_shown_by_a_part_of_its_key_and_ended_once(
    airworthy: Airworthy, folder: Path, changed: str
) -> None:
    (row,) = airworthy("alert", "list", "--json").lines
    said = airworthy("alert", "show", "get_order").out
    first = airworthy("alert", "end", "get_order", "--json").json
    again = airworthy("alert", "end", row["key"])

    assert (row["key"], row["task"], row["severity"]) == ("shape:shop:get_order", changed, "warning")
    assert said.startswith("Results of get_order have changed\n")
    assert "airworthy tools schema accept get_order --agent shop" in said
    assert (first["changed"], first["ended_by"]) == (True, "dana")
    assert "had ended already" in again.out
    assert airworthy("alert", "list").err == "No alert stands.\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("alert", "show", "nothing"), "There is no alert 'nothing'."),
        (("alert", "end", ""), "There is no alert ''."),
        (("tools", "schema", "show", "nothing"), "No result of 'nothing' has been seen yet."),
        (("tools", "schema", "accept", "nothing"), "No result of 'nothing' has been seen yet."),
    ],
)
def test_what_is_not_there_is_said(
    airworthy: Airworthy, folder: Path, command: tuple[str, ...], words: str
) -> None:
    works(airworthy, folder, ORDER, 1)

    said = airworthy(*command)

    assert said.code == 1
    assert said.err.startswith(words)


def test_text_from_outside_is_no_markup_and_moves_no_cursor(airworthy: Airworthy, folder: Path) -> None:
    works(airworthy, folder, ORDER, 1)
    hostile = Alert(
        "odd\x1b[2J:key",
        "chore",
        "shop",
        "warning",
        "[red]title\x1b[31m",
        "line\n\x1b]0;owned\x07 \u202eabc",
        "t\r\n1",
    )
    with opened(load_config(folder)) as found:
        found.database.write_now(lambda tx: raised(tx, hostile, 1))

    for said in (
        airworthy("alert", "list"),
        airworthy("alert", "show", "odd"),
        airworthy("alert", "list", "--json"),
    ):
        assert said.code == 0
        assert not any(char in said.out for char in "\x1b\x07\u202e\r")
        assert "[red]title" in said.out


def test_of_several_alerts_with_such_a_key_the_standing_one_is_meant(
    airworthy: Airworthy, folder: Path
) -> None:
    works(airworthy, folder, ORDER, 1)
    with opened(load_config(folder)) as found:
        for key in ("chore:one", "chore:two"):
            alert = Alert(key, "chore", "", "info", "title", "text")
            found.database.write_now(lambda tx, alert=alert: raised(tx, alert, 1))  # type: ignore[misc]

    both = airworthy("alert", "show", "chore")
    airworthy("alert", "end", "chore:one")
    one = airworthy("alert", "show", "chore", "--json").json

    assert "is in the keys of several alerts: chore:one, chore:two." in both.err
    assert one["key"] == "chore:two"


def test_a_declared_shape_says_its_file_what_is_not_watched_and_refuses_to_be_accepted(
    airworthy: Airworthy, folder: Path
) -> None:
    (folder / "schemas").mkdir()
    total = {"type": "integer", "minimum": 1}
    schema = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}, "total": total}}
    (folder / "schemas" / "order.json").write_text(json.dumps(schema))
    (folder / "policy.toml").write_text(
        POLICY.replace("schema_learn = 20", 'result_schema = "schemas/order.json"')
    )

    before = airworthy("tools", "list").out
    works(airworthy, folder, {"id": "7"}, 1)
    said = airworthy("tools", "schema", "show", "get_order")
    document = airworthy("tools", "schema", "show", "get_order", "--json").json
    diff = airworthy("tools", "schema", "diff", "get_order")
    refused = airworthy("tools", "schema", "accept", "get_order")
    order, _ = airworthy("tools", "list", "--json").lines

    assert "declared in schemas/order.json" in before
    assert "Declared in  schemas/order.json" in said.out
    assert "Not watched  total: minimum" in said.out
    assert "total: an integer, may be missing" in said.out
    assert (document["source"], document["declared_in"]) == ("declared", "schemas/order.json")
    assert diff.code == 1
    assert "`id` was an integer; it is a text" in diff.out
    assert "Change schemas/order.json" in diff.err
    assert refused.code != 0
    assert "is declared in schemas/order.json" in refused.err
    assert order["rule"]["result_schema"]["file"] == "schemas/order.json"


def test_a_schema_that_cannot_be_used_stops_the_agent_with_its_place(
    airworthy: Airworthy, folder: Path
) -> None:
    (folder / "order.json").write_text('{"properties": {"id": {"$ref": "https://example.com/id.json"}}}')
    (folder / "policy.toml").write_text(POLICY.replace("schema_learn = 20", 'result_schema = "order.json"'))

    said = airworthy("run", "--until-idle")

    assert said.code != 0
    assert "order.json, at #/properties/id/$ref" in said.err
    assert '"#/$defs/..."' in said.err
