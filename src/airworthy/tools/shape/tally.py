"""When a difference is believed: once enough of the results since it was first met show it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from airworthy.tools.shape.compare import Difference

OPEN_MAX = 64
SHARE_MIN = 0.5  # Of the results since the first that differed.
FORGET_AFTER = 8  # So many results later, what was met in less than half of them was chance.


@dataclass(slots=True)
class Change:
    """`hits` of the last `of` results show it. `told`: enough of them have."""

    difference: Difference
    task_id: str
    first_us: int
    hits: int = 0
    of: int = 0
    told: bool = False


@dataclass(slots=True)
class _Open:
    change: Change
    first_at: int
    drained_at: int  # The results up to this one are counted in the store.
    drained: bool = False


class Tally:
    """Counts for one tool in one process. Only differing results are handed in; `results` counts all."""

    def __init__(self) -> None:
        self.results = 0
        self._open: dict[tuple[str, str], _Open] = {}

    @property
    def news(self) -> bool:
        """Something is to be told that was not drained yet."""
        return any(each.change.told and not each.drained for each in self._open.values())

    def met(self, found: Iterable[Difference], task_id: str, now_us: int) -> bool:
        """True when something is to be told that was not before. `results` counts this result already."""
        news = False
        for difference in found:
            each = self._open.get(difference.key)
            if each is not None and not each.change.told and self._was_chance(each):
                each = None
            if each is None:
                if len(self._open) >= OPEN_MAX and difference.key not in self._open:
                    continue
                each = _Open(Change(difference, task_id, now_us), self.results, self.results - 1)
                self._open[difference.key] = each
            change = each.change
            change.hits += 1
            since = self.results - each.first_at + 1
            if not change.told and change.hits >= difference.needs and change.hits >= SHARE_MIN * since:
                change.told = news = True
        return news

    def _was_chance(self, each: _Open) -> bool:
        since = self.results - each.first_at + 1
        return since > FORGET_AFTER and each.change.hits < SHARE_MIN * since

    def drained(self) -> list[Change]:
        """What is to be told, with the counts since the last time."""
        out = []
        for each in self._open.values():
            change = each.change
            if change.told and (change.hits or self.results > each.drained_at):
                of = self.results - each.drained_at
                out.append(
                    Change(change.difference, change.task_id, change.first_us, change.hits, of, told=True)
                )
                change.hits, each.drained_at, each.drained = 0, self.results, True
        return out

    def give_back(self, changes: Iterable[Change]) -> None:
        """What was drained and could not be stored."""
        for change in changes:
            each = self._open.get(change.difference.key)
            if each is not None:
                each.change.hits += change.hits
                each.drained_at -= change.of
                each.drained = False
