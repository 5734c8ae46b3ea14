"""A task in one sentence for a person, made from its steps or from its spans; no model is asked.

It tells what was recorded and no more: what a tool was asked to do, whether that was done, what else it took. Every
text from outside in it is cut and holds nothing that hides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Final

from airworthy.core.chars import quoted
from airworthy.core.money import usd_text
from airworthy.core.outcome import Outcome
from airworthy.recorder.steps import Recorded, StepState
from airworthy.recorder.wording import Phrase, phrase

SENTENCE_ACTS_MAX: Final = 6
NAME_CHARS_MAX: Final = 40
WHY_CHARS_MAX: Final = 300
CHEAP_NANO: Final = 50_000  # what is less is not told from nothing by four decimals
WAIT_S_MIN: Final = 60.0  # A shorter wait is of no interest to whoever reads what a task did.
_ENDINGS: Final = {
    Outcome.ANSWERED: "Answered",
    Outcome.DECLINED: "Declined",
    Outcome.ESCALATED: "Handed to a person",
    Outcome.DEAD_LETTERED: "Could not be processed",
    Outcome.CANCELLED: "Cancelled",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """What has become of a step's effect, which the journal alone cannot tell. `state`: the outbox's own word.

    `by`: who approved, rejected or cancelled it, and when.
    """

    state: str
    by: str = ""
    decided_us: int | None = None
    effect_id: str = ""


@dataclass(frozen=True, slots=True)
class Took:
    """What a run took. `waited_s`: for people and for times that had to come. None: not known."""

    steps: int
    cost_nano: int | None
    seconds: float | None
    retries: int = 0
    fallbacks: tuple[str, ...] = ()
    waited_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Act:
    """One tool call of another program's trace. `error`: its type, where it failed."""

    name: str
    arguments: object
    error: str = ""


def summarise(
    steps: Sequence[Recorded],
    *,
    outcome: Outcome | None,
    why: str,
    cost_nano: int | None,
    seconds: float,
    deeds: Mapping[int, Deed] | None = None,
) -> str:
    """What was done, in order, then how it ended and why unless it was answered, then what it took.

    `seconds`: in which it was worked on. `deeds`: by number of the step.
    """
    acts = [step for step in steps if step.kind in ("tool", "step")]
    found = [_told(step, (deeds or {}).get(step.seq)) for step in acts]
    counted = [step for step in steps if step.kind in ("tool", "model", "step")]
    took = Took(
        len(counted),
        cost_nano,
        seconds,
        sum(max(0, step.facts.attempts - 1) for step in counted),
        tuple(filter(None, (fallback_of(step) for step in counted))),
        _waited_s(steps),
    )
    return _sentence(found, _ended(outcome, why), took)


def summarise_acts(acts: Sequence[Act], *, error: str, took: Took) -> str:
    """The same of another program's trace. `error`: what its root ended with, "" where that went well."""
    found = []
    for act in acts:
        words = phrase(act.name, act.arguments)
        found.append(f"{words.doing} failed" if act.error else words.past)
    return _sentence(found, f"Failed: {quoted(error, WHY_CHARS_MAX)}" if error else "", took)


def fallback_of(step: Recorded) -> str:
    """The model that answered in another one's place; empty where the first one did."""
    failed = [str(note["model"]) for note in step.facts.notes if "model" in note and "error" in note]
    answered = step.facts.model
    return answered if answered and failed and answered not in failed and step.state is StepState.DONE else ""


def gap_of(notes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """What a step went without, as whoever recorded it wrote it down."""
    found = next((note["gap"] for note in notes if isinstance(note.get("gap"), Mapping)), None)
    return found if found is None or "instead" in found else None


def span_text(seconds: float) -> str:
    """A time as long as a person would say it: "4.2 s", "2 min 5 s", "3 h 10 min", "2 d 4 h"."""
    if 0 < seconds < 0.1:
        return "< 0.1 s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for (size, unit), (part, under) in (
        (_UNITS[0], _UNITS[1]),
        (_UNITS[1], _UNITS[2]),
        (_UNITS[2], _UNITS[3]),
    ):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {under}" if rest else "")
    return f"{whole} s"


_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def _sentence(acts: list[str], ending: str, took: Took) -> str:
    done = _joined(acts)
    if not ending:
        return f"{done or 'Answered'}; {_taken(took)}."
    stop = "" if ending.endswith(("?", "!")) else "."
    return f"{f'{done}. ' if done else ''}{ending}{stop} {_capital(_taken(took))}."


def _ended(outcome: Outcome | None, why: str) -> str:
    if outcome is Outcome.ANSWERED:
        return ""
    ending = _ENDINGS[outcome] if outcome is not None else "Still open"
    return f"{ending}: {quoted(why, WHY_CHARS_MAX).rstrip('.')}" if why else ending


