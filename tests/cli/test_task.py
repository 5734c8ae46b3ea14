"""`task`: one task can be found, read, stopped and let go on by a person who knows only a piece of its id."""

from collections.abc import Callable

import pytest

from tests.cli.conftest import Airworthy


def test_list_shows_the_newest_first_and_pages(airworthy: Airworthy) -> None:
    ids = [airworthy("submit", "--input", f"text {number}").word for number in range(5)]

    first = airworthy("task", "list", "--limit", "2", "--json").lines
    rest = airworthy("task", "list", "--before", first[-1]["id"], "--json").lines

    assert [row["id"] for row in first + rest] == ids[::-1]
    assert f"--before {ids[3]}" in airworthy("task", "list", "-n", "2").err


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--state", "answered"], {"hello"}),
        (["--state", "declined", "-s", "answered"], {"hello", "decline no"}),
        (["--reason", "agent_declined"], {"decline no"}),
        (["--session", "s1"], {"hello"}),
        (["--user", "u2"], {"decline no"}),
        (["--agent", "nobody"], set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_list_filters(filters: list[str], expected: set[str], airworthy: Airworthy) -> None:
    ids = {
        airworthy("submit", "--input", text, "--session", f"s{n}", "--user", f"u{n}").word: text
        for n, text in enumerate(("hello", "decline no"), start=1)
    }
    airworthy("run", "--until-idle")

    said = airworthy("task", "list", *filters, "--json")

    assert {ids[row["id"]] for row in said.lines} == expected
    assert said.code == 0


def test_show_opens_with_the_story_in_a_sentence(airworthy: Airworthy, ran: Callable[[str], str]) -> None:
    id_ = ran("look teapot")

    said = airworthy("task", "show", id_)

    assert said.out.splitlines()[0].startswith("Called look (teapot); 1 step, ")
    assert "TEAPOT" in said.out
    assert said.code == 0


def test_show_tells_arguments_results_and_errors_of_every_step(
    airworthy: Airworthy, ran: Callable[[str], str]
) -> None:
    id_ = ran("look missing")

    text = airworthy("task", "show", id_).out
    steps = airworthy("task", "show", id_, "--json").json["journal"]

    assert "tool look  failed" in text
    assert '{"what": "missing"}' in text
    assert "KeyError" in text
    assert [step["kind"] for step in steps] == ["input", "check", "tool", "outcome"]
    assert steps[2]["error"]["type"] == "ToolFailed"


def test_show_cuts_payloads_short_unless_asked_for_all(
    airworthy: Airworthy, ran: Callable[[str], str]
) -> None:
    id_ = ran("look " + "x" * 5000)

    brief, whole = airworthy("task", "show", id_), airworthy("task", "show", id_, "--full")

    assert "X" * 5000 not in brief.out.partition("Steps")[2]
    assert "--full" in brief.err
    assert "X" * 5000 in whole.out.partition("Steps")[2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("escalate who decides", "airworthy review show tsk_"),
        ("fail badly", "airworthy dead-letter requeue"),
        ("pay ann", "airworthy review show eff_"),
        ("pay lost", "airworthy review show eff_"),
    ],
)
def test_show_says_what_to_do_next(
    text: str, says: str, airworthy: Airworthy, ran: Callable[[str], str]
) -> None:
    id_ = ran(text)

    assert says in airworthy("task", "show", id_).out
    assert any(says in step for step in airworthy("task", "show", id_, "--json").json["next"])


@pytest.mark.parametrize(
    "cut", [lambda id_: id_, lambda id_: id_[:-3], lambda id_: id_[-6:], lambda _: "last", str.upper]
)
def test_an_id_may_be_cut_at_either_end(cut: Callable[[str], str], airworthy: Airworthy) -> None:
    id_ = airworthy("submit", "--input", "hello").word

    assert airworthy("task", "show", cut(id_), "--json").json["id"] == id_


def test_a_piece_of_several_ids_is_refused_with_their_names(airworthy: Airworthy) -> None:
    ids = [airworthy("submit", "--input", "hello").word for _ in range(2)]

    said = airworthy("task", "show", "tsk_")

    assert said.code == 1
    assert all(id_ in said.err for id_ in ids)


@pytest.mark.parametrize(
    "part", ["tsk_0000", "no", "%", "____", "'; DROP TABLE tasks; --", "\x00", "x" * 10_000]
)
def test_an_id_of_nothing_is_not_found(part: str, airworthy: Airworthy) -> None:
    airworthy("submit", "--input", "hello")

    said = airworthy("task", "show", part)

    assert said.code == 1
    assert "There is no task" in said.err
    assert airworthy("task", "list", "--json").lines


def test_a_cancelled_task_says_who_and_why(airworthy: Airworthy) -> None:
    id_ = airworthy("submit", "--input", "hello").word

    said = airworthy("task", "cancel", id_, "--why", "sent twice")
    row = airworthy("task", "show", id_, "--json").json

    assert said.code == 0
    assert row["outcome"] == "cancelled"
    assert "dana" in row["reason"]["text"]
    assert "sent twice" in row["reason"]["text"]


def test_a_closed_task_cannot_be_cancelled(airworthy: Airworthy, ran: Callable[[str], str]) -> None:
    said = airworthy("task", "cancel", ran("hello"))

    assert said.code == 1
    assert "answered" in said.err


def test_a_paused_task_stays_until_it_is_resumed(airworthy: Airworthy) -> None:
    id_ = airworthy("submit", "--input", "hello").word

    paused = airworthy("task", "pause", id_, "--json").json
    airworthy("run", "--until-idle")
    between = airworthy("task", "show", id_, "--json").json
    airworthy("task", "resume", id_)
    airworthy("run", "--until-idle")

    assert paused == {"task": id_, "done": "paused"}
    assert between["state"] == "paused"
    assert any("airworthy task resume" in step for step in between["next"])
    assert airworthy("task", "wait", id_).out == "echo hello\n"


def test_an_escalated_task_is_opened_again(airworthy: Airworthy, ran: Callable[[str], str]) -> None:
    id_ = ran("escalate who")

    said = airworthy("task", "resume", id_)

    assert said.out == f"Task {id_} was escalated and goes on.\n"
    assert airworthy("task", "show", id_, "--json").json["state"] == "queued"


def test_a_dead_letter_is_not_resumed_and_its_command_is_named(
    airworthy: Airworthy, ran: Callable[[str], str]
) -> None:
    said = airworthy("task", "resume", ran("fail badly"))

    assert said.code == 1
    assert "airworthy dead-letter requeue" in said.err


def test_wait_tells_what_a_task_waits_for(airworthy: Airworthy, ran: Callable[[str], str]) -> None:
    said = airworthy("task", "wait", ran("pay ann"), "--timeout", "0.01")

    assert said.code == 1
    assert "waiting for a person to decide on pay" in said.err
    assert "airworthy review show eff_" in said.err
