"""What the parts of a preflight have in common: a cell before it is run, and the port by which each is driven."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from airworthy.evals import Case, Finding, Severity, Trial, score
from airworthy.policy import Policy
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.report import Section
from airworthy.preflight.settings import PreflightSettings
from airworthy.preflight.stage import Script
from airworthy.preflight.stage.script import Played
from airworthy.runtime import Agent

# Why a cell was not run, where the run ended before it.
STOPPED: Final = "The preflight was stopped before it was run"
CAPPED: Final = "The cost cap was reached before it was run"

Scorer = Callable[[Case, Trial], Awaitable[tuple[Finding, ...]]]


async def by_rule(case: Case, trial: Trial) -> tuple[Finding, ...]:
    """Without a judge: what only a judge could tell is found to be untold."""
    return score(case, trial)


@dataclass(frozen=True, slots=True)
class Golden:
    """A case, and its first golden trial that met what was expected: what other parts begin with and compare to."""

    case: Case
    played: Played


@dataclass(frozen=True, slots=True)
class Context:
    """All that a part may look at. The same context gives the same plan, cell for cell, id for id.

    `golden`: of passing cases only, in the order of `cases`; empty while the golden part itself is planned. `model`:
    "simulated" or "real". `score`: what of a trial is not as its case expects, the judge asked where a rubric calls for
    it. `arrivals_s`: when tasks came in, as recorded, for load; may be empty.
    """

    agent: Agent
    policy: Policy
    cases: tuple[Case, ...]
    golden: tuple[Golden, ...]
    seed: int
    settings: PreflightSettings = field(default_factory=PreflightSettings)
    model: str = "simulated"
    score: Scorer = by_rule
    arrivals_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """`id`: `part/...`, of letters, digits and `_.-/` only, the same for the same thing for ever.

    `scripts`: played each alone, or all on one stage when `arrivals_s` gives a time for each. `lacking`: why it cannot
    be run (no recording); it is then told as undecided, and never played. `about`: the part's own value, never stored.
    """

    id: str
    part: Part
    title: str
    severity: Severity = Severity.MAJOR
    axes: dict[str, str] = field(default_factory=dict)
    scripts: tuple[Script, ...] = ()
    arrivals_s: tuple[float, ...] | None = None
    lacking: str = ""
    about: Any = None


def came_to(
    cell: Cell,
    played: Sequence[Played],
    state: State,
    *,
    passed: int | None = None,
    findings: Sequence[Finding] = (),
    evidence: Mapping[str, Any] | None = None,
) -> CellResult:
    """A result with the cell's names, and with the costs and calls of its trials added up.

    `passed` None: all of them, or none. The first finding is told as why.
    """
    trials = [each.trial for each in played]
    priced = [trial.cost_nano for trial in trials if trial.cost_nano is not None]
    if passed is None:
        passed = len(trials) if state is State.PASSED else 0
    return CellResult(
        cell.id, cell.part, state, cell.title, cell.severity, len(trials), passed, tuple(findings),
        findings[0].text if findings else "", cell.axes, evidence=evidence or {},
        cost_nano=sum(priced) if len(priced) == len(trials) else None,
        model_calls=sum(trial.model_calls for trial in trials),
        model_calls_made=sum(trial.model_calls_made for trial in trials),
        seconds=sum(trial.seconds for trial in trials),
    )  # fmt: skip


def untried(cell: Cell, why: str) -> CellResult:
    """Of a cell that was not played: `cell.lacking`, the cap, or that the run was stopped."""
    return CellResult(
        cell.id, cell.part, State.UNDECIDED, cell.title, cell.severity, 0, 0, (), why, cell.axes
    )


class PartOf(Protocol):
    """A module with these three functions is a part; none of them runs the agent or knows the database.

    One whose plan leaves cells out may have `find(ctx, id)` too: any cell by its id, or None.
    """

    def plan(self, ctx: Context) -> list[Cell]:
        """Every cell, the most telling first: the cap may end the run at any of them."""
        ...

    async def judge(self, ctx: Context, cell: Cell, played: Sequence[Played]) -> CellResult:
        """What came of it, `played` in the order of `cell.scripts`. May ask a judge model, never the agent."""
        ...

    def section(self, ctx: Context, results: Sequence[CellResult]) -> Section:
        """`results`: of every cell planned, undecided ones too. None at all: inconclusive, with what is missing."""
        ...
