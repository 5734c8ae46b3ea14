"""Joins a fallback's stream to one that broke, so that the caller still reads one well-formed stream. Parses events.

Only text can begin anew: half a tool call cannot be taken back. Of the protocols, those in which a second beginning
has a place: chat completions and Messages.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from airworthy.gateway.wire.facts import ReplyFacts

JOINABLE: Final = frozenset({"chat", "messages"})
# Only at the beginning of a line: a model may write about these events.
_BEGINS: Final = re.compile(rb"^event: ?content_block_start", re.MULTILINE)
_ENDS: Final = re.compile(rb"^event: ?content_block_stop", re.MULTILINE)
MARK: Final = "\n\n[The answer broke off here and begins anew.]\n\n"


def joinable(dialect: str, said: ReplyFacts) -> bool:
    """`said`: what the caller has seen so far."""
    return dialect in JOINABLE and not said.tool_calls


class Joint:
    """Feeds on the new stream, in the caller's protocol, and gives what continues the old one."""

    def __init__(self, dialect: str, blocks: int, *, block_open: bool) -> None:
        """`blocks`: how many content blocks had begun (Messages); the last of them may be open still."""
        self._messages = dialect == "messages"
        self._first = blocks + 1
        self._blocks = blocks
        self._open = block_open
        self._held = b""

    def marker(self, model: str, why: str) -> bytes:
        """Says in the text that it begins anew, and in a field of ours why."""
        about = {"restarted": {"model": model, "why": why}}
        if not self._messages:
            choice = {"index": 0, "delta": {"content": MARK}, "logprobs": None, "finish_reason": None}
            return _event("", {
                "id": "chatcmpl-airworthy-restart", "object": "chat.completion.chunk", "created": 0, "model": model,
                "choices": [choice], "airworthy": about,
            })  # fmt: skip
        pieces = []
        if self._open:
            pieces.append(_event("content_block_stop", {"index": self._blocks - 1}))
        index = self._blocks
        block = {"index": index, "content_block": {"type": "text", "text": ""}, "airworthy": about}
        pieces.append(_event("content_block_start", block))
        pieces.append(
            _event("content_block_delta", {"index": index, "delta": {"type": "text_delta", "text": MARK}})
        )
        pieces.append(_event("content_block_stop", {"index": index}))
        return b"".join(pieces)

    def feed(self, chunk: bytes) -> bytes:
        if not self._messages:
            return chunk  # A second role chunk is no harm, and every chunk stands for itself.
        held = (self._held + chunk).replace(b"\r\n", b"\n")
        *events, self._held = held.split(b"\n\n")
        return b"".join(self._shifted(event) for event in events)

    def finish(self) -> bytes:
        rest, self._held = self._held, b""
        return self._shifted(rest) if rest.strip() else b""

    def _shifted(self, event: bytes) -> bytes:
        data = b"".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
        try:
            body: Any = orjson.loads(data)
        except orjson.JSONDecodeError:
            return event + b"\n\n"
        if not isinstance(body, dict) or body.get("type") in ("message_start", "ping"):
            return b""
        if isinstance(body.get("index"), int):
            return _event(body["type"], {**body, "index": body["index"] + self._first})
        return event + b"\n\n"


class Blocks:
    """Counts the content blocks of a Messages stream: those that have begun, and whether the last one is open."""

    __slots__ = ("_ended", "begun")

    def __init__(self) -> None:
        self.begun = 0
        self._ended = 0

    @property
    def open(self) -> bool:
        return self.begun > self._ended

    def seen(self, events: bytes) -> None:
        self.begun += len(_BEGINS.findall(events))
        self._ended += len(_ENDS.findall(events))


def _event(name: str, body: Mapping[str, Any]) -> bytes:
    if not name:
        return b"data: " + orjson.dumps(body) + b"\n\n"
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps({"type": name, **body}) + b"\n\n"
