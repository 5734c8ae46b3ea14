"""One PostgreSQL connection: its settings, its transactions, and what it makes of a connection that is lost."""

import contextlib
import logging
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from airworthy.core.ids import process_nonce
from airworthy.store import _pg_types
from airworthy.store._pg_errors import Server, not_installed, translated
from airworthy.store.database import Row, StoreBusy, StoreError
from airworthy.store.writer import ConnectionLost

if TYPE_CHECKING:
    import psycopg

# All writers of one database take turns at this lock, whichever machine they are on; `beside` shares it.
TURN: Final = 0x61697277
CHANNEL: Final = "airworthy"  # Of all that is told; the topic is what is said on it.
IDLE_IN_TURN_MS: Final = (
    2_000  # A writer that is frozen in its turn loses it, so that it freezes nobody else.
)
BACKOFF_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
# The transaction is over, and its connection is as good as before.
UNDONE: Final = ("40001", "40P01")
# Beside what a transaction writes: which of its writer's it is, so that a commit nobody answered can be looked up.
# Not by its xid: a server that crashed gives the same number to another transaction.
MARK: Final = (
    "INSERT INTO commits (writer, batch, at_us) VALUES (?, ?, ?)"
    " ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, at_us = excluded.at_us"
)
MARKS_KEPT_US: Final = 86_400 * 1_000_000
WRITES_NOTHING: Final = ("SELECT", "BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")
STATEMENTS_PREPARED: Final = 500


