"""Whether the statistics hold what they state, on suites simulated with a known truth; prints one JSON line last.

Run `python -m benchmarks.simulated`: 2,000 suites for each figure, about eight minutes. tests/evals/test_simulated.py
runs the same with fewer. A suite: cases whose pass rates follow a beta law with a mean and an ICC (how much runs of one
case hang together; tau-bench's gpt-4o runs have 0.4), and runs of each.
"""

import argparse
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airworthy.evals.calibrate import threshold
from airworthy.evals.stats import (
    Next,
    Observed,
    Repeats,
    clustered,
    compare,
    corrected_rate,
    difference,
    fair_rate,
    foreseen,
    next_repeat,
    of_shares,
    wilson,
)
from airworthy.evals.stats.permuting import Drops

Counts = Mapping[str, tuple[tuple[int, int], tuple[int, int]]]
MARGIN = 0.05
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Shape:
    cases: int
    before: int
    after: int
    mean: float
    icc: float


def suite(rng: random.Random, cases: int, mean: float, icc: float) -> list[float]:
    scale = 1 / icc - 1
    return [rng.betavariate(mean * scale, (1 - mean) * scale) for _ in range(cases)]


def passes(rng: random.Random, runs: int, rate: float) -> int:
    return sum(rng.random() < rate for _ in range(runs))


# Intervals.


def any_shape(rng: random.Random) -> tuple[int, int, float, float]:
    """As golden sets are: few cases or many, once or often, mostly good or flaky."""
    return (
        rng.choice([10, 25, 50, 100]),
        rng.choice([1, 3, 5, 10]),
        rng.uniform(0.5, 0.98),
        rng.uniform(0.05, 0.9),
    )


def coverage(seed: int, suites: int, shape: tuple[int, int, float, float] | None = None) -> float:
    """Of the clustered interval, nominal 95 %; without a shape: each suite of another."""
    rng = random.Random(seed)
    hits = 0
    for _ in range(suites):
        cases, runs, mean, icc = shape or any_shape(rng)
        rate = clustered(
            {str(i): (passes(rng, runs, p), runs) for i, p in enumerate(suite(rng, cases, mean, icc))}
        )
        hits += rate.low <= mean <= rate.high
    return hits / suites


def coverage_naive(seed: int, suites: int, shape: tuple[int, int, float, float]) -> float:
    """Of Wilson's interval over all runs, as if they did not hang together: for comparison."""
    rng = random.Random(seed)
    hits = 0
    cases, runs, mean, icc = shape
    for _ in range(suites):
        low, high = wilson(sum(passes(rng, runs, p) for p in suite(rng, cases, mean, icc)), cases * runs)
        hits += low <= mean <= high
    return hits / suites


def coverage_under_stopping(seed: int, suites: int) -> float:
    rng = random.Random(seed)
    hits = 0
    for _ in range(suites):
        cases, _, mean, icc = any_shape(rng)
        rule = Repeats(cases=cases)
        shares, made = [], 0
        for p in suite(rng, cases, mean, icc):
            passed, runs, _ = repeated(rng, p, rule)
            shares.append(fair_rate(passed, runs, rule))
            made += runs
        rate = of_shares(shares, made)
        hits += rate.low <= mean <= rate.high
    return hits / suites


def repeated(rng: random.Random, rate: float, rule: Repeats) -> tuple[int, int, Next]:
    passed = runs = 0
    while (decision := next_repeat(passed, runs, rule)) is Next.AGAIN:
        passed += rng.random() < rate
        runs += 1
    return passed, runs, decision


def false_failing(seed: int, suites: int, cases: int = 100) -> float:
    """Of suites whose every case is just good: those in which any is called failing. Stated: at most 5 %."""
    rng = random.Random(seed)
    rule = Repeats(cases=cases)
    return (
        sum(any(repeated(rng, rule.good, rule)[2] is Next.FAILS for _ in range(cases)) for _ in range(suites))
        / suites
    )


def decided(seed: int, cases: int, rate: float, rule: Repeats) -> dict[str, float]:
    """What was foreseen for a case of this pass rate, beside what came."""
    rng = random.Random(seed)
    ends = [repeated(rng, rate, rule) for _ in range(cases)]
    stated = foreseen(rate, rule)
    return {
        "passes": sum(end is Next.PASSES for _, _, end in ends) / cases,
        "passes_stated": stated.passes,
        "runs": sum(runs for _, runs, _ in ends) / cases,
        "runs_stated": stated.runs,
    }


# Two versions.


