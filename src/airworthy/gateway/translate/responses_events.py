"""Reads a stream of Responses events as neutral ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from airworthy.gateway.translate.conversation import Refusal, Text, ToolCall
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
from airworthy.gateway.translate.responses_reply import finish_of
from airworthy.gateway.translate.shape import members, text, whole
from airworthy.gateway.wire.counts import responses_usage


@dataclass(slots=True)
class ResponsesEvents:
    calls: dict[int, bool] = field(default_factory=dict)  # Output index -> whether arguments came.
    spoken: set[tuple[int, int]] = field(default_factory=set)  # Where text came in pieces.
    refused: bool = False
    finish_seen: bool = False

    def read(self, name: str, event: Mapping[str, object]) -> list[Event]:
        index = whole(event.get("output_index")) or 0
        place = (index, whole(event.get("content_index")) or 0)
        match text(event.get("type")) or name:
            case "response.created":
                response = members(event.get("response"))
                created_s = whole(response.get("created_at")) or 0
                return [Begin(text(response.get("id")), text(response.get("model")), created_s)]
            case "response.output_text.delta":
                self.spoken.add(place)
                return [TextDelta(text(event.get("delta")))]
            case "response.output_text.done" if place not in self.spoken and event.get("text"):
                return [TextDelta(text(event.get("text")))]
            case "response.refusal.delta":
                self.spoken.add(place)
                self.refused = True
                return [RefusalDelta(text(event.get("delta")))]
            case "response.refusal.done" if place not in self.spoken:
                self.refused = True
                return [RefusalDelta(text(event.get("refusal")))]
            case "response.output_item.added" | "response.output_item.done" as kind:
                return self._item(index, members(event.get("item")), done=kind.endswith("done"))
            case "response.function_call_arguments.delta" if index in self.calls and event.get("delta"):
                self.calls[index] = True
                return [CallDelta(index, text(event.get("delta")))]
            case "response.completed" | "response.incomplete":
                return self._ended(members(event.get("response")))
            case "response.failed" | "error":
                told = members(event.get("response")).get("error") or event.get("error") or event
                code = text(members(told).get("code")) or "server_error"
                return [Failed(code, text(members(told).get("message")) or "The provider gave no reason.")]
            case _:
                return [Beat()]

    def done(self) -> list[Event]:
        """Never due on its own: the event that tells the reason is the last."""
        return []

    def _item(self, index: int, item: Mapping[str, object], *, done: bool) -> list[Event]:
        if item.get("type") != "function_call":
            return [Beat()]
        out: list[Event] = []
        if index not in self.calls:
            self.calls[index] = False
            out.append(CallBegin(index, text(item.get("call_id")), text(item.get("name"))))
        if not self.calls[index] and (item.get("arguments") or done):
            self.calls[index] = True
            out.append(CallDelta(index, text(item.get("arguments")) or "{}"))
        return [*out, CallEnd(index)] if done else out or [Beat()]

    def _ended(self, response: Mapping[str, object]) -> list[Event]:
        self.finish_seen = True
        parts: list[Text | Refusal | ToolCall] = [ToolCall("", "", "")] if self.calls else []
        parts += [Refusal("")] if self.refused else []
        out: list[Event] = [Ending(finish_of(response, parts))]
        if response.get("usage"):
            out.append(Counted(responses_usage(response.get("usage"))))
        return [*out, End()]
