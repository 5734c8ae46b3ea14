"""The course: every cell comes to a result, whatever ends the run; what was found is not run twice."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from airworthy.core.outcome import Outcome
from airworthy.evals import Case, Expect, Severity, Trial
from airworthy.evals.stats import Repeats
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.course import Course, Wishes
from airworthy.preflight.golden import HowOften
from airworthy.preflight.plan import CAPPED, STOPPED, Cell, Context, PartOf, came_to
from airworthy.preflight.progress import Progress
from airworthy.preflight.records import Kept
from airworthy.preflight.report import Section, Verdict
from airworthy.preflight.stage import Recording, Script
from airworthy.preflight.stage.purse import CapReached
from airworthy.preflight.stage.script import Played
from tests.preflight.kit import agent_of

ANSWERS = Expect(outcome=("answered",), facts=("yes",))


@dataclass
class House:
    """Plays by a table: what a case answers at each repeat, `"yes"` where nothing is said."""

    says: Mapping[str, Sequence[str]] = field(default_factory=dict)
    capped_at: int = 1_000_000
    played: list[Script] = field(default_factory=list)
    learnt: list[str] = field(default_factory=list)

    async def play(self, script: Script) -> Played:
        self.played.append(script)
        await asyncio.sleep(0)
        if len(self.played) > self.capped_at:
            raise CapReached("It is used up.")
        answers = self.says.get(script.case.id, ())
        said = answers[script.repeat % len(answers)] if answers else "yes"
        if said == "lost":
            return Played(Trial(script.case.id, None, crash="SystemExit: 1"), Recording(script.case.id, ()))
        if said == "burst":
            raise RuntimeError("a pipe burst")
        trial = Trial(script.case.id, Outcome.ANSWERED, text=said, answer=said, cost_nano=3, model_calls=1)
        return Played(trial, Recording(script.case.id, ()))

    async def together(self, scripts: list[Script], arrivals_s: list[float]) -> list[Played]:
        assert len(scripts) == len(arrivals_s)
        return [await self.play(script) for script in scripts]

    def learn(self, case: Case, recording: Recording) -> None:
        assert recording.case == case.id
        self.learnt.append(case.id)


@dataclass
class Keeper:
    kept: Mapping[str, Kept] = field(default_factory=dict)
    new: dict[str, Kept] = field(default_factory=dict)

    async def keep(self, kept: Kept) -> None:
        self.new[kept.result.id] = kept


@dataclass
class Twice:
    """A part with two cells of each golden case; one more cannot be run."""

    together: bool = False

    def plan(self, ctx: Context) -> list[Cell]:
        cells = [
            Cell(
                f"load/{golden.case.id}.{number}", Part.LOAD, "a cell", scripts=(Script(golden.case),) * 2,
                arrivals_s=(0.0, 1.0) if self.together else None,
            )
            for golden in ctx.golden
            for number in (1, 2)
        ]  # fmt: skip
        return [
            *cells,
            Cell("load/lacks", Part.LOAD, "a cell without a recording", lacking="There is no recording"),
        ]

    async def judge(self, ctx: Context, cell: Cell, played: Sequence[Played]) -> CellResult:
        assert len(played) == len(cell.scripts)
        return came_to(cell, played, State.PASSED)

    def section(self, ctx: Context, results: Sequence[CellResult]) -> Section:
        return Section(Part.LOAD, Verdict.GO, "Fine.", tuple(results))


def cases(*names: str, severity: Severity = Severity.MAJOR) -> tuple[Case, ...]:
    return tuple(Case(id=name, input=name, expect=ANSWERS, severity=severity) for name in names)


def ran(
    house: House,
    suite: tuple[Case, ...],
    *,
    parts: Mapping[Part, PartOf] | None = None,
    keeper: Keeper | None = None,
    wishes: Wishes | None = None,
    watch: Any = None,
) -> Course:
    parts = parts if parts is not None else {}
    wishes = wishes or Wishes((Part.GOLDEN, *parts), often=HowOften(Repeats(cases=len(suite))))
    agent = agent_of()

    def watched(progress: Progress) -> None:
        if watch is not None:
            watch((course_of[0], progress))

    course_of: list[Course] = []

    async def work() -> Course:
        context = Context(agent, agent.policy, suite, (), 7)
        course = Course(house, context, wishes, parts, keeper or Keeper(), lambda _: {}, watched)
        course_of.append(course)
        await course.run()
        return course

    return asyncio.run(work())


def states(course: Course) -> dict[str, State]:
    return {cell.id: cell.state for section in course.sections for cell in section.cells}


def test_a_clear_case_stops_at_the_least_number_of_runs_and_an_unclear_one_goes_on() -> None:
    house = House({"flaky": ("yes", "yes", "yes", "no")})

    course = ran(house, cases("clear", "flaky"))

    runs = Counter(script.case.id for script in house.played)
    assert runs == {"clear": 5, "flaky": 15}
    assert states(course) == {"golden/clear": State.PASSED, "golden/flaky": State.UNDECIDED}
    assert course.sections[0].verdict is Verdict.INCONCLUSIVE


def test_one_failed_run_of_a_critical_case_is_a_no_go() -> None:
    house = House({"grave": ("yes",) * 4 + ("no",) + ("yes",) * 10})

    course = ran(house, cases("grave", severity=Severity.CRITICAL))

    assert course.sections[0].verdict is Verdict.NO_GO
    assert "The answer lacks" in course.sections[0].cells[0].why


def test_a_minor_case_that_fails_is_told_and_does_not_decide() -> None:
    house = House({"trifle": ("no",)})

    course = ran(house, (*cases("a", "b"), *cases("trifle", severity=Severity.MINOR)))

    assert states(course)["golden/trifle"] is State.FAILED
    assert course.sections[0].verdict is Verdict.GO


def test_a_golden_set_of_one_decides_nothing() -> None:
    course = ran(House(), cases("only"))

    assert course.sections[0].verdict is Verdict.INCONCLUSIVE
    assert "One case says next to nothing" in course.sections[0].missing[0]


def test_other_parts_begin_with_what_the_passing_cases_left() -> None:
    house = House({"bad": ("no",)})

    course = ran(house, cases("good", "bad"), parts={Part.LOAD: Twice(together=True)})

    assert house.learnt == ["good"]
    assert set(states(course)) == {"golden/good", "golden/bad", "load/good.1", "load/good.2", "load/lacks"}
    assert states(course)["load/lacks"] is State.UNDECIDED


def test_what_was_not_begun_is_told_for_each_part() -> None:
    course = ran(House(capped_at=2), cases("a", "b"), parts={Part.LOAD: Twice()})

    assert [section.missing for section in course.sections] == [
        ("2 of 2 cells were not run: The cost cap was reached before it was run.",), ("It was not begun.",)
    ]  # fmt: skip


def test_the_cap_ends_the_run_with_what_was_found_and_says_what_was_not_run() -> None:
    keeper = Keeper()
    course = ran(House(capped_at=12), cases("a", "b"), parts={Part.LOAD: Twice()}, keeper=keeper)

    assert course.cut == CAPPED
    section = course.sections[1]
    assert section.verdict is Verdict.INCONCLUSIVE
    assert {cell.why for cell in section.cells if cell.state is State.UNDECIDED} >= {CAPPED}
    assert section.missing[-1].startswith("4 of 5 cells were not run")
    assert "golden/a" in keeper.new
    assert all(kept.result.state is not State.UNDECIDED for kept in keeper.new.values())


def test_what_an_earlier_sitting_found_is_not_run_again() -> None:
    """But for one run of each golden case, from which the other parts begin; its answers are recorded."""
    first, again = Keeper(), Keeper()
    ran(House(), cases("a", "b"), parts={Part.LOAD: Twice()}, keeper=first)
    again.kept = first.new
    house = House()

    course = ran(house, cases("a", "b"), parts={Part.LOAD: Twice()}, keeper=again)

    assert [script.label for script in house.played] == ["golden/a", "golden/b"]
    assert again.new == {}
    assert all(state is State.PASSED for id_, state in states(course).items() if id_ != "load/lacks")
    assert course.trials["a"] == list(first.new["golden/a"].trials)


def test_stopping_lets_what_is_under_way_end_and_begins_nothing_new() -> None:
    def watch(seen: tuple[Course, Progress]) -> None:
        seen[0].stop()

    house = House()
    course = ran(
        house,
        cases(*"abcdefgh"),
        parts={Part.LOAD: Twice()},
        watch=watch,
        wishes=Wishes((Part.GOLDEN, Part.LOAD), 1),
    )

    assert course.cut == STOPPED
    found = Counter(states(course).values())
    assert found[State.PASSED] >= 1
    assert found[State.UNDECIDED] >= 6
    assert {script.label for script in house.played} <= {f"golden/{name}" for name in "abcdefgh"}


def test_a_trial_that_breaks_on_our_side_says_nothing_of_the_agent_and_is_tried_again_next_time() -> None:
    keeper = Keeper()
    course = ran(House({"unlucky": ("burst",)}), cases("fine", "unlucky"), keeper=keeper)

    assert states(course)["golden/unlucky"] is State.BROKEN
    assert "a pipe burst" in course.sections[0].cells[1].why
    assert list(keeper.new) == ["golden/fine"]
    assert course.sections[0].verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("broken", ["plan", "section"])
def test_a_part_that_breaks_is_told_and_takes_no_other_with_it(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def burst(*_: Any) -> Any:
        raise RuntimeError("a pipe burst")

    part = Twice()
    monkeypatch.setattr(part, broken, burst)
    course = ran(House(), cases("a", "b"), parts={Part.CONTEXT: part, Part.LOAD: Twice()})

    by_part = {section.part: section for section in course.sections}
    assert by_part[Part.CONTEXT].verdict is Verdict.INCONCLUSIVE
    assert "a pipe burst" in by_part[Part.CONTEXT].missing[0]
    assert by_part[Part.LOAD].verdict is Verdict.GO


def test_a_judge_that_fails_leaves_the_case_undecided_and_not_failed() -> None:
    house = House()
    agent = agent_of()
    case = replace_case(cases("judged")[0], judge=0.8, rubric="Is it kind?")

    async def work() -> Course:
        course = Course(
            house, Context(agent, agent.policy, (case, *cases("b")), (), 7), Wishes((Part.GOLDEN,)), {}, Keeper(),
            lambda _: {}, lambda _: None,
        )  # fmt: skip
        await course.run()
        return course

    course = asyncio.run(work())
    assert states(course)["golden/judged"] is State.BROKEN
    assert len([script for script in house.played if script.case.id == "judged"]) == 15


def replace_case(case: Case, **expect: Any) -> Case:
    return case.model_copy(update={"expect": case.expect.model_copy(update=expect)})


def test_one_cell_is_run_alone_by_its_id() -> None:
    wishes = Wishes((Part.LOAD,), only="load/b.2")
    course = ran(House(), cases("a", "b"), parts={Part.LOAD: Twice()}, wishes=wishes)

    assert [cell.id for section in course.sections for cell in section.cells] == ["load/b.2"]


def test_progress_tells_what_is_left() -> None:
    seen: list[tuple[int, int]] = []

    def watch(it: tuple[Course, Progress]) -> None:
        seen.append((it[1].cells_left, it[1].part_total))

    ran(House(), cases("a", "b"), parts={Part.LOAD: Twice()}, watch=watch)

    assert seen == [(1, 2), (0, 2), (4, 5), (3, 5), (2, 5), (1, 5), (0, 5)]


@pytest.mark.parametrize("answers", [("yes",) * 4 + ("lost",), ("yes", "lost", "lost", "lost", "lost")])
def test_a_case_whose_runs_were_lost_is_not_said_to_pass(answers: tuple[str, ...]) -> None:
    keeper = Keeper()
    course = ran(House({"lossy": answers}), cases("fine", "lossy"), keeper=keeper)

    assert states(course)["golden/lossy"] is State.BROKEN
    assert "runs say anything" in course.sections[0].cells[1].why
    assert course.sections[0].verdict is Verdict.INCONCLUSIVE
    assert list(keeper.new) == ["golden/fine"]


def test_a_case_that_is_not_clear_when_the_run_ends_is_gone_on_with_later() -> None:
    keeper = Keeper()

    def watch(seen: tuple[Course, Progress]) -> None:
        seen[0].stop()  # As the clear case ends.

    answers = {"clear": ("yes",), "flaky": ("yes", "yes", "yes", "no")}
    course = ran(House(answers), cases("clear", "flaky"), keeper=keeper, watch=watch)

    assert course.sections[0].cells[1].why == STOPPED
    assert list(keeper.new) == ["golden/clear"]


def test_a_cell_ends_only_when_all_its_trials_have_ended() -> None:
    class Slow(House):
        ended = 0

        async def play(self, script: Script) -> Played:
            if script.repeat == 0:
                raise CapReached("It is used up.")
            for _ in range(20):
                await asyncio.sleep(0)
            self.ended += 1
            return await super().play(script)

    house = Slow()
    ran(house, cases("a"))

    assert house.ended == 4


def test_a_run_that_does_not_pass_again_when_the_preflight_goes_on_is_no_go_on_its_way() -> None:
    """What failed in the earlier sitting is derived from it, and must not be let fall in silence."""
    first = Keeper()
    ran(House(), cases("a", "b"), parts={Part.LOAD: Twice()}, keeper=first)

    course = ran(House({"a": ("no",)}), cases("a", "b"), parts={Part.LOAD: Twice()}, keeper=Keeper(first.new))

    golden, load = course.sections
    assert states(course)["golden/a"] is State.UNDECIDED
    assert golden.verdict is Verdict.INCONCLUSIVE
    assert load.verdict is Verdict.INCONCLUSIVE
    assert "2 cells of the earlier sitting" in load.missing[0]