def pair(
    rng: random.Random, shape: Shape, worsen: Callable[[random.Random, list[float]], list[float]]
) -> Counts:
    rates = suite(rng, shape.cases, shape.mean, shape.icc)
    return {
        str(i): ((passes(rng, shape.before, p), shape.before), (passes(rng, shape.after, q), shape.after))
        for i, (p, q) in enumerate(zip(rates, worsen(rng, rates), strict=True))
    }


def same(rng: random.Random, rates: list[float]) -> list[float]:
    return rates


def all_over(drop: float) -> Callable[[random.Random, list[float]], list[float]]:
    return lambda rng, rates: [p * (1 - drop / (sum(rates) / len(rates))) for p in rates]


def broken(share: float) -> Callable[[random.Random, list[float]], list[float]]:
    def worsen(rng: random.Random, rates: list[float]) -> list[float]:
        dead = set(rng.sample(range(len(rates)), round(share * len(rates))))
        return [0.0 if i in dead else p for i, p in enumerate(rates)]

    return worsen


def versions(
    seed: int,
    pairs: int,
    shape: Shape,
    worsen: Callable[[random.Random, list[float]], list[float]] = same,
    permutations: int = 399,
) -> dict[str, float]:
    rng = random.Random(seed)
    worse = within = 0
    smallest = 0.0
    for _ in range(pairs):
        counts = pair(rng, shape, worsen)
        drops = Drops(rng, permutations)
        for one, other in counts.values():
            drops.case(one, other)
        found = difference(counts)
        smallest += found.smallest_drop
        if drops.worse() <= ALPHA:
            worse += 1
        elif found.low_one_sided > -MARGIN:
            within += 1
    return {"worse": worse / pairs, "not_worse": within / pairs, "smallest_drop": smallest / pairs}


def false_not_worse(seed: int, pairs: int, shape: Shape) -> float:
    """How often a version that is worse by exactly the margin is called not worse. Stated: at most 5 %."""
    return versions(seed, pairs, shape, all_over(MARGIN))["not_worse"]


