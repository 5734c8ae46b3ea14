"""Which checks an agent runs, and what a block means for its task. The checks themselves live in their room."""

import re
from collections.abc import Sequence
from typing import Any

from airworthy.checks import BUILTIN, Check, CheckContext, Report, Settings, ToolResult
from airworthy.core.canonical import encode
from airworthy.core.errors import ConfigError
from airworthy.core.halt import Stop
from airworthy.core.outcome import Outcome, Reason, ReasonCode
from airworthy.policy import Policy, StopWhen
from airworthy.policy.stops import stop
from airworthy.recorder import Recorded, StepState
from airworthy.runtime.agent import Agent
from airworthy.tools import Gap

GAPS_NAMED_MAX = 3
GAPS_KEPT_MAX = 100


def checks_of(agent: Agent) -> tuple[tuple[Check, ...], tuple[Check, ...]]:
    """(of the input, of the output). Raises: ConfigError for a name that is no check.

    What the policy's bounds and patterns ask for runs whether or not its list of checks names it.
    """
    sides = []
    policy = agent.policy
    for side, always, named in (
        ("input", ("too_long", *(["refused_topic"] if policy.refuse.patterns else [])), policy.checks.input),
        (
            "output",
            ("bytes", *(["forbidden_patterns"] if policy.output.forbid_patterns else [])),
            policy.checks.output,
        ),
    ):
        chosen: dict[str, Check] = {}
        own = {check.name: check for check in agent.checks if check.on == side}
        for name in (*named, *always):
            found = own.get(name) or BUILTIN.get(name)
            if found is None or found.on != side:
                known = ", ".join(sorted(c.name for c in (*BUILTIN.values(), *own.values()) if c.on == side))
                raise ConfigError(
                    f"The policy of {agent.name!r} names {name!r} as a check of the {side}; there is none.",
                    mend=f"Use one of: {known}; or hand your own to Agent(checks=...).",
                )
            chosen.setdefault(name, found)
        for check in own.values():
            chosen.setdefault(check.name, check)
        sides.append(tuple(chosen.values()))
    return sides[0], sides[1]


def context_for(
    agent: Agent, task_id: str, value: Any, side: str, recorded: Sequence[Recorded] = ()
) -> CheckContext:
    policy = agent.policy
    scope = policy.input if side == "input" else policy.output
    return CheckContext(
        agent=agent.name,
        task_id=task_id,
        input=value,
        input_text=value if isinstance(value, str) else encode(value).decode(),
        facts=tuple(
            ToolResult(step.name, step.arguments, step.result)
            for step in recorded
            if step.kind == "tool" and step.state is StepState.DONE and isinstance(step.arguments, dict)
        ),
        settings=Settings(
            languages=scope.languages,
            bytes_max=scope.bytes_max,
            chars_min=policy.input.chars_min,
            refuse_patterns=policy.refuse.patterns,
            forbid_patterns=policy.output.forbid_patterns,
        ),
    )


def stop_for(policy: Policy, report: Report, side: StopWhen) -> Stop | None:
    """None when nothing blocked. A `[[stop]]` of the policy decides how the task ends, else the check does."""
    block = report.block
    if block is None:
        return None
    code = ReasonCode.BLOCKED_INPUT if side == "blocked_input" else ReasonCode.BLOCKED_OUTPUT
    verdict = block.verdict
    evidence = {"check": block.check, "detail": verdict.detail, **dict(verdict.evidence)}
    named = any(rule.when == side for rule in policy.stop)
    if named or verdict.then == "escalate":
        return stop(policy, side, code, verdict.reason, evidence=evidence)
    return Stop(Outcome.DECLINED, Reason(code=code, text=verdict.reason, evidence=evidence))


def policy_stop(policy: Policy, text: str) -> Stop | None:
    """The first `[[stop]] when = "matches"` that the input meets."""
    for rule in policy.stop:
        if rule.when == "matches" and rule.pattern is not None and re.search(rule.pattern, text):
            outcome = Outcome.ESCALATED if rule.then == "escalate" else Outcome.DECLINED
            words = rule.note or f"The input matches {rule.pattern!r}, on which the policy stops."
            place = (rule.to or policy.escalation.default or "") if outcome is Outcome.ESCALATED else ""
            reason = Reason(
                code=ReasonCode.POLICY_STOP, text=words, to=place, evidence={"pattern": rule.pattern}
            )
            return Stop(outcome, reason)
    return None


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def with_gaps(reason: Reason, gaps: Sequence[Gap]) -> Reason:
    """An outcome names what its task went without, for people in words and for programs under `gaps`."""
    if not gaps:
        return reason
    text = f"{_sentence(reason.text)} {'. '.join(str(gap) for gap in gaps[:GAPS_NAMED_MAX])}."
    if len(gaps) > GAPS_NAMED_MAX:
        text += f" {len(gaps) - GAPS_NAMED_MAX} more are in its evidence."
    evidence = {**reason.evidence, "gaps": [gap.plain() for gap in gaps[:GAPS_KEPT_MAX]]}
    return reason.model_copy(update={"text": text, "evidence": evidence})


def report_facts(report: Report) -> dict[str, Any]:
    """The report as plain data, for the journal."""
    return {
        "checks": [
            {
                "check": finding.check,
                "verdict": finding.verdict.kind,
                **({"reason": finding.verdict.reason} if finding.verdict.reason else {}),
                **({"detail": finding.verdict.detail} if finding.verdict.detail else {}),
            }
            for finding in report.findings
        ]
    }
