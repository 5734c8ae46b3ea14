"""Whether 90 % sure is right in 90 %: bins of confidence against what people said, and their picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from airworthy.evals.stats.rates import Rate, wilson

BINS: Final = 10
LABELS_PER_BIN: Final = 10
SIDE: Final = 320
EDGE: Final = 44


@dataclass(frozen=True, slots=True)
class Bin:
    """`stated`: the mean confidence. `right`: how often it was."""

    stated: float
    right: Rate


@dataclass(frozen=True, slots=True)
class Reliability:
    """`gap`: the mean distance between stated and true, by labels (expected calibration error; never below what chance
    alone makes it). `brier`: the mean squared distance of each confidence from what was so.
    """

    bins: tuple[Bin, ...]
    gap: float
    brier: float
    labels: int


def reliability(confidences: Sequence[float], right: Sequence[bool], bins: int = BINS) -> Reliability | None:
    """Bins of as many labels each, since confidences crowd near 1; equal confidences share one. None: no labels.
    Sources: Brier (1950), Mon. Weather Rev. 78:1; Nguyen and O'Connor (2015), arXiv 1508.05154 (bins of equal size).
    """
    ordered = sorted(zip(confidences, right, strict=True))
    count = len(ordered)
    if not count:
        return None
    size = max(LABELS_PER_BIN, -(-count // bins))
    found: list[list[tuple[float, bool]]] = [[]]
    for pair in ordered:
        if len(found[-1]) >= size and found[-1][-1][0] != pair[0]:
            found.append([])
        found[-1].append(pair)
    if len(found) > 1 and len(found[-1]) < LABELS_PER_BIN:
        found[-2].extend(found.pop())
    made = tuple(_bin(of_one) for of_one in found)
    gap = sum(abs(one.stated - one.right.value) * one.right.runs for one in made) / count
    brier = sum((confidence - is_right) ** 2 for confidence, is_right in ordered) / count
    return Reliability(made, gap, brier, count)


def _bin(of_one: Sequence[tuple[float, bool]]) -> Bin:
    good, count = sum(is_right for _, is_right in of_one), len(of_one)
    right = Rate(good / count, *wilson(good, count), count, count)
    return Bin(sum(confidence for confidence, _ in of_one) / count, right)


def svg(found: Reliability) -> str:
    """A picture that stands alone: nothing is loaded, dark and light by the reader's setting."""
    side = SIDE - 2 * EDGE

    def x(value: float) -> float:
        return round(EDGE + value * side, 1)

    def y(value: float) -> float:
        return round(SIDE - EDGE - value * side, 1)

    ticks = "".join(
        f'<text x="{x(t)}" y="{y(0) + 16}" text-anchor="middle">{t:.0%}</text>'
        f'<text x="{x(0) - 6}" y="{y(t) + 4}" text-anchor="end">{t:.0%}</text>'
        for t in (0, 0.5, 1)
    )
    points = "".join(
        f"<g><title>stated {b.stated:.1%}, right {b.right.value:.1%}"
        f" [{b.right.low:.1%}, {b.right.high:.1%}] of {b.right.runs}</title>"
        f'<line class="i" x1="{x(b.stated)}" x2="{x(b.stated)}" y1="{y(b.right.low)}" y2="{y(b.right.high)}"/>'
        f'<circle cx="{x(b.stated)}" cy="{y(b.right.value)}" r="4"/></g>'
        for b in found.bins
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}" role="img"'
        f' aria-label="Reliability of {found.labels} labels">'
        "<style>svg{font:12px system-ui,sans-serif;color:#222;background:#fff}text{fill:currentColor}"
        ".a{fill:none;stroke:currentColor;opacity:.5}.d{stroke:currentColor;stroke-dasharray:4;opacity:.5}"
        ".i{stroke:#2563eb;stroke-width:2}circle{fill:#2563eb}"
        "@media(prefers-color-scheme:dark){svg{color:#ddd;background:#161616}.i{stroke:#7aa2ff}circle{fill:#7aa2ff}}"
        "</style>"
        f'<rect class="a" x="{EDGE}" y="{EDGE}" width="{side}" height="{side}"/>'
        f'<line class="d" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}"/>{points}{ticks}'
        f'<text x="{SIDE / 2}" y="{SIDE - 8}" text-anchor="middle">stated confidence</text>'
        f'<text x="{EDGE}" y="{EDGE - 10}">right, as people say</text></svg>\n'
    )
