"""The tool-failure matrix, derived from golden recordings: every call of a tool or a model, meeting every fault.

Each cell begins at the call it is about: what came before is taken from the recording and costs no model call.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from airworthy.core.canonical import encode
from airworthy.core.chars import quoted
from airworthy.evals import Severity, Trial
from airworthy.evals.matching import as_data
from airworthy.policy import Policy
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.faults.damage import applies
from airworthy.preflight.oracle import Target, unsound
from airworthy.preflight.plan import Cell, Context, Golden, came_to
from airworthy.preflight.report import Section, Verdict
from airworthy.preflight.stage import Placed, Script
from airworthy.preflight.stage.script import Played
from airworthy.preflight.words import how_it_fails, how_it_stands, unnoticed
from airworthy.recorder import Recorded, StepState
from airworthy.resilience.chaos import KINDS, Fault, FaultKind, When
from airworthy.tools import Tool

# An outage lasts: `always` meets every later call of the same tool or model too, up to so many.
OUTAGE_CALLS: Final = 12
SLOW_SHARE: Final = 0.6  # Of the tool's timeout.
SLOW_S_MAX: Final = 20.0
NO_TIMEOUT_S: Final = 10.0
EVIDENCE_CHARS_MAX: Final = 1_500
LISTED_MAX: Final = 30
MODEL: Final = "model"
# These cost the most when they happen, so that a cap leaves them covered.
CRITICAL: Final = frozenset(("duplicate_effect", "wrong_effect"))
_NOT_OF_AN_ID = re.compile(r"[^A-Za-z0-9_.-]")


def plan(ctx: Context) -> list[Cell]:
    """Each tool and fault once before any a second time, so that a run that the cap ends has seen the breadth.

    A call that stands in the same place as one of another case (the same tool, after the same tools, in a run that
    ended alike) is tried once for both, unless preflight.toml asks for every case.
    """
    placed = list(_cells(ctx))
    if not ctx.settings.failures.every_case:
        first: dict[Any, str] = {}
        placed = [
            (place, cell)
            for place, cell in placed
            if first.setdefault((place, cell.axes["fault"]), cell.id) == cell.id
        ]
    return _breadth_first(cell for _, cell in placed)


def find(ctx: Context, cell_id: str) -> Cell | None:
    """Also one that `plan` leaves out for another in the same place."""
    return next((cell for _, cell in _cells(ctx) if cell.id == cell_id), None)


def _cells(ctx: Context) -> Iterator[tuple[Any, Cell]]:
    """With the place that each call stands in."""
    tools = {tool.name: tool for tool in ctx.agent.tools}
    for golden in ctx.golden:
        for place, target in _targets(golden, tools, ctx.policy, ctx.seed):
            yield place, _cell(golden, target, ctx.seed)


def _breadth_first(cells: Iterable[Cell]) -> list[Cell]:
    seen: Counter[tuple[str, str]] = Counter()
    turns: list[tuple[int, int, Cell]] = []
    for number, cell in enumerate(cells):
        kind = cell.axes["tool"], cell.axes["fault"]
        turns.append((seen[kind], number, cell))
        seen[kind] += 1
    return [cell for _, _, cell in sorted(turns, key=lambda turn: turn[:2])]


async def judge(ctx: Context, cell: Cell, played: Sequence[Played]) -> CellResult:
    """Asks nobody."""
    golden, target = cell.about
    one = played[0]
    if one.trial.crash:
        result = came_to(cell, played, State.BROKEN, evidence=_evidence(ctx, cell, one))
        return replace(result, why=f"The trial could not be run: {quoted(one.trial.crash, 300)}")
    tools = {tool.name: tool for tool in ctx.agent.tools}
    findings = unsound(ctx.policy, tools, golden, target, one, ctx.settings.failures.known)
    state = State.FAILED if findings else State.PASSED
    result = came_to(cell, played, state, findings=findings, evidence=_evidence(ctx, cell, one))
    if any(finding.kind in CRITICAL for finding in findings):
        result = replace(result, severity=Severity.CRITICAL)
    return result


def section(ctx: Context, results: Sequence[CellResult]) -> Section:
    failed = [each for each in results if each.state is State.FAILED]
    told = [each for each in results if each.state in (State.FAILED, State.PASSED)]
    missing = [*_not_covered(ctx), *_not_run(results)]
    if not results and not ctx.golden:
        missing.insert(0, "No golden case passed, so there is no recording to derive a failure matrix from.")
    elif not results:
        missing.insert(0, "The golden runs call neither a tool nor a model.")
    verdict = Verdict.NO_GO if failed else Verdict.INCONCLUSIVE if missing or not told else Verdict.GO
    facts: dict[str, Any] = {
        "cells": len(results), "passed": len(told) - len(failed), "failed": len(failed),
        "model_calls": sum(each.model_calls for each in results),
        "model_calls_made": sum(each.model_calls_made for each in results),
    }  # fmt: skip
    if sentences := how_it_fails(results):
        facts["how_it_fails"] = list(sentences)
    if quiet := unnoticed(results):
        facts["unnoticed"] = list(quiet)
    return Section(Part.FAILURES, verdict, how_it_stands(results), tuple(results), tuple(missing), facts)


def _targets(
    golden: Golden, tools: Mapping[str, Tool], policy: Policy, seed: int
) -> Iterator[tuple[Any, Target]]:
    """Acts first: what they do twice or wrongly is the worst that can come of a fault. With the call's place."""
    before: list[str] = []
    calls: list[tuple[int, int, Any, Recorded]] = []
    counts: Counter[str] = Counter()
    for step in golden.played.recording.steps:
        if step.key is None or step.kind not in ("tool", "model"):
            continue
        name = step.name if step.kind == "tool" else MODEL
        if step.kind == "tool" and (step.name not in tools or step.state is StepState.REFUSED):
            continue
        counts[name] += 1
        rank = 2 if step.kind == "model" else 0 if tools[step.name].effect.acts else 1
        held = any(seq == step.seq for seq, _ in golden.played.recording.asked)
        place = (step.kind, name, counts[name], tuple(before), held, golden.played.trial.outcome)
        calls.append((rank, counts[name], place, step))
        if step.kind == "tool":
            before.append(step.name)
    for _, call, place, step in sorted(calls, key=lambda each: each[0]):
        if step.kind == "model":
            pin = step.facts.model or ""
            for kind, when in _variants("model"):
                yield place, Target("model", pin, call, step.seq, Fault(kind.name, when))
        else:
            for target in _of_tool(tools[step.name], call, step, policy, seed):
                yield place, target


