"""One request to one place: sent, bounded, read whole or opened as a stream, its failures named. Retries nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from airworthy.core.clock import US_PER_S, Clock
from airworthy.gateway.carry import Visit
from airworthy.gateway.errand import Prepared
from airworthy.gateway.errors import ModelError, ModelMalformed, ModelTimeout
from airworthy.gateway.pacing import Limits
from airworthy.gateway.place import Place
from airworthy.gateway.upstream import Reply, Sent
from airworthy.gateway.wire.dialect import StreamReader
from airworthy.gateway.wire.facts import ReplyFacts
from airworthy.gateway.wire.failure import classify
from airworthy.gateway.wire.limits import Limits as Said
from airworthy.gateway.wire.limits import read_limits

REPLY_BYTES_MAX = 32 * 1024 * 1024
TOO_MANY = 429
ERROR_BYTES_MAX = 256 * 1024
KEPT_BYTES_MAX = 8 * 1024 * 1024  # Of a stream, to be counted and recorded afterwards.
# Before the first words of a stream only roles, pings and comments come, and in the Responses protocol the request's
# instructions once or twice again; more than that is no answer.
OPENING_CHUNKS_MAX, OPENING_BYTES_MAX = 4_096, 4 * 1024 * 1024


@dataclass(slots=True)
class Fetched:
    """A whole reply in the words of the place that gave it."""

    raw: bytes
    facts: ReplyFacts


@dataclass(slots=True)
class Opened:
    """A stream that has begun to say something: `chunks` came so far, the rest comes from `rest`."""

    reply: Reply
    rest: AsyncIterator[bytes]
    reader: StreamReader
    chunks: list[bytes]
    over: bool


class Fetcher:
    """Stateless but for the clock; shared by all calls."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def whole(self, visit: Visit, prepared: Prepared, timeout_s: float) -> Fetched:
        """Raises: ModelError."""
        place = visit.place
        reply = await place.upstream.send(_sent(prepared, timeout_s))
        try:
            raw = await reply.read(REPLY_BYTES_MAX if reply.status == 200 else ERROR_BYTES_MAX)
            self._learn(visit, reply)
        finally:
            reply.close()
        if reply.status != 200:
            raise self._failure(place, prepared, reply, raw)
        facts = prepared.dialect.read_reply(raw)
        counted(place, prepared, facts)
        return Fetched(raw, facts)

    async def opened(self, visit: Visit, prepared: Prepared, timeout_s: float) -> Opened:
        """Waits for the first words, so that another place can still be asked when none come. Raises: ModelError."""
        place = visit.place
        reply: Reply | None = None
        opened: Opened | None = None
        try:
            async with asyncio.timeout(timeout_s):
                reply = await place.upstream.send(_sent(prepared, timeout_s))
                self._learn(visit, reply)
                if reply.status != 200:
                    raise self._failure(place, prepared, reply, await reply.read(ERROR_BYTES_MAX))
                if "json" in reply.headers.get("content-type", ""):
                    raise self._not_a_stream(place, prepared, await reply.read(ERROR_BYTES_MAX))
                opened = await _begun(place, prepared, reply)
                visit.closes = reply.close
                return opened
        except TimeoutError as error:
            raise _late(place, timeout_s) from error
        finally:
            if reply is not None and opened is None:
                reply.close()

    def _learn(self, visit: Visit, reply: Reply) -> None:
        said = read_limits(reply.headers)
        limits = None if said is None else _paced(said)
        visit.place.pacer.learn(limits, status=reply.status, sent_us=visit.sent_us, taken=visit.tokens)

    def _failure(self, place: Place, prepared: Prepared, reply: Reply, raw: bytes) -> ModelError:
        now_us = self._clock.now_us()
        where = place.rule.address or place.rule.name
        error = classify(prepared.dialect.protocol, where, reply.status, reply.headers, raw, now_us)
        if reply.status == TOO_MANY and error.retry_after_s is not None:
            place.pacer.hold_until(now_us + round(error.retry_after_s * US_PER_S))
        return error

    def _not_a_stream(self, place: Place, prepared: Prepared, raw: bytes) -> ModelError:
        """Asked for a stream, a server answered with a body: an error in a 200, or a server that cannot stream."""
        try:
            prepared.dialect.read_reply(raw)
        except ModelError as error:
            return error
        return ModelMalformed(
            f"{place.rule.name} was asked for a stream and answered with a whole body.", billed=True
        )


def _paced(said: Said) -> Limits:
    """One count of tokens: where input and output are bounded apart, the input, which runs out first."""
    tokens = said.tokens if said.tokens.limit is not None else said.tokens_in
    requests = said.requests
    return Limits(
        requests.limit, requests.remaining, requests.reset_s, tokens.limit, tokens.remaining, tokens.reset_s
    )


def counted(place: Place, prepared: Prepared, facts: ReplyFacts) -> None:
    """The place has said how many tokens a body has: the next estimate is the better for it."""
    if facts.usage.known:
        place.estimate.learn(prepared.body, facts.usage.tokens_in)


async def _begun(place: Place, prepared: Prepared, reply: Reply) -> Opened:
    reader = prepared.dialect.stream_reader(KEPT_BYTES_MAX)
    rest = reply.chunks()
    chunks: list[bytes] = []
    size = 0
    async for chunk in rest:
        reader.feed(chunk)
        chunks.append(chunk)
        size += len(chunk)
        if reader.error is not None:
            raise reader.error
        if reader.committed or reader.ended:
            return Opened(reply, rest, reader, chunks, over=False)
        if len(chunks) > OPENING_CHUNKS_MAX or size > OPENING_BYTES_MAX:
            raise ModelMalformed(
                f"The stream of {place.rule.name} said nothing in its first {size} bytes.", billed=True
            )
    reader.close()
    if reader.error is not None:
        raise reader.error
    if not (reader.committed or reader.ended or reader.finish_seen):
        raise ModelMalformed(
            f"The stream of {place.rule.name} ended before it said anything ({size} bytes).", billed=True
        )
    return Opened(reply, rest, reader, chunks, over=True)


def _sent(prepared: Prepared, timeout_s: float) -> Sent:
    return Sent(prepared.path, prepared.body, prepared.headers, timeout_s)


def _late(place: Place, timeout_s: float) -> ModelTimeout:
    return ModelTimeout(
        f"No reply of {place.rule.name} within {timeout_s:g} s.",
        mend="Raise timeout_s of the model, or name a fallback model.",
        billed=True,
    )
