"""What the policy says about one concrete call, before anything is tried. Pure."""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from airworthy.policy import ToolRule


def refusal(name: str, rule: ToolRule, arguments: Mapping[str, Any]) -> str | None:
    """Why the call may not be made, in a sentence; None when it may."""
    if rule.amount_arg is not None and (rule.amount_max is not None or rule.approval_above is not None):
        amount = _number(arguments.get(rule.amount_arg))
        if amount is None:
            return f"{name} needs a number in {rule.amount_arg!r}, because the policy bounds it."
        if rule.amount_max is not None and abs(amount) > rule.amount_max:
            return f"{rule.amount_arg} is {amount:g}; the policy allows at most {rule.amount_max:g}."
    if rule.recipient_arg is not None and rule.recipients:
        recipient = recipient_of(rule, arguments)
        if recipient is None:
            return f"{name} needs a recipient in {rule.recipient_arg!r}, because the policy names who may get it."
        if not any(fnmatchcase(recipient, pattern.casefold()) for pattern in rule.recipients):
            return f"{recipient} is not among the recipients the policy allows for {name}."
    return None


def needs_approval(rule: ToolRule, arguments: Mapping[str, Any]) -> str | None:
    """Why a person must say yes first; None when nobody need."""
    if rule.approval == "always":
        return "the policy asks a person before every such call"
    if rule.approval_above is not None and rule.amount_arg is not None:
        amount = _number(arguments.get(rule.amount_arg))
        if amount is None or abs(amount) > rule.approval_above:
            return f"{rule.amount_arg} is above {rule.approval_above:g}"
    return None


def recipient_of(rule: ToolRule, arguments: Mapping[str, Any]) -> str | None:
    """One recipient, in one spelling. A list of several is refused by the allow-list, since no pattern fits it."""
    if rule.recipient_arg is None:
        return None
    value = arguments.get(rule.recipient_arg)
    if value is None:
        return None
    return str(value).strip().casefold()


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
