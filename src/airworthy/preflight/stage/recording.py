"""What a trial leaves behind: its steps as they stand in the journal, and what its world said."""

from dataclasses import dataclass
from typing import Any

from airworthy.evals import Asked
from airworthy.recorder import Recorded


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave for these arguments, as JSON data; `error`: the type of what it raised instead, and `message`
    its words.
    """

    tool: str
    arguments: Any
    result: Any = None
    error: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """`steps` as `read_steps` gives them, step 0 the input. `results` in the order in which they came. `asked`: what
    people were asked, by the step that it was about.
    """

    case: str
    steps: tuple[Recorded, ...]
    results: tuple[ToolResult, ...] = ()
    asked: tuple[tuple[int, Asked], ...] = ()
