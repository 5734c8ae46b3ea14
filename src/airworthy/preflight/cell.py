"""A cell: the smallest part of a preflight that passes or fails; each has an id that names exactly it for ever."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airworthy.evals import Finding, Severity


class Part(StrEnum):
    GOLDEN = "golden"
    ADVERSARIAL = "adversarial"
    FAILURES = "failures"
    CONTEXT = "context"
    CONCURRENCY = "concurrency"
    LOAD = "load"


class State(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"  # Not run (cap, no recording), or too few repeats to tell.
    BROKEN = "broken"  # Our side or the judge failed: says nothing about the agent.


@dataclass(frozen=True, slots=True)
class CellResult:
    """`id`: as `airworthy preflight --cell ID` takes it, e.g. `failures/order-status/get_order.1/http_500.always`.

    `runs`, `passed`: trials, and how many of them met what was expected. `findings`: of the worst trial. `axes`: where
    it stands in a heat map ({"tool": ..., "fault": ...}) or a table. `interval`: of the pass rate, 95 %. `evidence`:
    JSON data for the report (what was sent, answered, done), bounded to some KB. `cost_nano` None: unpriced.
    """

    id: str
    part: Part
    state: State
    title: str
    severity: Severity = Severity.MAJOR
    runs: int = 1
    passed: int = 0
    findings: tuple[Finding, ...] = ()
    why: str = ""
    axes: Mapping[str, str] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    cost_nano: int | None = 0
    model_calls: int = 0
    model_calls_made: int = 0
    seconds: float = 0.0
