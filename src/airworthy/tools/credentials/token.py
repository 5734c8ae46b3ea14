"""A token and how long it is good for, as values; knows no endpoint and no store."""

from dataclasses import dataclass

from airworthy.core.clock import US_PER_S
from airworthy.tools.credentials.answer import Later, Refused

LIFETIME_S_UNSAID = 300.0  # The endpoint need not say how long; short, because a 401 costs a call.
LIFETIME_S_MIN = 10.0  # Less would ask for one with every call.
LIFETIME_S_MAX = 86_400.0  # More is asked for anew once a day, so that a revoked client is noticed.


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """Times are UTC microseconds, counted from before it was asked for, so that no wait makes it look younger."""

    text: str
    made_us: int
    until_us: int

    def __repr__(self) -> str:
        return f"Token(made_us={self.made_us}, until_us={self.until_us})"

    def lasts(self, now_us: int) -> bool:
        return now_us < self.until_us

    def fresh(self, now_us: int, early_s: float) -> bool:
        """Not yet due to be renewed. Of a short life, half is used in any case."""
        early_us = min(round(early_s * US_PER_S), (self.until_us - self.made_us) // 2)
        return now_us < self.until_us - early_us


@dataclass(frozen=True, slots=True)
class Renewed:
    """What an attempt to renew came to. `token`: the one to use, perhaps still the old one; None: there is none.

    `failed`: why there is no newer one. `retry_us`: before then it is pointless to try again.
    """

    token: Token | None = None
    failed: Later | Refused | None = None
    retry_us: int = 0


def lifetime_s(said: object) -> float:
    """From `expires_in`, which may be missing, text, zero, negative or absurd."""
    if isinstance(said, str):
        said = int(said) if said.isascii() and said.isdigit() and len(said) <= 12 else None
    if isinstance(said, bool) or not isinstance(said, int | float) or not said > 0:
        return LIFETIME_S_UNSAID
    return min(max(float(min(said, LIFETIME_S_MAX)), LIFETIME_S_MIN), LIFETIME_S_MAX)
