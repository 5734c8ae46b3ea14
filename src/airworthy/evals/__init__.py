"""Cases, scorers, judges, calibration and statistics; usable alone, without a store, a policy or a running agent."""

from airworthy.evals.case import Case, Expect, Number, Severity, ToolExpect
from airworthy.evals.finding import Finding
from airworthy.evals.trial import Act, Asked, ToolUse, Trial

__all__ = [
    "Act",
    "Asked",
    "Case",
    "Expect",
    "Finding",
    "Number",
    "Severity",
    "ToolExpect",
    "ToolUse",
    "Trial",
]
