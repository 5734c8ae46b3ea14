"""Statistics as statements: each against a published value, a law, or the library that everybody uses."""

import random

import pytest
import scipy.special
import scipy.stats

from airworthy.core.errors import ConfigError, InputError
from airworthy.evals.stats import (
    Judged,
    Next,
    Observed,
    Repeats,
    clopper_pearson,
    clustered,
    compare,
    corrected_rate,
    difference,
    fair_rate,
    foreseen,
    holm,
    next_repeat,
    of_shares,
    rule_of_three,
    upper_bound,
    wilson,
)
from airworthy.evals.stats.permuting import Drops, min_p
from airworthy.evals.stats.special import beta_cdf, student_quantile
from airworthy.evals.trial import ToolUse, Trial


@pytest.mark.parametrize(("x", "a", "b"), [(0.3, 1, 2), (0.9, 50, 3), (0.01, 0.5, 20), (0.31, 300, 700)])
def test_the_beta_law_is_that_of_scipy(x: float, a: float, b: float) -> None:
    assert beta_cdf(x, a, b) == pytest.approx(scipy.special.betainc(a, b, x), rel=1e-10)


@pytest.mark.parametrize("df", [1, 3, 20, 200])
def test_students_quantile_is_that_of_scipy(df: int) -> None:
    assert student_quantile(0.975, df) == pytest.approx(scipy.stats.t.ppf(0.975, df), rel=1e-6)


@pytest.mark.parametrize(("passed", "runs"), [(0, 10), (3, 10), (10, 10), (95, 100), (1, 1)])
def test_intervals_of_a_rate_are_those_of_scipy(passed: int, runs: int) -> None:
    test = scipy.stats.binomtest(passed, runs)

    for ours, method in ((wilson(passed, runs), "wilson"), (clopper_pearson(passed, runs), "exact")):
        theirs = test.proportion_ci(method=method)
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_no_runs_say_nothing() -> None:
    assert wilson(0, 0) == clopper_pearson(0, 0) == (0, 1)
    assert rule_of_three(0) == upper_bound(0, 0) == 1
    assert (clustered({}).low, clustered({}).high) == (0, 1)


def test_what_never_happened_in_100_runs_may_happen_in_3_of_100() -> None:
    assert rule_of_three(100) == 0.03
    assert upper_bound(0, 100) == pytest.approx(0.0295, abs=1e-4)


def test_more_passes_than_runs_are_refused() -> None:
    for call in (lambda: wilson(2, 1), lambda: clustered({"a": (3, 2)}), lambda: next_repeat(2, 1)):
        with pytest.raises(InputError):
            call()


def test_runs_of_one_case_count_for_less_than_runs_of_many() -> None:
    """Ten cases that always or never pass are ten facts, however often they are run."""
    same = clustered({str(i): (10 * (i < 8), 10) for i in range(10)})
    apart = clustered({str(i): (float(i % 5 != 0), 1) for i in range(100)})

    assert same.value == apart.value == 0.8
    assert same.high - same.low > 2 * (apart.high - apart.low)


def test_a_golden_set_of_one_says_little_however_often_it_passes() -> None:
    assert clustered({"only": (50, 50)}).low < 0.25


def test_each_case_counts_alike_however_often_it_was_run() -> None:
    assert clustered({"a": (0, 1), "b": (99, 99)}).value == 0.5


def test_holm_is_as_in_his_paper() -> None:
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})

    assert adjusted == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})


RULE = Repeats(cases=100)


@pytest.mark.parametrize(
    ("passed", "runs", "expected", "why"),
    [
        (0, 0, Next.AGAIN, "nothing is known"),
        (4, 4, Next.AGAIN, "five runs are made of every case"),
        (5, 5, Next.PASSES, "a case that passes half of the time does so once in 32"),
        (0, 5, Next.FAILS, "clear"),
        (4, 5, Next.AGAIN, "one failure of five: flaky or bad luck"),
        (9, 10, Next.PASSES, "the one failure is outweighed"),
        (10, 15, Next.UNDECIDED, "flaky: neither good nor bad within the bound"),
    ],
)
def test_repeats_stop_when_a_case_is_clear(passed: int, runs: int, expected: Next, why: str) -> None:
    assert next_repeat(passed, runs, RULE) is expected


def test_the_errors_of_the_rule_are_those_it_states() -> None:
    """Exact, over all ways that the runs can go: per case for passing, over all cases for failing."""
    assert foreseen(RULE.bad, RULE).passes <= RULE.error
    assert foreseen(RULE.good, RULE).fails * RULE.cases <= RULE.error
    assert foreseen(1.0, RULE).runs == foreseen(0.0, RULE).runs == RULE.at_least


def test_a_rule_that_cannot_tell_good_from_bad_is_refused() -> None:
    for wrong in ({"good": 0.5, "bad": 0.5}, {"error": 0.0}, {"at_least": 9, "at_most": 8}, {"cases": 0}):
        with pytest.raises(ConfigError):
            Repeats(**wrong)


@pytest.mark.parametrize("rate", [0.3, 0.8, 0.95])
def test_the_fair_rate_is_unbiased_under_stopping(rate: float) -> None:
    """Summed over every end of the runs with its chance; passed/runs is off by several points at 80 %."""
    fair = plain = 0.0
    open_at = {(0, 0): 1.0}
    for _ in range(RULE.at_most):
        reached: dict[tuple[int, int], float] = {}
        for (passed, runs), chance in open_at.items():
            for more, part in ((1, rate), (0, 1 - rate)):
                place = passed + more, runs + 1
                reached[place] = reached.get(place, 0.0) + chance * part
        open_at = {}
        for (passed, runs), chance in reached.items():
            if next_repeat(passed, runs, RULE) is Next.AGAIN:
                open_at[passed, runs] = chance
            else:
                fair += chance * fair_rate(passed, runs, RULE)
                plain += chance * passed / runs

    assert fair == pytest.approx(rate, abs=1e-9)
    assert rate != 0.8 or abs(plain - rate) > 0.01


