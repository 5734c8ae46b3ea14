"""What one run of an agent came to, as plain data: all that scorers, oracles and reports look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airworthy.core.outcome import Outcome


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One tool call as the agent made it. `effect`: read, write, send or delete. `seq`: its step. `error`: the type of
    the error it ended with; empty: it gave `result`. `refused`: a guard or a person said no, and nothing was tried.
    """

    name: str
    arguments: Mapping[str, Any]
    effect: str
    seq: int
    result: Any = None
    error: str = ""
    attempts: int = 1
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """One effect as it reached the world's stand-in. `times`: how often the world did it; more than 1 is a duplicate.

    A request repeated with the same key, at a tool that honours keys, is done once.
    """

    tool: str
    arguments: Mapping[str, Any]
    key: str = ""
    times: int = 1
    at_us: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A person was asked: to approve a call of `tool`, or a question (`tool` empty). `said`: what they answered; empty:
    nobody did.
    """

    tool: str
    text: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """`outcome` None: the task never came to one (`crash` says why, if our own side failed, else it waits or hangs).

    `answer`: plain data; also of a task whose answer was held back. `cost_nano` None: a call had no known price.
    `seconds`: the task's working time, as its own clock told it. `model_calls`: all the run needed; `model_calls_made`:
    those that were really made, neither taken from a recording nor met in the prefix. `heard`: text of everything
    tools and people told the agent. `made_up`: stand-in results that no recording had, by tool name.
    """

    case: str
    outcome: Outcome | None
    reason: str = ""
    text: str = ""
    answer: Any = None
    tools: tuple[ToolUse, ...] = ()
    acts: tuple[Act, ...] = ()
    asked: tuple[Asked, ...] = ()
    steps: int = 0
    cost_nano: int | None = 0
    seconds: float = 0.0
    model_calls: int = 0
    model_calls_made: int = 0
    heard: tuple[str, ...] = ()
    made_up: tuple[str, ...] = ()
    crash: str = ""
    task_id: str = ""

    @property
    def duplicates(self) -> tuple[Act, ...]:
        return tuple(act for act in self.acts if act.times > 1)
