"""Reads a stream of Anthropic Messages as neutral events."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from airworthy.gateway.translate.call_ids import from_messages
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
from airworthy.gateway.translate.messages_reply import FINISHES
from airworthy.gateway.translate.shape import dumped, members, text, whole
from airworthy.gateway.wire.counts import messages_usage
from airworthy.gateway.wire.facts import Finish


@dataclass(slots=True)
class MessagesEvents:
    finish: Finish | None = None
    usage: dict[str, object] = field(default_factory=dict)
    calls: dict[int, bool] = field(default_factory=dict)  # Block's index -> whether arguments came.

    @property
    def finish_seen(self) -> bool:
        return self.finish is not None

    def read(self, name: str, event: Mapping[str, object]) -> list[Event]:
        index = whole(event.get("index")) or 0
        match text(event.get("type")) or name:
            case "message_start":
                message = members(event.get("message"))
                self.usage.update(members(message.get("usage")))
                return [Begin(text(message.get("id")), text(message.get("model")))]
            case "content_block_start":
                return self._block(index, members(event.get("content_block")))
            case "content_block_delta":
                return self._delta(index, members(event.get("delta")))
            case "content_block_stop":
                return self._stop(index)
            case "message_delta":
                return self._ended(event)
            case "message_stop":
                return self.done()
            case "error":
                told = members(event.get("error"))
                reason = text(told.get("message")) or "The provider gave no reason."
                return [Failed(text(told.get("type")) or "api_error", reason)]
            case _:
                return [Beat()]

    def done(self) -> list[Event]:
        counted = [Counted(messages_usage(self.usage))] if self.usage else []
        return [Ending(self.finish or "stop"), *counted, End()]

    def _block(self, index: int, block: Mapping[str, object]) -> list[Event]:
        match block.get("type"):
            case "text" if block.get("text"):
                return [TextDelta(text(block.get("text")))]
            case "tool_use":
                given = members(block.get("input"))
                self.calls[index] = bool(given)
                begin = CallBegin(index, from_messages(text(block.get("id"))), text(block.get("name")))
                # Anthropic begins with an empty object and streams the rest; some servers give all at once.
                return [begin, CallDelta(index, dumped(given))] if given else [begin]
            case _:
                return [Beat()]

    def _delta(self, index: int, delta: Mapping[str, object]) -> list[Event]:
        match delta.get("type"):
            case "text_delta":
                return [TextDelta(text(delta.get("text")))]
            case "input_json_delta" if index in self.calls and delta.get("partial_json"):
                self.calls[index] = True
                return [CallDelta(index, text(delta.get("partial_json")))]
            case _:
                return [Beat()]

    def _stop(self, index: int) -> list[Event]:
        if index not in self.calls:
            return [Beat()]
        end = CallEnd(index)
        return [end] if self.calls[index] else [CallDelta(index, "{}"), end]

    def _ended(self, event: Mapping[str, object]) -> list[Event]:
        # Counts in here are totals so far, and leave out what has not changed.
        self.usage.update(
            {key: held for key, held in members(event.get("usage")).items() if held is not None}
        )
        delta = members(event.get("delta"))
        if reason := text(delta.get("stop_reason")):
            self.finish = FINISHES.get(reason, "stop")
        explained = text(members(delta.get("stop_details")).get("explanation"))
        return [RefusalDelta(explained)] if explained else [Beat()]
