"""What a pacer is told, what it says of itself, and how it refuses: values, and no count."""

from dataclasses import dataclass
from typing import ClassVar

from airworthy.core.errors import ConfigError
from airworthy.resilience.refused import Refused


@dataclass(frozen=True, slots=True)
class Pacing:
    """What is known from the start; each minute bound holds until the provider's answers tell one of their own."""

    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    queue_max: int = 1000

    def __post_init__(self) -> None:
        for name in ("requests_per_min", "tokens_per_min", "queue_max"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(
                    f"A pacing's {name} of {value} lets nothing through.", mend="Set it to 1 or more."
                )


class PaceFull(Refused):
    """The call's turn would come after its deadline, or too many calls wait already. It was not made."""

    code: ClassVar[str] = "pace_full"


@dataclass(frozen=True, slots=True)
class PaceView:
    """What a pacer knows, for people. None: not known, so not bounded by it."""

    waiting: int
    under_way: int
    held_s: float
    requests_per_min: float | None
    tokens_per_min: float | None
    throttled_per_min: float | None
