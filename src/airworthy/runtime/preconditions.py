"""Whether a task may begin: what its policy needs to be well is looked at, and what follows when it is not."""

from collections.abc import Sequence

from airworthy.core.canonical import encode
from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.halt import Halt, Stop, Suspend
from airworthy.core.outcome import Outcome, Reason, ReasonCode
from airworthy.policy import Policy
from airworthy.policy.stops import stop
from airworthy.recorder import Journal, Recorded, StepState
from airworthy.tools import Toolbox
from airworthy.tools.readiness import Unready, named

LOOK_AGAIN_S = (
    15.0  # Where nobody knows when it will be well; the longer a task has waited, the longer it may.
)
LOOK_AGAIN_SHARE = 0.1
LOOK_AGAIN_S_MIN = 1.0
_BEFORE_THE_START = frozenset({"input", "check"})


async def held_up(
    policy: Policy, toolbox: Toolbox, journal: Journal, recorded: Sequence[Recorded], clock: Clock
) -> Halt | None:
    """None when the task may begin, or has begun: what it did so far is not undone for a look."""
    rule = policy.preconditions
    if not rule.dependencies or any(step.kind not in _BEFORE_THE_START for step in recorded):
        return None
    unready = [each for each in await toolbox.readiness.look(rule) if each.critical]
    if not unready:
        return None
    text = f"The task was not begun, because what it needs is not well. {named(unready)}"
    evidence = {"unready": [{"dependency": each.name, "reason": each.reason} for each in unready]}
    if rule.otherwise == "wait":
        return _waiting(policy, journal, unready, clock) or stop(
            policy, "tool_failure", ReasonCode.TOOL_FAILURE, text, evidence=evidence
        )
    declined = rule.otherwise == "decline"
    to = "" if declined else policy.escalation.default or ""
    reason = Reason(code=ReasonCode.TOOL_FAILURE, text=text, to=to, evidence=evidence)
    return Stop(Outcome.DECLINED if declined else Outcome.ESCALATED, reason)


def _waiting(policy: Policy, journal: Journal, unready: Sequence[Unready], clock: Clock) -> Suspend | None:
    """None when it has waited long enough. The first look that found something is recorded, and counts as its start."""
    now_us = clock.now_us()
    slot = journal.slot("check", "preconditions", b"[]")
    since_us = now_us if slot.recorded is None else slot.recorded.started_us
    until_us = since_us + round(policy.preconditions.wait_s_max * US_PER_S)
    if now_us >= until_us:
        return None
    if slot.recorded is None:
        journal.ride(slot, StepState.DONE, encode({"unready": [str(each) for each in unready]}))
    known_us = [each.until_us for each in unready]
    soon_us = now_us + max(round(LOOK_AGAIN_S * US_PER_S), round(LOOK_AGAIN_SHARE * (now_us - since_us)))
    wake_us = max((each if each is not None else soon_us for each in known_us), default=soon_us)
    wake_us = max(now_us + round(LOOK_AGAIN_S_MIN * US_PER_S), min(wake_us, until_us))
    return Suspend(f"what it needs to be well ({named(unready)})", wake_us)
