"""How long people are waited for, and what happens without them, in sentences an owner can approve."""

from typing import Final

from airworthy.policy.document import Code, Line, Strong
from airworthy.policy.plain_words import duration
from airworthy.policy.review_rule import FITTING, NO_RULE, ReviewRules, WaitingFor, WaitRule

_WHAT: Final[dict[WaitingFor, str]] = {
    "approvals": "A call that waits for a yes",
    "questions": "A question in the middle of a task",
    "escalations": "A task that was handed over",
    "dead_letters": "A task that could not be processed",
    "in_doubt": "A call that may or may not have happened",
}
_THEN: Final = {
    "wait": "it still waits",
    "reject": "it is rejected",
    "approve": "it is approved without anybody",
    "decline": "the task is declined",
}


def waiting_lines(review: ReviewRules) -> list[Line]:
    """Only what the policy says itself; what it leaves out waits without end."""
    lines = [_line((_WHAT[what],), review.rule(what)) for what in FITTING if review.rule(what) != NO_RULE]
    lines += [
        _line(("A call of ", Code(name), " that waits for a yes"), rule)
        for name, rule in review.tools.items()
    ]
    if review.four_eyes:
        lines.append(("Whoever hands in a task, or changes its call, cannot approve that call.",))
    return lines


def _line(what: Line, rule: WaitRule) -> Line:
    to: Line = (": ", Strong(rule.to), " is asked") if rule.to else (": the team named for it is asked",)
    if rule.deadline_s is None and rule.on_deadline == "wait":
        return (*what, *to, ".")
    after = (
        f" for {duration(rule.deadline_s)}"
        if rule.deadline_s is not None
        else " for as long as the team says"
    )
    if rule.on_deadline == "escalate":
        return (*what, *to, f"{after}; then ", Strong(rule.escalate_to or ""), " is asked.")
    return (*what, *to, f"{after}; then {_THEN[rule.on_deadline]}.")
