"""Who calls, by an access key, for doors that are knocked at often: the store is believed for half a second."""

from collections.abc import Callable
from typing import Final

from airworthy.console import access
from airworthy.console.access import AccessKey, Caller, caller_of
from airworthy.core.clock import US_PER_S, Clock
from airworthy.review.people import People
from airworthy.store import Database

FRESH_US: Final = US_PER_S // 2  # So that a key that was revoked is refused within a second.
KEPT_MAX: Final = 1_000


class Callers:
    """One per door; called on one event loop."""

    def __init__(self, database: Database, clock: Clock, people: Callable[[], People]) -> None:
        self._database = database
        self._clock = clock
        self._people = people
        self._kept: dict[str, tuple[int, AccessKey]] = {}

    async def of(self, secret: str) -> Caller | None:
        """None for every key that is not good, whatever is wrong with it. Raises: StoreError."""
        if not secret.startswith(access.PREFIX) or not secret.isascii():
            return None
        now_us = self._clock.now_us()
        looked_us, key = self._kept.get(secret, (0, None))
        if key is None or now_us - looked_us > FRESH_US:
            key = await self._database.read(lambda tx: access.find(tx, secret))
            self._kept.pop(secret, None)
            if key is None:
                return None
            self._kept[secret] = (now_us, key)
            if len(self._kept) > KEPT_MAX:
                del self._kept[next(iter(self._kept))]
        return caller_of(key, self._people()) if key.good(now_us) else None
