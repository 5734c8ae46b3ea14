"""A worker in the foreground: what it says while it works, and when it is told to stop."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from airworthy.app.build import cautions, this_process, worker
from airworthy.app.places import Places, shared_places
from airworthy.app.project import Project
from airworthy.cli import show
from airworthy.cli.exits import Exit
from airworthy.cli.interrupts import ran
from airworthy.cli.overview import called
from airworthy.runtime import Ended, State, Worker
from airworthy.runtime.describing import describe
from airworthy.runtime.switches import ALL, of_agent
from airworthy.store import StoreError

if TYPE_CHECKING:
    from rich.live import Live

TICK_S = 1.0
TEXT_CHARS_MAX = 100


async def worked(project: Project, concurrency: int, *, until_idle: bool, as_json: bool) -> Exit:
    """Returns when the worker has stopped. Raises: WorkerStopped and StoreError when the store fails."""
    app = project.app
    async with shared_places(app.database, app.clock, this_process(app.clock)) as places:
        return await ran([Working(project, places, concurrency, until_idle=until_idle, as_json=as_json)])


class Working:
    """A worker from its first word to its last."""

    def __init__(
        self, project: Project, places: Places, concurrency: int, *, until_idle: bool = False, as_json: bool
    ) -> None:
        """Raises: ConfigError when an agent cannot run as it is; NotReadyToGoLive for a live one with gaps."""
        self._agents = project.agents
        self._database = project.app.database
        self._worker = worker(
            project.app, project.agents, concurrency=concurrency, owner=places.owner, places=places
        )
        self._concurrency = concurrency
        self._until_idle = until_idle
        self._report = Report(project, self._worker, as_json=as_json)
        self._worker.on_end = self._report.ended

    async def run(self) -> None:
        report = self._report
        report.begin(self._concurrency)
        for agent in self._agents:
            for caution in cautions(agent):
                report.tell(caution)
        with report.live():
            ticking = asyncio.create_task(report.tick())
            try:
                await self._worker.run(until_idle=self._until_idle)
                while self._until_idle and await describe(self._database):
                    continue  # Nobody may come for a while who would.
            finally:
                ticking.cancel()
                await asyncio.gather(ticking, return_exceptions=True)
        report.end()

    def stop(self) -> None:
        count = show.counted(self._worker.running, "task")
        self._report.tell(
            f"Finishing {count} under way, taking nothing new. Ctrl-C again lets go now."
            if self._worker.running
            else "Stopping; nothing is under way."
        )
        self._worker.stop()

    def hurry(self) -> None:
        count = show.counted(self._worker.running, "task")
        self._report.tell(
            f"Letting go of {count} now. Nothing is lost: each goes on from its record at the next start."
        )
        self._worker.abort()


class Report:
    """A line for each run that ended; below them, on a terminal, one that follows the numbers."""

    def __init__(self, project: Project, worker: Worker, *, as_json: bool) -> None:
        self._app = project.app
        self._worker = worker
        self._names = [agent.name for agent in project.agents]
        self._where = project.config.where
        self._as_json = as_json
        self._ends: Counter[str] = Counter()
        self._live: Live | None = None

    def begin(self, concurrency: int) -> None:
        names = ", ".join(self._names)
        count = show.counted(concurrency, "task")
        self.tell(
            f"Working for {names} on {self._where}, {count} at once. Ctrl-C finishes what is under way."
        )
        for switch in self._app.operations.switches():
            if switch.scope in (ALL, *map(of_agent, self._names)):
                self.tell(
                    f"{called(switch.scope)} paused, and takes nothing until resumed: see airworthy status"
                )

    def ended(self, ended: Ended) -> None:
        word = ended.outcome.value if ended.outcome is not None else "lost" if ended.lost else "open"
        self._ends[word] += 1
        if self._as_json:
            outcome = ended.outcome.value if ended.outcome is not None else None
            line = {"task": ended.task_id, "agent": ended.agent, "outcome": outcome, "text": ended.text}
            show.emit({**line, "lost": ended.lost is not None}, line=True)
            return
        clock = show.when(self._app.clock.now_us())[11:19]
        text = show.clipped(ended.text, TEXT_CHARS_MAX)
        show.say(
            f"{clock}  {word:<13}  {ended.task_id}  {ended.agent}  {text}", style=show.STYLES.get(word, "dim")
        )

    def tell(self, text: str) -> None:
        show.note(text)

    def end(self) -> None:
        listed = ", ".join(f"{count} {word}" for word, count in sorted(self._ends.items()) if word != "open")
        self.tell(f"Stopped. {listed or 'No task ended'}.")

    @contextlib.contextmanager
    def live(self) -> Iterator[None]:
        out = show.console()
        if self._as_json or not out.is_terminal:
            yield
            return
        from rich.live import Live

        # Transient: what stays on the screen are the lines of the tasks.
        with Live(console=out, refresh_per_second=4, transient=True) as self._live:
            yield

    async def tick(self) -> None:
        while self._live is not None:
            with contextlib.suppress(StoreError):  # The worker itself reports a store that fails.
                counts = await asyncio.to_thread(self._app.operations.counts)
                off = [switch.scope for switch in await asyncio.to_thread(self._app.operations.switches)]
                self._live.update(Text(_line(self._worker.running, counts, off), style="dim"))
            await asyncio.sleep(TICK_S)


def _line(running: int, counts: dict[State, int], off: list[str]) -> str:
    parts = [f"{running} under way"]
    parts += [
        f"{counts.get(state, 0)} {state.value}" for state in (State.QUEUED, State.WAITING, State.PAUSED)
    ]
    parts += [f"{scope.removeprefix('agent:')} paused" for scope in off]
    return show.plain(" · ".join(parts))
