"""Cuts what is beyond the bounds of a span: long texts first, then many entries; and tells how much."""

from typing import Any, Final

import orjson

from airworthy.recorder.otel.bounds import DEPTH_MAX, ENTRIES_MAX, Bounds

_ROUNDS_MAX: Final = 12
_TEXT_CHARS_MIN: Final = 64
# A secret that the cut would halve might not be known as one any more: the unbroken run before the cut goes too.
_RUN_CHARS_MAX: Final = 4_096


def fitting(payload: dict[str, Any], bounds: Bounds) -> bytes:
    """JSON of it, at most `span_bytes_max` long, with `cut` in it: how many characters and entries are gone."""
    chars, entries = bounds.value_chars_max, ENTRIES_MAX * 100
    for _ in range(_ROUNDS_MAX):
        gone = {"chars": 0, "entries": 0, "levels": 0}
        made = _cut(payload, chars, entries, 0, gone)
        if any(gone.values()):
            made["cut"] = {what: count for what, count in gone.items() if count}
        # The attributes stay last: numbers are put in behind them.
        made["attributes"] = made.pop("attributes", {})
        body = orjson.dumps(made)
        if len(body) <= bounds.span_bytes_max:
            return body
        chars, entries = max(_TEXT_CHARS_MIN, chars // 4), max(8, entries // 4)
    return orjson.dumps(
        {"name": str(payload.get("name", ""))[:200], "cut": {"all": len(body)}, "attributes": {}}
    )


def _cut(value: Any, chars: int, entries: int, depth: int, gone: dict[str, int]) -> Any:
    kind = type(value)
    if kind is str:
        return value if len(value) <= chars else _shorter(value, chars, gone)
    if kind is not dict and kind is not list:
        return value
    if depth > DEPTH_MAX:
        gone["levels"] += 1
        return "(nested too deep)"
    if len(value) > entries:
        gone["entries"] += len(value) - entries
    if kind is list:
        return [_cut(each, chars, entries, depth + 1, gone) for each in value[:entries]]
    kept = list(value.items())[:entries]
    return {_shorter(key, 1_000, gone): _cut(each, chars, entries, depth + 1, gone) for key, each in kept}


def _shorter(text: str, chars: int, gone: dict[str, int]) -> str:
    if len(text) <= chars:
        return text
    end = text[max(0, chars - _RUN_CHARS_MAX) : chars]
    run = 0 if end[-1:].isspace() else len(end.rsplit(None, 1)[-1])
    kept = text[: chars - run]
    gone["chars"] += len(text) - len(kept)
    return kept
