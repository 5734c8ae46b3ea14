"""Faults as call policies, in the shape of `retry`: put around the call itself, inside of every guard."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from airworthy.core.errors import ConfigError

T = TypeVar("T")
When = Literal["once", "always"]
On = Literal["tool", "model"]
Strike = Callable[["Fault", Callable[[], Awaitable[T]]], Awaitable[T]]

SILENCE_S: Final = 3_600.0  # Longer than any guard waits: whoever has none hangs for this long.
SLOW_S: Final = 1.0
RETRY_AFTER_S: Final[Mapping[str, float]] = {"http_503": 2.0, "http_429": 1.0}


@dataclass(frozen=True, slots=True)
class FaultKind:
    """`about`: what the other side does, as the end of "When the tool ...". `acts`: the call is made although it looks
    failed. `on`: what it can be put on. `passes`: the very next try may well get through, so one fault should cost no
    answer. `damages`: an answer comes, and is not whole or not true. `alike`: `once` and `always` are the same, for
    nothing makes a guard try again.
    """

    name: str
    about: str
    on: frozenset[On]
    acts: bool = False
    passes: bool = False
    damages: bool = False
    alike: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """`when`: the first try of the call only, so that a retry gets through, or every try of it. `seconds`: of kinds
    that take a time. `result`: what is reported by `not_done`, and given by `stale`; None: made from the call's own.
    """

    kind: str
    when: When = "once"
    seconds: float = 0.0
    result: Any = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"There is no fault {self.kind!r}.", mend=f"Use one of: {', '.join(KINDS)}.")

    @property
    def name(self) -> str:
        return f"{self.kind}.{self.when}"


_BOTH: Final[frozenset[On]] = frozenset(("tool", "model"))
_TOOL: Final[frozenset[On]] = frozenset(("tool",))

# In the order of a heat map: no answer, a refusal, a damaged answer, an answer that is not true.
KINDS: Final[dict[str, FaultKind]] = {
    kind.name: kind
    for kind in (
        FaultKind("http_500", "answers 500", _BOTH, passes=True),
        FaultKind("http_503", "answers 503 with Retry-After", _BOTH, passes=True),
        FaultKind("timeout", "gives no answer in time", _BOTH, passes=True),
        FaultKind("reset_before", "breaks the connection before it has done anything", _BOTH, passes=True),
        FaultKind(
            "reset_after", "breaks the connection after it has done its work", _BOTH, acts=True, passes=True
        ),
        FaultKind("slow", "answers slowly, but in time", _BOTH, acts=True, passes=True, alike=True),
        FaultKind("http_401", "answers 401, as for an expired token", _BOTH),
        FaultKind("http_404", "answers 404", _BOTH),
        FaultKind("http_429", "answers 429 with Retry-After", _BOTH, passes=True),
        FaultKind("empty", "answers with nothing", _BOTH, acts=True, passes=True, damages=True),
        FaultKind(
            "truncated", "answers with half of its answer", _BOTH, acts=True, passes=True, damages=True
        ),
        FaultKind(
            "wrong_content_type", "answers with a web page", _BOTH, acts=True, passes=True, damages=True
        ),
        FaultKind(
            "missing_field", "leaves a field of its answer out", _BOTH, acts=True, passes=True, damages=True
        ),
        FaultKind(
            "null", "answers with null where a value stands", _BOTH, acts=True, passes=True, damages=True
        ),
        FaultKind(
            "wrong_type", "answers with a value of another type", _BOTH, acts=True, passes=True, damages=True
        ),
        FaultKind("extra_field", "adds a field to its answer", _BOTH, acts=True, damages=True, alike=True),
        FaultKind("huge", "answers with far more than usual", _BOTH, acts=True, damages=True),
        FaultKind("stale", "answers with old data", _TOOL, acts=True, damages=True, alike=True),
        FaultKind("not_done", "reports success and has done nothing", _TOOL, damages=True, alike=True),
    )
}


class Chaos(Generic[T]):
    """Runs calls with one fault among them: the first, or every one. Put it where `Retrier.run` gets its call from:

        chaos = Chaos(Fault("reset_after"))
        await retrier.run(lambda: chaos.run(call))

    `strike` is how the kind looks to this sort of call; left out, the kinds that every call knows: time, and the
    connection.
    """

    def __init__(self, fault: Fault, strike: Strike[T] | None = None) -> None:
        self.fault = fault
        self.tries = 0
        self._strike = strike if strike is not None else plainly

    async def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """The call's result, or what the fault makes of it. Raises: what the fault looks like."""
        self.tries += 1
        if self.fault.when == "once" and self.tries > 1:
            return await call()
        return await self._strike(self.fault, call)


async def plainly(fault: Fault, call: Callable[[], Awaitable[T]]) -> T:
    """Raises: TimeoutError, ConnectionResetError; ConfigError for a kind that depends on what is called."""
    match fault.kind:
        case "timeout":
            await asyncio.sleep(fault.seconds or SILENCE_S)
            raise TimeoutError("No answer came.")
        case "slow":
            await asyncio.sleep(fault.seconds or SLOW_S)
            return await call()
        case "reset_before":
            raise ConnectionResetError("The connection was reset.")
        case "reset_after":
            await call()
            # Word for word as before the act: who was cut off cannot tell.
            raise ConnectionResetError("The connection was reset.")
        case _:
            raise ConfigError(
                f"What {fault.kind!r} looks like depends on what is called.",
                mend="Hand in `strike`, as airworthy.preflight.faults does for tools.",
            )
