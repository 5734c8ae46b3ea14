"""How far a preflight has come, as numbers; who shows them stands elsewhere."""

import time
from collections import Counter
from dataclasses import dataclass, field

from airworthy.preflight.cell import CellResult, Part, State


@dataclass(slots=True)
class Progress:
    """`total`, `done`: cells of golden at first; of all other parts together as soon as they are planned."""

    began_s: float
    part: Part = Part.GOLDEN
    total: int = 0
    done: int = 0
    part_total: int = 0
    part_done: int = 0
    states: Counter[State] = field(default_factory=Counter)
    last: CellResult | None = None

    def starts(self, part: Part, cells: int) -> None:
        self.part, self.part_total, self.part_done = part, cells, 0
        if part is Part.GOLDEN:
            self.total, self.done = cells, 0

    def ended(self, result: CellResult) -> None:
        self.done += 1
        self.part_done += 1
        self.states[result.state] += 1
        self.last = result

    @property
    def cells_left(self) -> int:
        return max(0, self.total - self.done)

    @property
    def left_s(self) -> float | None:
        """As long as the rest takes at the pace so far; while golden runs nobody knows how many cells follow. None: it
        cannot be told yet.
        """
        if self.done == 0 or self.part is Part.GOLDEN:
            return None
        return (time.monotonic() - self.began_s) / self.done * self.cells_left
