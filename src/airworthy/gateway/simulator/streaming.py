"""Faults of a stream: each turns the events of a right answer into a stream that goes wrong on its way."""

import random
from dataclasses import replace

from airworthy.gateway.simulator.answer import Answer, Chunk
from airworthy.gateway.simulator.dialects.port import Dialect, Stream
from airworthy.gateway.simulator.faults import KINDS, Fault

# Kinds that only a stream gives something to work on.
STREAM = {name for name in KINDS if name.startswith("stream_")}
_HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


def streamed(stream: Stream) -> Answer:
    return _answer([*stream.opening, *stream.content, *stream.ending])


def spoilt(stream: Stream, fault: Fault, dialect: Dialect, chance: random.Random) -> Answer:
    """`fault` is of a kind in STREAM."""
    middle = -(-len(stream.content) // 2)
    before = [*stream.opening, *stream.content[:middle]]
    after = [*stream.content[middle:], *stream.ending]
    form = fault.variant or chance.choice(KINDS[fault.kind].variants or ("",))
    match fault.kind:
        case "stream_wait":
            rest = _answer([*stream.content, *stream.ending], first_s=fault.seconds)
            return replace(rest, chunks=(*_answer(stream.opening).chunks, *rest.chunks))
        case "stream_stall":
            rest = _answer(after, first_s=fault.seconds)
            return replace(rest, chunks=(*_answer(before).chunks, *rest.chunks))
        case "stream_trickle":
            return _answer([*before, *after], first_s=fault.seconds, other_s=fault.seconds)
        case "stream_cut":
            made = _answer(stream.opening if form == "early" else before)
            return replace(made, ending="reset" if form == "reset" else "cut")
        case "stream_no_end":
            end = stream.ending[:-1] if form == "no_done" else ()
            return _answer([*stream.opening, *stream.content, *end])
        case "stream_garbage":
            return _answer([*before, dialect.broken_event(), *after])
        case _:
            told = stream.opening if form == "early" else before
            return _answer([*told, dialect.error_event(len(told))])


def _answer(events: tuple[bytes, ...] | list[bytes], *, first_s: float = 0.0, other_s: float = 0.0) -> Answer:
    chunks = tuple(Chunk(other_s if index else first_s, event) for index, event in enumerate(events))
    return Answer(200, b"", _HEADERS, chunks=chunks)
