"""One PostgreSQL connection: its settings, its transactions, and what it makes of a connection that is lost."""

import time
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from airworthy.core.ids import process_nonce
from airworthy.store import _pg_many
from airworthy.store._pg_errors import Server, not_installed, translated
from airworthy.store._pg_queue import Queue
from airworthy.store._pg_wait import connection_class
from airworthy.store._pg_wire import IN_ERROR, Answer, Wire, packed_all
from airworthy.store.database import Row, StoreBusy, StoreError
from airworthy.store.tally import Tally
from airworthy.store.writer import ConnectionLost

if TYPE_CHECKING:
    import psycopg

# All writers of one database take turns at this lock, whichever machine they are on; `beside` shares it.
TURN: Final = 0x61697277
CHANNEL: Final = "airworthy"  # Of all that is told; the topic is what is said on it.
# A writer that is frozen in its turn loses it, so that it freezes nobody else.
IDLE_IN_TURN_MS: Final = 2_000
# A turn is waited for in slices; after each, whoever holds it up is looked for.
SLICE_S: Final = 2.0
FROZEN: Final = (
    "SELECT pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid::bigint = ?"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND a.wait_event_type = 'Client' AND a.pid <> pg_backend_pid()"
    " AND clock_timestamp() - GREATEST(a.query_start, a.state_change) > make_interval(secs => ?::float / 1000)"
)
# What a server, a database, a user or the environment may have set otherwise, and what is read and written rests on.
OURS: Final = (
    "SET timezone = 'UTC'; SET client_encoding = 'UTF8'; SET bytea_output = 'hex'; SET extra_float_digits = 1;"
    " SET standard_conforming_strings = on;"
    # What is asked behind the lock is as it is then, and not as it was before it.
    " SET default_transaction_isolation = 'read committed';"
    # What was acknowledged is stored.
    " SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';"
)
CONNECT_S_MAX, SETTLE_TRIES_MAX = 5, 10
BACKOFF_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
# The transaction is over, its connection as good as before.
UNDONE: Final = ("40001", "40P01")
# Beside what a transaction writes: which of its writer's it is, so that a commit nobody answered can be looked up.
# Not by its xid: a server that crashed gives the same number to another transaction.
# Only where anything was written, as the server itself sees it: nobody waits for a disk to have read something.
MARK: Final = (
    "INSERT INTO commits (writer, batch, at_us) SELECT ?, ?::bigint, ?::bigint"
    " WHERE pg_current_xact_id_if_assigned() IS NOT NULL"
    " ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, at_us = excluded.at_us"
)
MARKS_KEPT_US: Final = 86_400 * 1_000_000


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

    def notify(self, topic: str) -> None:
        """Only what is written is worth telling."""

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        return self._run(sql, params).fetchall()

    def row(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        return self._run(sql, params).fetchone()

    def _run(self, sql: str | None, params: Sequence[Any]) -> Answer:
        """What was put, and then this, in one journey; the answer is that of the last."""
        assert self._wire is not None, "begin first"
        try:
            if sql is not None and (not self._queued or self._queued.lets_pass(sql)):
                return self._wire.one(sql, params)
            statements = self._queued.whole() if sql is None else [*self._queued.whole(), (sql, params)]
            packed = packed_all(statements)  # Where a value cannot travel, what waits still waits.
            self._queued.clear()
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
        slice_ms = min(SLICE_S, server.busy_s) * 1000
        sliced = f"SELECT set_config('lock_timeout', '{slice_ms:.0f}ms', true)"
        self._alone = f"{sliced}, pg_advisory_xact_lock({TURN})"
        self._turn = f"{sliced}, pg_advisory_xact_lock_shared({TURN})" if shared else self._alone
        self._bound = f"set_config('lock_timeout', '{server.busy_s * 1000:.0f}ms', true)"
        self._at = at
        self._writer = process_nonce()
        self._batch = 0
        self._began_us = 0
        self._marks = False
        self._epochs: dict[str, int | None] = {}
        self._topics: dict[str, None] = {}

    def begin(self, fences: Sequence[str] = ()) -> None:
        self.open()
        self._queued.clear()
        self._topics.clear()
        self._tally.clear()
        if not self._marks:
            self._marks = self._may_mark()
        rows = self._in_turn(
            self._turn,
            f"SELECT '', {self._bound}, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint"
            + (" UNION ALL SELECT name, '', epoch FROM claims WHERE name = ANY (?)" if fences else ""),
            (list(fences),) if fences else (),
        )
        self._began_us = rows[0][2]
        self._at(self._began_us)
        self._epochs = dict.fromkeys(fences)
        self._epochs.update((name, epoch) for name, _, epoch in rows[1:])

    def _in_turn(self, lock: str, sql: str, params: Sequence[Any]) -> list[Row]:
        """Begins a transaction, and asks in its turn. Slices bound the wait: a freeze counts as one."""
        for left in reversed(range(max(1, round(self._server.busy_s / SLICE_S)))):
            self.open()
            self._queued.clear()
            super().put("BEGIN")
            super().put(lock)
            try:
                return self.rows(sql, params)
            except StoreBusy:
                self.rollback()
                if not left:
                    raise
                self._free_the_turn()
        raise AssertionError("unreachable")

    def _free_the_turn(self) -> None:
        """Ends the session of a process that was frozen, or parted from the server, with half a message sent.

        One that is idle in its turn ends by the server's own bound; this one the server waits for without end.
        """
        try:
            self.rows(FROZEN, (TURN, IDLE_IN_TURN_MS))
        except StoreError:
            self.rollback()  # It may not look, or there is nothing to see; the bound of the wait holds all the same.

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

    def _run(self, sql: str | None, params: Sequence[Any]) -> Answer:
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
        if not self._epochs or " claims " not in sql or sql.startswith("SELECT"):
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
        if self._marks:
            self._batch += 1
            super().put(MARK, (self._writer, self._batch, self._began_us))
        try:
            self._run("COMMIT", ())
        except ConnectionLost as error:
            if not self._marks:
                raise _unsure(self._server, error) from error
            # Without a mark nothing is stored, or there was nothing to store: doing it again makes no difference.
            if not self._happened():
                raise

    def _happened(self) -> bool:
        """Whether the transaction whose commit nobody confirmed is stored. Raises: StoreError when nobody knows."""
        asked = "SELECT batch FROM commits WHERE writer = ?"
        for left in reversed(range(SETTLE_TRIES_MAX)):
            try:
                # Whoever still carries that transaction out has the turn until it is settled.
                rows = self._in_turn(self._alone, asked, (self._writer,))
                self.rollback()
                return bool(rows) and rows[0][0] == self._batch
            except StoreError as error:
                if not left or not isinstance(error, ConnectionLost):
                    raise _unsure(self._server, error) from error
                time.sleep(BACKOFF_S[0])
        raise AssertionError("unreachable")


def _unsure(server: Server, error: StoreError) -> StoreError:
    return StoreError(
        f"PostgreSQL at {server.where} was lost while it stored, and could not be asked afterwards whether it had: "
        f"{error.message}",
        mend="Start the worker again: it goes on from what the record holds. Look before you repeat a command.",
    )


def imported() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise not_installed() from error
    return psycopg
