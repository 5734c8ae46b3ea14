"""What a task went without: which dependency failed, and what took the place of its answer. A value, in words."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from airworthy.recorder import Slot

_WHY_CHARS_MAX = 300
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))
NOTE = "gap"  # The key of a step's note that holds one.


@dataclass(frozen=True, slots=True)
class Gap:
    """`instead`: what took the place: `last_good` (then `age_s` says how old), `nothing`, `tool:NAME`, or `error`: the
    agent was told of the failure. `why` says in words what failed.
    """

    tool: str
    dependency: str
    instead: str
    why: str
    age_s: float | None = None

    def __str__(self) -> str:
        name = self.tool if self.dependency in ("", self.tool) else f"{self.dependency} ({self.tool})"
        if self.instead == "last_good":
            return f"{name} did not answer; what it said {_ago(self.age_s or 0.0)} took its place"
        if self.instead.startswith("tool:"):
            return f"{name} did not answer; {self.instead.removeprefix('tool:')} took its place"
        return f"{name} did not answer; nothing took its place"

    def note(self) -> dict[str, Any]:
        return {NOTE: asdict(self)}

    def plain(self) -> dict[str, Any]:
        """For documents: the fields, and the sentence."""
        return {**asdict(self), "text": str(self)}


def gap_of(tool: str, dependency: str, instead: str, why: str, age_s: float | None = None) -> Gap:
    return Gap(tool, dependency, instead, why[:_WHY_CHARS_MAX], age_s)


def noted(notes: Iterable[Mapping[str, Any]]) -> Gap | None:
    """The gap that a recorded step says it left."""
    for note in notes:
        if NOTE in note:
            return Gap(**note[NOTE])
    return None


class Gaps:
    """Those of one run, as it meets them; a later good answer to the same call fills one."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, bytes], Gap] = {}
        self._of_step: dict[int, Gap] = {}

    def note(self, slot: Slot, gap: Gap) -> None:
        self._left[slot.name, slot.arguments] = gap
        self._of_step[slot.seq] = gap

    def fill(self, slot: Slot) -> None:
        if self._left:
            self._left.pop((slot.name, slot.arguments), None)

    def of_step(self, seq: int) -> Gap | None:
        return self._of_step.get(seq)

    @property
    def left(self) -> tuple[Gap, ...]:
        return tuple(self._left.values())


def _ago(seconds: float) -> str:
    for length, name in _UNITS:
        if seconds >= length:
            number = round(seconds / length)
            return f"{number} {name}{'' if number == 1 else 's'} before"
    return f"{seconds:.0f} seconds before"
