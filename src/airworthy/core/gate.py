"""The port between a call and the run's limits: asked before every call, told after it."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CallFact:
    """A call that is about to happen. `arguments` is canonical JSON."""

    kind: str
    name: str
    arguments: bytes
    occurrence: int
    tokens_in: int = 0
    tokens_out_max: int = 0
    acts: bool = False


class Gate(Protocol):
    """One per run. Checking and counting happen in one step, so parallel calls cannot pass together."""

    def admit(self, call: CallFact) -> None:
        """Counts the call. Raises: Stop when it would pass a limit, Suspend when the run is paused."""
        ...

    def check_halted(self) -> None:
        """Raises the run's Halt again, if it has one."""
        ...

    def observe(self, call: CallFact, result: bytes | None, tokens: int = 0) -> None:
        """Tells what came back (None: it failed or was refused); feeds the progress and token counts."""
        ...

    def seconds_left(self) -> float: ...
