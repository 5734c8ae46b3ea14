"""Whether an error is worth another attempt: the error itself may know, or a function of the caller's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class No:
    """The same call would fail the same way, or must not be made twice."""


@dataclass(frozen=True, slots=True)
class Yes:
    """Worth another attempt; `wait_s` is what the other side asked for, None when it did not."""

    wait_s: float | None = None


NO: Final = No()

Decision = No | Yes
Classify = Callable[[Exception], Decision]


@runtime_checkable
class Again(Protocol):
    """An error that knows."""

    def again(self) -> Decision: ...


def by_error(error: Exception) -> Decision:
    """The default: ask the error, retry a lost connection or a timeout, and nothing else."""
    if isinstance(error, Again):
        return error.again()
    return Yes() if isinstance(error, ConnectionError | TimeoutError) else NO