def power_at_smallest_drop(seed: int, pairs: int, shape: Shape) -> tuple[float, float]:
    """The drop that is stated to be found in 8 of 10 tries, and how often it is."""
    stated = versions(seed, max(20, pairs // 10), shape)["smallest_drop"]
    return stated, versions(seed + 1, pairs, shape, all_over(stated))["worse"]


def power_with_missing_runs(seed: int, pairs: int, shape: Shape) -> tuple[int, float]:
    """The runs that are said to be missing, and how often equal versions are told "not worse" with them."""
    rng = random.Random(seed)
    asked = [difference(pair(rng, shape, same)).missing(MARGIN)[0] for _ in range(60)]
    known = sorted(runs for runs in asked if runs is not None)
    more = known[len(known) // 2]
    larger = Shape(shape.cases, shape.before, shape.after + -(-more // shape.cases), shape.mean, shape.icc)
    return more, versions(seed + 1, pairs, larger)["not_worse"]


TOOLS = ("find", "read", "search", "refund", "close")


def tool_counts(rng: random.Random, habits: Sequence[float]) -> dict[str, int]:
    """Calls of one run: in bursts, as agents make them, and not independent of one another."""
    counts = {
        tool: sum(rng.random() < habit / 2 for _ in range(3))
        for tool, habit in zip(TOOLS, habits, strict=True)
    }
    if rng.random() < 0.3:
        counts[rng.choice(TOOLS)] += rng.randrange(4, 16)  # It tries something again and again.
    return counts


def chi_square_of(before: Iterable[Mapping[str, int]], after: Iterable[Mapping[str, int]]) -> float:
    """The usual test on sums of tool calls, which takes each call for independent: its p-value."""
    from scipy.stats import chi2_contingency

    sides = [list(before), list(after)]
    tools = sorted({tool for side in sides for run in side for tool in run})
    columns = [[sum(run.get(tool, 0) for run in side) for side in sides] for tool in tools]
    kept = [column for column in columns if sum(column)]
    if len(kept) < 2:
        return 1.0
    return float(chi2_contingency([list(row) for row in zip(*kept, strict=True)]).pvalue)


def tools_false_alarms(seed: int, pairs: int, cases: int = 30, level: float = 0.05) -> tuple[float, float]:
    """The same version twice: how often its tool calls are called changed by permutation, and by chi-square."""
    rng = random.Random(seed)
    ours = theirs = 0
    for number in range(pairs):
        habits = [[rng.betavariate(0.6, 0.6) for _ in TOOLS] for _ in range(cases)]
        sides: list[dict[str, list[Observed]]] = [
            {
                str(i): [Observed(True, tools=tool_counts(rng, one)) for _ in range(2)]
                for i, one in enumerate(habits)
            }
            for _ in range(2)
        ]
        found = compare(sides[0], sides[1], seed + number, permutations=99, alpha=level)
        ours += found.changed
        flat = [[run.tools for runs in side.values() for run in runs] for side in sides]
        theirs += chi_square_of(*flat) <= level
    return ours / pairs, theirs / pairs


# Judges.


def threshold_broken(
    seed: int, samples: int, *, crooked: bool, target: float = 0.05, labels: int = 400
) -> float:
    """How often the threshold chosen lets more errors through than it states. Stated: at most 5 %.
    `crooked`: just too many errors everywhere above 0.8, which is the worst for a fixed sequence.
    """
    rng = random.Random(seed)
    worlds = [rng.betavariate(5, 1) for _ in range(20_000)]

    def error(confidence: float) -> float:
        return target * 1.02 if crooked and confidence > 0.8 else (1 - confidence) * 0.6

    above = sorted(((c, error(c)) for c in worlds), reverse=True)
    bad = 0
    for _ in range(samples):
        drawn = [rng.betavariate(5, 1) for _ in range(labels)]
        found = threshold(drawn, [rng.random() >= error(c) for c in drawn], target)
        if found.value is not None:
            out = [e for c, e in above if c >= found.value]
            bad += sum(out) / len(out) > target
    return bad / samples


def judge_coverage(seed: int, samples: int, labels: int, right: float) -> float:
    """Of the interval from a judge on 20 times as many answers as people label; `right`: how often the judge is."""
    rng = random.Random(seed)
    hits = 0
    for _ in range(samples):
        truth = [rng.random() < 0.85 for _ in range(labels * 21)]
        judge = [float(one if rng.random() < right else not one) for one in truth]
        rate = corrected_rate([float(one) for one in truth[:labels]], judge[:labels], judge[labels:])
        hits += rate.low <= 0.85 <= rate.high
    return hits / samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suites", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    n, seed = options.suites, options.seed
    standard, small = Shape(100, 10, 5, 0.85, 0.4), Shape(25, 5, 5, 0.9, 0.4)
    drop, power = power_at_smallest_drop(seed, n, standard)
    small_drop, small_power = power_at_smallest_drop(seed, n, small)
    more, enough = power_with_missing_runs(seed, n // 2, Shape(100, 10, 3, 0.85, 0.4))
    permuted, chi_square = tools_false_alarms(seed, n // 10)
    grid = {
        f"{cases}x{runs} at {mean} icc {icc}": coverage(seed, n // 2, (cases, runs, mean, icc))
        for cases in (10, 25, 100) for runs in (1, 5) for mean in (0.8, 0.95, 0.98) for icc in (0.05, 0.4, 0.9)
    }  # fmt: skip
    worst = min(grid, key=lambda name: grid[name])
    results: dict[str, Any] = {
        "suites": n,
        "coverage": coverage(seed, n),
        "coverage_under_stopping": coverage_under_stopping(seed, n),
        "coverage_least_of_shapes": grid[worst],
        "least_shape": worst,
        "coverage_of_runs_as_if_apart": coverage_naive(seed, n, (50, 10, 0.85, 0.4)),
        "coverage_of_cases_there": coverage(seed, n, (50, 10, 0.85, 0.4)),
        "false_failing_of_100_good_cases": false_failing(seed, n),
        "false_worse": versions(seed, n, standard)["worse"],
        "false_worse_small": versions(seed, n, small)["worse"],
        "false_not_worse_at_margin": false_not_worse(seed, n, standard),
        "equal_told_not_worse": versions(seed, n, standard)["not_worse"],
        "power_3pct_broken": versions(seed, n // 2, standard, broken(0.03))["worse"],
        "power_5_points": versions(seed, n // 2, standard, all_over(0.05))["worse"],
        "smallest_drop": drop,
        "power_at_smallest_drop": power,
        "smallest_drop_small": small_drop,
        "power_at_smallest_drop_small": small_power,
        "missing_runs": more,
        "power_with_missing_runs": enough,
        "tools_false_alarms": permuted,
        "tools_false_alarms_chi_square": chi_square,
        "threshold_broken": threshold_broken(seed, n // 2, crooked=False),
        "threshold_broken_crooked": threshold_broken(seed, n // 2, crooked=True),
        "judge_coverage_15": judge_coverage(seed, n, 15, 0.9),
        "judge_coverage_50": judge_coverage(seed, n // 2, 50, 0.8),
    }  # fmt: skip
    for name, value in results.items():
        print(f"{name}: {value}")
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in results.items()}))


if __name__ == "__main__":
    main()
