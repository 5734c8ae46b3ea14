"""What a request says again in HTTP headers, in the stateless generation. Pure."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from airworthy.tools.mcp.generation import NAMED, version
from airworthy.tools.mcp.wire import Message

_SAFE: Final = re.compile(r"[\x20-\x7e]*")
_CODED: Final = re.compile(r"=\?base64\?.*\?=")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")
_DEPTH_MAX: Final = 8
PARAM_HEADERS_MAX: Final = 32


def of_request(message: Message, input_schema: Any = None) -> dict[str, str]:
    """Empty for a request of the handshake's generation."""
    said = version(message)
    if not said:
        return {}
    method = str(message.get("method", ""))
    made = {"mcp-protocol-version": said, "mcp-method": coded(method)}
    params = message.get("params")
    named = params.get(NAMED.get(method, "")) if isinstance(params, dict) else None
    if isinstance(named, str):
        made["mcp-name"] = coded(named)
    if method == "tools/call" and isinstance(params, dict):
        made |= _of_arguments(input_schema, params.get("arguments"))
    return made


def coded(value: str) -> str:
    """As it is where a header can carry it, else as base64 within marks."""
    if _SAFE.fullmatch(value) and value == value.strip() and not _CODED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def decoded(value: str) -> str | None:
    """None for marks around what is no base64."""
    if not _CODED.fullmatch(value):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode()
    except ValueError:
        return None


def mismatch(message: Message, headers: Mapping[str, str]) -> str:
    """Where the headers of a request say something else than its body; empty: nowhere."""
    if headers.get("mcp-protocol-version") != version(message):
        return "mcp-protocol-version"
    if headers.get("mcp-method") != message.get("method"):
        return "mcp-method"
    key = NAMED.get(str(message.get("method")))
    params = message.get("params")
    named = params.get(key) if key is not None and isinstance(params, dict) else None
    if named is not None and decoded(headers.get("mcp-name", "")) != named:
        return "mcp-name"
    return ""


def _of_arguments(schema: Any, arguments: Any) -> dict[str, str]:
    made: dict[str, str] = {}
    for path, token in _annotated(schema, (), _DEPTH_MAX):
        value = arguments
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, str | int) and len(made) < PARAM_HEADERS_MAX:
            made[f"mcp-param-{token.lower()}"] = coded(str(value))
    return made


def _annotated(schema: Any, path: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], str]]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or not depth:
        return
    for name, inner in properties.items():
        if not isinstance(inner, dict):
            continue
        token = inner.get("x-mcp-header")
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            yield (*path, name), token
        yield from _annotated(inner, (*path, name), depth - 1)
