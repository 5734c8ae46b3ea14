"""Tasks, steps and effects as JSON documents: stable names, times in UTC, money in USD. Prints nothing."""

import re
from collections.abc import Sequence
from typing import Any

from airworthy.core.clock import iso
from airworthy.core.money import NANO_PER_USD
from airworthy.recorder import Recorded, summarise
from airworthy.recorder.alerts import AlertRow
from airworthy.recorder.summary import Deed
from airworthy.review.feedback import Feedback
from airworthy.review.results import Result, Tally
from airworthy.runtime.afterwards import Refused
from airworthy.runtime.tasks import TaskRow
from airworthy.tools import EffectRow, Tool

Document = dict[str, Any]
_IDS = re.compile(r" \(eff_[0-9a-f]+\)")  # Of no use in a sentence; what waits is listed beside it.


def task_document(task: TaskRow) -> Document:
    return {
        "id": task.id,
        "agent": task.agent,
        "state": task.state.value,
        "outcome": task.outcome.value if task.outcome is not None else None,
        "reason": task.why.model_dump(mode="json") if task.why is not None else None,
        "gaps": gaps_of(task),
        "waiting_for": task.waiting_for or None,
        "wake": iso(task.wake_us),
        "session": task.session,
        "user": task.user_id,
        "feature": task.feature,
        "source": task.source,
        "key": task.idempotency_key,
        "priority": task.priority,
        "created": iso(task.created_us),
        "changed": iso(task.changed_us),
        "closed": iso(task.closed_us),
        "discarded": iso(task.discarded_us),
        "runs": task.run,
        "steps": task.steps,
        "tokens": task.tokens,
        "cost_usd": usd(task.cost_nano),
        "seconds": task.active_us / 1e6,
        "policy_hash": task.policy_hash,
        "fork_of": task.fork_of,
        "fork_at": task.fork_at,
        "trace_id": task.trace_id,
    }


def record_document(steps: Sequence[Recorded], effects: Sequence[EffectRow]) -> Document:
    """What a task was handed and answered, with each step and effect between."""
    return {
        "input": input_of(steps),
        "answer": answer_of(steps),
        "journal": [step_document(step) for step in steps],
        "effects": [effect_document(effect) for effect in effects],
    }


def gaps_of(task: TaskRow) -> list[Document]:
    """What a closed task went without; each has a `text` for people."""
    return list(task.why.evidence.get("gaps", [])) if task.why is not None else []


def step_document(step: Recorded) -> Document:
    return {
        "seq": step.seq,
        "run": step.run,
        "kind": step.kind,
        "name": step.name,
        "state": step.state.value,
        "effect": step.effect,
        "superseded": superseded(step),
        "started": iso(step.started_us),
        "ended": iso(step.ended_us),
        "attempts": step.facts.attempts,
        "model": step.facts.model,
        "tokens_in": step.facts.tokens_in,
        "tokens_out": step.facts.tokens_out,
        "cost_usd": usd(step.facts.cost_nano),
        "resource": step.facts.resource,
        "arguments": step.arguments,
        "result": step.result,
        "error": step.error.model_dump(mode="json") if step.error is not None else None,
        "notes": list(step.facts.notes),
    }


def effect_document(effect: EffectRow) -> Document:
    return {
        "id": effect.id,
        "task": effect.task_id,
        "agent": effect.agent,
        "tool": effect.tool,
        "effect": effect.effect,
        "state": effect.state.value,
        "keyed": effect.keyed,
        "arguments": parsed_arguments(effect),
        "recipient": effect.recipient,
        "created": iso(effect.created_us),
        "due": iso(effect.due_us),
        "started": iso(effect.started_us),
        "ended": iso(effect.ended_us),
        "decided_by": effect.decided_by,
        "decided": iso(effect.decided_us),
        "note": effect.note,
        "evidence": evidence_of(effect),
        "undo_of": effect.undo_of,
        "undoable": effect.undoable,
        "result": effect.result,
    }


def tool_document(tool: Tool) -> Document:
    """`arguments`: their JSON Schema."""
    return {
        "name": tool.name,
        "description": tool.description,
        "effect": tool.effect.value,
        "arguments": tool.schema(),
    }


def feedback_document(said: Feedback) -> Document:
    return {
        "id": said.id,
        "task": said.task_id,
        "agent": said.agent,
        "at": iso(said.at_us),
        "via": said.via,
        "thumb": said.thumb,
        "correction": said.correction,
        "text": said.text,
        "by": said.by,
    }


def result_document(result: Result) -> Document:
    return {
        "task": result.task_id,
        "agent": result.agent,
        "name": result.name,
        "value": result.value,
        "at": iso(result.at_us),
        "told": iso(result.told_us),
        "by": result.by,
    }


def tally_document(tally: Tally) -> Document:
    return {"name": tally.name, "tasks": tally.tasks, "mean": tally.mean}


def told_document(kept: int, refused: Sequence[Refused]) -> Document:
    """What became of many results that were told at once."""
    return {"kept": kept, "refused": [{"line": one.line, "why": one.why} for one in refused]}


def sentence_of(task: TaskRow, steps: Sequence[Recorded], effects: Sequence[EffectRow]) -> str:
    """The task in one sentence, at this moment; see `summarise`."""
    why = task.why
    waits = _IDS.sub("", task.waiting_for)
    waiting = f"it waits for {waits}" if waits else f"it is {task.state.value}"
    return summarise(
        steps,
        outcome=task.outcome,
        why=why.text if why is not None else waiting,
        cost_nano=cost_of(task, steps),
        seconds=task.active_us / 1e6,
        deeds=deeds_of(effects),
    )


def cost_of(task: TaskRow, steps: Sequence[Recorded]) -> int | None:
    """While the task is open its row has no sum yet."""
    if task.cost_nano is not None:
        return task.cost_nano
    costs = [step.facts.cost_nano for step in steps if step.kind == "model"]
    return None if None in costs else sum(cost for cost in costs if cost is not None)


def deeds_of(effects: Sequence[EffectRow]) -> dict[int, Deed]:
    """For `summarise`: by step, what has become of its effect and who let it out or stopped it."""
    own = [effect for effect in effects if effect.undo_of is None]
    return {
        effect.seq: Deed(effect.state.value, effect.decided_by or "", effect.decided_us, effect.id)
        for effect in own
    }


def evidence_of(effect: EffectRow) -> Any:
    import json

    return None if effect.evidence is None else json.loads(effect.evidence)


def alert_document(row: AlertRow) -> Document:
    return {
        "key": row.key,
        "kind": row.kind,
        "agent": row.agent or None,
        "severity": row.severity,
        "title": row.title,
        "text": row.text,
        "task": row.task_id or None,
        "count": row.count,
        "first": iso(row.first_us),
        "last": iso(row.last_us),
        "ended": iso(row.ended_us),
        "ended_by": row.ended_by or None,
    }


def parsed_arguments(effect: EffectRow) -> Any:
    import json

    return json.loads(effect.arguments)


def superseded(step: Recorded) -> bool:
    """A later run does it anew; it stays as history. The input and the outcome never answer a replay."""
    return step.key is None and step.kind not in ("input", "outcome")


def answer_of(steps: Sequence[Recorded]) -> Any:
    """What the last outcome holds; None for any outcome but answered."""
    ends = [step for step in steps if step.kind == "outcome"]
    return ends[-1].result if ends else None


def input_of(steps: Sequence[Recorded]) -> Any:
    return steps[0].arguments if steps else None


def usd(nano: int | None) -> float | None:
    return None if nano is None else nano / NANO_PER_USD
