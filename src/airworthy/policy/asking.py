"""When a person is asked before a tool acts: contradictions among those keys, and sentences for an approver. Pure."""

from typing import TYPE_CHECKING, Final

from airworthy.policy.document import Code, Line, Strong, codes
from airworthy.policy.flaws import Flaw
from airworthy.policy.plain_words import amount

if TYPE_CHECKING:
    from airworthy.policy.tool_rule import ToolRule

_ALWAYS: Final = 'has no meaning beside approval = "always".'


def about_asking(rule: "ToolRule") -> list[Flaw]:
    """What cannot be meant: a key that nothing looks at, or one beside a key that says more."""
    flaws = []
    asks = {
        "approval_new_recipient": rule.approval_new_recipient,
        "approval_below_confidence": rule.approval_below_confidence is not None,
        "approval_untrusted": rule.approval_untrusted != "off",
    }
    for key, is_set in asks.items():
        if is_set and rule.approval == "always":
            flaws.append(Flaw((key,), _ALWAYS, "Delete one of the two."))
        elif is_set and rule.effect == "read":
            flaws.append(
                Flaw((key,), "has no meaning for a tool that only reads.", "Delete it, or correct effect.")
            )
    for key in ("destination_args", "asked_words"):
        if getattr(rule, key) and rule.approval_untrusted == "off":
            mend = 'Set approval_untrusted = "strict" or "friendlier", or delete it.'
            flaws.append(Flaw((key,), "has no meaning without approval_untrusted.", mend))
    if rule.trusted and rule.trusted_fields:
        flaws.append(
            Flaw(("trusted_fields",), "has no meaning beside trusted = true.", "Delete one of the two.")
        )
    return flaws


def asks(rule: "ToolRule") -> bool:
    """Whether some calls of the tool wait for a person and others do not."""
    return bool(must_ask(rule)) and rule.approval != "always"


def must_ask(rule: "ToolRule") -> list[Line]:
    """One sentence a rule."""
    if rule.approval == "always":
        return [(Strong("Must ask first"), " every time: a person approves each call.")]
    lines: list[Line] = []
    if rule.approval_above is not None and rule.amount_arg is not None:
        limit = amount(rule.approval_above)
        lines.append((Strong("Must ask first"), " when ", Code(rule.amount_arg), f" is above {limit}."))
    if rule.approval_new_recipient and rule.recipient_arg is not None:
        lines.append(
            (
                Strong("Must ask first"),
                " when ",
                Code(rule.recipient_arg),
                " is somebody it never reached before.",
            )
        )
    if rule.approval_below_confidence is not None:
        share = f"{rule.approval_below_confidence:g}"
        lines.append(
            (
                Strong("Must ask first"),
                f" when it is less than {share} sure (of 1), or does not say how sure it is.",
            )
        )
    if rule.approval_untrusted != "off":
        lines.append(_untrusted(rule))
    return lines


def _untrusted(rule: "ToolRule") -> Line:
    named = rule.destination_args or ((rule.recipient_arg,) if rule.recipient_arg else ())
    after = (
        ""
        if rule.approval_untrusted == "strict"
        else ", once it has read something that others may have written"
    )
    also = ""
    if rule.approval_untrusted == "friendlier":
        also = " A whole field of a record it read counts as named, if it is no address or the user named the record."
    if rule.asked_words:
        also += f" Also when the input holds none of: {', '.join(rule.asked_words)}."
    return (
        Strong("Must ask first"), " when ", *(codes(named, " or ") or ("any argument",)),
        f" was named neither by the user nor by a source this policy trusts{after}.{also}",
    )  # fmt: skip


def trusts(rule: "ToolRule") -> list[Line]:
    """Whose word may decide where other tools act: an approver must see it."""
    if rule.trusted:
        return [(Strong("Trusted:"), " whatever it returns may say where other tools act, without asking.")]
    if not rule.trusted_fields:
        return []
    fields = codes(rule.trusted_fields)
    return [(Strong("Trusted:"), " these fields of its result may say where other tools act: ", *fields, ".")]
