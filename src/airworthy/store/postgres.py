"""PostgreSQL for many machines: writers that take turns over all processes, with group commit; readers beside them."""

import threading
import time
from collections.abc import Callable, Iterable

from airworthy.core.clock import Clock
from airworthy.core.errors import ConfigError
from airworthy.store._pg import Connection, imported
from airworthy.store._pg_errors import BUSY_S_MAX, OUTAGE_S_MAX, Server, check_understood
from airworthy.store._pg_listener import Listener
from airworthy.store._pg_turn import TURN, WriteConnection
from airworthy.store.address import check_address
from airworthy.store.database import Hearing
from airworthy.store.grouped import GroupedDatabase, announce
from airworthy.store.writer import GroupWriter

SPAN_US = 30_000_000
NEVER_US = -(1 << 62)


class PostgresDatabase(GroupedDatabase):
    """Implements `Database` on a server. Any number of processes and machines may share it."""

    dialect = "postgresql"

    def __init__(self, url: str, *, outage_s: float = OUTAGE_S_MAX, busy_s: float = BUSY_S_MAX) -> None:
        """Before StoreBusy, a server that does not answer is waited for `outage_s`, and a turn `busy_s`.

        Raises: ConfigError without the driver, and for an address that cannot be read; StoreBusy when nobody can be
        reached there; StoreRefused when nobody is let in.
        """
        check_address(url)
        imported()
        check_understood(url)
        server = Server(url, outage_s, busy_s)
        self._server = server
        self._time = ServerClock()
        self._listener = Listener(server)
        first = WriteConnection(server, name="writer", at=self._time.heard)
        self.secrets = first.connect_once()
        super().__init__(
            GroupWriter(first, announce),
            lambda: Connection(
                server, name="reader", settings="SET idle_in_transaction_session_timeout = '60s'"
            ),
            GroupWriter(
                WriteConnection(server, name="beside", shared=True, at=self._time.heard),
                announce,
                "airworthy-beside",
            ),
        )

    @property
    def where(self) -> str:
        return self._server.where

    @property
    def url(self) -> str:
        """With its password: for whoever opens another connection there, never for people."""
        return self._server.url

    def check_turns(self) -> None:
        """All that is fenced rests on writers taking turns, and some servers that speak PostgreSQL only seem to lock.

        Raises: ConfigError on such a server.
        """
        got = self.write_now(
            lambda _: self.read_now(lambda tx: tx.row("SELECT pg_try_advisory_xact_lock(?)", (TURN,)))
        )
        if got is None or got[0]:
            raise ConfigError(
                f"The server at {self.where} gives one lock to two at once.",
                mend="Use PostgreSQL itself, or a server whose advisory locks hold: see docs/how-to/scale.md.",
            )

    def clock(self, own: Clock) -> Clock:  # noqa: ARG002  # a machine whose clock is wrong must not end others' leases
        if not self._time.known:
            self.write_now(lambda _: None)
        return self._time

    def listen(self, topics: Iterable[str], heard: Callable[[str], None]) -> Hearing:
        return self._listener.add(topics, heard)

    def close(self) -> None:
        self._listener.close()
        super().close()


class ServerClock:
    """The server's time, moved on by this machine's monotonic clock between one answer and the next.

    Whatever this machine's clock says, leases of all machines are measured by one; never goes back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._span_us = 0
        self._best_us = self._before_us = NEVER_US
        self._last_us = self._told_us = 0
        self.known = False

    def heard(self, at_us: int) -> None:
        """`at_us`: what the server said; it was later than that already when it came here, so the latest word counts.

        A process that was frozen, or starved, between the answer and its reading would be late by as much. Words are
        kept for one or two spans, so that a server whose own clock is set back is believed after a minute.
        """
        with self._lock:
            now_us = time.monotonic_ns() // 1000
            if now_us - self._span_us > SPAN_US:
                self._span_us, self._before_us, self._best_us = now_us, self._best_us, NEVER_US
            self._best_us = max(self._best_us, at_us - now_us)
            self.known = True

    def now_us(self) -> int:
        with self._lock:
            now_us = time.monotonic_ns() // 1000
            # Ahead of the server, it goes on at half the pace until it is caught up with: a clock that stood still
            # would end no lease and wake nobody for as long.
            slow_us = self._last_us + (now_us - self._told_us) // 2
            offset_us = max(self._best_us, self._before_us)
            self._last_us, self._told_us = max(slow_us, offset_us + now_us), now_us
            return self._last_us
