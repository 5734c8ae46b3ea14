"""A recorded task as a case: its input, what tools and people said in it, and what should have happened. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import Any, Final

from airworthy.core.canonical import decode, encode
from airworthy.core.errors import InputError
from airworthy.core.outcome import Outcome
from airworthy.core.redact import Redactor
from airworthy.evals import Case
from airworthy.evals.suites.building import built
from airworthy.recorder import Recorded, StepState
from airworthy.review.feedback import Feedback
from airworthy.runtime import TaskRow
from airworthy.runtime.documents import input_of, superseded
from airworthy.tools import EffectRow, EffectState

RESULTS_MAX: Final = 500
CASE_BYTES_MAX: Final = 4 * 1024 * 1024
PLAIN_CHARS_MAX: Final = 64
_GOOD: Final = frozenset({Outcome.ANSWERED, Outcome.DECLINED, Outcome.ESCALATED})
_DONE: Final = frozenset({EffectState.DONE, EffectState.APPROVED, EffectState.SCHEDULED, EffectState.UNDONE})
_ASKED: Final = frozenset({EffectState.HELD, EffectState.REJECTED})


class Kind(StrEnum):
    GOLDEN = "golden"  # It went well, and must go on doing so.
    FAILURE = "failure"  # It went wrong, and must not again.


class CannotMake(InputError):
    """No case can be made of this task, or not without being told more; nothing was stored."""

    code = "cannot_make_case"


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored of one task."""

    task: TaskRow
    steps: Sequence[Recorded]
    effects: Sequence[EffectRow] = ()
    said: Sequence[Feedback] = ()
    not_whole: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """`kind` None: as the task went. `expect`: what should have happened, by the keys of a case; it replaces what the
    record would say of the same key. `facts`: other keys of the case (id, severity, tags, note).
    """

    kind: Kind | None = None
    expect: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """`notes`: what somebody should know of it, in sentences."""

    case: Case
    kind: Kind
    notes: tuple[str, ...] = ()


def made_of(record: Record, wish: Wish, redactor: Redactor) -> Made:
    """Raises: CannotMake."""
    task = record.task
    if task.outcome is None:
        raise CannotMake(f"Task {task.id} has not ended.", mend="Wait for it, or cancel it.")
    if record.not_whole:
        raise CannotMake(f"Of {task.id} no case can be made. {record.not_whole}", mend="Take a newer task.")
    kind = wish.kind if wish.kind is not None else kind_of(record)
    results, left_out = _results(record.steps)
    people, approval = _people(record.effects)
    raw: dict[str, Any] = {
        "id": f"{kind.value}-{task.id[-10:]}", "input": input_of(record.steps),
        "tags": ["normal"] if kind is Kind.GOLDEN else ["failure", "incident"],
        "user": task.user_id, "session": task.session, "feature": task.feature, "source": task.source,
        "people": people, "answers": _answers(record.steps), "results": results, "origin": f"task {task.id}",
        "note": _story(record, kind), **wish.facts,
    }  # fmt: skip
    raw["expect"] = {**_expected(record, kind, wish, approval), **wish.expect}
    clean, hidden = redactor.redact_bytes(encode(raw))
    if len(clean) > CASE_BYTES_MAX:
        raise CannotMake(
            f"The case would have {len(clean)} bytes; at most {CASE_BYTES_MAX} are kept.",
            mend="Write it by hand, with the results that matter.",
        )
    case, wrong = built(decode(clean), {})
    if case is None or wrong:
        text = "; ".join(f"{'.'.join(map(str, each.path))}: {each.says} {each.mend}" for each in wrong)
        raise CannotMake(f"What should have happened cannot be used: {text}", mend="Change what you gave.")
    return Made(case, kind, tuple(_notes(record, left_out, hidden)))


def kind_of(record: Record) -> Kind:
    """A user's or reviewer's word outweighs the outcome."""
    thumbs = [each.thumb for each in record.said if each.thumb is not None]
    if (thumbs and thumbs[-1] == "down") or any(each.correction.strip() for each in record.said):
        return Kind.FAILURE
    twice = any(effect.state is EffectState.IN_DOUBT for effect in record.effects)
    return Kind.GOLDEN if record.task.outcome in _GOOD and not twice else Kind.FAILURE


def _expected(record: Record, kind: Kind, wish: Wish, approval: list[str]) -> dict[str, Any]:
    if kind is Kind.GOLDEN:
        return _as_it_went(record, approval)
    corrections = [each.correction.strip() for each in record.said if each.correction.strip()]
    if corrections and not {"rubric", "facts"} & wish.expect.keys():
        rubric = f"A person said what the answer should have been. It must say the same: {corrections[-1]}"
        return {"rubric": rubric, "judge": 0.7}
    if wish.expect:
        return {}
    if record.task.outcome is Outcome.DEAD_LETTERED:
        return {"outcome": [Outcome.ANSWERED, Outcome.DECLINED, Outcome.ESCALATED]}
    if record.task.outcome is Outcome.ESCALATED:
        return {"outcome": [Outcome.ANSWERED, Outcome.DECLINED]}
    raise CannotMake(
        f"Task {record.task.id} was {record.task.state.value}, so its record does not say what went wrong.",
        mend="Say what should have happened: --outcome, --fact, --not-fact, --act, --no-acts, --not-tool or --rubric.",
    )


