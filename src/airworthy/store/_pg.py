"""One PostgreSQL connection: its settings, its statements, and what it makes of a connection that is lost."""

import time
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from airworthy.store import _pg_many
from airworthy.store._pg_errors import Server, not_installed, translated
from airworthy.store._pg_fibers import Fibers, distinct
from airworthy.store._pg_queue import Queue, Statement
from airworthy.store._pg_wait import connection_class
from airworthy.store._pg_wire import IN_ERROR, Answer, Wire, packed_all
from airworthy.store.database import Row, StoreBusy, StoreError
from airworthy.store.tally import Tally
from airworthy.store.writer import ConnectionLost

if TYPE_CHECKING:
    import psycopg

# What a server, a database, a user or the environment may have set otherwise, and what is read and written rests on.
OURS: Final = (
    "SET timezone = 'UTC'; SET client_encoding = 'UTF8'; SET bytea_output = 'hex'; SET extra_float_digits = 1;"
    " SET standard_conforming_strings = on;"
    # What is asked behind the lock is as it is then, and not as it was before it.
    " SET default_transaction_isolation = 'read committed';"
    # What was acknowledged is stored.
    " SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';"
)
CONNECT_S_MAX = 5
BACKOFF_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
# The transaction is over, its connection as good as before.
UNDONE: Final = ("40001", "40P01")


