"""The OpenAI embeddings protocol: no output tokens, no stream, no final message."""

from collections.abc import Mapping
from typing import Any

from airworthy.gateway.errors import ModelMalformed
from airworthy.gateway.wire import asking
from airworthy.gateway.wire.chat_reply import ChatReader
from airworthy.gateway.wire.counts import chat_usage
from airworthy.gateway.wire.facts import ReplyFacts, RequestFacts
from airworthy.gateway.wire.failure import ProtocolName, error_inside
from airworthy.gateway.wire.openai_form import error_body, reply_object, user_of
from airworthy.gateway.wire.splice import with_values


class Embeddings:
    name = "embeddings"
    protocol: ProtocolName = "openai"
    path = "/embeddings"

    def read_request(self, raw: bytes) -> RequestFacts:
        body = asking.parsed(raw)
        model = asking.model_of(body)
        asking.needed(body, "input", (str, list), "a text or a list")
        return RequestFacts(model=model, stream=False, body=body, output_tokens_max=0, user=user_of(body))

    def spliced(
        self,
        raw: bytes,
        facts: RequestFacts,
        *,
        model: str | None,
        output_tokens_max: int | None,  # noqa: ARG002  # nothing is written
        include_usage: bool,  # noqa: ARG002  # usage always comes
    ) -> bytes:
        return with_values(raw, facts, model)

    def read_reply(self, raw: bytes) -> ReplyFacts:
        body = reply_object(raw, "list of embeddings")
        if body.get("error") or body.get("object") == "error":
            raise error_inside("openai", "The model server", body.get("error") or body)
        vectors = body.get("data")
        if type(vectors) is not list or not all(
            type(entry) is dict and "embedding" in entry for entry in vectors
        ):
            raise ModelMalformed("The reply is JSON but no list of embeddings.", billed=True)
        if not vectors:
            raise ModelMalformed("The reply is empty.", billed=True)
        return ReplyFacts(
            text="",
            finish="stop",
            usage=chat_usage(body.get("usage")),
            model=asking.text(body.get("model")),
            id=asking.text(body.get("id")),
        )

    def stream_reader(self, bytes_max: int) -> ChatReader:
        """Never needed: a request of this protocol is never a stream."""
        return ChatReader(bytes_max)

    def error_body(self, status: int, kind: str, message: str, code: str) -> bytes:
        return error_body(status, kind, message, code)

    def stop_reply(
        self,
        model: str,  # noqa: ARG002  # an error names no model
        text: str,
        facts: RequestFacts,  # noqa: ARG002
        evidence: Mapping[str, Any],  # noqa: ARG002
    ) -> list[bytes]:
        """Numbers cannot say why it ended: an error body, to be sent with 402."""
        return [error_body(402, "budget_exceeded", text, "airworthy_stop")]
