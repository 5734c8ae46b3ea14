"""One trial while it is played: its script, which of its calls are under way, what answered them, what is to fail."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from airworthy.core.canonical import decode, encode
from airworthy.evals import Asked
from airworthy.preflight.stage.recording import ToolResult
from airworthy.preflight.stage.script import Script
from airworthy.preflight.stage.world import World
from airworthy.resilience.chaos import Fault


@dataclass(slots=True)
class OneCall:
    """A call of a tool or a model, however often it is tried: by a guard, or by a later run of its task. `nth`: of its
    name, from 1; `nth_of_all`: of any. `done`: it was answered, so the same request again is another call.
    """

    name: str
    nth: int
    nth_of_all: int
    tries: int = 0
    done: bool = False


@dataclass(slots=True)
class Part:
    """Used from its own loop alone. `results`: what is recorded for it, in the order in which it came."""

    script: Script
    world: World
    results: Sequence[ToolResult] = ()
    task_id: str = ""
    made_up: dict[str, None] = field(default_factory=dict)
    asked: list[tuple[int, Asked]] = field(default_factory=list)
    now_us: Callable[[], int] = lambda: 0  # By the clock of whoever plays it.
    model_calls_made: int = 0
    over: bool = False  # Nobody waits for it any more; nothing live is asked for it.
    lost: Exception | None = None  # What ended it from our side, such as the cap.
    tool_calls: dict[str, OneCall] = field(default_factory=dict)
    model_calls: dict[bytes, OneCall] = field(default_factory=dict)
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311  # no secret
    _known: Mapping[tuple[str, bytes], list[ToolResult]] | None = None
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _turns: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    _turn_of: dict[str, int] = field(default_factory=dict)

    def tool_call(self, name: str, identity: str) -> OneCall:
        """`identity`: the same for every try of this very call."""
        call = self.tool_calls.get(identity)
        if call is None:
            call = self.tool_calls[identity] = self._new("tool", name)
        return call

    def model_call(self, asked: bytes) -> OneCall:
        call = self.model_calls.get(asked)
        if call is None or call.done:
            call = self.model_calls[asked] = self._new("model", "")
        return call

    def fault(self, on: str, name: str, call: OneCall) -> Fault | None:
        """What this try of the call meets, if anything. To be asked once a try."""
        for placed in self.script.faults:
            if placed.on != on or (placed.name and placed.name != name):
                continue
            if placed.nth == call.nth and (placed.fault.when == "always" or call.tries == 1):
                return placed.fault
        return None

    def turn(self, name: str, arguments: bytes, identity: str) -> int:
        """How many calls of the same arguments came before this one, tries of it apart."""
        if identity not in self._turn_of:
            self._turn_of[identity] = self._turns[name, arguments]
            self._turns[name, arguments] += 1
        return self._turn_of[identity]

    def recorded(self, name: str, arguments: bytes, turn: int) -> ToolResult | None:
        """What came the same time before; the last there is, where it was called less often."""
        if self._known is None:
            self._known = by_arguments(self.results)
        found = self._known.get((name, arguments))
        return None if not found else found[min(turn, len(found) - 1)]

    def passed(self, name: str, arguments: Any) -> None:
        """A call of the time before the trial begins: the next one of these arguments is answered by what came next."""
        self._turns[name, encode(arguments)] += 1

    def _new(self, on: str, name: str) -> OneCall:
        self._counts[on, name] += 1
        self._counts[on, "*"] += 1
        return OneCall(name, self._counts[on, name], self._counts[on, "*"])


@dataclass(frozen=True, slots=True)
class Now:
    """Whose call is under way, and which: for what stands in where nobody hands that on."""

    part: Part
    identity: str = ""
    asked: bytes = b""


now: ContextVar[Now | None] = ContextVar("airworthy_stage_now", default=None)


def by_arguments(results: Sequence[ToolResult]) -> dict[tuple[str, bytes], list[ToolResult]]:
    found: dict[tuple[str, bytes], list[ToolResult]] = defaultdict(list)
    for each in results:
        found[each.tool, encode(each.arguments)].append(each)
    return found


def plain(value: Any) -> Any:
    """As JSON data."""
    return decode(encode(value))
