"""The simulator without a socket, as client and as upstream, for virtual time. Passes the real ones' suite."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from airworthy.core.clock import Clock, SystemClock
from airworthy.gateway.errors import ModelMalformed, ModelTimeout
from airworthy.gateway.simulator.answer import Answer
from airworthy.gateway.simulator.dialects import chat, messages
from airworthy.gateway.simulator.server import Simulator
from airworthy.gateway.upstream import Reply, Sent
from airworthy.gateway.wire.failure import classify

WHERE = "the simulator"
OK = 200
BODY_BYTES_MAX = 1 << 30


class SimulatedModel:
    """Implements `ModelClient` and `Upstream`. `api_key` is what a caller over HTTP would send."""

    def __init__(self, simulator: Simulator, *, api_key: str = "", clock: Clock | None = None) -> None:
        self.simulator = simulator
        self._api_key = api_key
        self._clock = clock if clock is not None else SystemClock()

    async def complete(self, body: bytes, timeout_s: float) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self.send(Sent(chat.PATH.removeprefix("/v1"), body, {}, timeout_s))
                raw = await reply.read(BODY_BYTES_MAX)
        except TimeoutError as error:
            raise _silent(timeout_s) from error
        if reply.status != OK:
            raise classify("openai", WHERE, reply.status, reply.headers, raw, self._clock.now_us())
        return raw

    async def send(self, sent: Sent) -> Reply:
        # What the way there over HTTP adds by itself.
        headers = {"authorization": f"Bearer {self._api_key}", **sent.headers}
        if sent.path.startswith(messages.PATH.removeprefix("/v1")):
            headers.setdefault("anthropic-version", "2023-06-01")
        answer = self.simulator.answered("POST", f"/v1{sent.path}", headers, sent.body)
        await _waited(answer.delay_s, sent.timeout_s)
        if not answer.status:
            if answer.ending == "open":
                await _waited(sent.timeout_s, sent.timeout_s)
            raise _broke()
        return _Simulated(answer, sent.timeout_s)

    async def aclose(self) -> None:
        return


class _Simulated:
    """Implements `Reply`."""

    def __init__(self, answer: Answer, timeout_s: float) -> None:
        self.status = answer.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in answer.headers.items()}
        self._answer = answer
        self._timeout_s = timeout_s

    async def read(self, bytes_max: int) -> bytes:
        pieces, size = [], 0
        async for piece in self.chunks():
            pieces.append(piece)
            size += len(piece)
            if size > bytes_max:
                raise ModelMalformed(f"The reply of {WHERE} is larger than {bytes_max} bytes.", billed=True)
        return b"".join(pieces)

    def chunks(self) -> AsyncIterator[bytes]:
        return self._chunks()

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        for piece in self._answer.pieces:
            await _waited(piece.delay_s, self._timeout_s)
            yield piece.data
        if self._answer.ending == "open":
            await _waited(self._timeout_s, self._timeout_s)
        if self._answer.ending != "whole":
            raise _broke()

    def close(self) -> None:
        return


async def _waited(delay_s: float, timeout_s: float) -> None:
    await asyncio.sleep(min(delay_s, timeout_s))
    if delay_s >= timeout_s:
        raise _silent(timeout_s)


def _silent(timeout_s: float) -> ModelTimeout:
    return ModelTimeout(f"No reply from {WHERE} within {timeout_s:g} s.", billed=True)


def _broke() -> ModelTimeout:
    return ModelTimeout(f"The connection to {WHERE} broke before the reply was whole.", billed=True)
