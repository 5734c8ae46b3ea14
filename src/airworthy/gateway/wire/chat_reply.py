"""Reads OpenAI chat completions, whole or in pieces, as its many imitators send them too."""

from dataclasses import replace
from typing import Any, ClassVar, cast

from airworthy.gateway.errors import ModelError, ModelMalformed, ModelOutage
from airworthy.gateway.wire.asking import named
from airworthy.gateway.wire.asking import text as as_text
from airworthy.gateway.wire.counts import chat_usage
from airworthy.gateway.wire.facts import UNKNOWN, Finish, ProposedCall, ReplyFacts, Usage
from airworthy.gateway.wire.failure import ProtocolName, error_inside
from airworthy.gateway.wire.openai_form import reply_object
from airworthy.gateway.wire.reading import Assembler, Reader
from airworthy.gateway.wire.sse import DONE, FINISH, documents

# In small letters. Only the first five are OpenAI's; the others come from servers that speak its protocol.
FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "safety": "content_filter",
    "recitation": "content_filter",
    "prohibited_content": "content_filter",
    "blocklist": "content_filter",
    "spii": "content_filter",
    "sensitive": "content_filter",
    "refusal": "refusal",
}
# The server says that it gave up; what came until then is no answer.
GAVE_UP = frozenset((
    "error", "abort", "aborted", "cancelled", "network_error", "insufficient_system_resource",
    "malformed_function_call",
))  # fmt: skip
# Delta fields whose first value commits a stream: each of them is shown to the user or acted on.
_CONTENT = ("content", "tool_calls", "refusal", "reasoning_content", "reasoning", "function_call", "audio")


def read_completion(raw: bytes) -> ReplyFacts:
    """Raises: ModelError."""
    body = reply_object(raw, "chat completion")
    if body.get("error") or body.get("object") == "error":
        raise error_inside("openai", "The model server", body.get("error") or body)
    try:
        choice = body["choices"][0]
        message = choice["message"]
        calls = _calls(message)
        content = message.get("content")
        text = content if type(content) is str else content_text(content)
        refusal = message.get("refusal") or ""
        reason = choice.get("finish_reason")
        audio = message.get("audio")
    except (LookupError, TypeError, AttributeError) as error:
        raise ModelMalformed(
            f"The reply is JSON but no chat completion ({type(error).__name__}: {error}).", billed=True
        ) from error
    if failed := gave_up(reason, choice.get("error")):
        raise failed
    if type(audio) is dict:
        text = text or as_text(audio.get("transcript"))
    finish = finish_of(reason, has_calls=bool(calls), refused=bool(refusal))
    if (
        not text
        and not calls
        and not refusal
        and not audio
        and finish == "stop"
        and not message.get("images")
    ):
        raise ModelMalformed("The reply is empty.", billed=True)
    return ReplyFacts(
        text,
        finish,
        chat_usage(usage_in(body)),
        calls,
        as_text(refusal),
        as_text(body.get("model")),
        as_text(body.get("system_fingerprint")),
        as_text(body.get("id")),
        as_text(body.get("service_tier")),
    )


def finish_of(reason: object, *, has_calls: bool, refused: bool) -> Finish:
    """A reason nobody knows, or none, is told from what came."""
    if refused:
        return "refusal"
    known = FINISHES.get(reason) or FINISHES.get(reason.lower()) if type(reason) is str else None
    if known is None or known in ("stop", "tool_calls"):
        # Forced tools end with `stop` at some; `tool_calls` without a call is none.
        return "tool_calls" if has_calls else "stop"
    return known


def gave_up(reason: object, error: object) -> ModelError | None:
    if error:
        return error_inside("openai", "The model server", error)
    if type(reason) is str and reason.lower() in GAVE_UP:
        return ModelOutage(f"The model server ended its answer with {reason!r}.", billed=True)
    return None


def usage_in(body: dict[str, Any]) -> object:
    usage = body.get("usage")
    if usage is None:
        # Groq's streams carry it in a drawer of their own.
        drawer = body.get("x_groq")
        return drawer.get("usage") if type(drawer) is dict else None
    return usage


