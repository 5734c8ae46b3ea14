"""The command that replays exactly one cell of a report; fit to be pasted into a shell, whatever the names hold."""

import shlex

from airworthy.core.chars import printable
from airworthy.preflight.cell import CellResult
from airworthy.preflight.report import Report


def replay_command(report: Report, cell: CellResult) -> str:
    """One line of a POSIX shell. The seed is said, because it is what makes the same faults and inputs again."""
    words = ["airworthy", "preflight", report.agent, "--cell", cell.id, "--seed", str(report.seed)]
    return " ".join(shlex.quote(printable(word)) for word in words)