class Connection:
    """A transaction at a time; used by one thread at a time."""

    def __init__(self, server: Server, *, name: str, settings: str = "") -> None:
        """Opens nothing yet. `name`: as it is seen in pg_stat_activity. `settings`: SQL, after our own."""
        self._server = server
        self._name = name
        self._settings = settings
        self._raw: psycopg.Connection[Row] | None = None
        self._down = False
        self._queued: list[tuple[str, Sequence[Any]]] = []

    # --- a connection ---

    def open(self) -> "psycopg.Connection[Row]":
        """The connection, made anew when it is lost. Raises: StoreBusy when nobody answers for `outage_s`.

        Whoever has waited in vain once is told at once the next time, so that a worker can stop.
        """
        if self._raw is not None and not self._raw.closed:
            return self._raw
        self._raw = None
        until_s = time.monotonic() + (0.0 if self._down else self._server.outage_s)
        for tries in range(1_000_000):
            try:
                raw = self._connect()
            except StoreBusy:
                if time.monotonic() >= until_s:
                    self._down = True
                    raise
                time.sleep(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])
            else:
                self._down = False
                return raw
        raise AssertionError("unreachable")

    def connect_once(self) -> None:
        """So that a wrong address is told at once. Raises: StoreError and its children."""
        self._connect()

    def _connect(self) -> "psycopg.Connection[Row]":
        driver = imported()
        raw: psycopg.Connection[Row] | None = None
        try:
            raw = driver.connect(
                self._server.url, autocommit=True, application_name=f"airworthy {self._name}",
                connect_timeout=5, keepalives_idle=5, keepalives_interval=2, keepalives_count=3,
                tcp_user_timeout=10_000,
            )  # fmt: skip
            assert raw is not None
            _pg_types.register(raw)
            raw.prepared_max = STATEMENTS_PREPARED
            raw.execute(f"SET timezone = 'UTC'; SET statement_timeout = '60s'; {self._settings}")
        except driver.Error as error:
            if raw is not None:
                raw.close()
            raise translated(error, self._server, connecting=True) from error
        # A connection that nobody closed is closed with its owner.
        weakref.finalize(self, raw.close)
        self._raw = raw
        return raw

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()

    # --- statements ---

    def put(self, sql: str, params: Sequence[Any] = ()) -> None:
        self._queued.append((sql, params))

    def flush(self) -> None:
        if self._queued:
            self._run(None, ())

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        return self._run(sql, params).rowcount

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._queued.extend((sql, row) for row in rows)

    def notify(self, topic: str) -> None:
        """Only what is written is worth telling."""

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        return self._run(sql, params).fetchall()

    def row(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        return self._run(sql, params).fetchone()

    def _run(self, sql: str | None, params: Sequence[Any]) -> "psycopg.Cursor[Row]":
        """What was put, and then this, in one journey; the answer is that of the last."""
        assert self._raw is not None, "begin first"
        psycopg = imported()
        queued, self._queued = self._queued, []
        raw = self._raw
        try:
            if not queued:
                assert sql is not None
                return raw.execute(_said(sql, params), params or None)
            with raw.pipeline() as pipeline, _in_one_piece(pipeline):
                for each, values in queued:
                    raw.execute(_said(each, values), values or None)
                cursor = raw.cursor()
                if sql is not None:
                    cursor.execute(_said(sql, params), params or None)
            return cursor
        except psycopg.Error as error:
            told = translated(error, self._server)
            if isinstance(told, ConnectionLost) and error.sqlstate not in UNDONE:
                raw.close()  # The driver may not have seen yet that nobody is there.
            raise told from error

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
        began = any(sql.startswith("BEGIN") for sql, _ in self._queued)
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
        if ("SAVEPOINT one", ()) in self._queued:
            # Nothing since has been sent; what was queued before it still has to be.
            del self._queued[self._queued.index(("SAVEPOINT one", ())) :]
            return
        self._queued.clear()
        self._run("ROLLBACK TO SAVEPOINT one", ())
        self.put("RELEASE SAVEPOINT one")


class WriteConnection(Connection):
    """Takes its turn among the writers of all processes, and knows of each commit whether it happened."""

    def __init__(
        self, server: Server, *, name: str, shared: bool = False, at: Callable[[int], None] = lambda _: None
    ) -> None:
        """`shared`: beside others of its kind. `at` hears the server's time at each transaction's begin, in us."""
        super().__init__(
            server,
            name=name,
            settings=f"SET idle_in_transaction_session_timeout = {IDLE_IN_TURN_MS};"
            f" SET lock_timeout = '{server.busy_s * 1000:.0f}ms'",
        )
        self._turn = f"SELECT pg_advisory_xact_lock{'_shared' if shared else ''}({TURN})"
        self._at = at
        self._writer = process_nonce()
        self._batch = 0
        self._began_us = 0
        self._wrote = False
        self._marks = False
        self._epochs: dict[str, int | None] = {}
        self._topics: dict[str, None] = {}

    def begin(self, fences: Sequence[str] = ()) -> None:
        self.open()
        self._queued.clear()
        self._topics.clear()
        if not self._marks:
            self._marks = self._may_mark()
        self.put("BEGIN")
        self.put(self._turn)
        rows = self.rows(
            "SELECT '', (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint"
            + (" UNION ALL SELECT name, epoch FROM claims WHERE name = ANY (?)" if fences else ""),
            (list(fences),) if fences else (),
        )
        self._began_us = rows[0][1]
        self._at(self._began_us)
        self._epochs = dict.fromkeys(fences)
        self._epochs.update((name, epoch) for name, epoch in rows[1:])
        self._wrote = False

    def _may_mark(self) -> bool:
        """False in a database that is only being made."""
        if self.row("SELECT 1 WHERE to_regclass('commits') IS NULL"):
            return False
        self.execute(
            "DELETE FROM commits WHERE at_us < (EXTRACT(EPOCH FROM now()) * 1000000)::bigint - ?",
            (MARKS_KEPT_US,),
        )
        return True

    def epoch(self, name: str) -> int | None:
        if name in self._epochs:
            return self._epochs[name]
        row = self.row("SELECT epoch FROM claims WHERE name = ?", (name,))
        return None if row is None else row[0]

    def _run(self, sql: str | None, params: Sequence[Any]) -> "psycopg.Cursor[Row]":
        self._note(sql or "SELECT", params)
        return super()._run(sql, params)

    def put(self, sql: str, params: Sequence[Any] = ()) -> None:
        self._note(sql, params)
        super().put(sql, params)

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            self._note(sql, row)
        super().many(sql, rows)

    def _note(self, sql: str, params: Sequence[Any]) -> None:
        if sql.startswith(WRITES_NOTHING):
            return
        self._wrote = True
        if not self._epochs or " claims " not in sql:
            return
        # A claim taken in this very transaction counts for the writes behind it.
        if "WHERE name = ?" in sql or "INTO claims" in sql:
            for each in params:
                if isinstance(each, str):
                    self._epochs.pop(each, None)
        else:
            self._epochs = {}

    def notify(self, topic: str) -> None:
        self._topics[topic] = None

    def commit(self) -> None:
        for topic in self._topics:
            super().put("SELECT pg_notify(?, ?)", (CHANNEL, topic))
        marked = self._wrote and self._marks
        if marked:
            self._batch += 1
            super().put(MARK, (self._writer, self._batch, self._began_us))
        try:
            self._run("COMMIT", ())
        except ConnectionLost as error:
            if not self._wrote:
                raise  # Whether it is done again makes no difference.
            if not marked:
                raise _unsure(self._server, error) from error
            if not self._happened():
                raise

    def _happened(self) -> bool:
        """Whether the transaction whose commit nobody confirmed is stored. Raises: StoreError when nobody knows."""
        until_s = time.monotonic() + self._server.outage_s
        while True:
            try:
                self.open()
                self._queued.clear()
                super().put("BEGIN")
                # Whoever still carries that transaction out has the turn until it is settled.
                super().put(f"SELECT pg_advisory_xact_lock({TURN})")
                row = self.row("SELECT batch FROM commits WHERE writer = ?", (self._writer,))
                self.rollback()
            except ConnectionLost as error:
                if time.monotonic() >= until_s:
                    raise _unsure(self._server, error) from error
            except StoreError as error:
                raise _unsure(self._server, error) from error
            else:
                return row is not None and row[0] == self._batch


def _unsure(server: Server, error: StoreError) -> StoreError:
    return StoreError(
        f"PostgreSQL at {server.where} was lost while it stored, and could not be asked afterwards whether it had: "
        f"{error.message}",
        mend="Start the worker again: it goes on from what the record holds. Look before you repeat a command.",
    )


@contextlib.contextmanager
def _in_one_piece(pipeline: Any) -> Iterator[None]:
    """All that is queued leaves together, at the end.

    The driver would send each statement as it comes. A process that is frozen between two of them would hold the turn,
    and the server would not count that as idle, because it waits for the rest; also, a journey costs a system call.
    """
    pipeline._communicate_gen = lambda: iter(())
    try:
        yield
    finally:
        del pipeline._communicate_gen


def _said(sql: str, params: Sequence[Any]) -> str:
    # Without parameters the driver sends the text as it stands.
    return _translated_sql(sql) if params else sql


@lru_cache(maxsize=4096)
def _translated_sql(sql: str) -> str:
    """`?` outside of string literals becomes `%s`; the per cent signs of a pattern stay what they are."""
    parts = sql.split("'")
    return "'".join(
        part.replace("%", "%%").replace("?", "%s") if number % 2 == 0 else part.replace("%", "%%")
        for number, part in enumerate(parts)
    )


def imported() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise not_installed() from error
    # It warns of each pipeline that an error ended, beside raising that error.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    return psycopg
