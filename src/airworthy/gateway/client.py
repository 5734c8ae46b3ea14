"""What a model client is, and the one for OpenAI's chat completions: one request, one reply or one named error."""

import asyncio
from dataclasses import dataclass

from airworthy.core.clock import Clock, SystemClock
from airworthy.gateway.errors import ModelTimeout
from airworthy.gateway.http import Address, HttpClient, HttpUpstream
from airworthy.gateway.upstream import Sent
from airworthy.gateway.wire.failure import classify

OPENAI_URL = "https://api.openai.com/v1"
REPLY_BYTES_MAX = 32 * 1024 * 1024
OK = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is served. The key stays out of `repr`, so that no trace can show it."""

    base_url: str
    api_key: str

    def __repr__(self) -> str:
        return f"Endpoint(base_url={self.base_url!r}, api_key={'set' if self.api_key else 'none'})"


class OpenAIClient:
    """A `ModelClient` over HTTP: keeps connections open, and belongs to the event loop it is first used in."""

    def __init__(self, endpoint: Endpoint, clock: Clock | None = None) -> None:
        self.endpoint = endpoint
        self._clock = clock if clock is not None else SystemClock()
        self._upstream = HttpUpstream(HttpClient(Address.of(endpoint.base_url)), lambda: endpoint.api_key)

    async def complete(self, body: bytes, timeout_s: float) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self._upstream.send(Sent("/chat/completions", body, {}, timeout_s))
                try:
                    raw = await reply.read(REPLY_BYTES_MAX)
                finally:
                    reply.close()
        except TimeoutError as error:
            raise ModelTimeout(
                f"No reply from {self.endpoint.base_url} within {timeout_s:g} s.",
                mend="Raise timeout_s of the model, or name a fallback model.",
                billed=True,
            ) from error
        if reply.status != OK:
            where = self.endpoint.base_url
            raise classify("openai", where, reply.status, reply.headers, raw, self._clock.now_us())
        return raw

    async def aclose(self) -> None:
        await self._upstream.aclose()
