"""What the statistics state, against suites with a known truth; `python -m benchmarks.simulated` runs more of each.

Bounds allow for the chance of the simulation itself: 2.33 standard errors.
"""

from math import sqrt

import pytest

from airworthy.evals.stats import Repeats
from benchmarks import simulated

pytestmark = pytest.mark.slow  # Thousands of suites are simulated.
SMALL = simulated.Shape(25, 5, 5, 0.9, 0.4)


def _above(stated: float, tries: int) -> float:
    return stated + 2.33 * sqrt(stated * (1 - stated) / tries)


def _below(stated: float, tries: int) -> float:
    return stated - 2.33 * sqrt(stated * (1 - stated) / tries)


def test_the_interval_of_a_suite_covers_in_94_of_100() -> None:
    assert simulated.coverage(11, 2_000) >= 0.94


def test_taking_runs_of_a_case_for_independent_would_not_cover() -> None:
    """The reason for all this: the usual interval over all runs misses the truth one time in four or more."""
    assert simulated.coverage_naive(11, 300, (50, 10, 0.85, 0.4)) < 0.8


def test_the_interval_covers_also_where_a_rule_chose_the_repeats() -> None:
    assert simulated.coverage_under_stopping(11, 250) >= _below(0.95, 250)


def test_good_cases_are_called_failing_no_more_often_than_stated() -> None:
    assert simulated.false_failing(11, 200) <= _above(0.05, 200)


def test_repeats_do_what_was_foreseen() -> None:
    found = simulated.decided(11, 4_000, 0.8, Repeats(cases=50))

    assert found["passes"] == pytest.approx(found["passes_stated"], abs=0.02)
    assert found["runs"] == pytest.approx(found["runs_stated"], rel=0.02)


def test_equal_versions_are_called_worse_no_more_often_than_stated() -> None:
    assert simulated.versions(11, 200, SMALL, permutations=199)["worse"] <= _above(0.05, 200)


def test_a_version_worse_by_the_margin_is_seldom_called_not_worse() -> None:
    assert simulated.false_not_worse(11, 60, simulated.Shape(60, 5, 5, 0.85, 0.4)) <= _above(0.05, 60)


def test_the_smallest_drop_stated_is_found_as_often_as_stated() -> None:
    _, power = simulated.power_at_smallest_drop(11, 120, SMALL)

    assert _below(0.8, 120) <= power <= 0.92


def test_tool_calls_of_one_version_are_not_called_changed_as_chi_square_does() -> None:
    permuted, chi_square = simulated.tools_false_alarms(11, 40, cases=16)

    assert permuted <= _above(0.05, 40)
    assert chi_square > 0.3


def test_the_threshold_lets_through_what_it_states() -> None:
    assert simulated.threshold_broken(11, 60, crooked=True) <= _above(0.05, 60)


def test_judge_and_people_cover_with_15_labels() -> None:
    assert simulated.judge_coverage(11, 300, 15, 0.9) >= _below(0.945, 300)
