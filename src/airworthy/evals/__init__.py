"""Cases, scorers, judges, calibration and statistics; usable alone, without a store, a policy or a running agent."""

from airworthy.evals.case import Case, Expect, Number, Severity, ToolExpect
from airworthy.evals.finding import Finding
from airworthy.evals.scoring import KINDS, UNDECIDED_KINDS, Standing, passed, score, standing
from airworthy.evals.trial import Act, Asked, ToolUse, Trial

__all__ = [
    "KINDS",
    "UNDECIDED_KINDS",
    "Act",
    "Asked",
    "Case",
    "Expect",
    "Finding",
    "Number",
    "Severity",
    "Standing",
    "ToolExpect",
    "ToolUse",
    "Trial",
    "passed",
    "score",
    "standing",
]
