"""How far a preflight has come, as one line that renews itself, or as a line now and then where nobody looks."""

import time
from typing import TYPE_CHECKING, Final

from airworthy.cli import show
from airworthy.core.money import usd_text
from airworthy.preflight.cell import State

if TYPE_CHECKING:
    from types import TracebackType

    from rich.live import Live

    from airworthy.preflight.progress import Progress

LINE_EVERY_S: Final = 10.0
DRAW_EVERY_S: Final = 0.1


class View:
    """On stderr, so that stdout holds the result alone. `quiet`: nothing at all."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live: Live | None = None
        self._last_s = time.monotonic()

    def __enter__(self) -> "View":
        console = show.console(stderr=True)
        if not self._quiet and console.is_terminal:
            from rich.live import Live

            self._live = Live(console=console, transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, progress: "Progress", spent_nano: int) -> None:
        if self._quiet:
            return
        now_s = time.monotonic()
        if now_s - self._last_s < (DRAW_EVERY_S if self._live is not None else LINE_EVERY_S):
            return
        self._last_s = now_s
        text = line(progress, spent_nano)
        if self._live is None:
            show.note(text)
            return
        from rich.text import Text

        self._live.update(Text(text), refresh=True)


def line(progress: "Progress", spent_nano: int) -> str:
    """`failures 120 of 480 cells, 3 failed; 412 left, about 2 min; 0.12 USD`."""
    failed = progress.states[State.FAILED]
    left = progress.left_s
    done = f"{progress.part.value} {progress.part_done} of {progress.part_total} cells"
    parts = [
        done + (f", {failed} failed" if failed else ""),
        f"{progress.cells_left} left" + (f", about {_duration(left)}" if left is not None else ""),
        usd_text(spent_nano),
    ]  # fmt: skip
    return "; ".join(parts)


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{round(seconds / 60)} min"
