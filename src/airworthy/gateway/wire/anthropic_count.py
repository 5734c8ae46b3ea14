"""The Anthropic protocol that counts a request's tokens; it costs nothing and writes nothing."""

from collections.abc import Mapping
from typing import Any

from airworthy.gateway.errors import ModelMalformed
from airworthy.gateway.wire import asking
from airworthy.gateway.wire.anthropic_form import common, error_body
from airworthy.gateway.wire.counts import usage
from airworthy.gateway.wire.facts import ReplyFacts, RequestFacts
from airworthy.gateway.wire.failure import ProtocolName, error_inside
from airworthy.gateway.wire.messages_reply import MessagesReader
from airworthy.gateway.wire.openai_form import reply_object
from airworthy.gateway.wire.splice import with_values


class CountTokens:
    name = "count_tokens"
    protocol: ProtocolName = "anthropic"
    path = "/messages/count_tokens"

    def read_request(self, raw: bytes) -> RequestFacts:
        body = asking.parsed(raw)
        model, tools, user = common(body)
        return RequestFacts(model=model, stream=False, body=body, output_tokens_max=0, tools=tools, user=user)

    def spliced(
        self,
        raw: bytes,
        facts: RequestFacts,
        *,
        model: str | None,
        output_tokens_max: int | None,  # noqa: ARG002  # nothing is written
        include_usage: bool,  # noqa: ARG002  # there is none
    ) -> bytes:
        return with_values(raw, facts, model)

    def read_reply(self, raw: bytes) -> ReplyFacts:
        """The count is given as text, and the usage is nothing: counting is free."""
        body = reply_object(raw, "count")
        if body.get("type") == "error" or body.get("error"):
            raise error_inside("anthropic", "The model server", body.get("error") or body)
        count = body.get("input_tokens")
        if not usage(count, 0, 0, (0, 0), 0, 0, 0).known:
            raise ModelMalformed("The reply is JSON but no count of tokens.", billed=True)
        return ReplyFacts(text=str(count), finish="stop", usage=usage(0, 0, 0, (0, 0), 0, 0, 0))

    def stream_reader(self, bytes_max: int) -> MessagesReader:
        """Never needed: a request of this protocol is never a stream."""
        return MessagesReader(bytes_max)

    def error_body(self, status: int, kind: str, message: str, code: str) -> bytes:
        return error_body(status, kind, message, code)

    def stop_reply(
        self,
        model: str,  # noqa: ARG002  # an error names no model
        text: str,
        facts: RequestFacts,  # noqa: ARG002
        evidence: Mapping[str, Any],  # noqa: ARG002
    ) -> list[bytes]:
        """A count cannot say why it ended: an error body, to be sent with 402."""
        return [error_body(402, "billing_error", text, "airworthy_stop")]
