"""What one trial is run with, as a value: the same script and seed give the same trial, as far as models allow it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from airworthy.evals import Case, Trial
from airworthy.preflight.stage.recording import Recording
from airworthy.resilience.chaos import Fault


@dataclass(frozen=True, slots=True)
class Placed:
    """A fault at one call: the `nth` (from 1) live call of tool `name`, or model call (`name` empty: any model; else
    the pin) counted from where the trial goes live.
    """

    on: Literal["tool", "model"]
    name: str
    nth: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Script:
    """`prefix` and `at`: steps of the recording before step `at` are taken from it without any call; 0: from the start.
    `results`: by tool, what it returns in place of anything recorded (an injected text, another's record).
    `turns`: earlier messages of the conversation, for agents that read them from the input (context tests).
    `label`: of the cell it belongs to.
    """

    case: Case
    label: str = ""
    repeat: int = 0
    seed: int = 0
    prefix: Recording | None = None
    at: int = 0
    faults: tuple[Placed, ...] = ()
    results: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """A trial, and what it leaves for others to begin with."""

    trial: Trial
    recording: Recording


class Stage(Protocol):
    """Trials of one agent. Raises nothing for what an agent does; CapReached when the run's money is used up."""

    async def play(self, script: Script) -> Played:
        """Alone: a store, a world, breakers and budgets of its own."""
        ...

    async def together(self, scripts: list[Script], arrivals_s: list[float]) -> list[Played]:
        """On one store and one world, under the policy's own admission and pace; each begins at its arrival, in the
        stage's time.
        """
        ...
