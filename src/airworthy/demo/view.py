"""What a person sees while the demo runs: a live picture in a terminal, plain lines anywhere else."""

import contextlib
from collections.abc import Iterator
from typing import Final, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from airworthy.core.money import usd_text
from airworthy.core.outcome import Outcome
from airworthy.demo.progress import Finished, Progress

LINE_EVERY_S: Final = 5.0
_STYLES: Final = {
    Outcome.ANSWERED: "green",
    Outcome.DECLINED: "cyan",
    Outcome.ESCALATED: "yellow",
    Outcome.DEAD_LETTERED: "red",
    Outcome.CANCELLED: "magenta",
}


class View(Protocol):
    def show(self, progress: Progress) -> None: ...

    def say(self, text: str) -> None: ...

    def aside(self) -> contextlib.AbstractContextManager[None]:
        """The screen belongs to somebody else for as long as the block runs."""
        ...


class Lines:
    """For logs and pipes: a line now and then, nothing that moves."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = 0.0

    def show(self, progress: Progress) -> None:
        if progress.seconds >= self._next_s:
            self._next_s = progress.seconds + LINE_EVERY_S
            self.say(f"{progress.seconds:4.0f} s  {state_line(progress)}")

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        yield


class Picture:
    """For a terminal. Used as a context manager, so that the cursor is given back however the demo ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> "Picture":
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def show(self, progress: Progress) -> None:
        self._live.update(drawn(progress), refresh=True)

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()


def state_line(progress: Progress) -> str:
    counted = [f"{_words(outcome)} {count}" for outcome, count in progress.outcomes.items() if count]
    waiting = [f"waiting {progress.waiting}"] if progress.waiting else []
    parts = [f"{progress.closed} of {progress.total} done", *counted, *waiting, usd_text(progress.cost_nano)]
    return ", ".join(parts)


def drawn(progress: Progress) -> RenderableType:
    head = Table.grid(padding=(0, 2))
    head.add_row(
        ProgressBar(total=max(progress.total, 1), completed=progress.closed, width=40),
        f"{progress.closed} of {progress.total}",
        f"{progress.under_way} under way",
        f"{progress.seconds:.0f} s",
        usd_text(progress.cost_nano),
    )
    counts = Text()
    for outcome, count in progress.outcomes.items():
        counts.append(f"{_words(outcome)} {count}   ", style=_STYLES[outcome] if count else "dim")
    counts.append(f"waiting {progress.waiting}   ", style="blue" if progress.waiting else "dim")
    counts.append(f"kills {progress.kills}", style="red" if progress.kills else "dim")
    desk = (
        [Text("\nOn a person's desk", style="bold"), _listed(progress.escalated)]
        if progress.escalated
        else []
    )
    return Group(head, counts, Text("\nLast finished", style="bold"), _listed(progress.latest), *desk)


def _listed(finished: tuple[Finished, ...]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for one in finished:
        # `Text` and not markup: what a letter or a model wrote must not style the terminal.
        cells = (Text(one.letter, style="dim"), Text(one.kind.replace("_", " "), style="dim"))
        table.add_row(*cells, Text(_words(one.outcome), style=_STYLES[one.outcome]), Text(one.text))
    return table


def _words(outcome: Outcome) -> str:
    return outcome.value.replace("_", "-")
