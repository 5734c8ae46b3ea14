"""From a stop condition to the halt it means under a policy: which outcome, and who is asked."""

from typing import Any

from airworthy.core.halt import Stop
from airworthy.core.outcome import ErrorFact, Outcome, Reason, ReasonCode
from airworthy.policy.model import Policy
from airworthy.policy.sections import StopWhen


def stop(
    policy: Policy,
    when: StopWhen,
    code: ReasonCode,
    text: str,
    *,
    evidence: dict[str, Any] | None = None,
    error: ErrorFact | None = None,
) -> Stop:
    rule = policy.stop_for(when)
    outcome = Outcome.ESCALATED if rule.then == "escalate" else Outcome.DECLINED
    note = {"note": rule.note} if rule.note else {}
    reason = Reason(
        code=code, text=text, to=rule.to or "", evidence={**(evidence or {}), **note}, error=error
    )
    return Stop(outcome, reason)
