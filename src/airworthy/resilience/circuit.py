"""The shell around a breaker: holds its state, tells it the time, and reports each change of mode."""

import abc
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import ClassVar

from airworthy.core.clock import Clock
from airworthy.resilience import breaker
from airworthy.resilience.breaker import Breaker, BreakerState, Mode, Permit, Refusal, Result
from airworthy.resilience.refused import Refused


class CircuitOpen(Refused):
    """The dependency is failing, or somebody switched it off; no call was made."""

    code: ClassVar[str] = "circuit_open"


@dataclass(frozen=True, slots=True)
class Change:
    """A breaker went from one mode to another; `reason` is fit for people."""

    name: str
    before: Mode
    after: Mode
    reason: str
    at_us: int


def every_error_is_a_failure(_error: Exception) -> Result:
    """The default judge. A caller's own mistake (bad arguments) should be judged neutral by a better one."""
    return "failure"


class Guarding(abc.ABC):
    """What a breaker of this process and one shared with other processes have in common: one guarded call."""

    policy: Breaker
    name: str

    @property
    @abc.abstractmethod
    def state(self) -> BreakerState: ...

    def closed_to(self, now_us: int) -> "CircuitOpen | None":
        """The refusal that a call would meet now; a look that takes no probe."""
        state = self.state
        if state.mode is Mode.CLOSED:
            return None
        answer, _ = breaker.allow(self.policy, state, now_us)
        return self.refusal(answer) if isinstance(answer, Refusal) else None

    def refusal(self, refused: Refusal) -> "CircuitOpen":
        return CircuitOpen(
            f"The circuit {self.name!r} is {self.state.mode.value}: {refused.reason}.",
            retry_after_s=refused.retry_after_s,
        )

    @abc.abstractmethod
    async def admit(self) -> Permit:
        """Each permit must be handed to `leave` once. Raises: CircuitOpen."""

    @abc.abstractmethod
    def leave(self, permit: Permit, result: Result) -> None: ...

    @contextlib.asynccontextmanager
    async def guard(
        self, judge: Callable[[Exception], Result] = every_error_is_a_failure
    ) -> AsyncIterator[Permit]:
        """`async with circuit.guard():` around one call. A cancelled or halted call is neutral."""
        permit = await self.admit()
        result: Result = "neutral"
        try:
            yield permit
            result = "ok"
        except Exception as error:
            result = judge(error)
            raise
        finally:
            self.leave(permit, result)


class Circuit(Guarding):
    """One dependency's breaker in this process. For one event loop, not for several threads.

    `on_change` is called for every change of mode, in order, and must not raise.
    """

    def __init__(
        self,
        policy: Breaker,
        clock: Clock,
        *,
        name: str = "circuit",
        state: BreakerState | None = None,
        on_change: Callable[[Change], None] | None = None,
    ) -> None:
        self.policy = policy
        self.name = name
        self._clock = clock
        self._state = state if state is not None else BreakerState()
        self._on_change = on_change

    @property
    def state(self) -> BreakerState:
        return self._state

    def enter(self) -> Permit:
        """Each permit must be handed to `leave` once. Raises: CircuitOpen."""
        answer, state = breaker.allow(self.policy, self._state, self._clock.now_us())
        self._become(state)
        if isinstance(answer, Refusal):
            raise self.refusal(answer)
        return answer

    async def admit(self) -> Permit:
        """As `enter`; never waits."""
        return self.enter()

    def leave(self, permit: Permit, result: Result) -> None:
        """Twice with one permit: a probe counts once, a call while closed counts twice."""
        self._become(breaker.after(self.policy, self._state, self._clock.now_us(), permit, result))

    def force_open(self, reason: str) -> None:
        self._become(breaker.force_open(self.policy, self._state, self._clock.now_us(), reason))

    def force_close(self, reason: str = "") -> None:
        self._become(breaker.force_close(self._state, reason))

    def restore(self, state: BreakerState) -> None:
        """Takes over a state that another process stored."""
        self._become(state)

    def _become(self, state: BreakerState) -> None:
        before, self._state = self._state, state
        if before.mode is not state.mode and self._on_change is not None:
            self._on_change(Change(self.name, before.mode, state.mode, state.reason, self._clock.now_us()))
