"""One preflight of one agent, from its lease to its report: begun or gone on with, kept cell by cell, ended."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import airworthy
from airworthy.app.beside import beside
from airworthy.app.build import App, this_process
from airworthy.app.judging import JudgeModel, scorer_of
from airworthy.app.preflight_parts import models_of, parts, props_of, reach_of, staged, suite_of
from airworthy.app.preflight_told import (
    golden_facts,
    how_it_fails,
    options_told,
    parts_left_out,
    without_secrets,
)
from airworthy.app.readiness import checklist_of
from airworthy.core.canonical import digest, encode
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import InputError
from airworthy.core.money import usd_text
from airworthy.evals.stats import Observed, Repeats
from airworthy.evals.suites import Suite
from airworthy.preflight import records
from airworthy.preflight.cases.keeping import Cases
from airworthy.preflight.cell import Part
from airworthy.preflight.course import Course, Wishes
from airworthy.preflight.golden import HowOften
from airworthy.preflight.plan import CAPPED, Context
from airworthy.preflight.progress import Progress
from airworthy.preflight.records import Kept, RunState, Stored, UnknownPreflight
from airworthy.preflight.report import Report, Verdict
from airworthy.preflight.settings import PreflightSettings
from airworthy.preflight.stage.answers import StoredAnswers
from airworthy.preflight.stage.models import Models
from airworthy.preflight.stage.purse import Purse, cap_of
from airworthy.preflight.verdict import concluded
from airworthy.runtime import Agent
from airworthy.runtime.releases import noted, release_of
from airworthy.store import Tx
from airworthy.store import lease as leases
from airworthy.store.database import Fence
from airworthy.store.lease import HEARTBEAT_S

SEED: Final = 7

Before = tuple[Stored, Mapping[str, Sequence[Observed]]]


@dataclass(frozen=True, slots=True)
class Options:
    """As the command was asked. `repeat` None: as often as it takes. `cell`: only this one, and nothing is stored."""

    suites: tuple[str, ...] = ()
    budget_usd: float | None = None
    against: str = ""
    repeat: int | None = None
    jobs: int = 16
    only: tuple[Part, ...] = ()
    seed: int = SEED
    cell: str = ""
    resume: bool = True
    must_resume: bool = False

    @property
    def parts(self) -> tuple[Part, ...]:
        if self.cell:
            return (part_of(self.cell),)
        return self.only or tuple(Part)


def part_of(cell: str) -> Part:
    """Raises: InputError."""
    name = cell.partition("/")[0]
    if name not in {part.value for part in Part}:
        raise InputError(
            f"{cell!r} is no cell of a preflight.",
            mend="Take an id from a report, such as golden/where-is-it.",
        )
    return Part(name)


@dataclass(slots=True)
class Preflight:
    """Implements `interrupts.Part`. `report`: once it has run. `gone_on`: how many results an earlier sitting left."""

    app: App
    agent: Agent
    folder: Path
    settings: PreflightSettings
    options: Options
    watch: Callable[[Progress, int], None]
    report: Report | None = None
    gone_on: int = 0
    suite: Suite = field(default_factory=Suite)
    _course: Course | None = None
    _stopped: bool = False

    async def run(self) -> None:
        """Raises: PreflightUnderWay, SuiteError, ConfigError, UnknownPreflight, StoreError."""
        made = Cases(self.app.database, self.app.clock, self.app.payloads)
        stored = () if self.options.suites else tuple(each.case for each in made.listing([self.agent.name]))
        self.suite = suite_of(self.folder, self.settings, self.options.suites, stored, reach_of(self.agent))
        models, word = models_of(self.agent, self.folder, self.settings)
        before = self._before() if self.options.against else None
        if self.options.cell:
            await self._run(_Keeper(self.app, None, {}), self._new(word), models, word, None)
            return
        async with self._leased() as fence:
            new = self._new(word)
            row, kept = await self.app.database.write(lambda tx: self._begun(tx, new), fence=fence)
            self.gone_on = len(kept)
            await self._run(_Keeper(self.app, fence, kept, row.id), row, models, word, before)

    def stop(self) -> None:
        self._stopped = True
        if self._course is not None:
            self._course.stop()

    def hurry(self) -> None:
        self.stop()
        if self._course is not None:
            self._course.hurry()

    async def _run(
        self, keeper: "_Keeper", row: Stored, models: Models, word: str, before: Before | None
    ) -> None:
        options = self.options
        began_us = self.app.clock.now_us()
        usd = self.settings.budget_usd if options.budget_usd is None else options.budget_usd
        purse = keeper.purse = Purse(cap_of(usd), row.spent_nano)
        often = HowOften(Repeats(cases=max(1, len(self.suite.cases))), options.repeat)
        judge = self._judge(purse)
        context = Context(
            self.agent, self.agent.policy, self.suite.cases, (), row.seed, self.settings, word,
            scorer_of(judge), self._arrivals(),
        )  # fmt: skip

        def facts(trials: Mapping[str, Sequence[Observed]]) -> dict[str, Any]:
            return golden_facts(self.suite.cases, trials, before, row.seed, often)

        async with staged(self.app, self.agent, self.settings, models, purse) as stage:
            wishes = Wishes(options.parts, options.jobs, often, options.cell)
            course = self._course = Course(
                stage, context, wishes, parts(options.parts), keeper, facts,
                lambda progress: self.watch(progress, purse.spent_nano),
            )  # fmt: skip
            if self._stopped:
                course.stop()
            try:
                await course.run()
            finally:
                if judge is not None:
                    await judge.aclose()
        worked_us = row.worked_us + self.app.clock.now_us() - began_us
        made = self._reported(row, course, purse, word, worked_us, before)
        self.report = without_secrets(made, self.app.payloads.redactor)
        if not options.cell:
            state = RunState.STOPPED if course.cut else RunState.DONE
            await keeper.end(self.report, state, worked_us)

    def _reported(
        self, row: Stored, course: Course, purse: Purse, word: str, worked_us: int, before: Before | None
    ) -> Report:
        sections = tuple(course.sections)
        cells = [cell for section in sections for cell in section.cells]
        left_out = parts_left_out(self.options)
        cut = (
            f"The run ended at its cap of {usd_text(purse.cap_nano)}."
            if course.cut == CAPPED
            else course.cut and "It was stopped."
        )
        made = Report(
            row.id, row.agent, row.release, Verdict.INCONCLUSIVE, "", row.began_us,
            worked_us / US_PER_S, row.seed, sections,
            how_it_fails=how_it_fails(cells), against=before[0].id if before else "", model=word,
            cost_nano=purse.spent_nano, cap_nano=purse.cap_nano or 0,
            model_calls=sum(cell.model_calls for cell in cells),
            model_calls_made=sum(cell.model_calls_made for cell in cells),
            options=options_told(self.options),
        )  # fmt: skip
        checklist = checklist_of(self.app, self.agent, self.folder, made)
        live = self.agent.policy.live
        verdict, sentence, missing = concluded(sections, checklist, live=live, left_out=left_out, cut=cut)
        return replace(made, verdict=verdict, sentence=sentence, missing=missing, checklist=checklist)

    def _begun(self, tx: Tx, row: Stored) -> tuple[Stored, dict[str, Kept]]:
        options = self.options
        found = records.unfinished(tx, row.agent, row.same) if options.resume else None
        if found is not None:
            records.gone_on(tx, found.id)
            return found, records.cells(tx, found.id)
        if options.must_resume:
            raise UnknownPreflight(
                f"No preflight of {self.agent.name} was broken off that is like this one.",
                mend="Leave out --resume: a new one is begun. Code, cases, seed and options must be the same.",
            )
        records.begun(tx, row)
        return row, {}

    def _new(self, word: str) -> Stored:
        now_us = self.app.clock.now_us()
        release = release_of(self.agent, self.folder)
        noted(self.app.database, release, now_us)
        return Stored(
            self.app.ids.new("pfl", now_us), self.agent.name, release.short, RunState.RUNNING, "", now_us, None,
            self.options.seed, self._same(release.hash, word), 0, 0,
        )  # fmt: skip

    def _same(self, release: str, word: str) -> str:
        """All that decides what a cell comes to, and which cells there are."""
        options = self.options
        cases = [case.model_dump(mode="json") for case in self.suite.cases]
        parts_ = [part.value for part in options.parts]
        whole = [airworthy.__version__, release, word, self.settings.model_dump(mode="json"), cases, parts_,
                 options.repeat, options.seed, props_of(self.folder, self.settings)]  # fmt: skip
        return digest(encode(whole)).hex()

    def _judge(self, purse: Purse) -> JudgeModel | None:
        if self.settings.judge is None:
            return None
        answers = StoredAnswers(self.app.database, self.app.payloads, self.agent.name)
        return JudgeModel(self.settings.judge, purse, answers, self.app.clock)

    def _before(self) -> Before:
        def read(tx: Tx) -> tuple[Stored | None, dict[str, Kept]]:
            row = records.before(tx, self.agent.name, self.options.against)
            return row, records.cells(tx, row.id) if row else {}

        row, kept = self.app.database.read_now(read)
        if row is None:
            raise UnknownPreflight(
                f"There is no ended preflight {self.options.against!r} of {self.agent.name} to compare with.",
                mend="Run one without --against first; `last-good` is the newest whose verdict was go.",
            )
        return row, {id_.removeprefix("golden/"): it.trials for id_, it in kept.items() if it.trials}

    def _arrivals(self) -> tuple[float, ...]:
        from airworthy.preflight.arrivals import read_times, recorded_times

        if self.settings.load.arrivals:
            path = self.folder / self.settings.load.arrivals
            try:
                return read_times(path.read_text(encoding="utf-8"), str(path))
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"{path} cannot be read: {error}.", mend="Check load.arrivals.") from error
        return self.app.database.read_now(lambda tx: recorded_times(tx, self.agent.name))

    @contextlib.asynccontextmanager
    async def _leased(self) -> AsyncIterator[Fence]:
        """Only one at a time, since two would take each other's cells and money for their own."""
        app, owner = self.app, this_process(self.app.clock, "pfl", "preflight")
        fence = await app.database.write(
            lambda tx: records.taken(tx, self.agent.name, owner, app.clock.now_us())
        )

        async def beat() -> None:
            while True:
                await asyncio.sleep(HEARTBEAT_S)
                if not await app.database.write(lambda tx: leases.beat(tx, owner.id, app.clock.now_us())):
                    self.hurry()  # It was frozen and given up for dead; another may have gone on with it.
                    return

        try:
            async with beside(beat):
                yield fence
        finally:
            await app.database.write(lambda tx: leases.leave(tx, owner.id))


class _Keeper:
    """Implements `course.Keeper`; each result is on disk before it counts."""

    def __init__(self, app: App, fence: Fence | None, kept: Mapping[str, Kept], id_: str = "") -> None:
        """Without a fence nothing is kept."""
        self.kept = kept
        self.purse = Purse()
        self._app = app
        self._id = id_
        self._fence = fence

    async def keep(self, kept: Kept) -> None:
        if self._fence is None:
            return
        at_us, spent = self._app.clock.now_us(), self.purse.taken_nano
        hidden = self._app.payloads.redactor
        await self._app.database.write(
            lambda tx: records.keep(tx, self._id, kept, at_us=at_us, spent_nano=spent, redactor=hidden),
            fence=self._fence,
        )

    async def end(self, report: Report, state: RunState, worked_us: int) -> None:
        at_us, spent = self._app.clock.now_us(), self.purse.taken_nano
        await self._app.database.write(
            lambda tx: records.ended(tx, report, state, at_us=at_us, worked_us=worked_us, spent_nano=spent),
            fence=self._fence,
        )
