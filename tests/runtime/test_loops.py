"""Going round in circles, getting nowhere, losing the track: seen with evidence, and not seen where there is none."""

import time

import pytest

from airworthy.core.outcome import ReasonCode
from airworthy.policy import Limits
from airworthy.runtime.loops import CYCLE_LENGTH_MAX, Made, circling, traceable

LIMITS = Limits(cycle_repeats=3, no_progress=6, off_track=4)
CYCLE, NOWHERE, OFF = ReasonCode.LOOP_CYCLE, ReasonCode.NO_PROGRESS, ReasonCode.OFF_TRACK


def new(asked: str, number: int) -> Made:
    """A call that brought something new."""
    return Made("look", asked.encode(), str(number).encode(), well=True)


def letters(text: str) -> list[Made]:
    """Each letter is a question; the same question brings something new each time."""
    return [new(letter, number) for number, letter in enumerate(text)]


def same(count: int) -> list[Made]:
    """Other questions, one answer."""
    return [Made("look", str(number).encode(), b"nothing found", well=True) for number in range(count)]


def bad(count: int) -> list[Made]:
    return [Made("look", str(number).encode(), str(number).encode(), well=False) for number in range(count)]


SEEN = [
    (letters("ababab"), CYCLE, "two calls, three times"),
    (letters("xyzababab"), CYCLE, "after a good beginning"),
    (letters("abcabcabc"), CYCLE, "three calls"),
    (letters("abcdefabcdefabcdef"), CYCLE, "as long as is looked for"),
    (same(7), NOWHERE, "one thing was new, then six times nothing"),
    ([*letters("abc"), *bad(4)], OFF, "four times off the track"),
    (bad(4), OFF, "from the start"),
]
NOT_SEEN = [
    ([], "nothing was done"),
    (letters("ababa"), "not yet three times"),
    (letters("abab"), "twice"),
    (letters("abacabad"), "alike and not the same"),
    (letters("ababXab"), "something else in between"),
    (letters("abcdefgabcdefgabcdefg"), "longer than is looked for"),
    (letters("aaaa"), "the same call has a bound of its own"),
    (same(6), "the first was new"),
    ([*same(5), *letters("z")], "something new at last"),
    (bad(3), "three times"),
    ([*bad(3), new("a", 77), *bad(3)], "back on the track in between"),
    (letters("abcdefghijklmnopqrstuvwxyz"), "a long task that gets on"),
]


@pytest.mark.parametrize(("made", "code", "why"), SEEN)
def test_a_run_that_goes_round_is_seen_with_its_evidence(
    made: list[Made], code: ReasonCode, why: str
) -> None:
    found = circling(LIMITS, made)

    assert found is not None, why
    assert found.code is code
    assert set(found.evidence) == {"look"}
    assert found.text


@pytest.mark.parametrize(("made", "why"), NOT_SEEN)
def test_a_run_that_gets_on_is_left_alone(made: list[Made], why: str) -> None:
    assert circling(LIMITS, made) is None, why


@pytest.mark.parametrize("text", ["W", "W-", "a@", "1", "1 ", "a.b", "_", "-1"])
def test_a_call_with_a_long_text_holds_nobody_up(text: str) -> None:
    """It is looked at in the loop of the worker: the square of the length of a text would stop all its tasks."""
    began = time.process_time()
    traceable((text * 100_000).encode(), b"nothing of it" * 10_000)

    assert time.process_time() - began < 5  # It takes some hundredths of it; before, minutes.


def test_only_cycles_up_to_a_length_are_looked_for() -> None:
    assert CYCLE_LENGTH_MAX == 6


def test_known_answers_from_before_the_window_are_no_progress() -> None:
    looked = [Made("look", b"a", b"one", well=True), *letters("bcdefghij")]
    again = [Made("look", str(n).encode(), b"one", well=True) for n in range(6)]

    assert circling(LIMITS, [*looked, *again]) is not None


def test_acts_are_progress_even_if_each_is_answered_with_the_same_ok() -> None:
    acts = [Made("send", str(n).encode(), str(n).encode(), well=True) for n in range(12)]

    assert circling(LIMITS, acts) is None


@pytest.mark.parametrize(
    ("arguments", "known", "seen", "why"),
    [
        (b'{"order":"A-1042"}', b"Where is A-1042?", True, "stands in the task"),
        (b'{"order":"A-9999"}', b"Where is A-1042?", False, "made up"),
        (b'{"order":"A-9999","mail":"ann@example.com"}', b"from ann@example.com", True, "one value is known"),
        (b'{"mail":"bob@example.com"}', b"from ann@example.com", False, "an address nobody gave"),
        (b'{"query":"opening hours"}', b"", True, "plain words need no source"),
        (b'{"page":2}', b"", True, "a small number neither"),
        (b'{"amount":1200}', b"costs 1200", True, "a number that was found"),
        (b"{}", b"", True, "nothing to trace"),
    ],
)
def test_a_call_is_traceable_when_its_values_come_from_somewhere(
    arguments: bytes, known: bytes, seen: bool, why: str
) -> None:
    assert traceable(arguments, known) is seen, why