def content_text(content: object) -> str:
    """The text of a content that comes in parts; thinking is not part of it."""
    if type(content) is str:
        return content
    if type(content) is not list:
        return ""
    return "".join(as_text(part.get("text")) for part in content if type(part) is dict)


def _calls(message: dict[str, Any]) -> tuple[ProposedCall, ...]:
    listed = message.get("tool_calls")
    if not listed:
        old = message.get("function_call")
        listed = [{"function": old}] if old else ()
    return tuple(_call(call, position) for position, call in enumerate(listed))


def _call(call: dict[str, Any], position: int) -> ProposedCall:
    identity = as_text(call.get("id")) or f"call_{position}"
    function = call.get("function")
    if function is None:
        custom = call["custom"]
        return ProposedCall(identity, named(custom), as_text(custom.get("input")))
    return ProposedCall(identity, named(function), as_text(function.get("arguments")) or "{}")


# An answer with any of these holds more than text.
_MORE_THAN_TEXT = (b"tool_calls", b"function_call", b'"audio"', b'"images"')
TAILS_BYTES = (1024, 4096)


class ChatReader(Reader):
    protocol: ClassVar[ProtocolName] = "openai"
    mark_optional: ClassVar[bool] = True
    marks: ClassVar[tuple[bytes, ...]] = (
        b"[DONE]", b'finish_reason":"', b'finish_reason": "', b'"error"',
    )  # fmt: skip

    def _look(self, name: str, body: dict[str, Any]) -> None:
        if body.get("error") or body.get("object") == "error" or name == "error":
            self._failed(body.get("error") or body)
            return
        for choice in body.get("choices") or ():
            delta = choice.get("delta") or {}
            if not self.committed and any(delta.get(field) for field in _CONTENT):
                self.committed = True
            reason = choice.get("finish_reason")
            if reason is None:
                continue
            if failed := gave_up(reason, choice.get("error")):
                self.error = self.error or failed
                self.error.billed = True
            else:
                self.finish_seen = True

    def _done(self) -> None:
        # Oddly spaced JSON gets past the marks, so before the end is doubted everything is looked at once.
        self.finish_seen = self.finish_seen or FINISH.search(b"".join(self._kept)) is not None
        self.ended = self.finish_seen and self.error is None

    def _assembler(self) -> Assembler:
        return _Chunks()

    def gist(self) -> ReplyFacts:
        found = None if self._facts is not None else self._gist(b"".join(self._kept))
        return self.facts() if found is None else found

    def _gist(self, raw: bytes) -> ReplyFacts | None:
        """All but the text, if the answer is whole and nothing but text."""
        if not self.ended or self.overflowed or self.error is not None or self._unreadable:
            return None
        if not _is_text_alone(raw):
            return None
        # Who answered stands in the first event, why it ended and what it used in the last ones.
        first = raw.find(b"\n\n")
        for tail_bytes in TAILS_BYTES:
            last = raw.find(b"\n\n", max(len(raw) - tail_bytes, first))
            chunks = _read_of(raw[:first] + raw[last:])
            if chunks is not None and chunks.reason is not None and chunks.usage.known:
                return replace(chunks.reply()[0], text="")
        return None

    def _assembled(self) -> ReplyFacts:
        raw = b"".join(self._kept)
        gist = self._gist(raw)
        text = None if gist is None else _text_of(raw)
        return replace(gist, text=text) if gist is not None and text else super()._assembled()


def _is_text_alone(raw: bytes) -> bool:
    """Whether a stream holds nothing but text in the usual form: then it can be read far more cheaply."""
    if any(word in raw for word in _MORE_THAN_TEXT) or raw.count(b'"refusal"') != raw.count(
        b'"refusal":null'
    ):
        return False
    return raw.count(b"\ndata: ") == raw.count(b"\ndata: {") + raw.count(b"\ndata: " + DONE)


