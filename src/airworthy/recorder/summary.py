"""A task in one sentence for a person, made from its steps; no model is asked."""

from collections import Counter
from collections.abc import Sequence

from airworthy.core.money import usd_text
from airworthy.core.outcome import Outcome
from airworthy.recorder.steps import Recorded, StepState

SENTENCE_ACTS_MAX = 6
VALUE_CHARS_MAX = 40
_ENDINGS = {
    Outcome.ANSWERED: "Answered",
    Outcome.DECLINED: "Declined",
    Outcome.ESCALATED: "Handed to a person",
    Outcome.DEAD_LETTERED: "Could not be processed",
    Outcome.CANCELLED: "Cancelled",
}


def summarise(
    steps: Sequence[Recorded], *, outcome: Outcome | None, why: str, cost_nano: int | None, seconds: float
) -> str:
    """What was done, in order, then how it ended and why, then what it took."""
    done = _acts(steps)
    sentence = f"{_joined(done)}. " if done else ""
    ending = _ENDINGS[outcome] if outcome is not None else "Still open"
    if outcome is not Outcome.ANSWERED and why:
        ending += f": {why.rstrip('.')}"
    return f"{sentence}{ending}. {_took(steps, cost_nano, seconds)}"


def _acts(steps: Sequence[Recorded]) -> list[str]:
    return [_phrase(step) for step in steps if step.kind in ("tool", "step")]


def _phrase(step: Recorded) -> str:
    what = step.name.replace("_", " ")
    values = _values(step.arguments)
    call = f"{what} ({values})" if values else what
    match step.state:
        case StepState.DONE:
            delayed = any("delayed_s" in note for note in step.facts.notes)
            rehearsed = any(note.get("dry_run") for note in step.facts.notes)
            return f"accepted {call} for later" if delayed else f"rehearsed {call}" if rehearsed else call
        case StepState.FAILED:
            return f"{call} failed"
        case StepState.REFUSED:
            return f"{call} was refused"
        case StepState.HELD:
            return f"{call} waits for a person"
        case StepState.STARTED:
            return f"{call} is under way"
        case StepState.IN_DOUBT:
            return f"{call} is in doubt"


def _values(arguments: object) -> str:
    if not isinstance(arguments, dict):
        return ""
    shown = []
    for value in arguments.values():
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            text = " ".join(str(value).split())
            shown.append(text if len(text) <= VALUE_CHARS_MAX else text[: VALUE_CHARS_MAX - 1] + "…")
        if len(shown) == 2:
            break
    return ", ".join(shown)


def _joined(acts: list[str]) -> str:
    shown = acts[:SENTENCE_ACTS_MAX]
    if len(acts) > SENTENCE_ACTS_MAX:
        shown.append(f"and {len(acts) - SENTENCE_ACTS_MAX} more calls")
    text = ", ".join(shown)
    return text[:1].upper() + text[1:]


def _took(steps: Sequence[Recorded], cost_nano: int | None, seconds: float) -> str:
    counted = [step for step in steps if step.kind in ("tool", "model", "step")]
    retries = sum(max(0, step.facts.attempts - 1) for step in counted)
    by_kind = Counter(step.kind for step in counted)
    parts = [f"{len(counted)} step{'' if len(counted) == 1 else 's'}"]
    if by_kind["model"]:
        parts.append(f"{by_kind['model']} model call{'' if by_kind['model'] == 1 else 's'}")
    if retries:
        parts.append("one retry" if retries == 1 else f"{retries} retries")
    parts += [f"{seconds:.1f} s", usd_text(cost_nano)]
    return ", ".join(parts) + "."