def _of_tool(tool: Tool, call: int, step: Recorded, policy: Policy, seed: int) -> Iterator[Target]:
    schema = None if tool.result_adapter is None else tool.result_adapter.json_schema(mode="serialization")
    for kind, when in _variants("tool"):
        if not _fits(kind, tool, step.result, schema, seed):
            continue
        result = step.result if kind.name == "not_done" else None
        fault = Fault(kind.name, when, _slow_s(tool.name, policy) if kind.name == "slow" else 0.0, result)
        yield Target("tool", tool.name, call, step.seq, fault, step.arguments)


def _fits(kind: FaultKind, tool: Tool, result: Any, schema: Mapping[str, Any] | None, seed: int) -> bool:
    """Whether there is something that this fault could do to this result."""
    if not kind.damages:
        return True
    if kind.name == "not_done":
        return tool.effect.acts and result is not None
    if kind.name == "stale" and tool.effect.acts:
        return False
    return result is not None and applies(kind.name, result, schema, seed)


def _variants(on: str) -> Iterator[tuple[FaultKind, When]]:
    whens: tuple[When, ...] = ("once", "always")
    for kind in KINDS.values():
        if on in kind.on:
            for when in whens[:1] if kind.alike else whens:
                yield kind, when


def _slow_s(tool: str, policy: Policy) -> float:
    rule = policy.tools.get(tool)
    timeout_s = rule.timeout_s if rule is not None and rule.timeout_s else NO_TIMEOUT_S
    return min(timeout_s * SLOW_SHARE, SLOW_S_MAX)


