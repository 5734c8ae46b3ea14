"""The fingerprint of what a policy means, whatever way it was written."""

from hashlib import sha256
from typing import Any, Final

from airworthy.core.canonical import encode
from airworthy.policy.gateway_rule import GatewayRules
from airworthy.policy.model import Policy
from airworthy.policy.model_rule import ModelRule
from airworthy.policy.precondition_rule import Preconditions

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
_LATER: Final = ("aliases", "fallback_on", "broken_stream")


def policy_hash(policy: Policy) -> str:
    """`sha256:` and 64 hex digits, over all keys with defaults filled in.

    Keys that say "none" are left out: an optional key that a later version adds must not void every
    approval given before.
    """
    meaning: dict[str, Any] = policy.model_dump(mode="json", exclude_none=True)
    for section, key in _SETS:
        meaning[section][key] = sorted(meaning[section][key])
    for tool in meaning["tools"].values():
        tool["recipients"] = sorted(tool["recipients"])
    if policy.gateway == GatewayRules():
        del meaning["gateway"]
    if not policy.manual:
        del meaning["manual"]
    if not policy.dependencies:
        del meaning["dependencies"]
    if policy.preconditions == Preconditions():
        del meaning["preconditions"]
    for model, rule in zip(meaning["models"], policy.models, strict=True):
        for key in _LATER:
            if getattr(rule, key) == ModelRule.model_fields[key].default:
                del model[key]
    return f"sha256:{sha256(encode(meaning)).hexdigest()}"
