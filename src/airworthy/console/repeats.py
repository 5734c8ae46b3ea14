"""Requests that may be sent again: with an Idempotency-Key the first answer is given again, for a day.

A request whose process ended before it answered is not carried out again: whether it was, nobody knows.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from airworthy.console.parts import Parts, parts
from airworthy.console.problems import answer
from airworthy.core.asgi import Application, Message, Receive, Scope, Send
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import AirworthyError, InputError
from airworthy.store import Tx

HEADER: Final = "idempotency-key"
REPLAYED: Final = (b"idempotency-replayed", b"true")
KEPT_US: Final = 86_400 * US_PER_S
UNDER_WAY_US: Final = 600 * US_PER_S
KEY_CHARS_MAX: Final = 255
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
KEPT_HEADERS: Final = frozenset({b"content-type", b"location", b"link"})


class KeyUsedOtherwise(InputError):
    """The key came with another request before."""

    code: ClassVar[str] = "key_used_otherwise"


class StillUnderWay(AirworthyError):
    """The first request with this key has not been answered yet."""

    code: ClassVar[str] = "still_under_way"
    retry_after_s: ClassVar[float] = 1.0


class OutcomeUnknown(AirworthyError):
    """The first request with this key was cut off, or its answer could not be kept."""

    code: ClassVar[str] = "outcome_unknown"


class OddKey(InputError):
    """No key."""

    code: ClassVar[str] = "odd_key"


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it was given."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Repeats:
    """Middleware around the routes of the API, within the application, so that it knows who calls."""

    def __init__(self, app: Application, base: str) -> None:
        self._inner = app
        self._base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        key = request.headers.get(HEADER) if scope["type"] == "http" else None
        if key is None or request.method != "POST" or not request.url.path.startswith(f"{self._base}/"):
            await self._inner(scope, receive, send)
            return
        given = await parts(request)
        found = request.state.identity
        if found is None:  # It is refused whatever it brings.
            await self._inner(scope, receive, send)
            return
        body = await _body(receive)
        name = _digest(found.caller.name, request.url.path, key)
        try:
            kept = await run_in_threadpool(
                _begun,
                given,
                name,
                _digest(request.url.query, request.headers.get("content-type", ""), body),
                key,
            )
        except AirworthyError as error:
            await answer(error, request.url.path)(scope, receive, send)
            return
        if kept is not None:
            await _send(send, kept, REPLAYED)
            return
        came = await self._carried_out(scope, body)
        await run_in_threadpool(_ended, given, name, came)
        await _send(send, came)

    async def _carried_out(self, scope: Scope, body: bytes) -> Kept:
        start: Message = {}
        chunks: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                chunks.append(message.get("body", b""))

        await self._inner(scope, receive, send)
        return Kept(start["status"], list(start["headers"]), b"".join(chunks))


async def _body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _send(send: Send, kept: Kept, *more: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": kept.status, "headers": [*kept.headers, *more]})
    await send({"type": "http.response.body", "body": kept.body, "more_body": False})


def _begun(given: Parts, name: bytes, request: bytes, key: str) -> Kept | None:
    """The answer given before; None: go on. Raises: OddKey, KeyUsedOtherwise, StillUnderWay, OutcomeUnknown."""
    if not 0 < len(key) <= KEY_CHARS_MAX or not key.isascii() or not key.isprintable():
        raise OddKey(
            f"The Idempotency-Key has {len(key)} characters or an odd one.",
            mend=f"Send 1 to {KEY_CHARS_MAX} printable characters, as a UUID.",
        )
    now_us = given.clock.now_us()
    return given.database.write_now(_beginning(name, request, now_us))


def _beginning(name: bytes, request: bytes, now_us: int) -> Callable[[Tx], Kept | None]:
    def op(tx: Tx) -> Kept | None:
        tx.execute("DELETE FROM answers WHERE at_us < ?", (now_us - KEPT_US,))
        row = tx.row("SELECT request, status, headers, body, at_us FROM answers WHERE digest = ?", (name,))
        if row is None:
            tx.execute(
                "INSERT INTO answers (digest, request, headers, body, at_us) VALUES (?, ?, '[]', ?, ?)",
                (name, request, b"", now_us),
            )
            return None
        was, status, headers, body, at_us = row
        if bytes(was) != request:
            raise KeyUsedOtherwise(
                "This Idempotency-Key came with another request before.",
                mend="Take a new key for a new request.",
            )
        if status is not None:
            pairs = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in json.loads(headers)]
            return Kept(status, pairs, bytes(body))
        if now_us - at_us < UNDER_WAY_US:
            raise StillUnderWay(
                "The first request with this key is under way.", mend="Send it again in a moment."
            )
        raise OutcomeUnknown(
            "Whether the first request with this key was carried out is not known.",
            mend="Look at what it was about; if it is not done, send it with a new key.",
        )

    return op


def _ended(given: Parts, name: bytes, came: Kept) -> None:
    """A refusal has changed nothing and is forgotten; what went wrong in ways we did not foresee stays unknown."""

    def op(tx: Tx) -> None:
        if 400 <= came.status < 500 or came.status == 503:
            tx.execute("DELETE FROM answers WHERE digest = ?", (name,))
        elif came.status < 500 and len(came.body) <= BODY_BYTES_MAX:
            pairs = [
                (k.decode("latin-1"), v.decode("latin-1"))
                for k, v in came.headers
                if k.lower() in KEPT_HEADERS
            ]
            tx.execute(
                "UPDATE answers SET status = ?, headers = ?, body = ? WHERE digest = ?",
                (came.status, json.dumps(pairs), came.body, name),
            )

    given.database.write_now(op)


def _digest(*parts_: str | bytes) -> bytes:
    made = hashlib.sha256()
    for part in parts_:
        raw = part.encode("utf-8", "backslashreplace") if isinstance(part, str) else part
        made.update(len(raw).to_bytes(8, "big") + raw)
    return made.digest()
