"""Writes neutral events as a stream of Chat Completions chunks."""

from airworthy.gateway.translate import sse
from airworthy.gateway.translate.bridge import Bridge
from airworthy.gateway.translate.call_ids import CHAT_ID_CHARS_MAX, shortened
from airworthy.gateway.translate.chat_reply import REASONS
from airworthy.gateway.translate.events import (
    Beat,
    Begin,
    CallBegin,
    CallDelta,
    Counted,
    End,
    Ending,
    Event,
    Failed,
    RefusalDelta,
    TextDelta,
)
from airworthy.gateway.translate.usage_out import chat_usage_out

Json = dict[str, object]


class ChatStream:
    def __init__(self, bridge: Bridge) -> None:
        self._wants_usage = bridge.wants_usage
        self._head = Begin("", "")
        self._calls: dict[int, int] = {}
        self._usage: Json | None = None

    def write(self, event: Event) -> bytes:
        match event:
            case Begin():
                self._head = event
                return self._chunk({"role": "assistant", "content": ""})
            case TextDelta(words):
                return self._chunk({"content": words})
            case RefusalDelta(words):
                return self._chunk({"refusal": words})
            case CallBegin(key, call_id, name):
                index = self._calls.setdefault(key, len(self._calls))
                call: Json = {
                    "index": index,
                    "id": shortened(call_id, CHAT_ID_CHARS_MAX),
                    "type": "function",
                    "function": {"name": name, "arguments": ""},
                }
                return self._chunk({"tool_calls": [call]})
            case CallDelta(key, words):
                piece: Json = {"index": self._calls[key], "function": {"arguments": words}}
                return self._chunk({"tool_calls": [piece]})
            case Ending(finish):
                return self._chunk({}, REASONS[finish])
            case Counted(usage):
                self._usage = chat_usage_out(usage)
                return b""
            case Failed(kind, message):
                return sse.unnamed({"error": {"message": message, "type": kind, "param": None, "code": kind}})
            case End():
                return self._end()
            case Beat():
                return sse.COMMENT
            case _:
                return b""

    def _chunk(self, delta: Json, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return sse.unnamed(self._around([choice], None))

    def _around(self, choices: list[Json], usage: Json | None) -> Json:
        chunk: Json = {
            "id": self._head.id,
            "object": "chat.completion.chunk",
            "created": self._head.created_s,
            "model": self._head.model,
            "choices": choices,
        }
        return chunk | {"usage": usage} if self._wants_usage else chunk

    def _end(self) -> bytes:
        counted = sse.unnamed(self._around([], self._usage)) if self._wants_usage and self._usage else b""
        return counted + sse.DONE
