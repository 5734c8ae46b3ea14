"""Reads replies of the Anthropic Messages protocol, whole or in pieces."""

from typing import Any, ClassVar

import orjson

from airworthy.gateway.errors import ModelMalformed
from airworthy.gateway.wire.asking import named
from airworthy.gateway.wire.asking import text as as_text
from airworthy.gateway.wire.counts import messages_usage
from airworthy.gateway.wire.facts import Finish, ProposedCall, ReplyFacts
from airworthy.gateway.wire.failure import ProtocolName, error_inside
from airworthy.gateway.wire.openai_form import reply_object
from airworthy.gateway.wire.reading import Assembler, Reader

FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
    # The turn is not over: the provider wants the conversation back to go on.
    "pause_turn": "length",
    "compaction": "length",
}
_THINKING = frozenset(("thinking", "redacted_thinking"))


def read_message(raw: bytes) -> ReplyFacts:
    """Raises: ModelError."""
    body = reply_object(raw, "message")
    if body.get("type") == "error" or body.get("error"):
        raise error_inside("anthropic", "The model server", body.get("error") or body)
    try:
        facts, empty = message_facts(body)
    except (LookupError, TypeError, AttributeError) as error:
        raise ModelMalformed(
            f"The reply is JSON but no message ({type(error).__name__}: {error}).", billed=True
        ) from error
    if empty:
        raise ModelMalformed("The reply is empty.", billed=True)
    return facts


def message_facts(body: dict[str, Any]) -> tuple[ReplyFacts, bool]:
    """The facts, and whether there is nothing in it. Raises: LookupError, TypeError, AttributeError."""
    texts: list[str] = []
    calls: list[ProposedCall] = []
    other = False
    for block in body["content"]:
        kind = block["type"]
        if kind == "text":
            texts.append(as_text(block.get("text")))
        elif kind == "tool_use":
            calls.append(_call(block, len(calls)))
        elif kind not in _THINKING:
            other = True  # Tools that the provider itself runs, and their results.
    text = "".join(texts)
    finish = _finish(body.get("stop_reason"), has_calls=bool(calls))
    usage = body.get("usage")
    return ReplyFacts(
        text,
        finish,
        messages_usage(usage),
        tuple(calls),
        _refusal(body, text) if finish == "refusal" else "",
        as_text(body.get("model")),
        "",
        as_text(body.get("id")),
        as_text(usage.get("service_tier")) if type(usage) is dict else "",
    ), not text and not calls and not other and finish == "stop"


def _call(block: dict[str, Any], position: int) -> ProposedCall:
    given = block.get("input")
    arguments = given if type(given) is str else orjson.dumps(given or {}).decode()
    return ProposedCall(as_text(block.get("id")) or f"call_{position}", named(block), arguments or "{}")


def _finish(reason: object, *, has_calls: bool) -> Finish:
    known = FINISHES.get(reason) if type(reason) is str else None
    if known is None or known in ("stop", "tool_calls"):
        return "tool_calls" if has_calls else "stop"
    return known


def _refusal(body: dict[str, Any], text: str) -> str:
    details = body.get("stop_details")
    said = as_text(details.get("explanation")) if type(details) is dict else ""
    return said or text or "the model refused"


class MessagesReader(Reader):
    protocol: ClassVar[ProtocolName] = "anthropic"
    marks: ClassVar[tuple[bytes, ...]] = (b"message_delta", b"message_stop", b"event: error", b'"error"')

    def _look(self, name: str, body: dict[str, Any]) -> None:
        match body.get("type") or name:
            case "content_block_delta":
                self.committed = self.committed or _is_content(body["delta"])
            case "content_block_start":
                kind = body["content_block"]["type"]
                if kind != "text" and kind not in _THINKING:
                    self.committed = True
            case "message_delta":
                if body["delta"].get("stop_reason") is not None:
                    self.finish_seen = True
            case "message_stop":
                self.ended = self.finish_seen and self.error is None
            case "error":
                self._failed(body.get("error") or body)

    def _assembler(self) -> Assembler:
        return _Events()


def _is_content(delta: dict[str, Any]) -> bool:
    """A signature alone shows nothing; any piece of text, thinking or tool input does."""
    return any(value for key, value in delta.items() if key not in ("type", "signature"))


class _Events:
    """A message out of its blocks."""

    def __init__(self) -> None:
        self.message: dict[str, Any] = {}
        self.usage: dict[str, Any] = {}
        self.blocks: dict[int, dict[str, Any]] = {}
        self.pieces: dict[int, list[str]] = {}
        self.stopped = False

    def take(self, name: str, body: dict[str, Any]) -> None:
        match body.get("type") or name:
            case "message_start":
                self.message = dict(body["message"])
                usage = self.message.get("usage")
                self.usage = dict(usage) if type(usage) is dict else {}
            case "content_block_start":
                self.blocks[int(body["index"])] = dict(body["content_block"])
            case "content_block_delta":
                delta = body["delta"]
                piece = delta.get("text") or delta.get("partial_json")
                if type(piece) is str:
                    self.pieces.setdefault(int(body["index"]), []).append(piece)
            case "message_delta":
                self.message.update({key: value for key, value in body["delta"].items() if value is not None})
                # The counts here are of the whole message so far, and nulls say nothing.
                counts = body.get("usage")
                if type(counts) is dict:
                    self.usage.update({key: value for key, value in counts.items() if value is not None})
            case "message_stop":
                self.stopped = True

    def reply(self) -> tuple[ReplyFacts, str]:
        content = [self._block(index) for index in sorted(self.blocks.keys() | self.pieces.keys())]
        wrong = "" if self.stopped else "it ended without message_stop"
        if self.stopped and self.message.get("stop_reason") is None:
            wrong = "it ended without a stop reason"
        # The counts of a broken stream are those of its beginning.
        usage = self.usage if self.message.get("stop_reason") is not None else None
        try:
            facts, empty = message_facts({**self.message, "content": content, "usage": usage})
        except (LookupError, TypeError, AttributeError) as error:
            facts, empty = message_facts({**self._words(), "content": []})
            wrong = wrong or f"a block is not of the protocol ({error})"
        return facts, wrong or ("it is empty" if empty else "")

    def _block(self, index: int) -> dict[str, Any]:
        block = self.blocks.get(index, {"type": "text"})
        pieces = "".join(self.pieces.get(index, ()))
        match block.get("type"):
            case "text":
                return {**block, "text": as_text(block.get("text")) + pieces}
            case "tool_use" if pieces:
                return {**block, "input": pieces}
        return block

    def _words(self) -> dict[str, Any]:
        return {key: self.message.get(key) for key in ("id", "model", "stop_reason")}
