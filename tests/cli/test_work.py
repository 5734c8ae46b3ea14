"""`submit` and `run`: what goes in comes out, and odd input is taken or refused with a reason."""

import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import AGENT, Airworthy, make_folder

MIB = 1024 * 1024


class Stdin:
    """A stdin that holds bytes, as a pipe does."""

    def __init__(self, raw: bytes) -> None:
        self.buffer = io.BytesIO(raw)

    def isatty(self) -> bool:
        return False


def test_submit_prints_the_id_and_nothing_else(airworthy: Airworthy) -> None:
    said = airworthy("submit", "--input", "hello")

    assert said.code == 0
    assert said.out.startswith("tsk_")
    assert len(said.out.split()) == 1


def test_run_until_idle_ends_every_task_with_a_line_for_each(airworthy: Airworthy) -> None:
    ids = [
        airworthy("submit", "shop", "--input", text).word for text in ("hello", "decline no", "escalate who")
    ]

    said = airworthy("run", "--until-idle")

    assert said.code == 0
    assert sorted(line.split()[1:3] for line in said.out.splitlines()) == sorted(
        [["answered", ids[0]], ["declined", ids[1]], ["escalated", ids[2]]]
    )
    assert "1 answered, 1 declined, 1 escalated" in said.err


def test_run_in_json_has_one_line_for_each_run_that_ended(airworthy: Airworthy) -> None:
    answered = airworthy("submit", "--input", "hello").word
    held = airworthy("submit", "--input", "pay ann").word

    said = airworthy("run", "--until-idle", "--json")

    assert {line["task"]: line["outcome"] for line in said.lines} == {answered: "answered", held: None}


def test_run_takes_only_the_agents_it_is_told_to(tmp_path: Path, airworthy: Airworthy) -> None:
    said = airworthy("run", "--until-idle", "--agent", "nobody")

    assert said.code == 2
    assert "There is no agent 'nobody' here" in said.err
    assert "shop" in said.err


@pytest.mark.parametrize("way", ["option", "file", "dash", "file dash", "agent dash"])
def test_every_way_of_giving_an_input_gives_the_same(
    way: str, airworthy: Airworthy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "line one\nzwei – 猫\n"
    (folder / "letter.txt").write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", Stdin(text.encode()))  # a pipe in this process
    arguments = {
        "option": ["--input", text], "file": ["--file", "letter.txt"], "dash": ["-"], "file dash": ["-f", "-"],
        "agent dash": ["shop", "-"],
    }  # fmt: skip

    id_ = airworthy("submit", *arguments[way]).word

    assert airworthy("task", "show", id_, "--json").json["input"] == text


def test_json_input_is_stored_as_json(airworthy: Airworthy) -> None:
    id_ = airworthy("submit", "--json-input", "--input", '{"order": [1001, null]}').word

    assert airworthy("task", "show", id_, "--json").json["input"] == {"order": [1001, None]}


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000, "NaN,"], ids=["open", "empty", "deep", "garbage"])
def test_broken_json_input_is_refused_and_nothing_is_stored(
    text: str, airworthy: Airworthy, folder: Path
) -> None:
    said = airworthy("submit", "--json-input", "--input", text)

    assert said.code == 1
    assert said.out == ""
    assert "no JSON" in said.err
    assert not list(folder.glob("*.db"))


def test_invalid_utf_8_is_taken_with_replacement_characters_and_a_note(
    airworthy: Airworthy, folder: Path
) -> None:
    (folder / "latin1.txt").write_bytes(b"caf\xe9 \xff bitte")

    said = airworthy("submit", "--file", "latin1.txt")

    assert said.code == 0
    assert "first at byte 3" in said.err
    assert airworthy("task", "show", said.word, "--json").json["input"] == "caf� � bitte"


def test_arguments_that_are_no_unicode_are_taken_too(airworthy: Airworthy) -> None:
    """A shell passes any bytes; Python shows them as lone surrogates, which no database stores."""
    said = airworthy("submit", "--input", "caf\udce9", "--user", "\udcff", "--key", "k\udcff")

    assert said.code == 0
    assert airworthy("task", "show", said.word, "--json").json["user"] == "�"


