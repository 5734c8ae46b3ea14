"""How each fault looks to the gateway: as a provider's server answers, in real bytes, or does not answer."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import orjson

from airworthy.gateway import Upstream
from airworthy.gateway.errors import ModelMalformed, ModelTimeout, ModelUnreachable
from airworthy.gateway.upstream import JSON_HEADERS, Reply, Sent, WholeReply
from airworthy.gateway.wire.sse import cut
from airworthy.preflight.faults.damage import EXTRA_NAME, EXTRA_VALUE, PAGE
from airworthy.resilience.chaos import RETRY_AFTER_S, Fault

BYTES_MAX: Final = 32 * 1024 * 1024
SLOW_SHARE: Final = 0.5  # Of the time that the caller gives it: slow, and in time.
_HUGE_PIECE: Final = b": " + b"." * 65_534 + b"\n\n"
_OK: Final = 200

# By status: what OpenAI and Anthropic call it, and say.
_SAID: Final[Mapping[int, tuple[str, str, str]]] = {
    500: ("server_error", "api_error", "The server had an error while processing your request."),
    503: ("service_unavailable", "overloaded_error", "The engine is currently overloaded."),
    401: ("invalid_api_key", "authentication_error", "The API key has expired."),
    404: ("model_not_found", "not_found_error", "The model does not exist, or you do not have access to it."),
    429: ("rate_limit_exceeded", "rate_limit_error", "Rate limit reached. Please try again later."),
}
# What holds the answer, whole or in the events of a stream, by protocol.
_HOLDS: Final[Mapping[str, tuple[str, ...]]] = {
    "/chat/completions": ("choices",),
    "/messages": ("content", "delta", "content_block"),
    "/responses": ("output", "delta", "item", "response"),
}


def faulty(fault: Fault, inner: Upstream, chance: random.Random) -> Upstream:
    """`inner` with the fault at every call of it; `inner` is asked where the fault lets the call through."""
    return _Faulty(fault, inner, chance)


class _Faulty:
    """Implements `Upstream`."""

    def __init__(self, fault: Fault, inner: Upstream, chance: random.Random) -> None:
        self._fault = fault
        self._inner = inner
        self._chance = chance

    async def send(self, sent: Sent) -> Reply:
        kind = self._fault.kind
        if kind.startswith("http_"):
            return _refusal(kind, sent)
        match kind:
            case "timeout":
                await asyncio.sleep(sent.timeout_s)
                raise ModelTimeout(f"No reply within {sent.timeout_s:g} s.", billed=True)
            case "slow":
                await asyncio.sleep(self._fault.seconds or sent.timeout_s * SLOW_SHARE)
                return await self._inner.send(sent)
            case "reset_before":
                raise ModelUnreachable("The connection was reset.")
            case "reset_after":
                await self._whole(sent)
                raise ModelTimeout("The connection broke before the reply was whole.", billed=True)
            case "huge":
                await self._whole(sent)
                return _Endless("text/event-stream" if _streams(sent) else "application/json")
            case "wrong_content_type":
                return WholeReply(PAGE.encode(), _OK, {"content-type": "text/html; charset=utf-8"})
        raw, status, headers = await self._whole(sent)
        if status != _OK:
            return WholeReply(raw, status, headers)
        return WholeReply(self._damaged(raw, sent), status, headers)

    async def _whole(self, sent: Sent) -> tuple[bytes, int, Mapping[str, str]]:
        reply = await self._inner.send(sent)
        try:
            return await reply.read(BYTES_MAX), reply.status, dict(reply.headers)
        finally:
            reply.close()

    def _damaged(self, raw: bytes, sent: Sent) -> bytes:
        match self._fault.kind:
            case "empty":
                return b""
            case "truncated":
                return raw[: len(raw) // 2]
            case "missing_field":
                change: Callable[[dict[str, Any], str], None] = _left_out
            case "null":
                change = _made_null
            case "wrong_type":
                change = _made_text
            case "extra_field":
                change = _added
            case other:
                raise AssertionError(f"{other} is not put on a model")
        names = next((held for path, held in _HOLDS.items() if sent.path.endswith(path)), ())
        return _with_documents(raw, names, change)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _with_documents(
    raw: bytes, names: tuple[str, ...], change: Callable[[dict[str, Any], str], None]
) -> bytes:
    """A whole body, or each event of a stream, with what holds the answer changed."""
    if not raw.lstrip().startswith((b"data:", b"event:", b":")):
        return _changed(raw, names, change)
    blocks = []
    for block in cut(raw):
        head, mark, rest = block.partition(b"data: ")
        data, end, tail = rest.partition(b"\n")
        if mark and data.lstrip().startswith(b"{"):
            block = head + mark + _changed(data, names, change) + end + tail
        blocks.append(block)
    return b"".join(blocks)


def _changed(raw: bytes, names: tuple[str, ...], change: Callable[[dict[str, Any], str], None]) -> bytes:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw
    if not isinstance(body, dict):
        return raw
    if change is _added:
        body[EXTRA_NAME] = EXTRA_VALUE
    for name in names:
        if name in body:
            change(body, name)
    return orjson.dumps(body)


def _left_out(body: dict[str, Any], name: str) -> None:
    del body[name]


def _made_null(body: dict[str, Any], name: str) -> None:
    """Within a choice, what it says; elsewhere, all of it."""
    choices = body[name] if name == "choices" else None
    if not isinstance(choices, list) or not choices:
        body[name] = None
        return
    for choice in choices:
        if isinstance(choice, dict):
            said = "delta" if "delta" in choice else "message"
            choice[said] = {"role": "assistant", "content": None}


def _made_text(body: dict[str, Any], name: str) -> None:
    body[name] = "see elsewhere"


def _added(body: dict[str, Any], name: str) -> None:
    for each in body[name] if isinstance(body[name], list) else [body[name]]:
        if isinstance(each, dict):
            each[EXTRA_NAME] = EXTRA_VALUE


def _streams(sent: Sent) -> bool:
    try:
        body = orjson.loads(sent.body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(body, dict) and body.get("stream") is True


def _refusal(kind: str, sent: Sent) -> Reply:
    status = int(kind.removeprefix("http_"))
    code, name, text = _SAID[status]
    if sent.path.endswith("/messages"):
        body: dict[str, Any] = {"type": "error", "error": {"type": name, "message": text}}
    else:
        body = {"error": {"message": text, "type": code, "param": None, "code": code}}
    headers = dict(JSON_HEADERS)
    if kind in RETRY_AFTER_S:
        headers["retry-after"] = f"{RETRY_AFTER_S[kind]:g}"
    return WholeReply(orjson.dumps(body), status, headers)


class _Endless:
    """Implements `Reply`: more than anybody reads, and nothing in it. As a connection does, it tells when it is too
    much.
    """

    status = _OK

    def __init__(self, content_type: str) -> None:
        self.headers: Mapping[str, str] = {"content-type": content_type}

    async def read(self, bytes_max: int) -> bytes:
        raise ModelMalformed(f"The reply has more than {bytes_max} bytes.", billed=True)

    async def chunks(self) -> AsyncIterator[bytes]:
        for _ in range(BYTES_MAX // len(_HUGE_PIECE) + 1):
            yield _HUGE_PIECE

    def close(self) -> None:
        return
