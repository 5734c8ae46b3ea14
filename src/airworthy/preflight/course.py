"""The course of a preflight: golden first, then what builds on it; so many trials at once, each result kept at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, TypeVar

from airworthy.core.errors import told
from airworthy.evals import Case
from airworthy.evals.stats import Observed, Repeats
from airworthy.preflight import golden
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.golden import HowOften, Run
from airworthy.preflight.plan import CAPPED, STOPPED, Cell, Context, Golden, PartOf, came_to, untried
from airworthy.preflight.progress import Progress
from airworthy.preflight.records import Kept
from airworthy.preflight.report import Section, Verdict
from airworthy.preflight.stage import Recording
from airworthy.preflight.stage.purse import CapReached
from airworthy.preflight.stage.script import Played, Script
from airworthy.preflight.verdict import outlived, overruled

T = TypeVar("T")

ORDER: Final = (Part.FAILURES, Part.ADVERSARIAL, Part.CONTEXT, Part.CONCURRENCY, Part.LOAD)
NOT_BEGUN: Final = "It was not begun."
NOT_AGAIN: Final = "A run that had passed before the preflight was broken off did not pass again"


class House(Protocol):
    """The stage, as the course uses it."""

    async def play(self, script: Script) -> Played: ...

    async def together(self, scripts: list[Script], arrivals_s: list[float]) -> list[Played]: ...

    def learn(self, case: Case, recording: Recording) -> None: ...


class Keeper(Protocol):
    """Where results are kept as they come; `kept`: those of an earlier sitting of the same preflight, by cell id."""

    kept: Mapping[str, Kept]

    async def keep(self, kept: Kept) -> None: ...


Facts = Callable[[Mapping[str, Sequence[Observed]]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Wishes:
    """`parts`: those wanted. `only`: the one cell wanted, by its id. `jobs`: trials at once."""

    parts: tuple[Part, ...] = tuple(Part)
    jobs: int = 16
    often: HowOften = field(default_factory=lambda: HowOften(Repeats()))
    only: str = ""

    def wants(self, part: Part) -> bool:
        return part in self.parts


class Course:
    """Implements `interrupts.Part`: `stop` lets what is under way end, `hurry` ends it too; `sections` then holds what
    there is. `parts`: those beside golden. `facts`: what the golden trials say besides.
    """

    def __init__(
        self,
        house: House,
        ctx: Context,
        wishes: Wishes,
        parts: Mapping[Part, PartOf],
        keeper: Keeper,
        facts: Facts,
        watch: Callable[[Progress], None],
    ) -> None:
        self.ctx = ctx
        self.sections: list[Section] = []
        self.cut = ""  # Why it ended early.
        self._house = house
        self._wishes = wishes
        self._parts = parts
        self._keeper = keeper
        self._facts = facts
        self._watch = watch
        self._progress = Progress(began_s=time.monotonic())
        self._room = asyncio.Semaphore(wishes.jobs)
        self._trials: dict[str, list[Observed]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        await self._golden()
        plans = [
            (part, self._planned(part)) for part in ORDER if part in self._parts and self._wishes.wants(part)
        ]
        self._progress.total = sum(len(cells) for _, (cells, _) in plans)
        self._progress.done, self._progress.began_s = 0, time.monotonic()
        for part, (cells, why) in plans:
            await self._part(part, cells, why)

    def stop(self) -> None:
        self.cut = self.cut or STOPPED

    def hurry(self) -> None:
        self.stop()
        for task in list(self._tasks):
            task.cancel()

    # -- golden ----------------------------------------------------------------------------------------------------

    async def _golden(self) -> None:
        """Where golden is not wanted itself, each case is played once: other parts begin with what it left."""
        part = Part.GOLDEN
        wanted = self._wishes.wants(part)
        cells = self._chosen(golden.plan(self.ctx)) if wanted else golden.plan(self.ctx)
        self._progress.starts(part, len(cells) if wanted else 0)
        found = await self._all([(cell, self._golden_cell(cell, wanted=wanted)) for cell in cells])
        order = {case.id: at for at, case in enumerate(self.ctx.cases)}
        bases = sorted((base for _, base in found if base is not None), key=lambda it: order[it.case.id])
        for base in bases:
            self._house.learn(base.case, base.played.recording)
        self.ctx = replace(self.ctx, golden=tuple(bases))
        if not wanted:
            return
        results = [result for result, _ in found]
        facts = {} if self.cut else self._facts(self._trials)
        section = golden.section(results, self._wishes.often, facts)
        self.sections.append(self._closed(section))

    async def _golden_cell(self, cell: Cell, *, wanted: bool) -> tuple[CellResult, Golden | None]:
        case: Case = cell.about
        kept = self._keeper.kept.get(cell.id)
        if kept is not None:
            self._trials[case.id] = list(kept.trials)
            good = next((at for at, seen in enumerate(kept.trials) if seen.passed), None)
            runs = [] if good is None else [await self._golden_run(case, good)]
            base = _base(case, runs)
            result = kept.result
            if good is not None and base is None and result.state is not State.FAILED:
                # Other parts cannot begin with it, and would seem whole without their cells of it.
                result = replace(result, state=State.UNDECIDED, why=NOT_AGAIN)
            await self._done(result, None)
            return result, base
        often = self._wishes.often
        first = range(often.at_once if wanted else 1)
        runs = await _every(self._golden_run(case, at) for at in first)
        while wanted and often.again(runs) and not self.cut:
            runs.append(await self._golden_run(case, len(runs)))
        result = golden.result(cell, runs, often)
        if wanted and self.cut and often.again(runs) and result.state is not State.FAILED:
            raise _Cut  # Not clear yet: kept as it stands, the next sitting would not go on with it.
        if wanted:
            self._trials[case.id] = [run.seen for run in runs]
            await self._done(result, Kept(result, tuple(run.seen for run in runs), case.user))
        return result, _base(case, runs)

    async def _golden_run(self, case: Case, repeat: int) -> Run:
        async with self._room:
            self._check()
            played = await self._house.play(golden.script(self.ctx, case, repeat))
            return Run(played, await self.ctx.score(case, played.trial))

    # -- the other parts -------------------------------------------------------------------------------------------

    def _planned(self, part: Part) -> tuple[list[Cell], str]:
        """Cells, or why there are none."""
        module = self._parts[part]
        if self.cut:
            return [], NOT_BEGUN
        try:
            cells = self._chosen(module.plan(self.ctx))
            if not cells and self._wishes.only and hasattr(module, "find"):
                cells = [cell for cell in [module.find(self.ctx, self._wishes.only)] if cell is not None]
            return cells, ""
        except Exception as error:  # noqa: BLE001  # a part that cannot be planned must not take the others with it
            return [], f"It could not be planned: {type(error).__name__}: {told(error)}"

    async def _part(self, part: Part, cells: list[Cell], why: str) -> None:
        self._progress.starts(part, len(cells))
        if why:
            self.sections.append(Section(part, Verdict.INCONCLUSIVE, why, (), (why,)))
            return
        module = self._parts[part]
        found = await self._all([(cell, self._cell(module, cell)) for cell in cells])
        results = [result for result, _ in found]
        try:
            section = module.section(self.ctx, results)
        except Exception as error:  # noqa: BLE001  # its cells are found all the same
            why = f"Its results could not be summed up: {type(error).__name__}: {told(error)}"
            section = Section(part, Verdict.INCONCLUSIVE, why, tuple(results), (why,))
        self.sections.append(self._closed(section))

    async def _cell(self, module: PartOf, cell: Cell) -> tuple[CellResult, None]:
        kept = self._keeper.kept.get(cell.id)
        if kept is not None:
            await self._done(kept.result, None)
            return kept.result, None
        if cell.lacking or not cell.scripts:
            result = untried(cell, cell.lacking or "There is nothing to run.")
            await self._done(result, None)
            return result, None
        result = await module.judge(self.ctx, cell, await self._played(cell))
        await self._done(result, Kept(result, (), cell.scripts[0].case.user))
        return result, None

    async def _played(self, cell: Cell) -> list[Played]:
        if cell.arrivals_s is None:
            return await _every(self._alone(script) for script in cell.scripts)
        async with self._room:
            self._check()
            return await self._house.together(list(cell.scripts), list(cell.arrivals_s))

    async def _alone(self, script: Script) -> Played:
        async with self._room:
            self._check()
            return await self._house.play(script)

    # -- all of them -----------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self.cut:
            raise _Cut

    def _chosen(self, cells: list[Cell]) -> list[Cell]:
        only = self._wishes.only
        return [cell for cell in cells if cell.id == only] if only else cells

    async def _all(
        self, work: Sequence[tuple[Cell, Awaitable[tuple[CellResult, Golden | None]]]]
    ) -> list[tuple[CellResult, Golden | None]]:
        tasks = [asyncio.ensure_future(self._guarded(cell, one)) for cell, one in work]
        self._tasks.update(tasks)
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            self._tasks.difference_update(tasks)

    async def _guarded(
        self, cell: Cell, work: Awaitable[tuple[CellResult, Golden | None]]
    ) -> tuple[CellResult, Golden | None]:
        """A cell comes to a result whatever happens; only a store that fails ends the preflight."""
        try:
            return await work
        except (_Cut, asyncio.CancelledError):
            return untried(cell, self.cut or STOPPED), None
        except CapReached:
            self.cut = self.cut or CAPPED
            return untried(cell, CAPPED), None
        except KeepingFailed as error:
            raise error.__cause__ or error from None
        except Exception as error:  # noqa: BLE001  # says nothing about the agent, and is told as that
            why = f"It could not be run: {type(error).__name__}: {told(error)}"
            result = replace(came_to(cell, [], State.BROKEN), why=why)
            await self._done(result, None)
            return result, None

    async def _done(self, result: CellResult, kept: Kept | None) -> None:
        if kept is not None and result.state is not State.BROKEN:
            try:
                await self._keeper.keep(kept)
            except Exception as error:
                raise KeepingFailed from error
        self._progress.ended(result)
        self._watch(self._progress)

    def _closed(self, section: Section) -> Section:
        cut = [cell for cell in section.cells if cell.why in (STOPPED, CAPPED)]
        planned = {cell.id for cell in section.cells}
        gone = [
            each.result
            for id_, each in self._keeper.kept.items()
            if each.result.part is section.part and id_ not in planned
        ]
        return outlived(overruled(section, cut), gone)

    @property
    def trials(self) -> Mapping[str, Sequence[Observed]]:
        return self._trials


class _Cut(Exception):  # no error: the run ends early
    """The run ends before this trial."""


class KeepingFailed(Exception):  # only carries its cause past the handlers of what a cell may raise
    """What was found could not be stored."""


async def _every(work: Iterable[Awaitable[T]]) -> list[T]:
    """All have ended when the first failure is raised: what nobody waits for would still spend the run's money."""
    found = await asyncio.gather(*work, return_exceptions=True)
    results: list[T] = []
    for each in found:
        if isinstance(each, BaseException):
            raise each
        results.append(each)
    return results


def _base(case: Case, runs: Sequence[Run]) -> Golden | None:
    return next((Golden(case, run.played) for run in runs if run.passed), None)