def _runs(passed: int, runs: int, **of_each: float) -> list[Observed]:
    return [Observed(place < passed, of_each) for place in range(runs)]


def test_the_same_runs_are_neither_changed_nor_worse() -> None:
    cases = {str(i): _runs(4, 5, steps=float(3 + i % 2)) for i in range(40)}

    found = compare(cases, cases, seed=1)

    assert found.judged is not Judged.WORSE
    assert not found.changed
    assert found.success.value == 0


def test_a_few_broken_cases_are_worse_even_where_the_mean_hides_them() -> None:
    before = {str(i): _runs(9 if i % 2 else 10, 10) for i in range(100)}
    after = {name: _runs(0 if name in {"8", "64"} else 5, 5) for name in before}

    found = compare(before, after, seed=1)

    assert found.judged is Judged.WORSE
    assert {change.case for change in found.fell[:2]} == {"8", "64"}
    assert found.success.value > -0.05


def test_other_behaviour_with_equal_success_is_changed_and_not_worse() -> None:
    before = {str(i): _runs(5, 5, steps=4.0, cost=0.01) for i in range(60)}
    after = {str(i): _runs(5, 5, steps=6.0, cost=0.01) for i in range(60)}

    found = compare(before, after, seed=1, permutations=299)

    assert [signal.signal for signal in found.signals if signal.changed] == ["steps"]
    assert found.judged is Judged.NOT_WORSE
    assert found.signals[1].ratio == pytest.approx(1.5)
    assert "Not worse" in found.sentence
    assert "Changed: steps" in found.sentence


def test_too_few_runs_are_undecided_and_say_how_many_are_missing() -> None:
    before = {str(i): _runs(1, 2) for i in range(10)}

    found = compare(before, before, seed=1)

    assert found.judged is Judged.UNDECIDED
    assert found.missing_runs is None
    assert found.missing_before > 100
    assert "more of each version" in found.sentence


def test_ten_runs_that_all_pass_do_not_prove_a_margin() -> None:
    """No variance is seen, which is no proof that there is none."""
    found = compare({"a": _runs(5, 5), "b": _runs(5, 5)}, {"a": _runs(5, 5), "b": _runs(5, 5)}, seed=1)

    assert found.judged is Judged.UNDECIDED


def test_runs_that_say_nothing_of_the_agent_do_not_count() -> None:
    broken = [Observed(None)] * 3

    found = compare({"a": broken, "b": _runs(2, 2)}, {"a": _runs(1, 1), "b": _runs(2, 2)}, seed=1)

    assert found.left_out == ("a",)
    assert found.cases == 1


def test_no_common_case_compares_nothing() -> None:
    found = compare({"a": _runs(1, 1)}, {"b": _runs(1, 1)}, seed=1)

    assert (found.judged, found.cases, found.left_out) == (Judged.UNDECIDED, 0, ("a", "b"))
    assert "nothing can be compared" in found.sentence


def test_a_seed_gives_the_same_numbers_again() -> None:
    rng = random.Random(4)
    before = {str(i): _runs(rng.randrange(6), 5, steps=rng.random()) for i in range(20)}
    after = {str(i): _runs(rng.randrange(6), 5, steps=rng.random()) for i in range(20)}

    assert compare(before, after, 7, permutations=99) == compare(before, after, 7, permutations=99)


def test_a_permuted_drop_of_one_case_is_fishers_exact_test() -> None:
    drops = Drops(random.Random(1), 20_000)

    drops.case((9, 10), (4, 10))

    exact = scipy.stats.fisher_exact([[9, 1], [4, 6]], alternative="greater").pvalue
    assert min_p([drops.mean]) == pytest.approx(exact, rel=0.1)


def test_ties_count_as_at_least_as_telling() -> None:
    assert min_p([[1.0, 1.0, 1.0, 0.0]]) == 0.75


def test_missing_runs_make_it_decidable() -> None:
    """The variance of the new version's runs falls by what is asked for, and no further."""
    cases = {str(i): ((17, 20), (4, 5)) for i in range(60)}
    more, _ = difference(cases).missing(0.05)

    assert more is not None
    k = (300 + more) // 60
    assert difference({n: (b, (round(0.8 * k), k)) for n, (b, _) in cases.items()}).missing(0.05)[0] in range(
        40
    )


def test_an_observed_trial_counts_its_tools() -> None:
    from airworthy.evals.stats import observed

    uses = tuple(ToolUse(name, {}, "read", seq) for seq, name in enumerate(["find", "find", "read"]))

    seen = observed(Trial("a", None, text="four", tools=uses, steps=3, cost_nano=None), passed=True)

    assert seen.tools == {"find": 2, "read": 1}
    assert seen.signals == {"steps": 3.0, "length": 4.0, "seconds": 0.0}


def test_judge_and_people_together_are_the_mean_when_the_judge_is_never_wrong() -> None:
    human = [1.0] * 80 + [0.0] * 20

    found = corrected_rate(human, human, human * 40)

    assert found.value == pytest.approx(0.8, abs=0.02)
    assert found.high - found.low < 0.5 * (wilson(80, 100)[1] - wilson(80, 100)[0])


def test_a_useless_judge_adds_nothing_to_people() -> None:
    found = corrected_rate([1.0, 0.0] * 50, [1.0] * 100, [1.0] * 1000)

    assert found.value == pytest.approx(0.5)


def test_unbiased_shares_outside_of_nothing_are_no_shares() -> None:
    assert of_shares([1.0, 1.0], 10).high == 1.0
