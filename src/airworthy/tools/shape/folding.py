"""What is stored about the shape of one tool's results, and how news from a process adds to it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from airworthy.core.clock import US_PER_S
from airworthy.tools.shape.learning import merged
from airworthy.tools.shape.node import Shape
from airworthy.tools.shape.settling import accepted, settled
from airworthy.tools.shape.tally import Change

State = Literal["learning", "pinned", "unstable"]
Source = Literal["learnt", "release before", "accepted", "declared"]

CHANGES_MAX = 50  # That are kept.
OCCASIONS_MAX = 10  # It changed at more different times than these: it has no shape that could be watched.
PLACES_MAX = 3_000
# A tool that is seldom used is pinned after this time, if it has been used at all.
LEARN_S_MAX = 7 * 86_400.0
LEARN_MIN = 10


@dataclass(frozen=True, slots=True)
class ShapeRow:
    """`shape` is what is learnt so far, or pinned. `since`: the results since the first that differed.

    `version` is 0 for what is not stored yet. `first_us`: when learning began.
    """

    agent: str
    tool: str
    release: str
    first_us: int
    state: State = "learning"
    source: Source = "learnt"
    shape: Shape = field(default_factory=Shape)
    since: Shape | None = None
    changes: tuple[Change, ...] = ()
    pinned_us: int | None = None
    pinned_by: str = ""
    updated_us: int = 0
    version: int = 0

    @property
    def condition(self) -> str:
        """In one word, for people."""
        return "changed" if self.state == "pinned" and self.changes else self.state


@dataclass(slots=True)
class Batch:
    """What one process has to add since it last did."""

    learnt: Shape | None = None
    since: Shape | None = None
    changes: list[Change] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.learnt is not None or self.since is not None or bool(self.changes)


def folded(row: ShapeRow, batch: Batch, learn: int, now_us: int) -> tuple[ShapeRow, list[Change]]:
    """The row with the news in it, and the changes that were not known before. `learn`: results to learn from."""
    if row.state == "unstable":
        return row, []
    row = replace(row, updated_us=now_us)
    if batch.learnt is not None:
        row = _learnt(row, batch.learnt, learn, now_us)
    known = {change.difference.key for change in row.changes}
    new = [change for change in batch.changes if change.difference.key not in known]
    if batch.changes:
        row = replace(row, changes=_together(row.changes, batch.changes))
    if row.shape.declared is not None:
        return replace(
            row, changes=row.changes[:CHANGES_MAX]
        ), new  # No person accepts it, so nothing else is kept.
    if batch.since is not None:
        row = replace(row, since=batch.since if row.since is None else merged(row.since, batch.since))
    too_many = row.shape.places() > PLACES_MAX or (row.since is not None and row.since.places() > PLACES_MAX)
    if too_many:
        row = replace(row, state="unstable", shape=Shape(), since=None)
    elif len({change.first_us for change in row.changes}) > OCCASIONS_MAX:
        row = replace(row, state="unstable")
    return replace(row, changes=row.changes[:CHANGES_MAX]), new


def _learnt(row: ShapeRow, learnt: Shape, learn: int, now_us: int) -> ShapeRow:
    shape = merged(row.shape, learnt)
    if row.state == "pinned":  # Another process had enough first; what this one learnt meanwhile counts too.
        return replace(row, shape=settled(shape))
    waited = now_us - row.first_us > LEARN_S_MAX * US_PER_S and shape.results >= LEARN_MIN
    if shape.results < learn and not waited:
        return replace(row, shape=shape)
    return replace(row, shape=settled(shape), state="pinned", pinned_us=now_us, pinned_by="airworthy")


def _together(known: Sequence[Change], found: Iterable[Change]) -> tuple[Change, ...]:
    by_key = {change.difference.key: change for change in known}
    for change in found:
        before = by_key.get(change.difference.key)
        if before is None:
            by_key[change.difference.key] = change
            continue
        first = min(before, change, key=lambda each: each.first_us)
        by_key[change.difference.key] = replace(
            first, difference=change.difference, hits=before.hits + change.hits, of=before.of + change.of
        )
    return tuple(sorted(by_key.values(), key=lambda each: (not each.difference.breaking, each.first_us)))


def inherited(before: ShapeRow, release: str, now_us: int) -> ShapeRow:
    """How a new release begins: with what the one before is held against, so that no deploy makes it blind."""
    row = ShapeRow(before.agent, before.tool, release, now_us)
    if before.state == "unstable":
        return row
    return replace(
        row, state=before.state, source="release before", shape=before.shape, first_us=before.first_us,
        pinned_us=before.pinned_us, pinned_by=before.pinned_by,
    )  # fmt: skip


def standing(row: ShapeRow, declared: Shape | None, now_us: int) -> ShapeRow:
    """The row itself, or another in its place, because what is declared about the tool is not what it says."""
    if row.shape.declared is None and declared is None:
        return row
    if declared is None:
        return ShapeRow(row.agent, row.tool, row.release, now_us, version=row.version)
    if row.shape == declared and row.source == "declared":
        return row
    return ShapeRow(
        row.agent, row.tool, row.release, now_us, "pinned", "declared", declared, pinned_us=now_us,
        pinned_by="airworthy", updated_us=now_us, version=row.version,
    )  # fmt: skip


def accepted_row(row: ShapeRow, by: str, now_us: int) -> ShapeRow:
    """What is seen now is right: pinned by a person. While learning: what is learnt so far."""
    shape = settled(row.shape) if row.since is None else accepted(row.shape, row.since)
    return replace(
        row, state="pinned", source="accepted", shape=shape, since=None, changes=(), pinned_us=now_us, pinned_by=by,
        updated_us=now_us,
    )  # fmt: skip
