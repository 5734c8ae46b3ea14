"""Trends as lines of SVG, and as words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 100.0
HEIGHT: Final = 24.0
_TOP: Final = 2.0
_BOTTOM: Final = 22.0
# Of fewer a share or a percentile jumps about by chance, and a change of it says nothing.
ENOUGH: Final = 20
_SAME: Final = 0.05


@dataclass(frozen=True, slots=True)
class Trend:
    """Path data in a box of WIDTH and HEIGHT; a piece of line for each stretch without a gap."""

    paths: Sequence[str]
    areas: Sequence[str]

    @property
    def empty(self) -> bool:
        return not self.paths


def trend(values: Sequence[float | None]) -> Trend:
    """From 0 at the bottom to the highest at the top. None: nothing was counted, a gap."""
    highest = max((value for value in values if value is not None), default=0.0) or 1.0
    step = WIDTH / max(1, len(values) - 1)
    paths, areas = [], []
    for first, piece in _pieces(values):
        places = [
            (round((first + i) * step, 1), round(_BOTTOM - (_BOTTOM - _TOP) * max(0.0, value) / highest, 1))
            for i, value in enumerate(piece)
        ]
        if len(places) == 1:  # A single point would be a line without length.
            x, y = places[0]
            places = [(max(0.0, x - 0.6), y), (min(WIDTH, x + 0.6), y)]
        line = " ".join(f"{x:g} {y:g}" for x, y in places)
        paths.append(f"M{line}")
        areas.append(f"M{places[0][0]:g} {_BOTTOM:g} {line} {places[-1][0]:g} {_BOTTOM:g}Z")
    return Trend(paths, areas)


def _pieces(values: Sequence[float | None]) -> list[tuple[int, list[float]]]:
    pieces: list[tuple[int, list[float]]] = []
    gap = True
    for at, value in enumerate(values):
        if value is not None:
            if gap:
                pieces.append((at, []))
            pieces[-1][1].append(value)
        gap = value is None
    return pieces


def change(now: float | None, before: float | None, *, sample: int) -> str:
    """How much more or less, in words and an arrow; "" where that would say nothing. `sample`: of the smaller side."""
    if now is None or before is None or sample < ENOUGH or before <= 0:
        return ""
    part = now / before - 1
    if abs(part) < _SAME:
        return "as before"
    if part >= 1:
        return f"▲ {now / before:.1f} times"
    return f"{'▲' if part > 0 else '▼'} {abs(part) * 100:.0f} %"


def moved(now: float | None, before: float | None, *, sample: int) -> str:
    """The same of a share, which is compared by its points."""
    if now is None or before is None or sample < ENOUGH:
        return ""
    points = (now - before) * 100
    if abs(points) < 1:
        return "as before"
    words = "point" if round(abs(points)) == 1 else "points"
    return f"{'▲' if points > 0 else '▼'} {abs(points):.0f} {words}"
