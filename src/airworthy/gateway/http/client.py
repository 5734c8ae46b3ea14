"""A server's connections, kept open between calls: the one used last is taken first. Sends nothing, retries nothing."""

import asyncio
import re
import ssl
from collections import deque
from typing import Final

from airworthy.gateway.http.address import Address
from airworthy.gateway.http.connection import Connection
from airworthy.gateway.http.opening import opened

# Servers close idle connections after a while of their own, mostly a minute; ours must be the shorter one.
IDLE_S_MAX: Final = 30.0
IDLE_MAX: Final = 1_000
_TOLD: Final = re.compile(r"\btimeout=(\d{1,6})\b")


class HttpClient:
    """One server's connections. Belongs to the event loop it is first used in."""

    def __init__(self, address: Address, *, trust: ssl.SSLContext | None = None) -> None:
        """`trust`: which certificates are believed; left out, those the machine believes."""
        self.address = address
        self._trust = trust
        self._idle: deque[Connection] = deque()
        self._closed = False

    async def take(self, late_s: float) -> Connection:
        """A free connection, or a new one by `late_s` of the loop's time. Raises: ModelUnreachable.

        A free one is looked at first: if the server has closed it, nothing is sent on it. What remains is a server
        that closes while the request is under way to it. That looks the same as one that died while it worked, so
        it is told as that, a ModelTimeout that may have been billed, and whoever called decides on a second try.
        """
        if self._idle:
            now_s = asyncio.get_running_loop().time()
            while self._idle:
                found = self._idle.pop()  # The one used last is the least likely to be closed.
                if now_s < found.idle_until_s and not found.is_stale():
                    return found
                found.close()
        return await opened(self.address, self._trust, late_s)

    def give_back(self, connection: Connection) -> None:
        """Keeps it if its answer was read whole, else closes it."""
        idle = self._idle
        now_s = asyncio.get_running_loop().time()
        while idle and (idle[0].idle_until_s <= now_s or idle[0].lost):
            idle.popleft().close()
        if self._closed or len(idle) >= IDLE_MAX or not connection.reusable:
            connection.close()
            return
        told = connection.headers.get("keep-alive")
        connection.idle_until_s = now_s + (IDLE_S_MAX if told is None else _idle_s(told))
        idle.append(connection)

    async def aclose(self) -> None:
        """What is under way ends on its own, and is closed then."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        # A closed connection ends in the loop's next turn; a secured one has a second inside.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def _idle_s(told: str) -> float:
    """A server's own `keep-alive: timeout=5`, and a second less, for the way."""
    found = _TOLD.search(told)
    return IDLE_S_MAX if found is None else min(IDLE_S_MAX, float(found[1]) - 1)
