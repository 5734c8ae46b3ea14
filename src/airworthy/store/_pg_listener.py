"""Hears what others tell through PostgreSQL: one connection and one thread of its own, asleep until somebody tells."""

import os
import select
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from airworthy.store._pg import BACKOFF_S, Connection, imported
from airworthy.store._pg_errors import Server
from airworthy.store._pg_turn import CHANNEL
from airworthy.store.database import StoreError

if TYPE_CHECKING:
    import psycopg

# A pooler that shares connections takes LISTEN and never delivers, so what is heard is tried out once.
ECHO_S_MAX: Final = 2.0
PROBE_S: Final = 30.0  # How soon a connection that died without a word is noticed, at the latest.


class Ear:
    """Implements `Hearing`."""

    def __init__(self, listener: "Listener", topics: Iterable[str], heard: Callable[[str], None]) -> None:
        self.topics = frozenset(topics)
        self.heard = heard
        self._listener = listener

    @property
    def alive(self) -> bool:
        return self._listener.alive

    def close(self) -> None:
        self._listener.forget(self)


class Listener:
    """One per process and database, begun when the first listens. Each hears all of its topics when it may have missed
    some: after the connection was lost, and when it is there again.
    """

    def __init__(self, server: Server) -> None:
        self.alive = False
        self._connection = Connection(server, name="listener", settings=f"LISTEN {CHANNEL}")
        self._ears: tuple[Ear, ...] = ()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._ended, self._end = -1, -1
        self._came: list[str] = []  # Beside the answer to a statement of ours.

    def add(self, topics: Iterable[str], heard: Callable[[str], None]) -> Ear:
        ear = Ear(self, topics, heard)
        with self._lock:
            self._ears = (*self._ears, ear)
            if self._thread is None and not self._closing.is_set():
                self._ended, self._end = os.pipe()
                self._thread = threading.Thread(target=self._run, name="airworthy-listener", daemon=True)
                self._thread.start()
        return ear

    def forget(self, ear: Ear) -> None:
        with self._lock:
            self._ears = tuple(each for each in self._ears if each is not ear)

    def close(self) -> None:
        with self._lock:
            if self._closing.is_set():
                return
            self._closing.set()
            thread = self._thread
        if thread is not None:
            os.write(self._end, b".")
            thread.join()
            os.close(self._ended)
            os.close(self._end)

    def _run(self) -> None:
        psycopg = imported()
        tries = 0
        while not self._closing.is_set():
            try:
                self._connection.connect_once()
                raw = self._connection.open()
                self._came.clear()
                raw.add_notify_handler(lambda each: self._came.append(each.payload))
                if self._echo(raw):
                    tries = 0
                    self._listen(raw)
            except (StoreError, psycopg.Error, OSError):
                pass  # Whoever relies on this polls meanwhile, and is told by its own reads what is wrong.
            self._deaf()
            self._closing.wait(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])
            tries += 1

    def _deaf(self) -> None:
        was, self.alive = self.alive, False
        self._connection.close()
        if was and not self._closing.is_set():
            self._tell_all()

    def _tell_all(self) -> None:
        for ear in self._ears:
            for topic in ear.topics:
                ear.heard(topic)

    def _echo(self, raw: "psycopg.Connection[tuple[object, ...]]") -> bool:
        """Whether what is told arrives here."""
        word = f"echo {raw.info.backend_pid}"
        raw.execute("SELECT pg_notify(%s, %s)", (CHANNEL, word))
        return word in self._payloads(raw, ECHO_S_MAX)

    def _listen(self, raw: "psycopg.Connection[tuple[object, ...]]") -> None:
        self.alive = True
        self._tell_all()  # While nobody listened, somebody may have told.
        while not self._closing.is_set():
            payloads = self._payloads(raw, PROBE_S)
            for ear in self._ears:
                for topic in ear.topics.intersection(payloads):
                    ear.heard(topic)
            if not payloads and not self._closing.is_set():
                raw.execute("SELECT 1")

    def _payloads(self, raw: "psycopg.Connection[tuple[object, ...]]", s_max: float) -> list[str]:
        """All that has come, or that comes first within `s_max`."""
        found = self._drained(raw)
        if not found:
            select.select([raw.fileno(), self._ended], [], [], s_max)
            found = self._drained(raw)
        return found

    def _drained(self, raw: "psycopg.Connection[tuple[object, ...]]") -> list[str]:
        raw.pgconn.consume_input()
        found = self._came.copy()
        self._came.clear()
        while (each := raw.pgconn.notifies()) is not None:
            found.append(each.extra.decode())
        return found
