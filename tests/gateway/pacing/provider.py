"""A provider that keeps to its own limit, in virtual time, and a crowd of callers that go through a pacer."""

import asyncio
from dataclasses import dataclass, field

from airworthy.core.clock import US_PER_S, Clock
from airworthy.gateway.pacing import Limits, PaceFull, Pacer

TOO_MANY = 429


@dataclass
class Bucket:
    """So many calls a minute, coming back all the time, as the large providers count them."""

    clock: Clock
    per_min: int
    tells: bool = True
    left: float = -1.0
    at_us: int = 0

    def admit(self) -> tuple[bool, float]:
        """Whether the call is let in, and the Retry-After if not."""
        now_us = self.clock.now_us()
        if self.left < 0:
            self.left, self.at_us = self.per_min, now_us
        self.left = min(self.per_min, self.left + (now_us - self.at_us) / US_PER_S * self.per_min / 60)
        self.at_us = now_us
        # A microsecond's share is forgiven: both sides count with fractions.
        if self.left < 1 - 1e-4:
            return False, (1 - self.left) * 60 / self.per_min
        self.left = max(0.0, self.left - 1)
        return True, 0.0

    def limits(self) -> Limits | None:
        if not self.tells:
            return None
        reset_s = (self.per_min - self.left) * 60 / self.per_min
        return Limits(self.per_min, int(self.left), reset_s)


@dataclass
class FixedWindow(Bucket):
    """So many calls in each minute of its clock."""

    began_us: int = 0

    def admit(self) -> tuple[bool, float]:
        now_us = self.clock.now_us()
        if now_us >= self.began_us + 60 * US_PER_S:
            self.began_us, self.left = now_us, self.per_min
        if self.left < 1:
            return False, (self.began_us - now_us) / US_PER_S + 60
        self.left -= 1
        return True, 0.0

    def limits(self) -> Limits | None:
        if not self.tells:
            return None
        reset_s = (self.began_us - self.clock.now_us()) / US_PER_S + 60
        return Limits(self.per_min, int(self.left), reset_s)


@dataclass
class Crowd:
    """What callers met: when each call was answered, and when one was refused."""

    clock: Clock
    provider: Bucket
    pacer: Pacer
    latency_s: float = 0.5
    tokens: int = 100
    answered: list[tuple[int, str]] = field(default_factory=list)
    sent_us: list[int] = field(default_factory=list)
    refused_us: list[int] = field(default_factory=list)
    turned_away: int = 0

    async def call(self, key: str = "k", *, deadline_us: int | None = None, priority: int = 0) -> None:
        """Tries until it is answered or its deadline is too near."""
        while True:
            if not self.pacer.try_take(self.tokens):
                try:
                    await self.pacer.take(
                        self.tokens, caller_key=key, priority=priority, deadline_us=deadline_us
                    )
                except PaceFull:
                    self.turned_away += 1
                    return
            sent_us = self.clock.now_us()
            self.sent_us.append(sent_us)
            let_in, retry_after_s = self.provider.admit()
            limits = self.provider.limits()
            await asyncio.sleep(self.latency_s)
            now_us = self.clock.now_us()
            if let_in:
                self.pacer.learn(limits, status=200, sent_us=sent_us, taken=self.tokens)
                self.pacer.returned(self.tokens, self.tokens, sent_us=sent_us)
                self.answered.append((now_us, key))
                return
            self.refused_us.append(now_us)
            self.pacer.hold_until(now_us + round(retry_after_s * US_PER_S))
            self.pacer.learn(limits, status=TOO_MANY, sent_us=sent_us, taken=self.tokens)
            self.pacer.returned(self.tokens, 0, sent_us=sent_us)

    def spells(self, within_s: float = 2.0) -> int:
        """Refusals of calls that went out together count as one."""
        count, last_us = 0, -(10**18)
        for at_us in self.refused_us:
            if at_us - last_us > within_s * US_PER_S:
                count += 1
            last_us = at_us
        return count


def jain(shares: list[float]) -> float:
    """1: all equal; 1/n: one has everything. Jain, Chiu and Hawe (1984)."""
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))