def _text_of(raw: bytes) -> str | None:
    """The text of an answer that is text alone; None where an event is not as it should be."""
    whole, wrong = documents(raw)
    if wrong:
        return None
    try:
        return "".join(
            choice["delta"].get("content") or ""
            for _, body in whole
            for choice in cast("dict[str, Any]", body)["choices"]
            if not choice["index"]
        )
    except (LookupError, TypeError, AttributeError):
        return None


def _read_of(raw: bytes) -> "_Chunks | None":
    """None when it is not of the protocol, or does not say who answered."""
    whole, wrong = documents(raw)
    chunks = _Chunks()
    try:
        for name, body in whole:
            chunks.take(name, cast("dict[str, Any]", body))
    except (LookupError, TypeError, ValueError, AttributeError):
        return None
    return None if wrong or not chunks.words["model"] else chunks


class _Chunks:
    """One answer out of its chunks. Of several answers the first is put together; the usage is of all."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.refusal: list[str] = []
        self.calls: list[_PartialCall] = []
        self.by_index: dict[int, _PartialCall] = {}
        self.reason: str | None = None
        self.usage: Usage = UNKNOWN
        self.words = {"id": "", "model": "", "system_fingerprint": "", "service_tier": ""}
        self.heard = False

    def take(self, _name: str, body: dict[str, Any]) -> None:
        if not self.words["model"]:
            self.words = {key: as_text(body.get(key)) for key in self.words}
        usage = body.get("usage")
        if usage is not None or "x_groq" in body:
            usage = usage_in(body)
            if usage is not None:
                self.usage = chat_usage(usage)
        for choice in body.get("choices") or ():
            if choice.get("index"):
                continue
            delta = choice.get("delta")
            if delta:
                content = delta.get("content")
                if type(content) is str:
                    self.text.append(content)
                if len(delta) > 1 or type(content) is not str:
                    self._more(delta)
            reason = choice.get("finish_reason")
            if type(reason) is str:
                self.reason = reason

    def _more(self, delta: dict[str, Any]) -> None:
        """All that a delta may hold besides text."""
        content = delta.get("content")
        if type(content) is list:
            self.text.append(content_text(content))
        refusal = delta.get("refusal")
        if refusal:
            self.refusal.append(as_text(refusal))
        audio = delta.get("audio")
        if type(audio) is dict:
            self.heard = True
            self.text.append(as_text(audio.get("transcript")))
        if delta.get("images"):
            self.heard = True
        for call in delta.get("tool_calls") or ():
            self._call(call, call.get("function") or call.get("custom") or {})
        old = delta.get("function_call")
        if old:
            self._call({}, old)

    def _call(self, call: dict[str, Any], function: dict[str, Any]) -> None:
        index = call.get("index") or 0
        identity = as_text(call.get("id"))
        partial = self.by_index.get(index)
        # Some servers number every parallel call 0 and tell them apart by id alone.
        if partial is None or (identity and partial.id and identity != partial.id):
            partial = self.by_index[index] = _PartialCall()
            self.calls.append(partial)
        partial.id = partial.id or identity
        partial.name = partial.name or as_text(function.get("name"))
        partial.arguments.append(as_text(function.get("arguments")) or as_text(function.get("input")))

    def reply(self) -> tuple[ReplyFacts, str]:
        calls = tuple(
            ProposedCall(call.id or f"call_{position}", call.name, "".join(call.arguments) or "{}")
            for position, call in enumerate(self.calls)
        )
        text, refusal = "".join(self.text), "".join(self.refusal)
        finish = finish_of(self.reason, has_calls=bool(calls), refused=bool(refusal))
        wrong = ""
        if self.reason is None:
            wrong = "it ended without a finish reason"
        elif not all(call.name for call in calls):
            wrong = "a call of a tool has no name"
        elif not text and not calls and not refusal and not self.heard and finish == "stop":
            wrong = "it is empty"
        return ReplyFacts(
            text,
            finish,
            self.usage,
            calls,
            refusal,
            self.words["model"],
            self.words["system_fingerprint"],
            self.words["id"],
            self.words["service_tier"],
        ), wrong


class _PartialCall:
    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
