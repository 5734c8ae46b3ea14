"""An upstream that costs next to nothing: replays what the simulator answered once, to whoever asks.

Run as a process; prints its port as one JSON line and serves until it is ended.
"""

import asyncio
import http.client
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from airworthy.gateway.simulator import Rules, Simulator, serving
from benchmarks import _gateway_wire as wire
from benchmarks._gateway_loop import run

EVENT_S = 0.010
BACKLOG = 2048
RULES = f"""
[[rule]]
name = "terms"
reply = {json.dumps(wire.SPOKEN)}
"""


@dataclass(frozen=True)
class Canned:
    """What is replayed: `parts` are the events of a stream, `burst` is all of it at once."""

    whole: bytes
    head: bytes
    parts: Sequence[bytes]

    @property
    def burst(self) -> bytes:
        return self.head + b"".join(self.parts)


def from_simulator() -> Canned:
    """Without its rate-limit headers: said again and again they would teach a gateway a pace that is nobody's."""
    simulator = Simulator(seed=7, rules=Rules.parse(RULES), models=(wire.MODEL,))
    with serving(simulator) as url:
        headers, body = _asked(url, wire.question(streamed=False))
        stream_headers, stream_body = _asked(url, wire.question(streamed=True))
    return Canned(wire.whole(headers, body), wire.stream_head(stream_headers), wire.stream_parts(stream_body))


def _asked(url: str, body: bytes) -> tuple[list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.request(
            "POST", wire.PATH, body, {"content-type": "application/json", "authorization": "Bearer x"}
        )
        reply = connection.getresponse()
        said = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"the simulator answered {reply.status}: {said[:200]!r}")
        return [(name, value) for name, value in reply.getheaders() if "ratelimit" not in name.lower()], said
    finally:
        connection.close()


class Replay(asyncio.Protocol):
    """One connection; keeps alive, one request after the other."""

    def __init__(self, canned: Canned) -> None:
        self._canned = canned
        self._burst = canned.burst
        self._buffer = b""
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods alone.

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(wire.END_OF_HEAD)) >= 0:
            start = end + len(wire.END_OF_HEAD)
            length = wire.length_of(self._buffer[:start]) or 0
            if len(self._buffer) < start + length:
                return
            body = self._buffer[start : start + length]
            self._buffer = self._buffer[start + length :]
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        if not wire.asks_for_stream(body):
            self._transport.write(self._canned.whole)
        elif wire.SPACED.encode() in body:
            self._transport.write(self._canned.head)
            self._next = 0
            self._event()
        else:
            self._transport.write(self._burst)

    def _event(self) -> None:
        self._transport.write(self._canned.parts[self._next])
        self._next += 1
        more = self._next < len(self._canned.parts)
        self._timer = asyncio.get_running_loop().call_later(EVENT_S, self._event) if more else None


async def serve() -> None:
    canned = from_simulator()
    server = await asyncio.get_running_loop().create_server(
        lambda: Replay(canned), "127.0.0.1", 0, backlog=BACKLOG
    )
    port = server.sockets[0].getsockname()[1]
    said = {
        "port": port,
        "events": len(canned.parts),
        "whole_bytes": len(canned.whole),
        "stream_bytes": len(canned.burst),
    }
    print(json.dumps(said), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    run(serve())
