"""Part of a preflight: 10 to 50 runs at once, checked for lost updates, interleaving, duplicates and cross-talk."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from airworthy.evals import Case, Finding, Severity
from airworthy.evals.scoring import Standing, standing
from airworthy.preflight import crowd
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.crosstalk import Session, canary, cross_talk, with_canary
from airworthy.preflight.history import Operation, history_findings, operations
from airworthy.preflight.plan import Cell, Context, Golden, came_to
from airworthy.preflight.report import Section, Verdict
from airworthy.preflight.stage.script import Played

SAME_MAX: Final = 5  # Cases that are run many times over; each costs as much as all of the mixed ones.
RESOURCES_SHOWN_MAX: Final = 20
ONE_USER: Final = (
    "Cross-talk between strangers: all golden cases are of one user, whose sessions may know of each other. "
    "Give a case another user."
)
STATES: Final = {
    Standing.PASSED: State.PASSED,
    Standing.FAILED: State.FAILED,
    Standing.UNDECIDED: State.BROKEN,
}


@dataclass(frozen=True, slots=True)
class Crowd:
    """Of one cell, in the order of its scripts. `canaries`: empty where strangers do not meet."""

    golden: tuple[Golden, ...]
    canaries: tuple[str, ...]
    labels: tuple[str, ...]


def plan(ctx: Context) -> list[Cell]:
    """Strangers at once, then each case that changes something it has read, many times over on the same thing."""
    if not ctx.golden:
        title = "Many runs at once"
        return [Cell("concurrency/mixed", Part.CONCURRENCY, title, lacking=crowd.NO_GOLDEN)]
    settings = ctx.settings.concurrency
    cells = [_mixed(ctx, settings.runs)]
    changing = [(each, shared) for each in ctx.golden if (shared := _shared(each))]
    cells += [_same(ctx, each, shared, settings.same_runs) for each, shared in changing[:SAME_MAX]]
    return cells


async def judge(ctx: Context, cell: Cell, played: Sequence[Played]) -> CellResult:  # noqa: ARG001  # as every part
    """Asks no model: a judge's score says nothing about what happens at once."""
    assert isinstance(cell.about, Crowd)
    about = cell.about
    found: list[Finding] = []
    good = 0
    for script, each, label in zip(cell.scripts, played, about.labels, strict=True):
        own = crowd.trial_findings(script, each, label)
        good += not own
        found += own
    steps = {label: each.recording.steps for label, each in zip(about.labels, played, strict=True)}
    ops = operations(steps)
    found = [*history_findings(ops), *found]
    if about.canaries:
        found = [*cross_talk(_sessions(about, played)), *found]
    state = STATES[standing(found)]
    evidence = {
        "runs": crowd.told(cell.scripts, played),
        "resources": _resources(ops),
        "gave_way": crowd.gave_way(played),
        "duplicates": sum(len(each.trial.duplicates) for each in played),
    }
    return came_to(cell, played, state, passed=good, findings=found, evidence=evidence)


def section(ctx: Context, results: Sequence[CellResult]) -> Section:
    tried = [result for result in results if result.runs]
    runs = sum(result.runs for result in tried)
    failed = [result for result in results if result.state is State.FAILED]
    open_ones = [result for result in results if result.state in (State.UNDECIDED, State.BROKEN)]
    kinds = Counter(finding.kind for result in failed for finding in result.findings)
    facts: dict[str, Any] = {
        "runs": runs,
        "at_once_max": max((result.runs for result in tried), default=0),
        "gave_way": sum(int(result.evidence.get("gave_way", 0)) for result in tried),
        **dict(sorted(kinds.items())),
    }
    if tried and not _strangers(ctx):
        facts["not_tried"] = [{"text": ONE_USER}]
    if failed:
        worst = next(finding.text for result in failed for finding in result.findings)
        sentence = f"Runs at the same time got into each other's way: {worst}"
        verdict = Verdict.NO_GO
    elif open_ones or not tried:
        sentence = "Whether runs at the same time keep out of each other's way is not known."
        verdict = Verdict.INCONCLUSIVE
    else:
        apart = "no cross-talk between sessions, " if _strangers(ctx) else ""
        sentence = (
            f"{runs} runs, up to {facts['at_once_max']} of them at once, kept out of each other's way: no lost update, "
            f"{apart}nothing done twice."
        )
        if not any(_shared(each) for each in ctx.golden):
            sentence += " No golden case changes something that it has read."
        verdict = Verdict.GO
    missing = tuple(f"{result.title}: {result.why}" for result in open_ones)
    return Section(Part.CONCURRENCY, verdict, sentence, tuple(results), missing, facts)


