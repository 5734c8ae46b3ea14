"""The port to a provider's server: one request out, one reply or stream back; knows no protocol and retries nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from airworthy.gateway.errors import ModelTimeout

JSON_HEADERS: Mapping[str, str] = {"content-type": "application/json"}


@dataclass(slots=True)
class Sent:
    """A request as it leaves. `timeout_s` bounds the wait for a whole reply; for a stream, each wait for a piece."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    timeout_s: float


class Reply(Protocol):
    """What a provider sends back. Whoever has it must `close` it, which ends a stream that is still coming."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""

    async def read(self, bytes_max: int) -> bytes:
        """The whole body. Raises: ModelTimeout, ModelMalformed when it is larger."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises: ModelTimeout between two pieces."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Upstream(Protocol):
    """A provider's server, with its address and key. One for each place; belongs to one event loop."""

    async def send(self, sent: Sent) -> Reply:
        """Raises: ModelUnreachable, ModelTimeout."""
        ...

    async def aclose(self) -> None: ...


class ModelClient(Protocol):
    """What the gateway needs of a provider; `airworthy.testing.SimulatedModel` is the fake."""

    async def complete(self, body: bytes, timeout_s: float) -> bytes:
        """The provider's body of a 200. Raises: ModelError."""
        ...

    async def aclose(self) -> None: ...


class WholeReply:
    """A reply that is here already."""

    __slots__ = ("_body", "headers", "status")

    def __init__(self, body: bytes, status: int = 200, headers: Mapping[str, str] = JSON_HEADERS) -> None:
        self.status = status
        self.headers = headers
        self._body = body

    async def read(self, bytes_max: int) -> bytes:  # noqa: ARG002  # It is here, whatever its size.
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._body

    def close(self) -> None:
        return


class OfClient:
    """A `ModelClient` as an upstream: whole chat completions only."""

    def __init__(self, client: ModelClient) -> None:
        self.client = client

    async def send(self, sent: Sent) -> Reply:
        try:
            async with asyncio.timeout(sent.timeout_s):
                return WholeReply(await self.client.complete(sent.body, sent.timeout_s))
        except TimeoutError as error:
            raise ModelTimeout(f"No reply within {sent.timeout_s:g} s.", billed=True) from error

    async def aclose(self) -> None:
        await self.client.aclose()
