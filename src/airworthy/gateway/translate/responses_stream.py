"""Writes neutral events as a stream of Responses events."""

from collections.abc import Callable
from dataclasses import dataclass, field

from airworthy.gateway.translate import sse
from airworthy.gateway.translate.bridge import Bridge
from airworthy.gateway.translate.conversation import ToolCall
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
from airworthy.gateway.translate.responses_reply import (
    INCOMPLETE,
    Head,
    call_item,
    message_item,
    refusal_part,
    text_part,
)
from airworthy.gateway.wire.facts import Usage

Json = dict[str, object]
# Clients of this protocol know these; anything else is a `server_error`.
_CODES = frozenset({"server_error", "rate_limit_exceeded", "invalid_prompt"})
_CODE_OF = {"rate_limit_error": "rate_limit_exceeded", "invalid_request_error": "invalid_prompt"}


@dataclass(slots=True)
class _Call:
    index: int
    item_id: str
    call: ToolCall
    pieces: list[str] = field(default_factory=list)
    ended: bool = False

    def item(self, status: str) -> Json:
        call = ToolCall(self.call.id, self.call.name, "".join(self.pieces))
        return call_item(self.item_id, call, status)


@dataclass(slots=True)
class _Message:
    """The message that is being said; its last part is the open one."""

    index: int
    item_id: str
    parts: list[tuple[str, list[str]]] = field(default_factory=list)  # Kind and pieces.

    def content(self) -> list[Json]:
        return [_part(kind, "".join(pieces)) for kind, pieces in self.parts]


class ResponsesStream:
    def __init__(self, bridge: Bridge, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._echo = bridge.echo
        self._head = Head("", "", 0, bridge.echo)
        self._sequence = 0
        self._output: dict[int, Json] = {}
        self._count = 0
        self._message: _Message | None = None
        self._calls: dict[int, _Call] = {}
        self._ending = Ending("stop")
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:
        match event:
            case Begin():
                self._head = Head(event.id, event.model, event.created_s, self._echo)
                response = self._head.response([], "in_progress")
                return self._event("response.created", response=response) + self._event(
                    "response.in_progress", response=response
                )
            case TextDelta(words):
                return self._say("output_text", words)
            case RefusalDelta(words):
                return self._say("refusal", words)
            case CallBegin():
                return self._call_begin(event)
            case CallDelta(key, words):
                call = self._calls[key]
                call.pieces.append(words)
                return self._event(
                    "response.function_call_arguments.delta",
                    item_id=call.item_id,
                    output_index=call.index,
                    delta=words,
                )
            case CallEnd(key):
                return self._call_end(self._calls[key], "completed")
            case Ending():
                self._ending = event
                return self._close()
            case Counted(usage):
                self._usage = usage
                return b""
            case Failed(kind, message):
                code = _CODE_OF.get(kind, kind)
                error = {"code": code if code in _CODES else "server_error", "message": message}
                failed = self._head.response(self._outputs(), "failed") | {"error": error}
                return self._event("response.failed", response=failed)
            case End():
                status = "incomplete" if self._ending.finish in INCOMPLETE else "completed"
                whole = self._head.response(self._outputs(), status, self._ending.finish, self._usage)
                return self._event(f"response.{status}", response=whole)
            case Beat():
                return sse.COMMENT

    def _event(self, name: str, /, **fields: object) -> bytes:
        data = {"type": name, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return sse.named(name, data)

    def _outputs(self) -> list[Json]:
        return [self._output[index] for index in sorted(self._output)]

    def _next_index(self) -> int:
        self._count += 1
        return self._count - 1

    def _say(self, kind: str, words: str) -> bytes:
        out = b""
        if self._message is None:
            message = _Message(self._next_index(), f"msg_{self._new_id()}")
            self._message = message
            item = message_item(message.item_id, [], "in_progress")
            out += self._event("response.output_item.added", output_index=message.index, item=item)
        message = self._message
        if not message.parts or message.parts[-1][0] != kind:
            out += self._part_done(message) if message.parts else b""
            message.parts.append((kind, []))
            out += self._event("response.content_part.added", **self._place(message), part=_part(kind, ""))
        message.parts[-1][1].append(words)
        logprobs: Json = {"logprobs": []} if kind == "output_text" else {}
        return out + self._event(f"response.{kind}.delta", **self._place(message), delta=words, **logprobs)

    def _place(self, message: _Message) -> dict[str, object]:
        return {
            "item_id": message.item_id,
            "output_index": message.index,
            "content_index": len(message.parts) - 1,
        }

    def _part_done(self, message: _Message) -> bytes:
        kind, pieces = message.parts[-1]
        said: dict[str, object] = {"text" if kind == "output_text" else "refusal": "".join(pieces)}
        logprobs: Json = {"logprobs": []} if kind == "output_text" else {}
        return self._event(f"response.{kind}.done", **self._place(message), **said, **logprobs) + self._event(
            "response.content_part.done", **self._place(message), part=_part(kind, "".join(pieces))
        )

    def _message_end(self, status: str) -> bytes:
        message = self._message
        if message is None:
            return b""
        self._message = None
        out = self._part_done(message)
        item = message_item(message.item_id, message.content(), status)
        self._output[message.index] = item
        return out + self._event("response.output_item.done", output_index=message.index, item=item)

    def _call_begin(self, event: CallBegin) -> bytes:
        out = self._message_end("completed")
        call = _Call(self._next_index(), f"fc_{self._new_id()}", ToolCall(event.id, event.name, ""))
        self._calls[event.key] = call
        item = call.item("in_progress")
        return out + self._event("response.output_item.added", output_index=call.index, item=item)

    def _call_end(self, call: _Call, status: str) -> bytes:
        call.ended = True
        item = self._output[call.index] = call.item(status)
        return self._event(
            "response.function_call_arguments.done",
            item_id=call.item_id,
            output_index=call.index,
            name=call.call.name,
            arguments="".join(call.pieces),
        ) + self._event("response.output_item.done", output_index=call.index, item=item)

    def _close(self) -> bytes:
        status = "incomplete" if self._ending.finish in INCOMPLETE else "completed"
        calls = [self._call_end(call, status) for call in self._calls.values() if not call.ended]
        return b"".join([self._message_end(status), *calls])


def _part(kind: str, words: str) -> Json:
    return text_part(words) if kind == "output_text" else refusal_part(words)
