"""Text from outside reaches a terminal as text: no control character, no markup, no line of its own."""

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.cli import show
from tests.cli.conftest import Airworthy

HOSTILE = [
    ("\x1b[2J\x1b[31mred", "ANSI clears the screen"),
    ("\x9b31mred", "C1 does the same in one byte"),
    ("\x1b]0;title\x07", "OSC sets the window's title"),
    ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "OSC 8 hides where a link goes"),
    ("safe\rEVIL", "a carriage return writes over the line"),
    ("a\x08b\x7f", "backspace and delete"),
    ("abc\u202etxt.exe", "a bidi override reverses"),
    ("\u2066x\u2069", "bidi isolates"),
    ("x\u200bx\ufeffx", "zero width hides"),
    ("\u2028line", "a line separator"),
    ("\ud800", "half a surrogate cannot be encoded"),
    ("[bold red]markup[/bold red]", "Rich markup"),
    ("[link=https://evil.example]x[/link]", "Rich links"),
    (":skull:", "Rich emoji"),
    ("[/nonsense]", "Rich markup that would raise"),
]
ALLOWED_JOINERS = {"\u200c", "\u200d"}


def _hides(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char not in ALLOWED_JOINERS


@settings(derandomize=True, deadline=None)
@given(st.text())
def test_plain_text_holds_nothing_that_hides_or_commands(text: str) -> None:
    assert not any(_hides(char) for char in show.plain(text))


@settings(derandomize=True, deadline=None)
@given(st.text())
def test_plain_lines_hold_nothing_that_hides_or_commands(text: str) -> None:
    assert not any(_hides(char) for line in show.plain_lines(text) for char in line)


@settings(derandomize=True, deadline=None)
@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert show.plain(text) == text


@settings(derandomize=True, deadline=None)
@given(
    st.recursive(st.none() | st.text() | st.floats(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_json_is_printable_ascii_and_says_the_same(value: object) -> None:
    text = show.json_text(value)

    assert all(32 <= ord(char) < 127 for char in text)
    assert repr(json.loads(text)) == repr(value) or "nan" in repr(value)


@pytest.mark.parametrize(("text", "why"), HOSTILE)
@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_what_is_printed_is_the_text_and_nothing_happens(
    text: str,
    why: str,
    *,
    terminal: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if terminal:
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
        monkeypatch.setenv("TERM", "dumb")
        monkeypatch.setenv("NO_COLOR", "1")

    show.say(text)
    show.note(text)
    show.fail(text, text)
    show.facts([("Name", text)])
    show.table(["head"], [[text]])
    out, err = capsys.readouterr()

    assert not any(_hides(char) for char in (out + err).replace("\n", "")), why
    for shown in (out, err):
        assert show.plain(text)[:8] in shown


def test_a_hostile_input_stays_one_line_of_text_through_every_command(airworthy: Airworthy) -> None:
    """What comes from outside is stored as it is, and shown spelled out wherever it turns up."""
    evil = "escalate \x1b[2J[bold]\u202e\x9b0m\nforged  answered  tsk_1"
    id_ = airworthy("submit", "--input", evil, "--session", "\x1b[1ms", "--user", "[red]u").word

    outputs = [airworthy("run", "--until-idle")]
    outputs += [
        airworthy("task", "list"), airworthy("task", "show", id_), airworthy("task", "show", id_, "--full"),
        airworthy("task", "show", id_, "--json"), airworthy("task", "wait", id_), airworthy("task", "list", "--json"),
        airworthy("task", "show", "\x1b[2J"), airworthy("pause", "--agent", "\x1b[2J", "--why", "\x9b[bold]"),
        airworthy("status"), airworthy("\x1b[2J"), airworthy("task", "list", "--state", "\x1b[2J"),
        airworthy("submit", "\x1b[2J", "--input", "x"), airworthy("submit", "--file", "\x1b[2J"),
    ]  # fmt: skip

    for said in outputs:
        assert not any(_hides(char) for char in (said.out + said.err).replace("\n", ""))
        assert not any(line.startswith("forged") for line in said.out.splitlines())


def test_a_pipe_gets_whole_columns(capsys: pytest.CaptureFixture[str]) -> None:
    show.table(["id", "why"], [["a" * 50, "b" * 90], ["猫", "c"]])

    lines = capsys.readouterr().out.splitlines()

    assert lines[1] == f"{'a' * 50}  {'b' * 90}"
    assert lines[2] == "猫" + " " * 48 + "  c"


def test_times_are_utc_and_whole() -> None:
    assert show.when(1_764_000_000_123_456) == "2025-11-24 16:00:00 UTC"
    assert show.iso(1_764_000_000_123_456) == "2025-11-24T16:00:00.123456Z"
    assert show.iso(None) is None