class Connection:
    """A transaction at a time; used by one thread at a time."""

    dialect = "postgresql"

    def __init__(self, server: Server, *, name: str, settings: str = "") -> None:
        """Opens nothing yet. `name`: as it is seen in pg_stat_activity. `settings`: SQL, after our own."""
        self._server = server
        self._name = name
        self._settings = settings
        self._raw: psycopg.Connection[Row] | None = None
        self._down = False
        self._queued = Queue()
        self._wire: Wire | None = None
        self._tally = Tally()
        self._fibers = Fibers(self._asked)

    # --- a connection ---

    def open(self) -> "psycopg.Connection[Row]":
        """The connection, made anew when it is lost. Raises: StoreBusy when nobody answers for `outage_s`.

        Whoever has waited in vain once is told at once the next time, so that a worker can stop.
        """
        if self._raw is not None and not self._raw.closed:
            return self._raw
        self._raw = None
        waited_s = self._server.outage_s if self._down else 0.0
        for tries in range(1_000_000):
            began_s = time.monotonic()
            try:
                raw = self._connect()
            except StoreBusy:
                # A try that took longer than it can was frozen, and says nothing about the server.
                waited_s += min(time.monotonic() - began_s, CONNECT_S_MAX)
                if waited_s >= self._server.outage_s:
                    self._down = True
                    raise
                pause_s = BACKOFF_S[min(tries, len(BACKOFF_S) - 1)]
                time.sleep(pause_s)
                waited_s += pause_s
            else:
                self._down = False
                return raw
        raise AssertionError("unreachable")

    def connect_once(self) -> tuple[str, ...]:
        """So that a wrong address is told at once. Answers with what must not be shown: the password that was used.

        Raises: StoreError and its children.
        """
        # Where it is not in the address, libpq found it in the environment or in a file.
        used = self._connect().info.password
        return (used,) if used else ()

    def _connect(self) -> "psycopg.Connection[Row]":
        driver = imported()
        raw: psycopg.Connection[Row] | None = None
        try:
            raw = connection_class().connect(
                self._server.url, autocommit=True, application_name=f"airworthy {self._name}",
                connect_timeout=CONNECT_S_MAX, keepalives_idle=5, keepalives_interval=2, keepalives_count=3,
                tcp_user_timeout=10_000,
            )  # fmt: skip
            assert raw is not None
            raw.execute(f"{OURS} SET statement_timeout = '60s'; {self._settings}")
        except driver.Error as error:
            if raw is not None:
                raw.close()
            raise translated(error, self._server, connecting=True) from error
        # A connection that nobody closed is closed with its owner.
        weakref.finalize(self, raw.close)
        self._raw = raw
        self._wire = Wire(raw.pgconn)
        return raw

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()

    # --- statements ---

    def put(self, sql: str, params: Sequence[Any] = ()) -> None:
        self._queued.add(sql, params)

    def tally(self, sql: str, key: Sequence[Any], amounts: Sequence[int]) -> None:
        self._tally.add(sql, key, amounts)

    def flush(self) -> None:
        for sql, rows in self._tally.poured():
            self.many(sql, rows)
        if self._queued:
            self._run(None, ())
        elif self._raw is not None and self._raw.pgconn.transaction_status == IN_ERROR:
            # An op kept an error to itself: nothing of this transaction can be stored any more.
            self._run("SELECT 1", ())

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        return self._run(sql, params).rowcount

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        copy = _pg_many.copying(sql) if len(rows) >= _pg_many.COPIED_MIN else None
        if copy is None:
            for row in rows:
                self._queued.add(sql, row)
        else:
            self.flush()
            assert self._raw is not None, "begin first"
            try:
                _pg_many.copy(self._raw, copy, rows)
            except imported().Error as error:
                raise self._told(error) from error

    def each(self, work: Callable[[Any], None], items: Sequence[Any]) -> None:
        if len(items) < 2 or self._fibers.inside:
            for item in items:
                work(item)
        else:
            self._fibers.run([partial(work, item) for item in items])

    def notify(self, topic: str) -> None:
        """Only what is written is worth telling."""

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        return self._run(sql, params).fetchall()

    def row(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        return self._run(sql, params).fetchone()

    def _run(self, sql: str | None, params: Sequence[Any]) -> Answer:
        """What was put, and then this, in one journey; the answer is that of the last."""
        if sql is None:
            return self._sent([])[-1]
        if self._fibers.inside:
            answer: Answer = self._fibers.answer(sql, params)
            return answer
        return self._sent([(sql, params)])[-1]

    def _asked(self, statements: Sequence[Statement]) -> list[Answer]:
        sent, places = distinct(statements)
        answers = self._sent(sent)[-len(sent) :]
        return [answers[place] for place in places]

    def _sent(self, statements: Sequence[Statement]) -> list[Answer]:
        """In one journey, with what was put before them if it has to be; theirs are the last answers."""
        assert self._wire is not None, "begin first"
        try:
            waits = self._queued and not (
                statements and all(self._queued.lets_pass(sql) for sql, _ in statements)
            )
            ahead = self._queued.whole() if waits else []
            packed = packed_all([*ahead, *statements])  # Where a value cannot travel, what waits still waits.
            if ahead:
                self._queued.clear()
            if len(packed) == 1:
                return [self._wire.one(*packed[0])]
            return self._wire.together(packed)
        except imported().Error as error:
            raise self._told(error) from error

    def _told(self, error: "psycopg.Error") -> StoreError:
        told = translated(error, self._server)
        if isinstance(told, ConnectionLost) and error.sqlstate not in UNDONE and self._raw is not None:
            self._raw.close()  # The driver may not have seen yet that nobody is there.
        return told

    # --- transactions ---

    @property
    def in_transaction(self) -> bool:
        """False also when the connection is lost, and with it the transaction."""
        if self._raw is None or self._raw.closed:
            return False
        return self._raw.info.transaction_status != 0  # IDLE

    def begin_read(self) -> None:
        self.open()
        # As on SQLite: all that is read in one go is of one moment.
        self.put("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def rollback(self) -> None:
        self._tally.clear()
        began = any(sql.startswith("BEGIN") for sql, _ in self._queued.statements)
        self._queued.clear()
        if not began and self.in_transaction:
            try:
                self._run("ROLLBACK", ())
            except StoreError:
                self.close()  # The server ends the transaction of a connection that is gone.

    def savepoint(self) -> None:
        self.put("SAVEPOINT one")

    def release(self) -> None:
        self.put("RELEASE SAVEPOINT one")

    def rollback_to(self) -> None:
        self._tally.clear()
        # If nothing since has been sent, what was queued before it still has to be.
        if self._queued.cut(("SAVEPOINT one", ())):
            return
        self._queued.clear()
        self._run("ROLLBACK TO SAVEPOINT one", ())
        self.put("RELEASE SAVEPOINT one")


def imported() -> Any:
    try:
        import greenlet  # noqa: F401  # see `_pg_fibers`; without it the first write that needs it would fail
        import psycopg
    except ImportError as error:
        raise not_installed(error.name or "psycopg") from error
    return psycopg
