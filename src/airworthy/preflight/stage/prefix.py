"""The part of a trial that is taken from a recording: steps of its journal, its effects, and what they did."""

from collections.abc import Mapping, Sequence
from typing import Final

from airworthy.core.canonical import digest, encode
from airworthy.gateway.budget import Standing, rows
from airworthy.policy import Policy, ToolRule
from airworthy.preflight.stage.part import Part
from airworthy.preflight.stage.values import ToolCall
from airworthy.recorder import Payloads, Recorded, StepState
from airworthy.recorder.steps import INSERT_PAYLOAD, INSERT_STEP, body
from airworthy.store import Tx
from airworthy.tools import EffectRow, EffectState, Tool, outbox
from airworthy.tools.rules import counted, recipient_of

_ENDED: Final = frozenset({StepState.DONE, StepState.FAILED, StepState.REFUSED})


def kept(steps: Sequence[Recorded], at: int) -> list[Recorded]:
    """Steps before `at` that answer the same call again; what checks said is said anew."""
    return [
        step
        for step in steps
        if 0 < step.seq < at and step.key is not None and step.state in _ENDED and step.kind not in ("check", "outcome")
    ]  # fmt: skip


def begin_with(
    tx: Tx,
    part: Part,
    steps: Sequence[Recorded],
    tools: Mapping[str, Tool],
    payloads: Payloads,
    policy: Policy,
) -> None:
    """Writes them as steps of run 0. They count against the task's limits as if it had made them."""
    task_id = part.task_id
    versions: dict[str, int] = {}
    for step in steps:
        facts = step.facts
        assert step.key is not None
        tx.execute(INSERT_STEP, (
            task_id, step.seq, 0, step.kind, step.name, step.key, step.state.value, step.effect, int(step.exact),
            step.started_us, step.ended_us, facts.attempts, step.error_type, facts.model, facts.tokens_in,
            facts.tokens_out, facts.cost_nano, facts.resource, facts.resource_version,
        ))  # fmt: skip
        result = None if step.result is None and step.error is not None else encode(step.result)
        packed = payloads.pack(body(encode(step.arguments), result, step.error, facts.notes))
        tx.execute(INSERT_PAYLOAD, (task_id, step.seq, packed))
        if facts.resource is not None and facts.resource_version is not None:
            versions[facts.resource] = max(versions.get(facts.resource, 0), facts.resource_version)
        if step.acted and step.name in tools:
            _acted(tx, part, step, tools[step.name], policy)
    _spent(tx, part.task_id, steps)
    for name, version in versions.items():
        tx.execute("INSERT INTO resources (name, version, holder) VALUES (?, ?, NULL)", (name, version))


def _spent(tx: Tx, task_id: str, steps: Sequence[Recorded]) -> None:
    """So that the task's limit of cost holds over the whole of it."""
    calls = [step.facts for step in steps if step.kind == "model" and step.error is None]
    tokens = sum((facts.tokens_in or 0) + (facts.tokens_out or 0) for facts in calls)
    spent = Standing(
        settled_nano=sum(facts.cost_nano or 0 for facts in calls), settled_tokens=tokens, calls=len(calls)
    )
    rows.change(tx, f"task:{task_id}", spent)


def _acted(tx: Tx, part: Part, step: Recorded, tool: Tool, policy: Policy) -> None:
    assert step.key is not None
    at_us = step.ended_us or step.started_us
    delayed = next((float(note["delayed_s"]) for note in step.facts.notes if "delayed_s" in note), None)
    effect_id = f"eff_{digest(part.task_id.encode(), step.key).hex()}"
    rule = policy.tools.get(step.name, ToolRule())
    due_us = None if delayed is None else at_us + round(delayed * 1e6)
    row = EffectRow(
        id=effect_id, task_id=part.task_id, seq=step.seq, agent=policy.agent, tool=step.name, effect=step.effect or "",
        state=EffectState.DONE if delayed is None else EffectState.SCHEDULED, keyed=tool.keyed,
        arguments=encode(step.arguments).decode(), recipient=counted(recipient_of(rule, step.arguments)),
        day=outbox.day_of(at_us), created_us=at_us,
        due_us=due_us, started_us=None if delayed is not None else at_us,
        ended_us=None if delayed is not None else at_us, undoable=tool.undo is not None,
    )  # fmt: skip
    outbox.insert(tx, row)
    if delayed is None:
        call = ToolCall(step.name, step.arguments, step.effect or "", effect_id if tool.keyed else "")
        part.world.remember(part.task_id, call, at_us, step.result)
