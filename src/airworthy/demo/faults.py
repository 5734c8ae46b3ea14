"""Which request goes wrong and how, as a pure function of a seed; knows no HTTP and no shop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from airworthy.core import canonical
from airworthy.core.errors import ConfigError

_UNIT: Final = 2**64


class Fault(StrEnum):
    HTTP_500 = "http_500"
    HTTP_503 = "http_503"
    TIMEOUT = "timeout"
    MALFORMED_HTML = "malformed_html"
    CUT_JSON = "cut_json"
    MISSING_FIELD = "missing_field"
    RESET_AFTER_ACT = "reset_after_act"
    STALE = "stale"


# Seven in a hundred: enough that two hundred letters meet every kind, few enough that retries get through.
DEFAULT_RATES: Final[Mapping[Fault, float]] = {
    Fault.HTTP_500: 0.015,
    Fault.HTTP_503: 0.01,
    Fault.TIMEOUT: 0.01,
    Fault.MALFORMED_HTML: 0.005,
    Fault.CUT_JSON: 0.005,
    Fault.MISSING_FIELD: 0.005,
    Fault.RESET_AFTER_ACT: 0.015,
    Fault.STALE: 0.005,
}


@dataclass(frozen=True)
class FaultPlan:
    """The same seed, subject and attempt give the same fault, whatever else is asked meanwhile."""

    seed: int = 0
    rates: Mapping[Fault, float] = field(default_factory=lambda: dict(DEFAULT_RATES))
    # After so many faults in a row the next attempt gets through, so that three attempts always suffice.
    in_a_row_max: int = 2

    def __post_init__(self) -> None:
        total = sum(self.rates.values())
        if total > 1 or any(rate < 0 for rate in self.rates.values()):
            raise ConfigError(
                f"Fault rates add up to {total}.", mend="Give shares of 0 or more that add up to at most 1."
            )

    def fault(self, subject: str, attempt: int) -> Fault | None:
        """`subject` names what is asked for, with its content; `attempt` counts from 1 for each subject."""
        drawn = self._drawn(subject, attempt)
        if drawn is None or attempt <= self.in_a_row_max:
            return drawn
        before = range(attempt - self.in_a_row_max, attempt)
        return drawn if any(self._drawn(subject, earlier) is None for earlier in before) else None

    def _drawn(self, subject: str, attempt: int) -> Fault | None:
        point = int.from_bytes(
            canonical.digest(f"{self.seed}/{attempt}".encode(), subject.encode())[:8], "big"
        )
        left = point / _UNIT
        for fault in Fault:
            left -= self.rates.get(fault, 0.0)
            if left < 0:
                return fault
        return None


NO_FAULTS: Final = FaultPlan(rates={})
