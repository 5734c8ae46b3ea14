"""Reads replies of the OpenAI Responses protocol, whole or in pieces."""

from typing import Any, ClassVar

import orjson

from airworthy.gateway.errors import ModelMalformed, ModelOutage
from airworthy.gateway.wire.asking import named
from airworthy.gateway.wire.asking import text as as_text
from airworthy.gateway.wire.counts import responses_usage
from airworthy.gateway.wire.facts import Finish, ProposedCall, ReplyFacts
from airworthy.gateway.wire.failure import ProtocolName, error_inside
from airworthy.gateway.wire.openai_form import reply_object
from airworthy.gateway.wire.reading import Assembler, Reader

# Work that the caller is asked to do, besides functions; all other calls are carried out by the provider.
_FOR_THE_CALLER = frozenset(("computer_call", "local_shell_call", "shell_call", "apply_patch_call"))
_INCOMPLETE: dict[str, Finish] = {
    "max_output_tokens": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}
# A background response is only promised yet; it is asked for again later.
PROMISED = frozenset(("queued", "in_progress"))


def read_response(raw: bytes) -> ReplyFacts:
    """Raises: ModelError."""
    body = reply_object(raw, "response")
    status = body.get("status")
    if body.get("error") or status == "failed":
        raise error_inside("openai", "The model server", body.get("error") or {"message": "it failed"})
    if status == "cancelled":
        raise ModelOutage("The response was cancelled at the model server.", billed=True)
    try:
        facts, empty = response_facts(body)
    except (LookupError, TypeError, AttributeError) as error:
        raise ModelMalformed(
            f"The reply is JSON but no response ({type(error).__name__}: {error}).", billed=True
        ) from error
    if empty and status not in PROMISED:
        raise ModelMalformed("The reply is empty.", billed=True)
    return facts


def response_facts(body: dict[str, Any]) -> tuple[ReplyFacts, bool]:
    """The facts, and whether there is nothing in it. Raises: LookupError, TypeError, AttributeError."""
    texts: list[str] = []
    refusals: list[str] = []
    calls: list[ProposedCall] = []
    other = False
    for item in body["output"]:
        match item["type"]:
            case "message":
                for part in item.get("content") or ():
                    texts.append(as_text(part.get("text")))
                    refusals.append(as_text(part.get("refusal")))
            case "reasoning":
                pass  # Thinking is no answer.
            case kind:
                other = True
                call = _call(kind, item, len(calls))
                if call is not None:
                    calls.append(call)
    text, refusal = "".join(texts), "".join(refusals)
    finish = _finish(body, has_calls=bool(calls), refused=bool(refusal))
    empty = not text and not refusal and not other and finish == "stop"
    return ReplyFacts(
        text,
        finish,
        responses_usage(body.get("usage")),
        tuple(calls),
        refusal,
        as_text(body.get("model")),
        as_text(body.get("system_fingerprint")),
        as_text(body.get("id")),
        as_text(body.get("service_tier")),
    ), empty


def _call(kind: str, item: dict[str, Any], position: int) -> ProposedCall | None:
    identity = as_text(item.get("call_id")) or as_text(item.get("id")) or f"call_{position}"
    if kind == "function_call":
        return ProposedCall(identity, named(item), as_text(item.get("arguments")) or "{}")
    if kind == "custom_tool_call":
        return ProposedCall(identity, named(item), as_text(item.get("input")))
    if kind in _FOR_THE_CALLER:
        action = item.get("action") or item.get("operation") or {}
        return ProposedCall(identity, kind, orjson.dumps(action).decode())
    return None


def _finish(body: dict[str, Any], *, has_calls: bool, refused: bool) -> Finish:
    if refused:
        return "refusal"
    if body.get("status") == "incomplete":
        details = body.get("incomplete_details")
        reason = details.get("reason") if type(details) is dict else None
        # Incomplete for a reason nobody knows is cut all the same.
        return _INCOMPLETE.get(as_text(reason), "length")
    return "tool_calls" if has_calls else "stop"


class ResponsesReader(Reader):
    protocol: ClassVar[ProtocolName] = "openai"
    marks: ClassVar[tuple[bytes, ...]] = (
        b"response.completed", b"response.incomplete", b"response.failed", b"response.cancelled", b'"error"',
        b"event: error",
    )  # fmt: skip

    def _look(self, name: str, body: dict[str, Any]) -> None:
        kind = body.get("type") or name
        if kind in ("error", "response.failed") or (body.get("error") and "type" not in body):
            response = body.get("response")
            self._failed(response.get("error") if type(response) is dict else body.get("error") or body)
        elif kind in ("response.completed", "response.incomplete"):
            self.finish_seen = True
            self.ended = self.error is None
        elif kind == "response.cancelled":
            self._failed({"message": "the response was cancelled"})
        elif not self.committed:
            self.committed = _is_content(kind, body)

    def _assembler(self) -> Assembler:
        return _Events()


def _is_content(kind: str, body: dict[str, Any]) -> bool:
    if kind == "response.output_item.added":
        return body["item"].get("type") not in ("message", "reasoning")
    return kind.endswith(".delta") and body.get("delta") not in (None, "")


class _Events:
    """The last event holds the whole response; without it there are the items that were done, and pieces of text."""

    def __init__(self) -> None:
        self.last: dict[str, Any] | None = None
        self.head: dict[str, Any] = {}
        self.items: dict[int, dict[str, Any]] = {}
        self.deltas: dict[int, list[str]] = {}

    def take(self, name: str, body: dict[str, Any]) -> None:
        match body.get("type") or name:
            case "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled":
                self.last = body["response"]
                if type(self.last) is not dict:
                    raise TypeError("a response that is no object")
            case "response.created" | "response.in_progress" | "response.queued":
                self.head = dict(body["response"])
            case "response.output_item.added" | "response.output_item.done":
                self.items[int(body["output_index"])] = dict(body["item"])
            case (
                "response.output_text.delta"
                | "response.refusal.delta"
                | "response.function_call_arguments.delta"
                | "response.custom_tool_call_input.delta"
            ):
                self.deltas.setdefault(int(body["output_index"]), []).append(str(body["delta"]))

    def reply(self) -> tuple[ReplyFacts, str]:
        if self.last is not None:
            try:
                facts, empty = response_facts(self._whole(self.last))
                return facts, "it is empty" if empty else ""
            except (LookupError, TypeError, AttributeError) as error:
                return response_facts({"output": []})[0], f"its last event holds no response ({error})"
        wrong = "it ended without its last event"
        try:
            return response_facts({**self.head, "output": self._pieces()})[0], wrong
        except (LookupError, TypeError, AttributeError):
            return response_facts({"output": []})[0], wrong

    def _whole(self, last: dict[str, Any]) -> dict[str, Any]:
        # Some servers leave the output out of the last event, because it was sent already.
        return last if last.get("output") else {**last, "output": self._pieces()}

    def _pieces(self) -> list[dict[str, Any]]:
        pieces = []
        for index in sorted(self.items.keys() | self.deltas.keys()):
            item = self.items.get(index, {"type": "message"})
            text = "".join(self.deltas.get(index, ()))
            match item.get("type"):
                case "message" if not item.get("content"):
                    item = {**item, "content": [{"type": "output_text", "text": text}]}
                case "function_call" if not item.get("arguments"):
                    item = {**item, "arguments": text}
                case "custom_tool_call" if not item.get("input"):
                    item = {**item, "input": text}
            pieces.append(item)
        return pieces
