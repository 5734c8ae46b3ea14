"""The fingerprint of what a policy means, whatever way it was written."""

from functools import cache
from hashlib import sha256
from typing import Any, Final

from airworthy.core.canonical import encode
from airworthy.policy.kinds import Section
from airworthy.policy.model import Policy
from airworthy.policy.model_rule import ModelRule
from airworthy.policy.sections import InputScope
from airworthy.policy.tool_rule import ToolRule

# Lists whose order says nothing. The order of models (fallbacks), stops (first match) and checks (as they
# run) does say something, so it counts.
_SETS: Final[tuple[tuple[str, str], ...]] = (
    ("input", "types"),
    ("input", "formats"),
    ("input", "sources"),
    ("input", "languages"),
    ("output", "permitted"),
    ("output", "languages"),
    ("output", "must_not"),
    ("output", "forbid_patterns"),
    ("refuse", "topics"),
    ("refuse", "patterns"),
)
# Keys that came later and whose default is not "none": left out while they say what held before there was a key.
_LATER: Final[dict[type[Section], tuple[str, ...]]] = {
    Policy: ("gateway", "manual", "dependencies", "review", "preconditions", "readiness"),
    InputScope: ("trusted", "trusted_fields"),
    ToolRule: (
        "schema_watch", "schema_learn", "approval_new_recipient", "approval_untrusted", "destination_args",
        "asked_words", "trusted", "trusted_fields",
    ),
    ModelRule: ("aliases", "fallback_on", "broken_stream"),
}  # fmt: skip


def policy_hash(policy: Policy) -> str:
    """`sha256:` and 64 hex digits, over all keys with defaults filled in.

    Keys that say "none" are left out: an optional key that a later version adds must not void every
    approval given before.
    """
    meaning: dict[str, Any] = policy.model_dump(mode="json", exclude_none=True)
    for section, key in _SETS:
        meaning[section][key] = sorted(meaning[section][key])
    for tool in meaning["tools"].values():
        for key in ("recipients", "destination_args", "asked_words", "trusted_fields"):
            tool[key] = sorted(tool[key])
    _leave_out(meaning["input"], policy.input)
    for name, rule in policy.tools.items():
        _leave_out(meaning["tools"][name], rule)
    for model, used in zip(meaning["models"], policy.models, strict=True):
        _leave_out(model, used)
    _leave_out(meaning, policy)
    return f"sha256:{sha256(encode(meaning)).hexdigest()}"


def _leave_out(meaning: dict[str, Any], section: Section) -> None:
    for key, default in _defaults(type(section)).items():
        if getattr(section, key) == default:
            del meaning[key]


@cache
def _defaults(kind: type[Section]) -> dict[str, Any]:
    """Of the keys that came later; to make them takes longer than to compare them."""
    return {key: kind.model_fields[key].get_default(call_default_factory=True) for key in _LATER[kind]}
