"""Reads a stream of Chat Completions chunks as neutral events."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from airworthy.gateway.translate.chat_reply import FINISHES, content_text
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
from airworthy.gateway.translate.shape import entries, members, text, whole
from airworthy.gateway.wire.counts import chat_usage
from airworthy.gateway.wire.facts import Finish, Usage


@dataclass(slots=True)
class _Call:
    """A call as far as it has come; it begins once its name is known."""

    key: int
    id: str = ""
    name: str = ""
    begun: bool = False
    waiting: str = ""
    written: bool = False


@dataclass(slots=True)
class ChatEvents:
    finish: Finish | None = None
    begun: bool = False
    refused: bool = False
    usage: Usage | None = None
    calls: list[_Call] = field(default_factory=list)
    by_index: dict[int, _Call] = field(default_factory=dict)

    @property
    def finish_seen(self) -> bool:
        return self.finish is not None

    def read(self, _name: str, chunk: Mapping[str, object]) -> list[Event]:
        if chunk.get("usage"):
            self.usage = chat_usage(chunk.get("usage"))
        if error := chunk.get("error"):
            told = members(error)
            kind = text(told.get("type")) or text(told.get("code")) or "server_error"
            return [Failed(kind, text(told.get("message")) or text(error) or "The provider gave no reason.")]
        out: list[Event] = []
        if not self.begun and chunk.get("id"):
            self.begun = True
            created_s = whole(chunk.get("created")) or 0
            out.append(Begin(text(chunk.get("id")), text(chunk.get("model")), created_s))
        for choice in map(members, entries(chunk.get("choices"))):
            if choice.get("index", 0) == 0:
                out += self._choice(choice)
        return out or [Beat()]

    def done(self) -> list[Event]:
        """At the mark of the end, which some servers leave out. Some tell the reason more than once before it."""
        out: list[Event] = []
        for call in self.calls:
            if call.begun:
                # A call without arguments is written as nothing by some; elsewhere that is no JSON.
                out += [] if call.written else [CallDelta(call.key, "{}")]
                out.append(CallEnd(call.key))
        finish = self.finish or "stop"
        if finish == "stop" and (self.refused or self.calls):
            finish = "refusal" if self.refused else "tool_calls"
        return [*out, Ending(finish), *([Counted(self.usage)] if self.usage else []), End()]

    def _choice(self, choice: Mapping[str, object]) -> list[Event]:
        delta = members(choice.get("delta"))
        out: list[Event] = []
        if words := content_text(delta.get("content")):
            out.append(TextDelta(words))
        if words := text(delta.get("refusal")):
            self.refused = True
            out.append(RefusalDelta(words))
        for part in map(members, entries(delta.get("tool_calls"))):
            out += self._call(part)
        if reason := text(choice.get("finish_reason")):
            self.finish = FINISHES.get(reason, "stop")
        return out

    def _call(self, part: Mapping[str, object]) -> list[Event]:
        function = members(part.get("function"))
        call = self._of(whole(part.get("index")), text(part.get("id")))
        call.name = call.name or text(function.get("name"))
        call.waiting += text(function.get("arguments"))
        if not call.name:
            return []
        out: list[Event] = []
        if not call.begun:
            call.begun = True
            out.append(CallBegin(call.key, call.id, call.name))
        if call.waiting:
            call.written = True
            out.append(CallDelta(call.key, call.waiting))
            call.waiting = ""
        return out

    def _of(self, index: int | None, call_id: str) -> _Call:
        """Some servers give every call the index 0, or none; then a new id means a new call."""
        known = self.by_index.get(index) if index is not None else (self.calls[-1] if self.calls else None)
        if known is None or (call_id and known.id and call_id != known.id):
            known = _Call(len(self.calls))
            self.calls.append(known)
            if index is not None:
                self.by_index[index] = known
        known.id = known.id or call_id
        return known