def _cell(golden: Golden, target: Target, seed: int) -> Cell:
    case = golden.case
    subject = MODEL if target.on == "model" else _NOT_OF_AN_ID.sub("-", target.name)
    if target.on == "tool" and subject == MODEL:
        subject = "tool-model"
    cell_id = f"failures/{case.id}/{subject}.{target.call}/{target.fault.name}"
    lasting = OUTAGE_CALLS if target.fault.when == "always" else 1
    placed = tuple(Placed(target.on, target.name, nth, target.fault) for nth in range(1, lasting + 1))
    script = Script(
        case, label=cell_id, seed=seed, prefix=golden.played.recording, at=target.seq, faults=placed
    )
    shown = target.name or MODEL
    title = f"{_subject(target)} {KINDS[target.fault.kind].about}, {_when(target.fault)} (case {case.id})"
    axes = {"tool": shown, "fault": target.fault.name, "call": str(target.call), "case": case.id}
    return Cell(cell_id, Part.FAILURES, title, case.severity, axes, (script,), about=(golden, target))


def _subject(target: Target) -> str:
    return f"{'The model' if target.on == 'model' else target.name}, call {target.call},"


def _when(fault: Fault) -> str:
    if KINDS[fault.kind].alike:
        return "once"
    return "once" if fault.when == "once" else "every time"


def _evidence(ctx: Context, cell: Cell, played: Played) -> dict[str, Any]:
    golden, target = cell.about
    trial, usual = played.trial, golden.played.trial
    return {
        "input": _bounded(golden.case.input),
        "answer": _bounded(trial.answer),
        "tools": [_use(use) for use in trial.tools[:LISTED_MAX]],
        "acts": [
            {"tool": act.tool, "arguments": _bounded(act.arguments), "times": act.times}
            for act in trial.acts[:LISTED_MAX]
        ],
        "asked": [{"tool": asked.tool, "text": _bounded(asked.text), "said": asked.said} for asked in trial.asked],
        "fault": {
            "on": f"{target.name or MODEL}, call {target.call}", "kind": target.fault.kind,
            "when": _when(target.fault), "about": KINDS[target.fault.kind].about,
        },
        "outcome": _ended(trial),
        "without the fault": _ended(usual),
        "made up": list(trial.made_up),
        "command": f"airworthy preflight {ctx.agent.name} --cell {cell.id} --seed {ctx.seed}",
    }  # fmt: skip


def _use(use: Any) -> dict[str, Any]:
    return {
        "name": use.name, "arguments": _bounded(use.arguments), "result": _bounded(use.result),
        "error": use.error or ("refused" if use.refused else ""), "tries": use.attempts,
    }  # fmt: skip


def _ended(trial: Trial) -> str:
    if trial.outcome is None and trial.reason == "waits":
        return f"waits for {quoted(trial.text, 300)}"
    outcome = "no outcome" if trial.outcome is None else trial.outcome.value.replace("_", "-")
    return f"{outcome}: {quoted(trial.text or trial.reason, 300)}"


def _bounded(value: Any) -> Any:
    """As it is while it is small; else its beginning, as text."""
    plain = as_data(value)
    raw = encode(plain)
    if len(raw) <= EVIDENCE_CHARS_MAX:
        return plain
    return raw[:EVIDENCE_CHARS_MAX].decode(errors="ignore") + f"… ({len(raw)} bytes)"


def _not_covered(ctx: Context) -> Iterator[str]:
    """Tools that the agent may call and no golden run does."""
    if not ctx.golden:
        return
    covered = {
        step.name for golden in ctx.golden for step in golden.played.recording.steps if step.kind == "tool"
    }
    in_scope = [tool.name for tool in ctx.agent.tools if tool.name in ctx.policy.tools or not ctx.policy.live]
    for name in in_scope:
        if name not in covered:
            yield f"{name} is not covered: no golden case that passes calls it. Add one."


def _not_run(results: Sequence[CellResult]) -> Iterator[str]:
    why: defaultdict[str, int] = defaultdict(int)
    for each in results:
        if each.state in (State.UNDECIDED, State.BROKEN):
            why[each.why or "it was not run"] += 1
    for text, count in sorted(why.items(), key=lambda each: -each[1])[:5]:
        yield f"{count} of {len(results)} cells say nothing: {text}"
