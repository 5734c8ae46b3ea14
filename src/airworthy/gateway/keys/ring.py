"""All keys in memory, by hash, a moment behind the store: what each call is let in by. Knows no HTTP."""

import asyncio
from datetime import date
from functools import partial

from airworthy.core.clock import US_PER_S, Clock
from airworthy.gateway.keys import book
from airworthy.gateway.keys.key import DAY_US, PREFIX, SECRET_CHARS, Key, digest_of
from airworthy.store import Database, StoreError

REFRESH_S = 0.5  # So that a revocation, committed just after a look, holds within a second.
STALE_S_MAX = 5.0
_CHARS = len(PREFIX) + SECRET_CHARS
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


class _Entry:
    __slots__ = ("day", "key")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.day = -1  # The last day of use that the store was, or is about to be, told of.


class KeyRing:
    """One per process; `find` is called on its event loop, for every call. Call `refresh` once before serving."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._entries: dict[bytes, _Entry] = {}
        self._version = 0
        self._fresh_us = 0
        self._used: dict[int, set[str]] = {}
        self._looking = asyncio.Lock()  # Of two looks at once the older could overwrite what the newer saw.

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, secret: str, now_us: int) -> Key | None:
        """The key, if it is good now."""
        if not _is_key(secret):
            return None
        entry = self._entries.get(digest_of(secret))
        if entry is None:
            return None
        if not entry.key.good(now_us):
            return None
        day = now_us // DAY_US
        if entry.day != day:
            entry.day = day
            self._used.setdefault(day, set()).add(entry.key.id)
        return entry.key

    def may_be_new(self, secret: str) -> bool:
        """Whether another look at the store could know this key: it is none that is known and no longer good."""
        return _is_key(secret) and digest_of(secret) not in self._entries

    def stale(self, now_us: int) -> bool:
        """Whether revocations may have been missed: the store could not be read for a while."""
        return now_us - self._fresh_us > STALE_S_MAX * US_PER_S

    async def refresh(self) -> None:
        """Takes in what was added and revoked, and hands on what was used. Raises: StoreError."""
        async with self._looking:
            await self._look()
        await self._tell()

    async def catch_up(self, since_us: int) -> None:
        """Knows every key afterwards that was made by `since_us`; at once where it does already. Raises: StoreError.

        For a key that is not known: somebody may have made it just now. Many such questions share one look.
        """
        async with self._looking:
            if self._fresh_us <= since_us:
                await self._look()

    async def run(self) -> None:
        """Refreshes until cancelled. A store that fails leaves the ring as it was, and `stale` after a while."""
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await self.refresh()
            except StoreError:
                continue

    async def _look(self) -> None:
        at_us = self._clock.now_us()  # Before the look: what comes during it may not be in it.
        found, version = await self._database.read(partial(book.changed, since=self._version))
        for key in found:
            entry = self._entries.get(key.digest)
            if entry is None:
                self._entries[key.digest] = _Entry(key)
            else:
                entry.key = key
        self._version = version
        self._fresh_us = at_us

    async def _tell(self) -> None:
        while self._used:
            day, ids = next(iter(self._used.items()))
            text = date.fromordinal(_EPOCH_ORDINAL + day).isoformat()
            told = sorted(ids)
            await self._database.write(partial(book.touch, ids=told, day=text))
            ids.difference_update(told)
            if not ids:
                del self._used[day]


def _is_key(secret: str) -> bool:
    return len(secret) == _CHARS and secret.isascii()