def _as_it_went(record: Record, approval: list[str]) -> dict[str, Any]:
    """Wide enough for a model that words things in another way: no text it wrote is held against it."""
    task = record.task
    assert task.outcome is not None
    calls = [
        step
        for step in record.steps
        if step.kind == "tool" and not superseded(step) and step.state is StepState.DONE
    ]
    acts = [effect for effect in record.effects if effect.state in _DONE and effect.undo_of is None]
    expect: dict[str, Any] = {
        "outcome": [task.outcome],
        "tools": [{"name": name} for name in dict.fromkeys(step.name for step in calls)],
        "acts": _acts(acts),
        "steps": {"max": ceil(task.steps * 1.5) + 2},
    }
    if approval:
        expect["approval"] = approval
    if task.cost_nano:
        expect["cost_usd"] = {"max": float(f"{task.cost_nano * 2 / 1e9:.2g}")}
    return expect


def _acts(effects: Sequence[EffectRow]) -> list[dict[str, Any]]:
    """One entry for each thing that was done, told apart by what is no prose in its arguments."""
    counted: dict[bytes, dict[str, Any]] = {}
    for effect in effects:
        arguments = decode(effect.arguments.encode())
        plain = (
            {key: value for key, value in arguments.items() if _is_plain(value)}
            if isinstance(arguments, dict)
            else {}
        )
        entry = {"name": effect.tool, "arguments": plain}
        found = counted.setdefault(encode(entry), {**entry, "times": {"min": 0, "max": 0}})
        found["times"] = {end: count + 1 for end, count in found["times"].items()}
    return list(counted.values())


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return (
            0 < len(value) <= PLAIN_CHARS_MAX
            and not any(char.isspace() or char == "[" for char in value)
            and not (value.startswith("/") and value.endswith("/"))
        )
    return isinstance(value, int | float)


def _results(steps: Sequence[Recorded]) -> tuple[list[dict[str, Any]], int]:
    """As tools gave them, what failed for good included; and how many were left out."""
    found: list[dict[str, Any]] = []
    calls = [step for step in steps if step.kind == "tool" and not superseded(step)]
    for step in calls:
        entry: dict[str, Any] = {"tool": step.name, "arguments": step.arguments}
        # What the outbox or a guard said in the tool's place is no result of the tool.
        ours = any(note.get("as_is") or "gap" in note or "delayed_s" in note for note in step.facts.notes)
        if step.state is StepState.DONE and step.error is None and not ours:
            found.append({**entry, "result": step.result})
        elif step.state is StepState.FAILED and step.error is not None and not step.error.retryable:
            found.append({**entry, "error": step.error.type})
    return found[:RESULTS_MAX], len(calls) - min(len(found), RESULTS_MAX)


def _people(effects: Sequence[EffectRow]) -> tuple[str, list[str]]:
    """What people said to calls that waited, and of which tools."""
    asked = [effect for effect in effects if effect.decided_by or effect.state in _ASKED]
    rejected = any(effect.state is EffectState.REJECTED for effect in asked)
    return ("reject" if rejected else "approve"), list(dict.fromkeys(effect.tool for effect in asked))


def _answers(steps: Sequence[Recorded]) -> dict[str, str]:
    found: dict[str, str] = {}
    for step in steps:
        if step.kind == "ask" and step.state is StepState.DONE and isinstance(step.arguments, dict):
            question = str(step.arguments.get("question", ""))
            said = step.result if isinstance(step.result, str) else encode(step.result).decode()
            if question:
                found[question[:200]] = said
    return found


def _story(record: Record, kind: Kind) -> str:
    why = record.task.why
    text = "" if why is None else f" ({why.code.value})"
    went = "went well" if kind is Kind.GOLDEN else "went wrong"
    assert record.task.outcome is not None
    return f"As {record.task.id}, which {went}: {record.task.outcome.value}{text}."


def _notes(record: Record, left_out: int, hidden: int) -> list[str]:
    notes = []
    inexact = [str(step.seq) for step in record.steps if not step.exact]
    if inexact:
        notes.append(
            f"Secrets or personal data were taken out of step {', '.join(inexact[:8])}, so the case says there what was"
            " written in their place."
        )
    if hidden:
        notes.append("Secrets were taken out of the case.")
    if left_out:
        notes.append(
            f"Results of {left_out} tool calls are not in it: they failed in passing, were refused or put off, or are"
            " too many."
        )
    return notes


def renamed(case: Case) -> Case:
    """With names of its own in place of the user's and the session's, wherever they stand: files are not reached when
    somebody is erased.
    """
    text = encode(case.model_dump(mode="json")).decode()
    for name, stand_in in ((case.user, "user-of-case"), (case.session, "session-of-case")):
        if len(name) >= 3:
            text = text.replace(encode(name).decode()[1:-1], stand_in)
    again = Case.model_validate(decode(text.encode()))
    return again.model_copy(
        update={
            "id": case.id,
            "user": "user-of-case" if case.user else "",
            "session": "session-of-case" if case.session else "",
        }
    )
