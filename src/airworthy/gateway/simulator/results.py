"""How a tool result reads to the simulated model: an error, facts worth quoting, or an attempt to command."""

import re
from collections.abc import Iterator

from airworthy.gateway.simulator.conversation import Json, ToolUse, as_dict, as_text

_ERROR = re.compile(
    r"\s*(?:\w*error\b|\w*exception\b|traceback\b|failed\b|failure\b|fix the errors|unknown tool"
    r"|timed? ?out\b|permission denied|unauthori[sz]ed|forbidden|no \w+ found|none\b|null\b"
    r"|(?:[\w-]+ ){0,3}(?:not found|not available|unavailable|does not exist))",
    re.IGNORECASE,
)
_BAD_STATUS = {"error", "failed", "failure", "not_found", "unavailable", "timeout"}
_COMMAND = re.compile(
    r"(?:ignore|disregard|forget) (?:all |any |the |your |everything )*(?:previous|prior|above|earlier|other)"
    r"|\b(?:new|updated|real) (?:instructions?|task)\b|<\s*/?(?:system|instructions?|important)\b"
    r"|\bsystem\s*:|\b(?:you must|you should|you need to|assistant,|ai agent)\b"
    r"|\bbefore (?:you )?(?:answer|reply|continu)\w*\b"
    r"|\bplease (?:also )?(?:call|send|use|execute|forward|transfer|refund|delete|reply|say|tell)\b",
    re.IGNORECASE,
)
TEXT_CHARS_QUOTED = 160
FACTS_QUOTED = 6


def is_error(use: ToolUse) -> bool:
    """Also for results that hold nothing: both leave the model without the information."""
    if use.result is None or not use.result.strip():
        return True
    value = use.value
    if isinstance(value, dict):
        if value.get("error") or value.get("errors"):
            return True
        if any(value.get(name) is False for name in ("ok", "success", "found")):
            return True
        return as_text(value.get("status")).lower() in _BAD_STATUS
    if value is None or isinstance(value, str):
        return bool(_ERROR.match(value if isinstance(value, str) else use.result))
    return value == []


def commands(use: ToolUse) -> Iterator[str]:
    """Texts inside a result that address the model instead of stating something."""
    texts = [use.result or ""] if use.value is None else texts_in(use.value)
    return (text for text in texts if _COMMAND.search(text))


def texts_in(value: Json) -> list[str]:
    """Every text in a value; loops instead of recursing, because a result can nest as deep as it likes."""
    found: list[str] = []
    level = [value]
    while level:
        item = level.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, list):
            level.extend(reversed(item))
        else:
            level.extend(reversed(as_dict(item).values()))
    return found


def quotable(use: ToolUse, asked: str) -> list[str]:
    """Facts in words, those first whose names the user used. Never a text that addresses the model."""
    value = use.value
    if value is None or isinstance(value, str):
        text = (value or use.result or "").strip()
        first = re.split(r"(?<=[.!?])\s|\n", text, maxsplit=1)[0][:TEXT_CHARS_QUOTED].rstrip(".")
        return [] if _COMMAND.search(first) else [first]
    lowered = asked.lower()
    named = [(name, item) for name, item in _leaves(value) if _is_quotable(item)]
    named.sort(key=lambda pair: not any(word in lowered for word in pair[0].split() if len(word) > 2))
    return [f"{name} {_worded(item)}".strip() for name, item in named[:FACTS_QUOTED]]


def _leaves(value: Json) -> Iterator[tuple[str, Json]]:
    """Named scalars, outer before inner."""
    level: list[tuple[str, Json]] = [("", value)]
    while level:
        below: list[tuple[str, Json]] = []
        for name, item in level:
            if isinstance(item, dict):
                below.extend((key.replace("_", " "), inner) for key, inner in item.items())
            elif isinstance(item, list):
                below.extend((name, inner) for inner in item)
            else:
                yield name, item
        level = below


def _is_quotable(item: Json) -> bool:
    if isinstance(item, str):
        return 0 < len(item) <= TEXT_CHARS_QUOTED and not _COMMAND.search(item)
    return item is not None


def _worded(item: Json) -> str:
    if isinstance(item, bool):
        return "yes" if item else "no"
    return str(item)
