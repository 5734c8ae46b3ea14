"""Intervals drawn as small pictures; numbers to SVG text, no text from outside goes in."""

from collections.abc import Sequence

WIDTH = 160
HEIGHT = 18


def interval_svg(rate: float, interval: Sequence[float] | None, beside: float | None = None) -> str:
    """0 to 1 from left to right: the rate as a dot on its interval. `beside`: another rate, as a thin line.

    Colours come from the page's style, by class: its policy forbids styles in the text.
    """
    parts = [f'<line class="track" x1="1" x2="{WIDTH - 1}" y1="9" y2="9"/>']
    told = f"{share_text(rate)}"
    if interval is not None:
        low, high = (_x(bound) for bound in interval)
        parts.append(
            f'<rect class="span" x="{low:.1f}" y="6" width="{max(high - low, 1):.1f}" height="6" rx="3"/>'
        )
        told += f", between {share_text(interval[0])} and {share_text(interval[1])} with 95 % confidence"
    if beside is not None:
        parts.append(f'<line class="beside" x1="{_x(beside):.1f}" x2="{_x(beside):.1f}" y1="1" y2="17"/>')
        told += f"; the agent that does nothing: {share_text(beside)}"
    parts.append(f'<circle class="dot" cx="{_x(rate):.1f}" cy="9" r="4"/>')
    return (
        f'<svg role="img" aria-label="{told}" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f"<title>{told}</title>{''.join(parts)}</svg>"
    )


def share_text(share: float) -> str:
    """As percent; never 100 for what is less, nor 0 for what is more."""
    percent = round(100 * share)
    if percent == 100 and share < 1:
        return "over 99 %"
    return "under 1 %" if percent == 0 and share > 0 else f"{percent} %"


def _x(share: float) -> float:
    return 5 + min(max(share, 0.0), 1.0) * (WIDTH - 10)
