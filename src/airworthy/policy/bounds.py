"""The bounds a policy sets to a tool's amount and recipient, held against one call. Pure; knows no way to make it."""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from airworthy.policy.tool_rule import ToolRule


def refusal(name: str, rule: ToolRule, arguments: Mapping[str, Any]) -> str | None:
    """Why the call may not be made, in a sentence; None when it may."""
    if rule.amount_arg is not None:
        amount = number(arguments.get(rule.amount_arg))
        if amount is None:
            return f"{name} needs a number in {rule.amount_arg!r}, where the policy looks for the amount."
        if rule.amount_max is not None and abs(amount) > rule.amount_max:
            return f"{rule.amount_arg} is {amount:g}; the policy allows at most {rule.amount_max:g}."
    if rule.recipient_arg is not None:
        recipient = recipient_of(rule, arguments)
        if not recipient:
            return f"{name} needs a recipient in {rule.recipient_arg!r}, where the policy looks for it."
        bounded = rule.recipients or rule.per_recipient_per_day is not None
        if bounded and is_several(arguments[rule.recipient_arg]):
            return f"{name} takes one recipient a call; {recipient} may be several."
        if rule.recipients and not any(
            fnmatchcase(recipient, pattern.casefold()) for pattern in rule.recipients
        ):
            return f"{recipient} is not among the recipients the policy allows for {name}."
    return None


def needs_approval(rule: ToolRule, arguments: Mapping[str, Any]) -> str | None:
    """Why a person must say yes first; None when nobody need."""
    if rule.approval == "always":
        return "the policy asks a person before every such call"
    if rule.approval_above is not None and rule.amount_arg is not None:
        amount = number(arguments.get(rule.amount_arg))
        if amount is None or abs(amount) > rule.approval_above:
            return f"{rule.amount_arg} is above {rule.approval_above:g}"
    return None


def asks_by_run(rule: ToolRule) -> bool:
    """Whether it depends on what the run has read, said and done before: only where it runs can that be known."""
    return (
        rule.approval_new_recipient
        or rule.approval_below_confidence is not None
        or rule.approval_untrusted != "off"
    )


def recipient_of(rule: ToolRule, arguments: Mapping[str, Any]) -> str | None:
    """The recipient, in one spelling."""
    if rule.recipient_arg is None:
        return None
    value = arguments.get(rule.recipient_arg)
    if value is None:
        return None
    return str(value).strip().casefold()


def is_several(value: Any) -> bool:
    """Several would count as one against a cap, and one allowed name would let the others through a wildcard."""
    if not isinstance(value, str):
        return isinstance(value, list | dict)
    return value.count("@") > 1 or any(char in ",;" or not char.isprintable() for char in value.strip())


def number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
