"""Which of the tool calls that a model proposes may reach the caller, and what the model is told of the others. Pure.

What takes time or a person (an approval, a delay, a rehearsal) happens where tools run in the house; a gateway only
sees a call go by, so such a call is withheld. Caps over time (per task, per day) are not judged here: a proposed call
need not be made.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from airworthy.gateway.wire.facts import ProposedCall
from airworthy.policy import Policy, ToolRule, bounds

NAME_CHARS_MAX: Final = (
    128  # A model may write anything as a name; more of it only fills notes and histories.
)
WHY_CHARS_MAX: Final = 400
ARGUMENTS_BYTES_MAX: Final = 4 * 1024 * 1024
# What Responses calls the calls of built-in tools that the caller carries out, and the tools they belong to.
_BUILT_IN: Final[Mapping[str, tuple[str, ...]]] = {
    "computer_call": ("computer", "computer_use", "computer_use_preview"),
    "local_shell_call": ("local_shell",),
    "shell_call": ("shell",),
    "apply_patch_call": ("apply_patch",),
}


@dataclass(frozen=True, slots=True)
class Withheld:
    """A call that does not reach the caller. `position`: which of the reply's calls it is, from 0."""

    position: int
    call: ProposedCall
    why: str

    @property
    def tool(self) -> str:
        return shown(self.call.name)

    @property
    def reason(self) -> str:
        """What the model reads as the result of the call."""
        return (
            f"The call of {self.tool} was not made: {self.why}. "
            "Do not propose it again; go on without it, or say that you cannot do this."
        )


def judged(policy: Policy, calls: Sequence[ProposedCall]) -> tuple[Withheld, ...]:
    """Those of the calls that the policy does not allow, in their order."""
    found = []
    for position, call in enumerate(calls):
        why = refusal(policy, call)
        if why is not None:
            found.append(Withheld(position, call, why))
    return tuple(found)


def refusal(policy: Policy, call: ProposedCall) -> str | None:
    """Why the call is withheld, as half a sentence; None when it may pass."""
    rule = rule_of(policy, call.name)
    if rule is None:
        return f"the policy of this agent has no tool {shown(call.name)}"
    why = unheld(rule)
    if why is not None or not reads_arguments(rule):
        return why
    arguments = _object(call.arguments)
    if arguments is None:
        return "its arguments are no JSON object, and the policy has bounds for them"
    for argument in (rule.amount_arg, rule.recipient_arg):
        if argument is not None and _is_twice(call.arguments, argument):
            return f"it gives {argument!r} more than once"
    return out_of_bounds(call.name, rule, arguments) or _approval(rule, arguments)


def note(withheld: Sequence[Withheld]) -> str:
    """What the caller reads where every call was withheld for good."""
    parts = [f"{each.tool}: {each.why}" for each in withheld]
    what = "A tool call was" if len(parts) == 1 else f"{len(parts)} tool calls were"
    return f"[{what} withheld. {'; '.join(dict.fromkeys(parts))}.]"


def rule_of(policy: Policy, name: str) -> ToolRule | None:
    found = policy.tools.get(name)
    if found is None and name in _BUILT_IN:
        return next((policy.tools[tool] for tool in _BUILT_IN[name] if tool in policy.tools), None)
    return found


def unheld(rule: ToolRule) -> str | None:
    """Why no call of the tool may go by, whatever its arguments."""
    if rule.approval == "always":
        return "the policy asks a person before every such call, and nobody can be asked from here"
    if bounds.asks_by_run(rule):
        return "the policy asks a person by what the run has read and done, which is not known here"
    if rule.dry_run:
        return "the policy only lets it be rehearsed, which cannot be done from here"
    if rule.delay_s > 0:
        return "the policy makes it wait before it is carried out, which cannot be done from here"
    return None


def reads_arguments(rule: ToolRule) -> bool:
    return rule.amount_arg is not None or rule.recipient_arg is not None


def out_of_bounds(name: str, rule: ToolRule, arguments: Mapping[str, Any]) -> str | None:
    """The bounds on amount and recipient, as tools that run in the house keep them."""
    why = bounds.refusal(name, rule, arguments)
    return None if why is None else _plain(why.removesuffix("."), WHY_CHARS_MAX)


def shown(text: str) -> str:
    """A text that a model wrote, short and on one line."""
    return _plain(text, NAME_CHARS_MAX) or "(no name)"


def _plain(text: str, chars_max: int) -> str:
    plain = "".join(char if char.isprintable() else "\ufffd" for char in text[:chars_max])
    return plain + ("..." if len(text) > chars_max else "")


def _approval(rule: ToolRule, arguments: Mapping[str, Any]) -> str | None:
    limit = bounds.needs_approval(rule, arguments)
    return (
        None
        if limit is None
        else f"{limit}, where the policy asks a person, and nobody can be asked from here"
    )


def _object(text: str) -> Mapping[str, Any] | None:
    if len(text) > ARGUMENTS_BYTES_MAX:
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if type(found) is dict else None


def _is_twice(text: str, argument: str) -> bool:
    """Readers of JSON do not agree on which of two counts, and some take another case for the same key."""
    pairs = json.loads(text, object_pairs_hook=list)
    return sum(1 for key, _ in pairs if key.casefold() == argument.casefold()) > 1