@pytest.mark.slow
def test_an_input_of_50_mib_is_kept_and_declined_with_the_reason(airworthy: Airworthy, folder: Path) -> None:
    """50 MiB are read, hashed and stored, which takes its time."""
    (folder / "huge.txt").write_bytes(b"abcdefgh" * (50 * MIB // 8))

    said = airworthy("submit", "--file", "huge.txt")
    row = airworthy("task", "list", "--json").lines[0]

    assert said.code == 1
    assert row["id"] == said.word
    assert row["state"] == "declined"
    assert f"{50 * MIB + 2} bytes" in said.err
    assert "at most 1048576" in said.err


def test_an_endless_input_is_refused_without_being_read_to_its_end(
    airworthy: Airworthy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "airworthy.runtime.operations.INPUT_BYTES_HARD_MAX", 1000
    )  # 100 MiB take too long here

    said = airworthy("submit", "--file", "/dev/zero")

    assert said.code == 1
    assert "more than 1000 bytes" in said.err


@pytest.mark.parametrize("path", ["missing.txt", "."])
def test_a_file_that_cannot_be_read_is_told(path: str, airworthy: Airworthy) -> None:
    said = airworthy("submit", "--file", path)

    assert said.code == 1
    assert said.err.startswith(f"{path} cannot be read: ")


def test_the_same_key_is_the_same_task_and_another_input_is_refused(airworthy: Airworthy) -> None:
    first = airworthy("submit", "--input", "a", "--key", "k")
    again = airworthy("submit", "--input", "a", "--key", "k")
    other = airworthy("submit", "--input", "b", "--key", "k")

    assert (again.code, again.out) == (0, first.out)
    assert "used before" in again.err
    assert other.code == 1
    assert first.word in other.err


def test_where_a_task_belongs_is_stored_with_it(airworthy: Airworthy) -> None:
    said = airworthy(
        "submit", "-i", "a", "--session", "s", "--user", "u", "--feature", "f", "--source", "mail", "--priority", "5",
        "--json",
    )  # fmt: skip
    row = said.json

    assert [row[name] for name in ("session", "user", "feature", "source", "priority", "repeated")] == [
        "s", "u", "f", "mail", 5, False,
    ]  # fmt: skip


def test_without_an_agents_name_there_must_be_one_agent(
    airworthy: Airworthy, folder: Path, tmp_path: Path
) -> None:
    other = make_folder(tmp_path / "other", policy='agent = "second"\npurpose = "Waits."\n')
    (module,) = other.glob("scripted_*.py")
    module.rename(folder / module.name)
    (mine,) = [path.stem for path in folder.glob("scripted_*.py") if path.stem != module.stem]
    (folder / "airworthy.toml").write_text(f'agents = ["{mine}:agent", "{module.stem}:agent"]')

    assert airworthy("submit", "--input", "a").code == 2
    assert "shop, second" in airworthy("submit", "--input", "a").err
    assert airworthy("submit", "second", "--input", "a").code == 0


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("def broken(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("agent = 7", "not an Agent"),
        ("agents = []", "cannot be loaded"),
    ],
)
def test_an_agent_that_cannot_be_loaded_is_a_configuration_error(
    code: str, says: str, airworthy: Airworthy, folder: Path
) -> None:
    (module,) = folder.glob("scripted_*.py")
    module.write_text(code)

    said = airworthy("submit", "--input", "a")

    assert said.code == 2
    assert says in said.err
    assert "Traceback" not in said.err


def test_a_policy_with_mistakes_shows_them_all(airworthy: Airworthy, folder: Path) -> None:
    (folder / "policy.toml").write_text('agent = "shop"\npurpose = "x"\nlimit = 3\nstage = "live"\n')

    said = airworthy("submit", "--input", "a")

    assert said.code == 2
    assert "limit" in said.err
    assert "stage" in said.err


def test_wait_shows_the_answer_once_it_is_there(airworthy: Airworthy) -> None:
    id_ = airworthy("submit", "--input", "hello", "--key", "k").word
    airworthy("run", "--until-idle")

    said = airworthy("submit", "--input", "hello", "--key", "k", "--wait")

    assert (said.code, said.out) == (0, f"{id_}\necho hello\n")


def test_wait_gives_up_after_the_timeout_and_the_task_stays(airworthy: Airworthy) -> None:
    said = airworthy("submit", "--input", "hello", "--timeout", "0")

    assert said.code == 1
    assert "still queued after 0 s" in said.err
    assert airworthy("task", "show", said.word, "--json").json["state"] == "queued"


def test_wait_fails_for_every_other_outcome(airworthy: Airworthy) -> None:
    airworthy("submit", "--input", "decline no thanks", "--key", "k")
    airworthy("run", "--until-idle")

    said = airworthy("submit", "--input", "decline no thanks", "--key", "k", "--wait", "--json")

    assert said.code == 1
    assert json.loads(said.out)["outcome"] == "declined"
    assert json.loads(said.out)["reason"]["text"] == "no thanks"


def test_an_agent_without_a_task_function_is_told_before_anything_is_stored(
    airworthy: Airworthy, folder: Path
) -> None:
    (module,) = folder.glob("scripted_*.py")
    module.write_text(AGENT.replace("FOLDER", str(folder)).partition("@agent.task")[0])

    said = airworthy("submit", "--input", "a")

    assert said.code == 2
    assert "@agent.task" in said.err
