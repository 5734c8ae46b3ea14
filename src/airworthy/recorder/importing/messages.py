"""A run told as the list of messages its model was sent: each answer is a model call, each call in it a tool call.

As OpenAI has it (`tool_calls`, answered by messages of role tool), as it is flattened by others (`name`, `arguments`),
and as Anthropic has it (blocks `tool_use` and `tool_result`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, get_args

import orjson

from airworthy.recorder.importing.values import Ending, ImportTrace, time_us

MESSAGES_MAX: Final = 100_000
_LABELS: Final = ("agent", "release", "session", "user", "feature", "outcome")
_TIMES: Final = ("start", "started", "timestamp", "created_at", "created")
_ENDINGS: Final = get_args(Ending)
_USAGE: Final = {
    "tokens_in": ("prompt_tokens", "input_tokens"),
    "tokens_out": ("completion_tokens", "output_tokens"),
}


@dataclass(slots=True)
class _Told:
    """What is known so far: steps, those that wait for a result, what was said since the last answer."""

    model: str
    steps: list[dict[str, Any]] = field(default_factory=list)
    waiting: dict[str, dict[str, Any]] = field(default_factory=dict)
    heard: list[Any] = field(default_factory=list)
    first: Any = None
    last: Any = None


def trace_of_messages(value: dict[str, Any]) -> ImportTrace:
    """`value`: with `messages`; `id`, `model`, labels, a time and an error are understood, all else is an attribute.

    Raises: ValueError, ValidationError.
    """
    messages = value["messages"]
    if len(messages) > MESSAGES_MAX:
        raise ValueError(f"It has more than {MESSAGES_MAX:,} messages.")
    told = _Told(str(value.get("model") or ""))
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise ValueError(f"Message {number} has no role.")  # noqa: TRY004  # told as every bad line is
        _hear(told, message)
    known = {"messages", "id", "model", "error", "duration_s", *_LABELS, *_TIMES}
    said: dict[str, Any] = {label: value[label] for label in _LABELS if isinstance(value.get(label), str)}
    if said.get("outcome") not in _ENDINGS:
        said.pop("outcome", None)
        known.discard("outcome")  # Somebody else's word for it.
    start = next((value[key] for key in _TIMES if value.get(key) is not None), None)
    if start is not None:
        said["start"] = start
        seconds = value.get("duration_s")
        if isinstance(seconds, int | float) and seconds >= 0:
            said["end"] = time_us(start) + round(seconds * 1_000_000)
    if value.get("error"):
        said["error"] = {"type": "error", "message": _text(value["error"])[:2_000]}
    return ImportTrace.model_validate(
        {
            **said,
            "trace": str(value.get("id") or ""),
            "input": told.first,
            "output": told.last,
            "spans": told.steps,
            "attributes": {key: each for key, each in value.items() if key not in known},
        }
    )


def _hear(told: _Told, message: dict[str, Any]) -> None:
    role, content = message["role"], message.get("content")
    if role == "assistant":
        _answer(told, message)
        return
    results = list(_results(message))
    for call_id, result, failed in results:
        step = told.waiting.pop(call_id, None)
        if step is not None:
            step["output"] = result
            if failed:
                step["error"] = {"type": "tool_error", "message": _text(result)[:2_000]}
    if role == "user" and told.first is None and not results:
        told.first = content
    told.heard.append(message)


def _answer(told: _Told, message: dict[str, Any]) -> None:
    step: dict[str, Any] = {
        "kind": "model", "name": f"chat {told.model}".strip(), "model": str(message.get("model") or told.model),
        "input": told.heard, "output": [message],
    }  # fmt: skip
    usage = message.get("usage")
    if isinstance(usage, dict):
        for slot, names in _USAGE.items():
            count = next((usage[name] for name in names if isinstance(usage.get(name), int)), None)
            if count is not None:
                step[slot] = count
    cost = message.get("cost")
    if isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0:
        step["cost_usd"] = cost
    if message.get("timestamp") is not None:
        step["start"] = message["timestamp"]
    told.steps.append(step)
    told.heard = []
    calls = list(_calls(message))
    for call_id, name, arguments in calls:
        call = {"kind": "tool", "name": name, "tool": name, "input": arguments}
        told.steps.append(call)
        told.waiting[call_id] = call
    if not calls:
        told.last = message.get("content")


def _calls(message: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Id, tool, arguments."""
    for call in _listed(message.get("tool_calls")):
        named = call.get("function")
        inner = named if isinstance(named, dict) else call
        yield str(call.get("id") or ""), str(inner.get("name") or "tool"), _parsed(inner.get("arguments"))
    old = message.get("function_call")
    if isinstance(old, dict):
        yield str(old.get("name") or ""), str(old.get("name") or "tool"), _parsed(old.get("arguments"))
    for block in _listed(message.get("content")):
        if block.get("type") == "tool_use":
            yield str(block.get("id") or ""), str(block.get("name") or "tool"), block.get("input")


def _results(message: dict[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    """Id of the call, its result, whether it failed."""
    if message["role"] in ("tool", "function"):
        call_id = str(message.get("tool_call_id") or message.get("name") or "")
        yield call_id, message.get("content"), bool(message.get("error") or message.get("is_error"))
    for block in _listed(message.get("content")):
        if block.get("type") == "tool_result":
            yield str(block.get("tool_use_id") or ""), block.get("content"), bool(block.get("is_error"))


def _listed(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _parsed(value: Any) -> Any:
    """Arguments are often JSON in a text; what is none stays as it is."""
    if isinstance(value, str):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