def _mixed(ctx: Context, runs: int) -> Cell:
    # A canary in an empty input would be all that it says: another input than the one that was found right.
    worded = [each for each in ctx.golden if not isinstance(each.case.input, str) or each.case.input.strip()]
    wanted = crowd.spread(worded or ctx.golden, runs)
    chosen = wanted[: max(2, crowd.under_caps(ctx.policy, wanted))]
    words = [canary(ctx.seed, number) for number in range(len(chosen))]
    cases = [
        with_canary(
            crowd.taking_part(each, each.case, ctx.settings),
            word,
            f"{each.case.session or each.case.id}-{word}",
        )
        for each, word in zip(chosen, words, strict=True)
    ]
    strangers = len({each.case.user for each in chosen})
    title = f"{len(cases)} runs of {len({case.id for case in cases})} cases and {strangers} people at once"
    name = "concurrency/mixed"
    return _cell(ctx, name, title, Severity.CRITICAL, cases, Crowd(tuple(chosen), tuple(words), ()))


def _same(ctx: Context, each: Golden, shared: Sequence[str], runs: int) -> Cell:
    chosen = [each] * runs
    chosen = chosen[: max(2, crowd.under_caps(ctx.policy, chosen))]
    cases = [
        crowd.taking_part(each, each.case, ctx.settings).model_copy(
            update={"session": f"{each.case.session or each.case.id}-{number}"}
        )
        for number in range(1, len(chosen) + 1)
    ]
    title = f"{len(cases)} runs of {each.case.id} at once, all on {', '.join(shared[:3])}"
    name = f"concurrency/same/{each.case.id}"
    return _cell(ctx, name, title, each.case.severity, cases, Crowd(tuple(chosen), (), ()))


def _cell(
    ctx: Context, name: str, title: str, severity: Severity, cases: Sequence[Case], about: Crowd
) -> Cell:
    named = Crowd(about.golden, about.canaries, tuple(crowd.labels(cases)))
    axes = {"at once": str(len(cases)), "of": name.partition("/")[2]}
    return Cell(
        name, Part.CONCURRENCY, title, severity, axes, crowd.scripts(cases, name, ctx.seed),
        arrivals_s=(0.0,) * len(cases), about=named,
    )  # fmt: skip


def _strangers(ctx: Context) -> bool:
    """Who has no name is a stranger to everybody."""
    users = {each.case.user for each in ctx.golden}
    return len(users) > 1 or "" in users


def _shared(each: Golden) -> list[str]:
    """What the case reads and then changes, by name."""
    ops = operations({"alone": each.played.recording.steps})
    read = {op.resource for op in ops if not op.acts}
    return sorted({op.resource for op in ops if op.acts and op.resource in read})


def _sessions(about: Crowd, played: Sequence[Played]) -> list[Session]:
    return [
        Session(label, each.case.user, word, run, each.played)
        for label, each, word, run in zip(about.labels, about.golden, about.canaries, played, strict=True)
    ]


def _resources(ops: Sequence[Operation]) -> list[dict[str, Any]]:
    names = sorted({op.resource for op in ops})
    return [
        {
            "resource": name,
            "looked_at": sum(op.resource == name and not op.acts for op in ops),
            "changed": sum(op.resource == name and op.acts for op in ops),
            "ordered_by": "version"
            if any(op.version is not None for op in ops if op.resource == name)
            else "time",
        }
        for name in names[:RESOURCES_SHOWN_MAX]
    ]
