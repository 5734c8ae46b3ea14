"""Two versions of an agent on the same cases: whether it changed, and whether it is worse; these are two questions."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import log1p
from typing import Final

from airworthy.core.errors import InputError
from airworthy.evals.stats.margin import Difference, difference
from airworthy.evals.stats.permuting import PERMUTATIONS, Drops, Shifts
from airworthy.evals.stats.several import holm
from airworthy.evals.trial import Trial

TOOLS: Final = "tools"


@dataclass(frozen=True, slots=True)
class Observed:
    """One run of a case. `passed` None: it says nothing of the agent (the judge failed, our side broke). `signals`: any
    amounts that are not negative; a missing one is not known. `tools`: how often each tool was called.
    """

    passed: bool | None
    signals: Mapping[str, float] = field(default_factory=dict)
    tools: Mapping[str, int] = field(default_factory=dict)


def observed(trial: Trial, passed: bool | None) -> Observed:  # noqa: FBT001  # the verdict on the trial, not a switch
    signals = {"steps": float(trial.steps), "length": float(len(trial.text)), "seconds": trial.seconds}
    if trial.cost_nano is not None:
        signals["cost"] = trial.cost_nano / 1e9
    tools: dict[str, int] = {}
    for use in trial.tools:
        tools[use.name] = tools.get(use.name, 0) + 1
    return Observed(passed, signals, tools)


class Judged(StrEnum):
    WORSE = "worse"
    NOT_WORSE = "not worse"  # Within the margin; it may also be better.
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Changed:
    """`p`: by permutation within cases. `p_holm`: adjusted for all signals asked. `ratio`: of the means after and
    before, over cases; None of a signal without one. `most`: for tools, those that moved most, as (name, calls per run
    before, after).
    """

    signal: str
    p: float
    p_holm: float
    changed: bool
    ratio: float | None = None
    most: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class CaseChange:
    case: str
    before: tuple[int, int]
    after: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`rates`: success before and after, over the cases that both have. `low`, `high`: 95 % interval of after minus
    before on these cases. `p_worse`, `p_better`: one-sided. `smallest_drop`: the drop all over that these runs find in
    8 of 10 tries. `missing_runs`: how many further runs of the new version would decide it in 8 of 10 tries if both are
    equal; 0: decided; None: no number of them, the old version's runs are too few (see `missing_before`: what both
    would need). `fell`: cases that pass less often, the steepest first. `left_out`: cases that only one of them has.
    """

    judged: Judged
    success: Difference
    p_worse: float
    p_better: float
    alpha: float
    margin: float
    signals: tuple[Changed, ...] = ()
    fell: tuple[CaseChange, ...] = ()
    left_out: tuple[str, ...] = ()
    smallest_drop: float = 1.0
    missing_runs: int | None = 0
    missing_before: int = 0
    cases: int = 0

    @property
    def changed(self) -> bool:
        return any(signal.changed for signal in self.signals)

    @property
    def sentence(self) -> str:
        return _sentence(self)


def compare(
    before: Mapping[str, Sequence[Observed]],
    after: Mapping[str, Sequence[Observed]],
    seed: int,
    *,
    margin: float = 0.05,
    alpha: float = 0.05,
    first: int | None = None,
    permutations: int = PERMUTATIONS,
) -> Comparison:
    """By permutation within each case, so that a case's own difficulty never counts as a difference.

    "Worse" is asked of success alone, once, at `alpha`; "changed" of tools and of every signal, with Holm over them.
    `first`: so many runs of each case, and no later ones: give `Repeats.at_least` where a sequential rule chose the
    others, since it chose them for what it had seen. Re-running until it is green is such a choice too: pool all runs.
    """
    if not 0 < margin < 1 or not 0 < alpha < 0.5:
        raise InputError(
            f"Margin {margin} with alpha {alpha} is no test.", mend="Give both as shares, like 0.05."
        )
    rng = random.Random(seed)  # noqa: S311  # a seeded simulation, no secret
    names = [name for name in before if before[name] and after.get(name)]
    old = {name: list(before[name][:first]) for name in names}
    new = {name: list(after[name][:first]) for name in names}
    counts = {
        name: (_count(old[name]), _count(new[name]))
        for name in names
        if _count(old[name])[1] and _count(new[name])[1]
    }
    drops = Drops(rng, permutations)
    for one, other in counts.values():
        drops.case(one, other)
    p_worse, success = drops.worse(), difference(counts, alpha)
    judged = Judged.UNDECIDED
    if counts and p_worse <= alpha:
        judged = Judged.WORSE
    elif counts and success.low_one_sided > -margin:
        judged = Judged.NOT_WORSE
    more, both = success.missing(margin) if judged is Judged.UNDECIDED else (0, 0)
    return Comparison(
        judged, success, p_worse, drops.better(), alpha, margin,
        signals=_signals(old, new, rng, alpha, permutations),
        fell=_fell(counts),
        left_out=tuple(sorted((before.keys() | after.keys()) - counts.keys())),
        smallest_drop=success.smallest_drop, missing_runs=more, missing_before=both, cases=len(counts),
    )  # fmt: skip


