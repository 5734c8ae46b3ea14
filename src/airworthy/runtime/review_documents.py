"""Items of the review queue as JSON documents, the same for every door: stable names, UTC, USD. Prints nothing."""

from collections.abc import Sequence
from typing import Any, Final

from airworthy.core.canonical import decode, encode
from airworthy.core.clock import iso
from airworthy.recorder import Recorded
from airworthy.review import Item, Record
from airworthy.runtime.documents import Document, usd
from airworthy.runtime.looking import Look
from airworthy.runtime.reviews import Whole
from airworthy.runtime.telling import line, told
from airworthy.runtime.waiting import BLOCKED

# A step or an input beside an item is there to give the picture; whole it stands in the task. What is decided on (the
# arguments of a call, a blocked answer, a question) is never cut.
BESIDE_BYTES_MAX: Final = 4_000


def line_document(look: Look) -> Document:
    """One entry of a list."""
    return {**_item(look.item), "line": line(look)}


def whole_document(shown: Whole) -> Document:
    """All that a person needs to decide. `seen` is the seal to hand back with the decision."""
    look = shown.look
    words = told(look)
    return {
        **line_document(look),
        "overdue": shown.overdue,
        "seen": look.seal,
        "happened": words.happened,
        "stopped": words.stopped,
        "asked": words.asked,
        "answers": [{"act": act.value, "then": then} for act, then in words.answers],
        "by_default": words.default or None,
        "cost_usd": usd(look.cost_nano),
        "call": _call(look),
        "question": _question(look),
        "blocked_answer": _blocked(look),
        "reason": _reason(look),
        "origin": _origin(look, shown.steps),
        "steps": [_step(step) for step in shown.steps if step.kind not in ("input", "outcome")],
        "steps_left_out": max(0, shown.step_count - len(shown.steps)),
        "records": [_record(record) for record in shown.records],
    }


def _item(item: Item) -> Document:
    return {
        "id": item.id,
        "kind": item.kind.value,
        "status": item.status.value,
        "agent": item.agent,
        "task": item.task_id,
        "subject": item.subject,
        "to": item.to or None,
        "assigned": item.assigned or None,
        "created": iso(item.created_us),
        "deadline": iso(item.deadline_us),
        "on_deadline": item.on_deadline if item.deadline_us is not None else None,
        "escalate_to": item.escalate_to or None,
        "edited_by": item.edited_by or None,
        "decision": item.act or None,
        "decided_by": item.by or None,
        "role": item.role or None,
        "decided": iso(item.decided_us),
        "note": item.note or None,
    }


def _call(look: Look) -> Document | None:
    effect = look.effect
    if effect is None:
        return None
    return {
        "effect": effect.id, "tool": effect.tool, "does": effect.effect, "state": effect.state.value,
        "keyed": effect.keyed, "arguments": decode(effect.arguments.encode()), "recipient": effect.recipient,
        "due": iso(effect.due_us), "started": iso(effect.started_us), "note": effect.note,
    }  # fmt: skip


def _question(look: Look) -> Document | None:
    question = look.question
    if question is None:
        return None
    return {
        "text": question.text, "choices": list(question.choices), "schema": question.schema,
        "default": None if question.default is None else decode(question.default.encode()),
        "problem": question.problem or None,
        "answer": None if question.answer is None else decode(question.answer.encode()),
    }  # fmt: skip


def _blocked(look: Look) -> Any:
    why = look.task.why
    return (
        why.evidence.get(BLOCKED)
        if why is not None and look.effect is None and look.question is None
        else None
    )


def _reason(look: Look) -> Document | None:
    why = look.task.why
    if why is None:
        return None
    evidence = {key: _beside(value) for key, value in why.evidence.items() if key != BLOCKED}
    error = why.error
    return {
        "code": why.code.value, "text": why.text, "evidence": evidence,
        "error": None if error is None else {"type": error.type, "message": error.message, "mend": error.mend},
    }  # fmt: skip


def _origin(look: Look, steps: Sequence[Recorded]) -> Document:
    task = look.task
    return {
        "user": task.user_id or None, "session": task.session or None, "feature": task.feature or None,
        "source": task.source or None, "accepted": iso(task.created_us), "policy_hash": task.policy_hash,
        "input": _beside(steps[0].arguments) if steps else None,
    }  # fmt: skip


def _step(step: Recorded) -> Document:
    return {
        "seq": step.seq, "kind": step.kind, "name": step.name, "state": step.state.value,
        "arguments": _beside(step.arguments), "result": _beside(step.result),
        "error": step.error.message if step.error is not None else None,
        "notes": [_beside(note) for note in step.facts.notes],
    }  # fmt: skip


def _record(record: Record) -> Document:
    return {
        "at": iso(record.at_us), "act": record.act.value, "by": record.by, "role": record.role or None,
        "note": record.note or None, "seen": record.seen or None, "detail": decode(record.detail.encode()),
    }  # fmt: skip


def _beside(value: Any) -> Any:
    """Itself while it is short, else its beginning, marked as such."""
    raw = encode(value)
    if len(raw) <= BESIDE_BYTES_MAX:
        return value
    text = value if isinstance(value, str) else raw.decode()
    return {"beginning": text[: BESIDE_BYTES_MAX // 4], "bytes": len(raw)}
