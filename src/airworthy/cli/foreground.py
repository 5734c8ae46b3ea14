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
from airworthy.runtime.chores import monitored
from airworthy.runtime.describing import describe
from airworthy.runtime.switches import ALL, of_agent
from airworthy.store import StoreError

if TYPE_CHECKING:
    from rich.live import Live

TICK_S = 1.0
TEXT_CHARS_MAX = 100
NO_MONITOR = (
    "No monitor is at work yet: reviews, notices, health checks and retention wait for one:"
    " airworthy up --roles monitor"
)
# For calls that were under way as tasks were handed over; most end in it, and would have to be made again.
HAND_OVER_S = 10.0


async def worked(project: Project, concurrency: int, *, until_idle: bool, as_json: bool) -> Exit:
    """Returns when the worker has stopped. Raises: WorkerStopped and StoreError when the store fails."""
    app = project.app
    owner = this_process(app.clock, roles="worker,monitor")
    async with shared_places(app.database, app.clock, owner) as places:
        return await ran([Working(project, places, concurrency, until_idle=until_idle, as_json=as_json)])


class Working:
    """A worker from its first word to its last."""

    def __init__(
        self, project: Project, places: Places, concurrency: int, *, until_idle: bool = False, chores: bool = True,
        as_json: bool,
    ) -> None:  # fmt: skip
        """`chores`: whether it is the monitor too.

        Raises: ConfigError when an agent cannot run as it is; NotReadyToGoLive for a live one with gaps.
        """
        self._agents = project.agents
        self._database = project.app.database
        self._worker = worker(
            project.app,
            project.agents,
            concurrency=concurrency,
            owner=places.owner,
            places=places,
            chores=chores,
        )
        self._chores = chores
        self._drain_s = project.config.drain_s
        self._draining: asyncio.Task[None] | None = None
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
        if not self._chores and not await self._database.read(monitored):
            report.tell(NO_MONITOR)
        with report.live():
            ticking = asyncio.create_task(report.tick())
            try:
                await self._worker.run(until_idle=self._until_idle)
                while self._until_idle and await describe(self._database):
                    continue  # Nobody may come for a while who would.
            finally:
                beside = [ticking] if self._draining is None else [ticking, self._draining]
                for each in beside:
                    each.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
        report.end()

    def stop(self) -> None:
        count = show.counted(self._worker.running, "task")
        self._report.tell(
            f"Finishing {count} under way for up to {self._drain_s:g} s, taking nothing new. Ctrl-C again lets go now."
            if self._worker.running
            else "Stopping; nothing is under way."
        )
        self._worker.stop()
        if self._worker.running:
            self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        """What takes longer than whoever stopped this process will wait goes on elsewhere; no act is cut in two."""
        await asyncio.sleep(self._drain_s)
        count = show.counted(self._worker.running, "task")
        self._report.tell(f"Handing over {count}: each ends before its next call and goes on elsewhere.")
        self._worker.hand_over()
        await asyncio.sleep(HAND_OVER_S)
        self._worker.abort()

    def missing(self) -> list[str]:
        """What keeps it from working, for probes."""
        return self._worker.presence.missing()

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