def _count(runs: Sequence[Observed]) -> tuple[int, int]:
    known = [run.passed for run in runs if run.passed is not None]
    return sum(known), len(known)


def _fell(counts: Mapping[str, tuple[tuple[int, int], tuple[int, int]]]) -> tuple[CaseChange, ...]:
    fallen = [
        CaseChange(name, one, other)
        for name, (one, other) in counts.items()
        if other[0] / other[1] < one[0] / one[1]
    ]
    return tuple(sorted(fallen, key=lambda c: c.after[0] / c.after[1] - c.before[0] / c.before[1]))


def _signals(
    old: Mapping[str, Sequence[Observed]],
    new: Mapping[str, Sequence[Observed]],
    rng: random.Random,
    alpha: float,
    permutations: int,
) -> tuple[Changed, ...]:
    runs = [run for side in (old, new) for of_case in side.values() for run in of_case]
    signals = sorted({name for run in runs for name in run.signals})
    tools = sorted({name for run in runs for name in run.tools})
    found: dict[str, Shifts] = {}
    if tools:
        found[TOOLS] = shifts = Shifts(rng, tools, permutations)
        for name in old:
            # Logarithms, so that one run that calls a tool fifty times does not drown the others.
            shifts.case(
                [[log1p(run.tools.get(tool, 0)) for tool in tools] for run in old[name]],
                [[log1p(run.tools.get(tool, 0)) for tool in tools] for run in new[name]],
            )
    for signal in signals:
        scale = _scale(runs, signal)
        found[signal] = shifts = Shifts(rng, [signal], permutations)
        for name in old:
            shifts.case(_known(old[name], signal, scale), _known(new[name], signal, scale))
    raw = {name: shifts.changed() for name, shifts in found.items()}
    adjusted = holm(raw)
    return tuple(
        Changed(
            name, p, adjusted[name], adjusted[name] <= alpha,
            ratio=None if name == TOOLS else _ratio(old, new, name),
            most=_moved(old, new, found[name]) if name == TOOLS else (),
        )
        for name, p in raw.items()
    )  # fmt: skip


def _scale(runs: Sequence[Observed], signal: str) -> float:
    """A unit, so that the logarithm bends dollars of a call and characters of an answer alike."""
    known = sorted(run.signals[signal] for run in runs if signal in run.signals)
    return known[len(known) // 2] or 1.0


def _known(runs: Sequence[Observed], signal: str, scale: float) -> list[list[float]]:
    return [[log1p(max(0.0, run.signals[signal]) / scale * 10)] for run in runs if signal in run.signals]


def _ratio(
    old: Mapping[str, Sequence[Observed]], new: Mapping[str, Sequence[Observed]], signal: str
) -> float | None:
    sums = [0.0, 0.0]
    for name in old:
        sides = [[r.signals[signal] for r in side[name] if signal in r.signals] for side in (old, new)]
        if all(sides):
            for which, values in enumerate(sides):
                sums[which] += sum(values) / len(values)
    return sums[1] / sums[0] if sums[0] > 0 else None


def _moved(
    old: Mapping[str, Sequence[Observed]], new: Mapping[str, Sequence[Observed]], shifts: Shifts
) -> tuple[tuple[str, float, float], ...]:
    moved = sorted(shifts.standardised().items(), key=lambda item: -abs(item[1]))
    return tuple((tool, _calls(old, tool), _calls(new, tool)) for tool, by in moved[:3] if abs(by) >= 1)


def _calls(side: Mapping[str, Sequence[Observed]], tool: str) -> float:
    of_cases = [sum(run.tools.get(tool, 0) for run in runs) / len(runs) for runs in side.values() if runs]
    return sum(of_cases) / len(of_cases) if of_cases else 0.0


def _sentence(it: Comparison) -> str:
    if not it.cases:
        return "No case has runs of both versions: nothing can be compared."
    gain = it.success.value
    so = (
        f"success {it.success.before:.1%} -> {it.success.after:.1%} on {it.cases} cases"
        f" ({gain:+.1%}, 95 % interval {it.success.low:+.1%} to {it.success.high:+.1%})"
    )
    reach = f"A drop of {it.smallest_drop:.1%} all over would be found in 8 of 10 tries."
    match it.judged:
        case Judged.WORSE:
            text = f"Worse: {so}, p = {it.p_worse:.3f}."
        case Judged.NOT_WORSE:
            text = f"Not worse within {it.margin:.0%}: {so}. {reach}"
        case Judged.UNDECIDED:
            text = f"Undecided whether worse by {it.margin:.0%}: {so}. {reach} {_missing(it)}"
    moved = [signal.signal for signal in it.signals if signal.changed]
    return f"{text} Changed: {', '.join(moved)}." if moved else f"{text} No change of behaviour found."


def _missing(it: Comparison) -> str:
    if it.missing_runs is None:
        return f"More runs of the new version alone cannot decide it: about {it.missing_before} more of each version."
    return f"About {it.missing_runs} more runs of the new version would decide it if both are equal."
