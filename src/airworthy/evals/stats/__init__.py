"""Statistics of evaluations, in plain Python: each formula with its source, each claim checked by simulation."""

from airworthy.evals.stats.compare import (
    CaseChange,
    Changed,
    Comparison,
    Judged,
    Observed,
    compare,
    observed,
)
from airworthy.evals.stats.margin import Difference, difference
from airworthy.evals.stats.ppi import corrected_rate
from airworthy.evals.stats.rates import (
    Rate,
    clopper_pearson,
    clustered,
    of_shares,
    rule_of_three,
    upper_bound,
    wilson,
)
from airworthy.evals.stats.repeats import Foreseen, Next, Repeats, fair_rate, foreseen, next_repeat
from airworthy.evals.stats.several import holm

__all__ = [
    "CaseChange",
    "Changed",
    "Comparison",
    "Difference",
    "Foreseen",
    "Judged",
    "Next",
    "Observed",
    "Rate",
    "Repeats",
    "clopper_pearson",
    "clustered",
    "compare",
    "corrected_rate",
    "difference",
    "fair_rate",
    "foreseen",
    "holm",
    "next_repeat",
    "observed",
    "of_shares",
    "rule_of_three",
    "upper_bound",
    "wilson",
]
