"""Load on one HTTP server, from a process of its own; prints what it saw as one JSON line.

Closed loop: each connection asks again as soon as it has its answer. Open loop (`--rate`): calls leave when their
time has come, whether the earlier ones have been answered or not.
"""

import argparse
import asyncio
import json
import random
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from benchmarks import _gateway_wire as wire
from benchmarks._figures import percentile
from benchmarks._gateway_loop import run
from benchmarks._gateway_process import cpu_s, rss_kb

ANSWERS_S_MAX = 15.0  # Beyond the time of the order, for answers that are still on their way.
RSS_SAMPLES = 20
TROUBLE_CHARS_MAX = 800
SEED = 7


@dataclass(frozen=True)
class Order:
    """`calls`: stop after that many instead of after `seconds`. `rate`: open loop, calls per second."""

    port: int
    key: str
    connections: int
    seconds: float
    warm_s: float = 0.5
    streamed: bool = False
    spaced: bool = False
    rate: float = 0.0
    calls: int = 0
    pid: int = 0  # Of the server, whose processor time and memory are read.

    def arguments(self) -> list[str]:
        said = {name: value for name, value in asdict(self).items() if value is not False}
        return [
            f"--{name.replace('_', '-')}" if value is True else f"--{name.replace('_', '-')}={value}"
            for name, value in said.items()
        ]

    @classmethod
    def parse(cls) -> "Order":
        parser = argparse.ArgumentParser()
        for name in ("port", "connections", "calls", "pid"):
            parser.add_argument(f"--{name}", type=int, required=True)
        for name in ("seconds", "warm-s", "rate"):
            parser.add_argument(f"--{name}", type=float, required=True)
        parser.add_argument("--key", required=True)
        for name in ("streamed", "spaced"):
            parser.add_argument(f"--{name}", action="store_true")
        return cls(**vars(parser.parse_args()))


@dataclass
class Tally:
    """What happened since the warm-up ended."""

    cpu_s: float = 0.0
    began: float = field(default_factory=time.perf_counter)
    laps: list[float] = field(default_factory=list)
    answered: int = 0
    bytes_in: int = 0
    bad: int = 0
    first_trouble: str = ""

    def trouble(self, what: str) -> None:
        self.bad += 1
        self.first_trouble = self.first_trouble or what[:TROUBLE_CHARS_MAX]


class Load:
    """All connections of one run, and what they have seen."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.request = wire.request(order.key, wire.question(order.streamed, order.spaced))
        self.tally = Tally(cpu_s(order.pid))
        self.free: deque[Caller] = deque()
        self.answered = 0  # Since the start, the warm-up included.
        self.sent = 0
        self.reply_bytes = 0
        self.stopping = False  # Nobody asks again.

    def warmed(self) -> None:
        self.tally = Tally(cpu_s(self.order.pid))

    def done(self, caller: "Caller", seconds: float, reply: bytearray) -> None:
        tally = self.tally
        self.answered += 1
        tally.answered += 1
        tally.laps.append(seconds)
        self.reply_bytes = len(reply)
        if not wire.is_good(reply, self.order.streamed):
            tally.trouble(bytes(reply[:TROUBLE_CHARS_MAX]).decode("latin-1"))
        if self.order.rate:
            self.free.append(caller)
        elif not self.stopping:
            caller.ask()

    def calls(self) -> float:
        """Streams by their bytes, so that those under way at the start and the end count for what came of them."""
        if self.order.streamed and self.reply_bytes:
            return self.tally.bytes_in / self.reply_bytes
        return float(self.tally.answered)

    def found(self) -> dict[str, float | int | str | None]:
        tally, calls = self.tally, self.calls()
        seconds = time.perf_counter() - tally.began
        cpu = cpu_s(self.order.pid) - tally.cpu_s
        return {
            "calls": round(calls, 1),
            "seconds": seconds,
            "per_s": calls / seconds,
            "p50_ms": percentile(tally.laps, 50) * 1e3 if tally.laps else None,
            "p99_ms": percentile(tally.laps, 99) * 1e3 if tally.laps else None,
            "cpu_us": cpu * 1e6 / calls if calls else None,
            "rss_kb": rss_kb(self.order.pid),
            "bad": tally.bad,
            "first_trouble": tally.first_trouble,
        }


class Caller(asyncio.Protocol):
    """One connection, one call at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._reply = bytearray()
        self._asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods alone.

    def ask(self) -> None:
        self._reply.clear()
        self._load.sent += 1
        self._asked_at = time.perf_counter()
        self.transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._reply += data
        self._load.tally.bytes_in += len(data)
        if wire.is_complete(self._reply):
            self._load.done(self, time.perf_counter() - self._asked_at, self._reply)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._load.stopping or self._load.order.rate:
            self._load.tally.trouble(f"the connection was lost: {exc}")


async def _connected(load: Load) -> Caller:
    _, caller = await asyncio.get_running_loop().create_connection(
        lambda: Caller(load), "127.0.0.1", load.order.port
    )
    return caller


async def _closed(load: Load) -> dict[str, Any]:
    for caller in [await _connected(load) for _ in range(load.order.connections)]:
        caller.ask()
    await asyncio.sleep(load.order.warm_s)
    load.warmed()
    await asyncio.sleep(load.order.seconds)
    since = time.perf_counter()
    # A server so slow that nothing came in time has a pace all the same.
    while not load.tally.answered and time.perf_counter() - since < ANSWERS_S_MAX:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    found = load.found()
    await _drained(load)
    return found


async def _counted(load: Load) -> dict[str, Any]:
    """For a number of calls, with the server's memory after each part of them. `seconds` is a bound."""
    for caller in [await _connected(load) for _ in range(load.order.connections)]:
        caller.ask()
    memory: list[int] = []
    while len(memory) < RSS_SAMPLES and time.perf_counter() - load.tally.began < load.order.seconds:
        await asyncio.sleep(0.01)
        if load.answered >= load.order.calls * (len(memory) + 1) / RSS_SAMPLES:
            memory.append(rss_kb(load.order.pid))
    found = load.found() | {"rss_kb_by_part": memory}
    await _drained(load)
    return found


async def _drained(load: Load) -> None:
    """Until all that was asked is answered: a server that is still busy with callers who left would be measured
    next with that on its hands.
    """
    load.stopping = True
    since = time.perf_counter()
    # Looked at again and again, because an event would have to be looked at with every answer.
    while load.answered < load.sent and time.perf_counter() - since < ANSWERS_S_MAX:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def _open(load: Load) -> dict[str, Any]:
    """Poisson arrivals, the same for whoever is measured. A lap is counted from when the call really left."""
    chance = random.Random(SEED)
    load.free.extend([await _connected(load) for _ in range(load.order.connections)])
    due = time.perf_counter()
    measured_from = due + load.order.warm_s
    end = measured_from + load.order.seconds
    warm = False
    while due < end:
        if not warm and due >= measured_from:
            load.warmed()
            warm = True
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        due += chance.expovariate(load.order.rate)
        (load.free.popleft() if load.free else await _connected(load)).ask()
    found = load.found()
    await _drained(load)
    late = load.found()  # The slowest came after the end, and belong to it.
    return found | {name: late[name] for name in ("p50_ms", "p99_ms", "bad", "first_trouble")}


async def main() -> None:
    load = Load(Order.parse())
    how = _open if load.order.rate else _counted if load.order.calls else _closed
    found = await how(load)
    print(json.dumps(found))


if __name__ == "__main__":
    run(main())
