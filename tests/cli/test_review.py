"""`review` as a person types it: what is shown is safe, what is decided is what was shown, what cannot be is said."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Airworthy, make_folder

HOSTILE = "a\x1b[2J\x1b]0;x\x07\u202egnp.exe\u2066 =cmd|' /C calc'!A0 [bold red]<script>\r\nItem  rev_fake"
FORBIDDEN = ("\x1b", "\u202e", "\u2066", "\x07", "\r")


@pytest.fixture
def held(airworthy: Airworthy, ran: Callable[[str], str]) -> str:
    ran("pay ann")
    return str(airworthy("review", "list", "--json").lines[0]["id"])


def test_the_list_and_one_item_in_words(airworthy: Airworthy, held: str) -> None:
    listed, shown = airworthy("review", "list").out, airworthy("review", "show", held).out

    assert held in listed
    assert "approval" in listed
    assert '"amount":80.0' in listed
    seal = airworthy("review", "show", held, "--json").json["seen"]
    for words in (
        "shop asked for pay",
        "Shall this call be made",
        f"airworthy review approve {held} --seen {seal}",
    ):
        assert words in shown


def test_nothing_waits(airworthy: Airworthy, ran: Callable[[str], str]) -> None:
    ran("hello")

    said = airworthy("review", "list")

    assert said.out == ""
    assert "Nothing waits for a person." in said.err


def test_without_what_was_seen_and_without_anybody_to_ask_nothing_is_decided(
    airworthy: Airworthy, held: str
) -> None:
    said = airworthy("review", "approve", held)

    assert said.code == 2
    assert "add --yes" in said.err
    assert "shop asked for pay" in said.out
    assert airworthy("review", "show", held, "--json").json["status"] == "open"


def test_yes_decides_on_what_stands_there_now(airworthy: Airworthy, held: str) -> None:
    said = airworthy("review", "approve", held[:12], "--yes", "--note", "fine")

    assert said.code == 0
    assert "was decided by dana at" in said.out
    assert ": approve: fine." in said.out


def test_what_has_changed_is_refused_and_shown_anew(airworthy: Airworthy, held: str) -> None:
    said = airworthy("review", "approve", held, "--seen", "ffffffffffffffff")

    assert said.code == 1
    assert "is not what you saw" in said.err
    assert "shop asked for pay" in said.out


def test_the_id_of_a_task_or_effect_stands_for_the_open_item_about_it(
    airworthy: Airworthy, held: str
) -> None:
    """`task show` knows no ids of items, and names the ones it has."""
    document = airworthy("review", "show", held, "--json").json

    for whole in (document["task"], document["subject"]):
        assert airworthy("review", "show", whole, "--json").json["id"] == held

    airworthy("review", "approve", document["subject"], "--yes")
    assert "Nothing in the review queue" in airworthy("review", "show", document["task"]).err


def test_a_call_by_hand_that_waits_for_its_approval_was_not_done(airworthy: Airworthy) -> None:
    """A script that goes by the exit code must not take it for done."""
    airworthy("pause", "--agent", "shop", "--to-people")
    airworthy("submit", "--input", "pay ann")

    said = airworthy("manual", "call", "last", "pay", '{"to": "ann", "amount": 80}')

    assert said.code == 1
    assert "It has not been done yet: it waits for a person to decide on pay" in said.err
    assert "airworthy review list" in said.err


def test_what_is_decided_is_not_told_as_if_it_still_waited(airworthy: Airworthy, held: str) -> None:
    airworthy("review", "approve", held, "--note", "half of it", "--yes")
    airworthy("run", "--until-idle")

    said = airworthy("review", "show", held).out

    assert "It is done now." in said
    assert "Nothing was sent" not in said
    assert "held: half of it" not in said


def test_set_changes_one_argument_and_keeps_the_others(airworthy: Airworthy, held: str) -> None:
    document = airworthy("review", "edit", held, "--set", "amount=20", "--yes", "--json").json

    assert document["records"][0]["detail"]["is"] == {"to": "ann", "amount": 20.0}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("edit", "ID", "--yes"), "--set KEY=VALUE"),
        (("edit", "ID", "--set", "amount", "--yes"), "has no value"),
        (("edit", "ID", "--value", "{", "--yes"), "no JSON"),
        (("answer", "ID", "--yes"), "Give the answer"),
        (("answer", "ID", "x", "--happened", "--again", "--yes"), "Give one of"),
        (("answer", "ID", "x", "--yes"), "says nothing about approval"),
        (("reject", "ID", "--why", " ", "--yes"), "needs a reason"),
        (("reject", "ID", "--why", "x" * 1_000_000, "--yes"), "1000000 characters"),
        (("hold", "ID"), "says nothing about approval"),
        (("show", "rev_zzzz"), "Nothing in the review queue"),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    airworthy: Airworthy, held: str, arguments: tuple[str, ...], says: str
) -> None:
    said = airworthy("review", *(held if each == "ID" else each for each in arguments))

    assert said.code in (1, 2)
    assert says in said.err
    assert airworthy("review", "show", held, "--json").json["status"] == "open"


def test_hostile_text_of_a_task_is_shown_and_moves_no_cursor(
    airworthy: Airworthy, ran: Callable[[str], str]
) -> None:
    ran(f"pay {HOSTILE}")
    item = airworthy("review", "list", "--json").lines[0]["id"]
    outputs = [airworthy("review", "list").out, airworthy("review", "show", item).out]
    outputs.append(airworthy("review", "reject", item, "--why", HOSTILE, "--by", HOSTILE, "--yes").out)
    outputs.append(airworthy("review", "show", item).out)
    outputs.append(airworthy("review", "list", "--all").out)

    for out in outputs:
        assert not [char for char in FORBIDDEN if char in out]
        assert "\nItem  rev_fake" not in out
    assert "\\x1b[2J" in outputs[1]
    assert "[bold red]" in outputs[1]
    assert airworthy("review", "show", item, "--json").json["call"]["arguments"]["to"] == HOSTILE


def test_a_note_with_a_key_in_it_is_kept_without_it(airworthy: Airworthy, held: str) -> None:
    key = "sk-ant-api03-" + "a" * 93 + "AA"

    document = airworthy("review", "reject", held, "--why", f"used {key}", "--yes", "--json").json

    assert key not in str(document)
    assert "redacted" in document["note"]


def test_a_delayed_call_is_announced_beside_the_list_and_can_be_held(
    tmp_path: Path, airworthy: Airworthy, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = 'agent = "shop"\npurpose = "x"\n[tools.pay]\ndelay_s = 600\n[checks]\ninput = []\noutput = []\n'
    monkeypatch.chdir(make_folder(tmp_path / "later", policy=policy))
    airworthy("submit", "--input", "pay ann")
    airworthy("run", "--until-idle")

    said = airworthy("review", "list")
    (line,) = airworthy("review", "list", "--kind", "delayed", "--json").lines
    airworthy("review", "hold", line["id"], "--note", "odd")

    assert said.out == ""
    assert "1 delayed call can still be stopped" in said.err
    assert [each["kind"] for each in airworthy("review", "list", "--json").lines] == ["approval"]


def test_a_broken_people_file_names_the_line_and_the_nearest_key(
    airworthy: Airworthy, folder: Path, held: str
) -> None:
    (folder / "people.toml").write_text(
        '[people.dana]\nname = "Dana"\nrole = ["reviewer"]\n\n[teams.team]\nmembers = ["dan"]\n'
    )

    said = airworthy("review", "approve", held, "--seen", "0")

    assert said.code == 2
    assert "people.toml, line 3, column 1" in said.err
    assert "Did you mean roles?" in said.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[people.dana]\nname = "D"\n[teams.team]\nmembers = ["lee"]\n', "line 4"),
        ('[people.dana]\nname = "D"\nroles = ["boss"]\n', 'Write one of: "viewer"'),
        ('[people.dana]\nname = "D"\n[teams.t]\nmembers = ["dana"]\nzone = "Mars/Base"\n', "is no time zone"),
        (
            '[people.dana]\nname = "D"\n[teams.t]\nmembers = ["dana"]\nout_of_hours = "wait"\n',
            "without hours",
        ),
        (
            """[people.a]
