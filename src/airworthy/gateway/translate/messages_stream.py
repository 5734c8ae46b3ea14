"""Writes neutral events as a stream of Anthropic Messages."""

from dataclasses import dataclass, field

from airworthy.gateway.translate import sse
from airworthy.gateway.translate.bridge import Bridge
from airworthy.gateway.translate.call_ids import to_messages
from airworthy.gateway.translate.events import (
    Beat,
    Begin,
    CallBegin,
    CallDelta,
    CallEnd,
    Counted,
    End,
    Ending,
    Event,
    Failed,
    RefusalDelta,
    TextDelta,
)
from airworthy.gateway.translate.messages_reply import REASONS
from airworthy.gateway.translate.usage_out import messages_usage_out
from airworthy.gateway.wire.facts import UNKNOWN, Usage

Json = dict[str, object]
# Clients of this protocol know these; anything else is an `api_error`.
_KINDS = frozenset({
    "overloaded_error", "rate_limit_error", "authentication_error", "permission_error", "invalid_request_error",
    "timeout_error",
})  # fmt: skip


@dataclass(slots=True)
class _Block:
    """A block that is open or waits: blocks follow one another here, while elsewhere calls may overlap."""

    start: Json
    key: int | None = None  # None: text.
    deltas: list[Json] = field(default_factory=list)
    ended: bool = False


class MessagesStream:
    def __init__(self, _bridge: Bridge) -> None:
        self._blocks: list[_Block] = []
        self._index = -1
        self._open = False
        self._ending = Ending("stop")
        self._usage: Usage = UNKNOWN

    def write(self, event: Event) -> bytes:
        match event:
            case Begin():
                return _start(event)
            case TextDelta(words) | RefusalDelta(words):
                return self._say(words)
            case CallBegin(key, call_id, name):
                self._blocks_end_text()
                start: Json = {"type": "tool_use", "id": to_messages(call_id), "name": name, "input": {}}
                self._blocks.append(_Block(start, key))
                return self._flow()
            case CallDelta(key, words):
                self._of(key).deltas.append({"type": "input_json_delta", "partial_json": words})
                return self._flow()
            case CallEnd(key):
                self._of(key).ended = True
                return self._flow()
            case Ending():
                self._ending = event
                for block in self._blocks:
                    block.ended = True
                return self._flow()
            case Counted(usage):
                self._usage = usage
                return b""
            case Failed(kind, message):
                known = kind if kind in _KINDS else "api_error"
                return sse.named("error", {"type": "error", "error": {"type": known, "message": message}})
            case End():
                return self._end()
            case Beat():
                return sse.named("ping", {"type": "ping"})

    def _say(self, words: str) -> bytes:
        if not self._blocks or self._blocks[-1].key is not None:
            self._blocks.append(_Block({"type": "text", "text": ""}))
        self._blocks[-1].deltas.append({"type": "text_delta", "text": words})
        return self._flow()

    def _blocks_end_text(self) -> None:
        if self._blocks and self._blocks[-1].key is None:
            self._blocks[-1].ended = True

    def _of(self, key: int) -> _Block:
        return next(block for block in self._blocks if block.key == key)

    def _flow(self) -> bytes:
        """All that may be written of the first block, and of the next ones as far as the ones before have ended."""
        out: list[bytes] = []
        while self._blocks:
            block = self._blocks[0]
            if not self._open:
                self._open = True
                self._index += 1
                out.append(self._event("content_block_start", content_block=block.start))
            out += [self._event("content_block_delta", delta=delta) for delta in block.deltas]
            block.deltas.clear()
            if not block.ended:
                break
            out.append(self._event("content_block_stop"))
            self._open = False
            self._blocks.pop(0)
        return b"".join(out)

    def _event(self, name: str, **fields: Json) -> bytes:
        return sse.named(name, {"type": name, "index": self._index, **fields})

    def _end(self) -> bytes:
        delta: Json = {"stop_reason": REASONS[self._ending.finish], "stop_sequence": None}
        usage = messages_usage_out(self._usage)
        closing = sse.named("message_delta", {"type": "message_delta", "delta": delta, "usage": usage})
        return closing + sse.named("message_stop", {"type": "message_stop"})


def _start(begin: Begin) -> bytes:
    """The counts come with the end, as elsewhere no one tells them before."""
    message: Json = {
        "id": begin.id,
        "type": "message",
        "role": "assistant",
        "model": begin.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": messages_usage_out(UNKNOWN),
    }
    return sse.named("message_start", {"type": "message_start", "message": message})
