"""Answers that need no model: which models there are, whether the server lives and is ready. Values to bytes."""

from collections.abc import Sequence
from typing import Final

import orjson

from airworthy.gateway.wire.failure import ProtocolName
from airworthy.policy import ModelRule

# Policies do not say when a model was made; clients only want a number there.
_CREATED_S: Final = 0
_CREATED: Final = "1970-01-01T00:00:00Z"


def model_list(rules: Sequence[ModelRule], protocol: ProtocolName) -> bytes:
    """Every name that a call may ask for, aliases included, in the policy's order."""
    entries = [_entry(name, rule, protocol) for rule in rules for name in (rule.name, *rule.aliases)]
    entries = list({entry["id"]: entry for entry in entries}.values())  # One version may have two addresses.
    if protocol == "anthropic":
        first, last = (entries[0]["id"], entries[-1]["id"]) if entries else (None, None)
        return orjson.dumps({"data": entries, "has_more": False, "first_id": first, "last_id": last})
    return orjson.dumps({"object": "list", "data": entries})


def model(rules: Sequence[ModelRule], name: str, protocol: ProtocolName) -> bytes | None:
    """None: the policy does not name it."""
    for rule in rules:
        if name == rule.name or name in rule.aliases:
            return orjson.dumps(_entry(name, rule, protocol))
    return None


def ready(missing: Sequence[str]) -> tuple[int, bytes]:
    """`missing`: what keeps calls from being taken, in sentences."""
    if missing:
        return 503, orjson.dumps({"status": "not ready", "missing": list(missing)})
    return 200, b'{"status":"ready","missing":[]}'


def _entry(name: str, rule: ModelRule, protocol: ProtocolName) -> dict[str, object]:
    if protocol == "anthropic":
        return {"type": "model", "id": name, "display_name": name, "created_at": _CREATED}
    return {"id": name, "object": "model", "created": _CREATED_S, "owned_by": rule.provider}
