"""Whether a run goes round in circles or off its track, seen from its calls alone. Pure; needs no model."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from airworthy.core.outcome import ReasonCode
from airworthy.policy import Limits

CYCLE_LENGTH_MAX = 6
VALUES_MAX = 200  # looked up of one call; each is a search through all that is known
# A value worth tracing: an address, a number of three digits or more, a word with a digit in it. Bounded, because it
# is tried at each character: a text without a break would cost the square of its length, and hold up its worker.
_VALUE = re.compile(rb"[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,190}|[A-Za-z]{0,64}[-_]?\d[\w-]{2,190}")


@dataclass(frozen=True, slots=True)
class Made:
    """A finished call: what was asked, what came back (both digests), and whether it was traceable and well."""

    name: str
    asked: bytes
    came: bytes
    well: bool


@dataclass(frozen=True, slots=True)
class Circling:
    """Why the run should stop, with what shows it."""

    code: ReasonCode
    text: str
    evidence: tuple[str, ...]


def circling(limits: Limits, made: Sequence[Made]) -> Circling | None:
    """`made`: the run's tool calls, oldest first."""
    return _cycle(limits, made) or _no_progress(limits, made) or _off_track(limits, made)


def traceable(arguments: bytes, known: bytes | bytearray) -> bool:
    """False when the call names values and none of them stands in the task's input or in an earlier result.

    A made-up order number or address is the mark of an agent that has lost its task.
    """
    values = [found[0] for found in islice(_VALUE.finditer(arguments), VALUES_MAX)]
    return not values or any(value in known for value in values)


def _cycle(limits: Limits, made: Sequence[Made]) -> Circling | None:
    repeats = limits.cycle_repeats
    for length in range(2, CYCLE_LENGTH_MAX + 1):
        window = made[-length * repeats :]
        if repeats < 2 or len(window) < length * repeats:
            return None
        cycle = [call.asked for call in window[:length]]
        if len(set(cycle)) > 1 and all(call.asked == cycle[i % length] for i, call in enumerate(window)):
            names = tuple(call.name for call in window[:length])
            text = f"The agent repeated the calls {' -> '.join(names)} {repeats} times in a row."
            return Circling(ReasonCode.LOOP_CYCLE, text, names)
    return None


def _no_progress(limits: Limits, made: Sequence[Made]) -> Circling | None:
    window = made[-limits.no_progress :]
    if len(window) < limits.no_progress:
        return None
    known = {(call.name, call.came) for call in made[: -limits.no_progress]}
    for call in window:
        if call.well and (call.name, call.came) not in known:
            return None
        known.add((call.name, call.came))
    text = f"The last {limits.no_progress} tool calls brought nothing that was not known before."
    return Circling(ReasonCode.NO_PROGRESS, text, tuple(call.name for call in window))


def _off_track(limits: Limits, made: Sequence[Made]) -> Circling | None:
    window = made[-limits.off_track :]
    if len(window) < limits.off_track or any(call.well for call in window):
        return None
    text = (
        f"The last {limits.off_track} tool calls were refused, failed, or asked about things that are neither in the "
        "task nor in what was found."
    )
    return Circling(ReasonCode.OFF_TRACK, text, tuple(call.name for call in window))
