"""The golden part: each case as often as it takes to tell, its rate with what the sample allows to say of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from airworthy.core.canonical import encode
from airworthy.evals import Case, Finding, Severity, passed
from airworthy.evals.matching import as_data
from airworthy.evals.stats import (
    Next,
    Observed,
    Rate,
    Repeats,
    clustered,
    fair_rate,
    next_repeat,
    observed,
    of_shares,
    wilson,
)
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.plan import CAPPED, STOPPED, Cell, Context, came_to
from airworthy.preflight.report import Section, Verdict
from airworthy.preflight.stage import Script
from airworthy.preflight.stage.script import Played

CASES_ADVISED: Final = 25
EVIDENCE_CHARS_MAX: Final = 2_000
_SHOWN_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Run:
    """One trial of a case, and what was not as expected."""

    played: Played
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool | None:
        return passed(self.findings)

    @property
    def seen(self) -> Observed:
        return observed(self.played.trial, self.passed)


@dataclass(frozen=True, slots=True)
class HowOften:
    """`rule`: when a case is clear. `fixed`: so many runs of each instead, whatever they show."""

    rule: Repeats
    fixed: int | None = None

    @property
    def at_once(self) -> int:
        """Made of every case whatever they show, so they need not wait for each other."""
        return self.fixed if self.fixed is not None else self.rule.at_least

    def again(self, runs: Sequence[Run]) -> bool:
        if self.fixed is not None:
            return len(runs) < self.fixed
        good, told = counted(runs)
        return len(runs) < self.rule.at_most and next_repeat(good, told, self.rule) is Next.AGAIN


def plan(ctx: Context) -> list[Cell]:
    """The severe ones first; the further runs of each are asked for one by one."""
    order = list(Severity)
    cells = [
        Cell(
            f"golden/{case.id}", Part.GOLDEN, _title(case), case.severity, {"case": case.id},
            (script(ctx, case, 0),), about=case,
        )
        for case in ctx.cases
    ]  # fmt: skip
    return sorted(cells, key=lambda cell: order.index(cell.severity))


def script(ctx: Context, case: Case, repeat: int) -> Script:
    return Script(case, f"golden/{case.id}", repeat, ctx.seed + repeat)


def counted(runs: Sequence[Run]) -> tuple[int, int]:
    """Passed, and how many say anything of the agent."""
    told = [run.passed for run in runs if run.passed is not None]
    return sum(told), len(told)


def result(cell: Cell, runs: Sequence[Run], often: HowOften) -> CellResult:
    """What the runs of one case come to. One failed run of a critical case is a failure, however rare it may be."""
    good, told = counted(runs)
    failed = [run for run in runs if run.passed is False]
    worst = next(iter(failed), None) or next((run for run in runs if run.passed is None), runs[0])
    state, why = _standing(cell, runs, often)
    # A judge that could not be asked is told even where another run failed for good.
    findings = worst.findings if state is not State.PASSED or failed else ()
    made = came_to(
        cell, [run.played for run in runs], state, passed=good, findings=findings,
        evidence=evidence_of(cell.about, worst.played),
    )  # fmt: skip
    said = "; ".join(part for part in (why, made.why) if part)
    return replace(made, runs=told, why=said, interval=wilson(good, told) if told else None)


def _standing(cell: Cell, runs: Sequence[Run], often: HowOften) -> tuple[State, str]:
    """Runs that say nothing are no passes: where some were lost, or many, the case is not said to pass."""
    good, told = counted(runs)
    if told == 0:
        return State.BROKEN, "No run says anything about the agent"
    state, why = _decided(cell, good, told, often)
    lost = any(run.played.trial.crash for run in runs)
    few = told < min(often.at_once, often.rule.at_least) or 2 * told <= len(runs)
    if state is State.PASSED and (lost or few):
        return State.BROKEN, f"Only {told} of {len(runs)} runs say anything about the agent"
    return state, why


def _decided(cell: Cell, good: int, told: int, often: HowOften) -> tuple[State, str]:
    if good == told:
        return State.PASSED, ""
    share = f"{good} of {told} runs passed"
    if cell.severity is Severity.CRITICAL:
        return State.FAILED, share
    decision = next_repeat(good, told, replace(often.rule, at_least=1))
    if decision is Next.FAILS or good == 0:
        return State.FAILED, share
    if decision is Next.PASSES:
        return State.PASSED, share
    return State.UNDECIDED, f"Flaky: {share}, neither shown to be good nor to be bad"


def section(
    results: Sequence[CellResult], often: HowOften, facts: Mapping[str, Any] | None = None
) -> Section:
    """`facts`: what others found on the same trials (`do_nothing`, `comparison`)."""
    verdict, missing = _verdict(results, facts or {})
    rate = rate_of(results, often)
    tried = [each for each in results if each.runs]
    passing = sum(1 for each in tried if each.state is State.PASSED)
    sentence = f"{passing} of {len(results)} cases pass"
    sentence += f"; a run passes in {rate.value:.0%} ({rate.low:.0%} to {rate.high:.0%})." if rate else "."
    nothing = (facts or {}).get("do_nothing")
    if nothing is not None:
        sentence += f" {nothing['text']}"
    told: dict[str, Any] = {"cases": len(results), "runs": sum(each.runs for each in results)}
    if rate is not None:
        told["pass_rate"] = {
            "passed": sum(each.passed for each in results), "runs": told["runs"], "cases": rate.cases,
            "rate": rate.value, "interval": [rate.low, rate.high],
        }  # fmt: skip
    if len(results) < CASES_ADVISED:
        told["advice"] = (
            f"{len(results)} cases are few; {CASES_ADVISED} or more of the commonest inputs say more."
        )
    return Section(Part.GOLDEN, verdict, sentence, tuple(results), missing, told | dict(facts or {}))


def rate_of(results: Sequence[CellResult], often: HowOften) -> Rate | None:
    """Over all cases, each of which counts the same; clustered, since runs of a case are alike."""
    tried = [each for each in results if each.runs]
    if not tried:
        return None
    if often.fixed is not None:
        return clustered({each.id: (each.passed, each.runs) for each in tried})
    shares = [fair_rate(each.passed, each.runs, often.rule) for each in tried]
    return of_shares(shares, sum(each.runs for each in tried))


def _verdict(results: Sequence[CellResult], facts: Mapping[str, Any]) -> tuple[Verdict, tuple[str, ...]]:
    failed = [each for each in results if each.state is State.FAILED and each.severity is not Severity.MINOR]
    comparison = facts.get("comparison") or {}
    if failed or comparison.get("judged") == "worse":
        return Verdict.NO_GO, ()
    missing = []
    if not results:
        missing.append(
            "There is no case. Write some under cases/, or make them of tasks: airworthy case from-task."
        )
    elif len(results) == 1:
        missing.append(f"One case says next to nothing of an agent; write {CASES_ADVISED} or more.")
    open_ = [each for each in results if each.state in (State.UNDECIDED, State.BROKEN)]
    # What was not run is told at once, by the course.
    open_ = [it for it in open_ if it.severity is not Severity.MINOR and it.why not in (STOPPED, CAPPED)]
    missing += [f"{each.title}: {each.why}." for each in open_[:_SHOWN_MAX]]
    if len(open_) > _SHOWN_MAX:
        missing.append(f"{len(open_) - _SHOWN_MAX} more cases came to no result.")
    nothing = facts.get("do_nothing") or {}
    good = sum(1 for each in results if each.state is State.PASSED)
    if results and nothing and nothing["passed"] >= good:
        missing.append(
            f"An agent that does nothing passes {nothing['passed']} of {nothing['cases']} cases, so these cases do not"
            " tell a good agent from none."
        )
    if comparison.get("missing"):
        missing.append(str(comparison["missing"]))
    return (Verdict.INCONCLUSIVE if missing else Verdict.GO), tuple(missing)


def evidence_of(case: Case, played: Played) -> dict[str, Any]:
    """What was sent, done and answered, each cut to a readable length."""
    trial = played.trial
    return {
        "input": _cut(case.input),
        "answer": _cut(trial.answer if trial.answer is not None else trial.text),
        "tools": [
            {"name": use.name, "arguments": _cut(use.arguments), "error": use.error, "refused": use.refused}
            for use in trial.tools[:_SHOWN_MAX]
        ],
        "acts": [
            {"tool": act.tool, "arguments": _cut(act.arguments), "times": act.times}
            for act in trial.acts[:_SHOWN_MAX]
        ],
        "asked": [
            {"tool": each.tool, "text": _cut(each.text), "said": each.said}
            for each in trial.asked[:_SHOWN_MAX]
        ],
        "outcome": trial.outcome.value if trial.outcome is not None else "none",
        "made_up": list(trial.made_up),
    }


def _cut(value: Any) -> str:
    text = _words(value)
    return text if len(text) <= EVIDENCE_CHARS_MAX else f"{text[:EVIDENCE_CHARS_MAX]}..."


def _words(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else encode(as_data(value)).decode()


def _title(case: Case) -> str:
    words = " ".join(_words(case.input).split())
    return case.note or (words if 0 < len(words) <= 60 else f"{words[:57]}..." if words else case.id)
