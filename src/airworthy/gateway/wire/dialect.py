"""What a protocol must be able to do for the gateway, and the table of those we speak; does no I/O."""

from collections.abc import Mapping
from typing import Any, Protocol

from airworthy.gateway.errors import ModelError
from airworthy.gateway.wire.anthropic_count import CountTokens
from airworthy.gateway.wire.anthropic_messages import Messages
from airworthy.gateway.wire.facts import ReplyFacts, RequestFacts
from airworthy.gateway.wire.failure import ProtocolName
from airworthy.gateway.wire.openai_chat import ChatCompletions
from airworthy.gateway.wire.openai_embeddings import Embeddings
from airworthy.gateway.wire.openai_responses import Responses


class StreamReader(Protocol):
    """Follows one stream of server-sent events while its bytes are handed on.

    Nothing is parsed after the first content came, until `facts` is asked for.
    """

    committed: bool  # Content, a tool call or a refusal has begun: what went on cannot be taken back.
    finish_seen: bool  # The model said why it ended.
    ended: bool  # The protocol's end came as well: the stream is whole.
    error: ModelError | None  # An error event, or garbage before the commit.
    overflowed: bool  # More came than is kept; `facts` knows only the beginning and the usage.
    malformed: str  # What is wrong with the stream; filled by `facts`.

    def feed(self, chunk: bytes) -> None: ...

    def close(self) -> None:
        """The transport ended cleanly: a last event without a blank line counts, and so does an end without a mark."""
        ...

    def gist(self) -> ReplyFacts:
        """As `facts`, without the text where a whole answer is nothing but text."""
        ...

    def facts(self) -> ReplyFacts:
        """What there was, however broken. May be asked for once the stream is over."""
        ...


class Dialect(Protocol):
    """One protocol: all of its knowledge is behind these methods, none of which waits or remembers."""

    @property
    def name(self) -> str: ...

    @property
    def protocol(self) -> ProtocolName: ...

    @property
    def path(self) -> str:
        """Below the base URL, which for either protocol ends in `/v1`."""
        ...

    def read_request(self, raw: bytes) -> RequestFacts:
        """Raises: BadCall."""
        ...

    def spliced(
        self,
        raw: bytes,
        facts: RequestFacts,
        *,
        model: str | None,
        output_tokens_max: int | None,
        include_usage: bool,
    ) -> bytes:
        """The request with these values in place of its own; None leaves a value alone. The rest stays as it is."""
        ...

    def read_reply(self, raw: bytes) -> ReplyFacts:
        """Raises: ModelMalformed, and any other ModelError that the body itself reports."""
        ...

    def stream_reader(self, bytes_max: int) -> StreamReader: ...

    def error_body(self, status: int, kind: str, message: str, code: str) -> bytes: ...

    def stop_reply(
        self, model: str, text: str, facts: RequestFacts, evidence: Mapping[str, Any]
    ) -> list[bytes]:
        """A normal last message in place of a model's: one body, or all chunks of a stream."""
        ...


_ALL: tuple[Dialect, ...] = (ChatCompletions(), Responses(), Embeddings(), Messages(), CountTokens())
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in _ALL}
