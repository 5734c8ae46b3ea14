"""Input and output checks: what may come in and what may go out, and why not; knows no run and no policy."""

from typing import TYPE_CHECKING

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
from airworthy.core.late import late

if TYPE_CHECKING:
    from airworthy.checks.builtin import BUILTIN
    from airworthy.checks.facts import Fact, required_facts
    from airworthy.checks.run import Finding, Report, run_checks

__getattr__ = late(
    __name__,
    {
        "builtin": "BUILTIN",
        "facts": "Fact required_facts",
        "run": "Finding Report run_checks",
    },
)

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
