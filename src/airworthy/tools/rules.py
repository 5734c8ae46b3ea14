"""What the policy says about one concrete call, before anything is tried. Pure."""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from airworthy.core.canonical import digest
from airworthy.policy import ToolRule


def refusal(name: str, rule: ToolRule, arguments: Mapping[str, Any]) -> str | None:
    """Why the call may not be made, in a sentence; None when it may."""
    if rule.amount_arg is not None:
        amount = _number(arguments.get(rule.amount_arg))
        if amount is None:
            return f"{name} needs a number in {rule.amount_arg!r}, where the policy looks for the amount."
        if rule.amount_max is not None and abs(amount) > rule.amount_max:
            return f"{rule.amount_arg} is {amount:g}; the policy allows at most {rule.amount_max:g}."
    if rule.recipient_arg is not None:
        recipient = recipient_of(rule, arguments)
        if not recipient:
            return f"{name} needs a recipient in {rule.recipient_arg!r}, where the policy looks for it."
        bounded = rule.recipients or rule.per_recipient_per_day is not None
        if bounded and _is_several(arguments[rule.recipient_arg]):
            return f"{name} takes one recipient a call; {recipient} may be several."
        if rule.recipients and not any(
            fnmatchcase(recipient, pattern.casefold()) for pattern in rule.recipients
        ):
            return f"{recipient} is not among the recipients the policy allows for {name}."
    return None


def no_longer(name: str, rule: ToolRule, arguments: Mapping[str, Any]) -> str | None:
    """`refusal`, for a call that was accepted before: the policy may have become stricter while it waited."""
    if rule.dry_run:
        return f"{name} is only rehearsed now, says the policy."
    return refusal(name, rule, arguments)


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
    """The recipient, in one spelling."""
    if rule.recipient_arg is None:
        return None
    value = arguments.get(rule.recipient_arg)
    if value is None:
        return None
    return str(value).strip().casefold()


def storable(plain: str | None, clean: str | None) -> str | None:
    """A name made of a call's arguments: its digest where those hold a secret, which `clean` was made without."""
    return plain if plain is None or plain == clean else f"secret:{digest(plain.encode()).hex()}"


def _is_several(value: Any) -> bool:
    """Several would count as one against a cap, and one allowed name would let the others through a wildcard."""
    if not isinstance(value, str):
        return isinstance(value, list | dict)
    return value.count("@") > 1 or any(char in ",;" or not char.isprintable() for char in value.strip())


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
