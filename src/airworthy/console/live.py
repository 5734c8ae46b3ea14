"""What lives as long as the server: readings of the store that all who look share, and the end of streams."""

import asyncio
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from airworthy.core.clock import US_PER_S

T = TypeVar("T")

KEYS_MAX: Final = 64
STREAMS_MAX: Final = 256


@dataclass(slots=True)
class _Reading:
    lock: threading.Lock = field(default_factory=threading.Lock)
    at_us: int | None = None
    value: Any = None


class Readings:
    """However many look, the store is read once in so many seconds for each thing that is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Hashable, _Reading] = {}

    def get(self, key: Hashable, fresh_s: float, now_us: int, read: Callable[[], T]) -> T:
        """What was read at most `fresh_s` ago, or `read()`, for which others wait. An error is kept by nobody."""
        with self._lock:
            if len(self._kept) >= KEYS_MAX and key not in self._kept:
                self._kept.clear()
            found = self._kept.setdefault(key, _Reading())
        with found.lock:
            # As long ago as it is fresh is too old: a look each second sees what changed in it. So is what was read as
            # far ahead: then the clock was set back, and nothing new would be seen until it is there again.
            if found.at_us is None or abs(now_us - found.at_us) >= fresh_s * US_PER_S:
                found.value = read()
                found.at_us = now_us
            value: T = found.value
            return value


class Streams:
    """The streams that are open. They end with the server and not by themselves, so it must say when it stops."""

    def __init__(self) -> None:
        self._closed = False
        self._waiting: set[asyncio.Event] = set()

    @property
    def open(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether another may not be opened."""
        return self._closed or len(self._waiting) >= STREAMS_MAX

    def opened(self) -> asyncio.Event:
        """Set when the stream is to end; give it back by `closed`."""
        over = asyncio.Event()
        if self._closed:
            over.set()
        self._waiting.add(over)
        return over

    def closed(self, over: asyncio.Event) -> None:
        self._waiting.discard(over)

    def close(self) -> None:
        """All end now, and no other begins. Call it in the loop that serves them."""
        self._closed = True
        for over in self._waiting:
            over.set()
