"""Takes a stream back to the caller's protocol, chunk by chunk."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import orjson

from airworthy.gateway.translate.bridge import Bridge
from airworthy.gateway.translate.chat_events import ChatEvents
from airworthy.gateway.translate.chat_stream import ChatStream
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
    FormatText,
    RefusalDelta,
    TextDelta,
)
from airworthy.gateway.translate.messages_events import MessagesEvents
from airworthy.gateway.translate.messages_stream import MessagesStream
from airworthy.gateway.translate.responses_events import ResponsesEvents
from airworthy.gateway.translate.responses_stream import ResponsesStream
from airworthy.gateway.translate.shape import exact, paired
from airworthy.gateway.translate.sse import EVENT_BYTES_MAX, EventTooLarge, Raw, Splitter

_TOO_LARGE = Failed("api_error", f"An event of more than {EVENT_BYTES_MAX} bytes came.")
_HIGH_HALF = ("\ud800", "\udbff")


class _Reader(Protocol):
    @property
    def finish_seen(self) -> bool:
        """The model said why it ended."""
        ...

    def read(self, name: str, event: dict[str, object], /) -> list[Event]: ...

    def done(self) -> list[Event]: ...


class _Writer(Protocol):
    def write(self, event: Event, /) -> bytes: ...


def _patiently(data: bytes) -> object:
    """What orjson does not take: a character cut in two escapes, a number beyond all bounds."""
    try:
        return exact(data)
    except ValueError:
        return None


def stream_translator(
    bridge: Bridge, *, new_id: Callable[[], str], now_s: int = 0, tells: bool = True
) -> "StreamTranslator":
    """`new_id` gives letters and digits, new at each call; `now_s` stands in where the provider gives no time.

    `tells` False: what goes wrong is only in `failed`, for whoever can still mend it.
    """
    readers: dict[str, Callable[[], _Reader]] = {
        "chat": ChatEvents,
        "messages": MessagesEvents,
        "responses": ResponsesEvents,
    }
    match bridge.source:
        case "chat":
            writer: _Writer = ChatStream(bridge)
        case "messages":
            writer = MessagesStream(bridge)
        case "responses":
            writer = ResponsesStream(bridge, new_id)
    form = FormatText(bridge.format_tool) if bridge.format_tool else None
    return StreamTranslator(
        readers[bridge.to](), writer, form, Begin(new_id(), "", now_s), new_id, tells=tells
    )


class StreamTranslator:
    """One stream on its way back; `feed` it as it comes, then `finish` once, whatever way it ended.

    After an error, in the stream or of the stream, nothing more is written; `failed` says what it was.
    """

    def __init__(
        self,
        reader: _Reader,
        writer: _Writer,
        form: FormatText | None,
        fallback: Begin,
        new_id: Callable[[], str],
        *,
        tells: bool = True,
    ) -> None:
        self.failed = ""
        self._tells = tells
        self._reader = reader
        self._writer = writer
        self._form = form
        self._fallback = fallback
        self._new_id = new_id
        self._splitter = Splitter()
        self._begun = False
        self._over = False
        self._half: dict[int, str] = {}

    def feed(self, chunk: bytes) -> bytes:
        if self._over:
            return b""
        try:
            raws = self._splitter.feed(chunk)
        except EventTooLarge:
            return self._emit(_TOO_LARGE)
        return b"".join([self._take(raw) for raw in raws])

    def finish(self) -> bytes:
        """What is still due. A stream that broke off ends with an error in the caller's protocol, never as if whole."""
        if self._over:
            return b""
        try:
            raws = self._splitter.finish()
        except EventTooLarge:
            return self._emit(_TOO_LARGE)
        out = b"".join([self._take(raw) for raw in raws])
        if self._reader.finish_seen:
            # The model ended; some servers leave out the mark after it.
            return out + self._close()
        return out + self._emit(Failed("api_error", "The provider's stream broke off before its end."))

    def _take(self, raw: Raw) -> bytes:
        if self._over:
            return b""
        if raw.data.strip() == b"[DONE]":
            if not self._reader.finish_seen:
                return self._emit(Failed("api_error", "The provider's stream ended without a reason."))
            return self._close()
        try:
            parsed: object = orjson.loads(raw.data)
        except ValueError:
            parsed = _patiently(raw.data)
        if not isinstance(parsed, dict):
            return self._emit(Failed("api_error", "The provider sent an event that is not a JSON object."))
        return self._pass(self._reader.read(raw.name, parsed))

    def _pass(self, events: list[Event]) -> bytes:
        if self._form:
            events = [turned for event in events for turned in self._form.turn(event)]
        return b"".join([self._emit(event) for event in events])

    def _emit(self, event: Event) -> bytes:
        if self._over:
            return b""
        match event:
            case Begin():
                if self._begun:
                    return b""
                event = replace(
                    event,
                    id=event.id or self._fallback.id,
                    created_s=event.created_s or self._fallback.created_s,
                )
            case TextDelta(words) | RefusalDelta(words):
                if not (joined := self._joined(-1, words)):
                    return b""
                event = TextDelta(joined) if isinstance(event, TextDelta) else RefusalDelta(joined)
            case CallDelta(key, words):
                event = CallDelta(key, self._joined(key, words))
            case CallBegin() if not event.id:
                event = replace(event, id=f"call_{self._new_id()}")
            case Failed() if self._reader.finish_seen:
                # The answer is whole; what went wrong after it is nobody's loss.
                return self._close()
            case Failed():
                self._over = True
                self.failed = event.message or event.kind
                if not self._tells:
                    return b""
            case End():
                self._over = True
            case CallBegin() | CallEnd() | Ending() | Counted() | Beat():
                pass
        before = b""
        if not self._begun and not isinstance(event, Beat | Counted):
            self._begun = True
            before = b"" if isinstance(event, Begin) else self._writer.write(self._fallback)
        elif not self._begun:
            return b""
        return before + self._writer.write(event)

    def _close(self) -> bytes:
        return self._pass(self._reader.done())

    def _joined(self, key: int, words: str) -> str:
        """Some servers cut a text within a character, as two escapes; its first half waits for the second."""
        if words.isascii() and not self._half:
            return words
        words = self._half.pop(key, "") + words
        if words and _HIGH_HALF[0] <= words[-1] <= _HIGH_HALF[1]:
            self._half[key] = words[-1]
            words = words[:-1]
        return paired(words)
