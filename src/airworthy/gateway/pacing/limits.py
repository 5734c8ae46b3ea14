"""What a provider said about its limits in one reply, whatever its headers are called."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """None: it did not say. `reset_s` is how long until the allowance is whole again, from the reply on.

    Whoever reads the headers judges dates by the reply's own `date` header, so no clock's error gets in here.
    """

    requests_limit: int | None = None
    requests_remaining: int | None = None
    requests_reset_s: float | None = None
    tokens_limit: int | None = None
    tokens_remaining: int | None = None
    tokens_reset_s: float | None = None
