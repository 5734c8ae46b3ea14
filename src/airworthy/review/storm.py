"""Whether notices that wait go out one by one or together, as a pure decision: a storm is one message."""

from dataclasses import dataclass
from typing import Final

from airworthy.core.clock import US_PER_S

BURST: Final = 3  # More than so many at once are one message.
GATHER_S: Final = 2.0  # So long a notice that is not critical waits for company.
HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Notices of one team that wait for one lane. `things`: how many things they are about; `oldest_us`: of them."""

    things: int
    oldest_us: int
    critical: bool


@dataclass(frozen=True, slots=True)
class Lately:
    """What the team was sent on that lane: messages of one notice within the hour, and the last one of many."""

    singles: int
    digest_us: int | None


@dataclass(frozen=True, slots=True)
class Singly:
    """Each thing is a message."""


@dataclass(frozen=True, slots=True)
class Together:
    """All of them are one message."""


@dataclass(frozen=True, slots=True)
class Wait:
    until_us: int


Plan = Singly | Together | Wait


def plan(waiting: Waiting, lately: Lately, per_hour: int, digest_s: float, now_us: int) -> Plan:
    """Critical ones go at once while the hour has room for them; after a digest the others are gathered again."""
    gathered_us = waiting.oldest_us + round(GATHER_S * US_PER_S)
    if not waiting.critical and now_us < gathered_us:
        return Wait(gathered_us)
    again_us = 0 if lately.digest_us is None else lately.digest_us + round(digest_s * US_PER_S)
    in_storm = now_us < again_us
    fits = waiting.things <= min(BURST, per_hour - lately.singles)
    if fits and (waiting.critical or not in_storm):
        return Singly()
    if in_storm:
        return Wait(again_us)
    if waiting.things > BURST:
        return Together()
    full_us = waiting.oldest_us + round(digest_s * US_PER_S)
    return Together() if now_us >= full_us else Wait(full_us)