name = "A"
[teams.t]
members = ["a"]
out_of_hours = "to:x"
hours = [{begin = "09:00", end = "17:00"}]
""",
            "which is no team",
        ),
        (
            '[people.dana]\nname = "D"\n[teams.t]\nmembers = ["dana"]\n[[teams.t.hours]]\nbegin = "9"\nend = "17:00"\n',
            "line 6",
        ),
        ("people = 3\n", "is not a table"),
        ("[people\n", "Not valid TOML"),
    ],
)
def test_every_mistake_in_the_people_file_is_told(
    airworthy: Airworthy, folder: Path, held: str, text: str, says: str
) -> None:
    (folder / "people.toml").write_text(text)

    said = airworthy("review", "approve", held, "--seen", "0")

    assert said.code == 2
    assert says in said.err


def test_scope_check_finds_a_place_that_no_team_has(airworthy: Airworthy, folder: Path) -> None:
    before = airworthy("scope", "check", "--json").json["gaps"]
    (folder / "people.toml").write_text('[people.dana]\nname = "D"\n[teams.other]\nmembers = ["dana"]\n')

    after = airworthy("scope", "check", "--json").json["gaps"]

    (gap,) = [gap for gap in after if gap not in before]
    assert gap["subject"] == "escalation.default"
    assert "no team 'team'" in gap["missing"]


def test_the_outbox_obeys_people_too(airworthy: Airworthy, folder: Path, held: str) -> None:
    (folder / "people.toml").write_text(
        '[people.lee]\nname = "Lee"\n[people.dana]\nname = "D"\n[teams.team]\nmembers = ["lee"]\n'
    )
    effect = airworthy("review", "show", held, "--json").json["call"]["effect"]

    said = airworthy("outbox", "approve", effect)

    assert said.code == 1
    assert "D is not of that team" in said.err
    assert "Those who may: Lee." in said.err
