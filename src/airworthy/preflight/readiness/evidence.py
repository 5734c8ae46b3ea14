"""What the checklist is answered from, as one value; where it comes from, only `app` knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from airworthy.policy import Gap, Policy
from airworthy.preflight.report import Report


@dataclass(frozen=True, slots=True)
class Waiver:
    """Somebody answers with their name for an item that is not answered, until a moment (UTC microseconds)."""

    item: str
    by: str
    because: str
    until_us: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """`gaps`: what `golive_gaps` finds. `report`: the newest preflight's, or the one that is being made. `release`: the
    short hash of the code as it is now. `earlier`: short hashes of other releases of the agent, the newest first.
    `good`: of those, the ones that a preflight let go. `cases`: tags of each case there is. `dependencies`: by what the
    agent depends on, the names by which cells of the matrix call it (tools, or the model's own). `checks`: names of its
    output checks. `alarms`: titles of critical alerts that stand.
    """

    policy: Policy
    now_us: int
    release: str
    gaps: tuple[Gap, ...] = ()
    approved: str = ""
    report: Report | None = None
    earlier: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    cases: tuple[tuple[str, ...], ...] = ()
    dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unpriced: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    making: bool = False  # The report is being made: its own verdict is not yet known.
