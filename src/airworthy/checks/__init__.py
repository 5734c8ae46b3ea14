"""Input and output checks: what may come in and what may go out, and why not; knows no run and no policy."""

from airworthy.checks.builtin import BUILTIN
from airworthy.checks.check import (
    BadCheck,
    Check,
    CheckContext,
    Settings,
    ToolResult,
    Verdict,
    blocked,
    check,
    flagged,
    passed,
)
from airworthy.checks.facts import Fact, required_facts
from airworthy.checks.run import Finding, Report, run_checks

__all__ = [
    "BUILTIN",
    "BadCheck",
    "Check",
    "CheckContext",
    "Fact",
    "Finding",
    "Report",
    "Settings",
    "ToolResult",
    "Verdict",
    "blocked",
    "check",
    "flagged",
    "passed",
    "required_facts",
    "run_checks",
]
