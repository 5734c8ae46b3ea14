"""The world outside: services that count what was really done to them, a model that bills, and their faults."""

import asyncio
import random
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from airworthy.gateway.errors import ModelMalformed, ModelOutage, ModelRateLimited, ModelTimeout
from airworthy.tools import Permanent, Transient
from tests.simulation.mortal import life_here

FAULTS = (
    "refused before", "lost before", "reset before", "permanent before", "exit before", "slow before",
    "lost after", "error after", "slow after", "exit after", "nonsense after",
)  # fmt: skip
FAULTY_CALLS_MAX = 4  # Of one label; after that the service behaves, so that worlds come to an end.
SLOW_S = 30.0
INPUT_NANO, OUTPUT_NANO = 1_000, 10_000  # per token: 1 and 10 USD a million
WINDOW = 8_000
ADDED = -10  # The payload that adds ten to a counter instead of setting it.


@dataclass(eq=False)
class Outside:
    """`effective` counts what changed something, by label; a key that comes again changes nothing."""

    seed: int
    fault_share: float
    calls: Counter[str] = field(default_factory=Counter)
    effective: Counter[str] = field(default_factory=Counter)
    keys: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    payloads: dict[str, bytes] = field(default_factory=dict)
    counters: Counter[str] = field(default_factory=Counter)
    billed_nano: Counter[int] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    forbidden: dict[str, str] = field(default_factory=dict)
    in_flight: int = 0

    def chance(self, *what: object) -> random.Random:
        return random.Random(zlib.crc32(repr((self.seed, what)).encode()))

    def fault(self, label: str, faults: tuple[str, ...]) -> str:
        self.calls[label] += 1
        chance = self.chance("fault", label, self.calls[label])
        if self.calls[label] > FAULTY_CALLS_MAX or chance.random() >= self.fault_share:
            return ""
        return chance.choice(faults)

    def pace_s(self, label: str, *around: float) -> float:
        """How long a part of a call takes."""
        return self.chance("pace", label, self.calls[label], around).choice(around)

    async def read(self, label: str) -> str:
        """No crash points of its own: what happens to a read between two commits is nobody's harm."""
        life = life_here()
        await life.alive()
        life.world.check_not_done(label)
        fault = self.fault(label, ("lost before", "permanent before", "exit before", "slow before"))
        await _fail("before", fault)
        await asyncio.sleep(self.pace_s(label, 0.0, 0.02, 0.2))
        return f"{label}/{self.calls[label]}"

    async def act(self, label: str, key: str | None, payload: Any, *, counter: str | None = None) -> str:
        """Before and after the moment at which it happens a worker may die."""
        life = life_here()
        slow = counter is None
        fault = self.fault(label, FAULTS if slow else tuple(f for f in FAULTS if not f.startswith("slow")))
        await life.point(f"before the act {label}")
        await _fail("before", fault)
        await asyncio.sleep(self.pace_s(label, 0.0, 0.05, 0.4))
        await life.alive()
        self._happens(label, key, orjson.dumps(payload), payload if counter is not None else None, counter)
        await life.point(f"after the act {label}")
        await _fail("after", fault)
        await asyncio.sleep(self.pace_s(label, 0.0, 0.05, 0.3))
        return cast("str", 0) if fault == "nonsense after" else f"{label} done"

    def _happens(self, label: str, key: str | None, payload: bytes, value: Any, counter: str | None) -> None:
        world = life_here().world
        if key is not None:
            self.keys[label].add(key)
            known = self.payloads.setdefault(key, payload)
            if known != payload:
                self.violations.append(f"key {key} came with {payload!r} after {known!r}")
            if self.effective[label] and len(self.keys[label]) == 1:
                return  # The service knows the key: it answers again and does nothing.
        if label in self.forbidden:
            self.violations.append(f"{label} happened after {self.forbidden[label]}")
        world.check_intended(label, key)
        self.effective[label] += 1
        if counter is not None and value == ADDED:
            self.counters[counter] += 10
        elif counter is not None:
            if value != self.counters[counter] + 1:
                self.violations.append(
                    f"{label} set {counter} to {value}, and it was {self.counters[counter]}: an update was lost"
                )
            self.counters[counter] = value

    async def complete(self, body: bytes, timeout_s: float) -> bytes:
        """A model that bills what it serves, at most what was asked for."""
        life = life_here()
        request = orjson.loads(body)
        label = str(request["messages"][0]["content"])
        await life.point(f"before the model call {label}")
        life.world.check_not_done(label)
        fault = self.fault(label, ("refused before", "outage before", "lost after", "malformed after"))
        if fault == "refused before":
            raise ModelRateLimited("Come back later.")
        if fault == "outage before":
            raise ModelOutage("Down.", billed=False)
        chance = self.chance("model", label, self.calls[label])
        self.in_flight += 1
        try:
            await asyncio.sleep(self.pace_s(label, 0.01, 0.2, 0.9))
            await life.alive()
        finally:
            self.in_flight -= 1
        tokens_in = chance.randint(1, len(body))
        tokens_out = chance.choice((1, 50, request["max_tokens"]))
        self.billed_nano[life.world.task_of(label)] += tokens_in * INPUT_NANO + tokens_out * OUTPUT_NANO
        self.served[label] += 1
        await life.point(f"after the model call {label}")
        if fault == "lost after":
            raise ModelTimeout("The reply was lost.", billed=True)
        if fault == "malformed after":
            raise ModelMalformed("Half a reply.", billed=True)
        return orjson.dumps({
            "model": request["model"],
            "choices": [{"message": {"content": f"{label}/{self.calls[label]}"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": tokens_in, "completion_tokens": tokens_out},
        })  # fmt: skip

    async def aclose(self) -> None:
        pass


class OutsideClient:
    """Implements `ModelClient` for whatever world the calling worker lives in."""

    async def complete(self, body: bytes, timeout_s: float) -> bytes:
        outside: Outside = life_here().world.outside
        return await outside.complete(body, timeout_s)

    async def aclose(self) -> None:
        pass


async def _fail(when: str, fault: str) -> None:
    kind, _, at = fault.partition(" ")
    if at != when:
        return
    match kind:
        case "refused":
            raise Transient("Not now.", happened="no")
        case "lost":
            raise Transient("The connection broke.", happened="maybe")
        case "reset":
            raise ConnectionResetError("reset by peer")
        case "permanent":
            raise Permanent("No.")
        case "error":
            raise ValueError("the tool has a bug")
        case "exit":
            raise SystemExit(3)
        case "slow":
            await asyncio.sleep(SLOW_S)
            raise Transient("It took too long and came to nothing.", happened="maybe")
        case _:
            pass