def _told(step: Recorded, deed: Deed | None) -> str:
    words = phrase(step.name, step.arguments)
    match step.state:
        case StepState.DONE:
            return _done(step, words, deed)
        case StepState.FAILED:
            return f"{words.doing} failed"
        case StepState.REFUSED:
            return f"{words.doing} was refused{_by(deed)}"
        case StepState.HELD:
            return f"{words.doing} waits for a person"
        case StepState.STARTED:
            return f"{words.doing} is under way"
        case StepState.IN_DOUBT:
            return f"{words.doing} is in doubt"


def _done(step: Recorded, words: Phrase, deed: Deed | None) -> str:
    notes = step.facts.notes
    gap = gap_of(notes)
    if gap is not None:
        return f"{words.doing} failed and {_instead(gap)} took its place"
    if any(note.get("dry_run") for note in notes):
        return f"rehearsed {words.doing}"
    if any("delayed_s" in note for note in notes):
        return _later(words, deed)
    if step.by_hand:
        return f"{words.past} by the hand of {_name(step.by_hand)}"
    settled = next((str(note["settled_by"]) for note in notes if note.get("settled_by")), "")
    if settled:
        return f"{words.past}, as {_name(settled)} says"
    if deed is not None and deed.state == "undone":
        return f"{words.past} and took that back"
    return words.past + (f" after {_name(deed.by)} approved" if deed is not None and deed.by else "")


def _later(words: Phrase, deed: Deed | None) -> str:
    """Accepted into the outbox; what became of it there is known only to the outbox."""
    match deed.state if deed is not None else "":
        case "done":
            return f"{words.past} after a delay"
        case "cancelled" | "rejected":
            return f"{words.doing} was stopped{_by(deed)} before it was sent"
        case "failed":
            return f"{words.doing} failed"
        case "in_doubt":
            return f"{words.doing} is in doubt"
        case "held":
            return f"{words.doing} waits for a person"
        case "undone":
            return f"{words.past} and took that back"
        case _:
            return f"accepted {words.doing} for later"


def _instead(gap: Mapping[str, Any]) -> str:
    instead = str(gap["instead"])
    if instead == "last_good":
        return "an older answer"
    return _name(instead.removeprefix("tool:")) if instead.startswith("tool:") else "nothing"


def _by(deed: Deed | None) -> str:
    return f" by {_name(deed.by)}" if deed is not None and deed.by else ""


def _name(text: str) -> str:
    return quoted(text, NAME_CHARS_MAX)


def _waited_s(steps: Sequence[Recorded]) -> float:
    """From where a run had come to, to where a person's answer or decision let the next one go on."""
    waited_us = 0
    for step in steps:
        if step.kind == "ask" and step.ended_us is not None:
            waited_us += step.ended_us - step.started_us
    ends: dict[int, int] = {}
    starts: dict[int, int] = {}
    for step in steps:
        if step.kind in ("input", "outcome", "ask"):
            continue
        ends[step.run] = max(ends.get(step.run, 0), step.ended_us or step.started_us)
        starts[step.run] = min(starts.get(step.run, step.started_us), step.started_us)
    runs = sorted(starts)
    asked = waited_us > 0
    between = sum(max(0, starts[later] - ends[run]) for run, later in pairwise(runs))
    return (waited_us if asked else between) / 1e6


def _joined(acts: list[str]) -> str:
    """Each act once, with how often it came in a row; the first few of many."""
    told = [(text, len(list(same))) for text, same in groupby(acts)]
    shown = [text if count == 1 else f"{text} ({count} times)" for text, count in told[:SENTENCE_ACTS_MAX]]
    more = sum(count for _, count in told[SENTENCE_ACTS_MAX:])
    if more:
        shown.append(f"and {more} more call{'' if more == 1 else 's'}")
    return _capital(", ".join(shown))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _taken(took: Took) -> str:
    parts = [f"{took.steps} step{'' if took.steps == 1 else 's'}"]
    if took.retries:
        parts.append("one retry" if took.retries == 1 else f"{took.retries} retries")
    if took.fallbacks:
        names = ", ".join(dict.fromkeys(_name(model) for model in took.fallbacks))
        parts.append(f"fell back to {names}")
    if took.waited_s >= WAIT_S_MIN:
        parts.append(f"waited {span_text(took.waited_s)}")
    if took.seconds is not None:
        parts.append(span_text(took.seconds))
    cheap = took.cost_nano is not None and 0 < took.cost_nano < CHEAP_NANO
    return ", ".join([*parts, "under 0.0001 USD" if cheap else usd_text(took.cost_nano)])
