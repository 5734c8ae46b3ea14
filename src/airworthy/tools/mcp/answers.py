"""What a client gets to read when a call has gone through the chain, or has not. Pure."""

from typing import Any

from airworthy.core.canonical import encode
from airworthy.core.errors import AirworthyError
from airworthy.tools.call import Answer
from airworthy.tools.errors import NotNow, ToolError
from airworthy.tools.mcp.definition import harmless

META = "airworthy/effect"


def of_answer(answer: Answer) -> dict[str, Any]:
    """What took the place of a server's own answer is named beside it."""
    made = of_value(answer.value)
    if answer.gap is None:
        return made
    return {**made, "content": [*made["content"], {"type": "text", "text": harmless(f"({answer.gap}.)")}]}


def of_value(value: Any) -> dict[str, Any]:
    """A result of the server as it is; what stands in its place (an acceptance, a person's word) as text."""
    if isinstance(value, dict) and isinstance(value.get("content"), list):
        return value
    if isinstance(value, dict) and value.get("accepted") is True and "effect" in value:
        text = (
            f"Accepted, and not done yet: it is carried out at {value.get('due')}, unless a person cancels it before "
            f"(effect {value['effect']}). The very same call made again later says what has become of it."
        )
        return _said(text, is_error=False, effect=str(value["effect"]))
    if isinstance(value, dict) and value.get("dry_run") is True:
        return _said("Rehearsed: this is a dry run, and nothing was carried out.", is_error=False)
    if isinstance(value, dict) and "effect" in value and "state" in value:
        return _became(value)
    return _said(value if isinstance(value, str) else encode(value).decode(), is_error=False)


def of_error(error: AirworthyError) -> dict[str, Any]:
    """As a result, so that a model reads it; marked as an error, because nothing of what was asked has come of it."""
    effect = error.effect if isinstance(error, NotNow) else ""
    text = error.message if isinstance(error, ToolError) and not error.mend else str(error)
    return _said(text, is_error=True, effect=effect)


def _became(value: dict[str, Any]) -> dict[str, Any]:
    result = value.get("result")
    if value["state"] == "done" and isinstance(result, dict) and isinstance(result.get("content"), list):
        return {**result, "_meta": {**_dict(result.get("_meta")), META: value["effect"]}}
    note = f": {value['note']}" if value.get("note") else "."
    done = value["state"] == "done"
    text = f"The delayed call ({value['effect']}) is {value['state']}{note}"
    return _said(text, is_error=not done, effect=str(value["effect"]))


def _said(text: str, *, is_error: bool, effect: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"content": [{"type": "text", "text": harmless(text)}], "isError": is_error}
    return {**made, "_meta": {META: effect}} if effect else made


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
