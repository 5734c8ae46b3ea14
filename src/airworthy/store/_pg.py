"""One PostgreSQL connection: its settings, its transactions, and what it makes of a connection that is lost."""

import time
import weakref
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

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
UNSETTLED_S: Final = 0.2


class Connection:
    """A transaction at a time; used by one thread at a time."""

    def __init__(self, server: Server, *, name: str, settings: str = "") -> None:
        """Opens nothing yet. `name`: as it is seen in pg_stat_activity. `settings`: SQL, after our own."""
        self._server = server
        self._name = name
        self._settings = settings
        self._raw: psycopg.Connection[Row] | None = None
        self._queued: list[tuple[str, Sequence[Any]]] = []

    # --- a connection ---

    def open(self) -> "psycopg.Connection[Row]":
        """The connection, made anew when it is lost. Raises: StoreBusy when nobody answers for `outage_s`."""
        if self._raw is not None and not self._raw.closed:
            return self._raw
        self._raw = None
        until_s = time.monotonic() + self._server.outage_s
        for tries in range(1_000_000):
            try:
                return self._connect()
            except StoreBusy:
                if time.monotonic() >= until_s:
                    raise
                time.sleep(BACKOFF_S[min(tries, len(BACKOFF_S) - 1)])
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
            _pg_types.register(raw)
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
                return raw.execute(*_said(sql, params))
            with raw.pipeline():
                for each, values in queued:
                    raw.execute(*_said(each, values))
                cursor = raw.cursor()
                if sql is not None:
                    cursor.execute(*_said(sql, params))
            return cursor
        except psycopg.Error as error:
            raise translated(error, self._server) from error

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
        statements = [sql for sql, _ in self._queued]
        if "SAVEPOINT one" in statements:
            # Nothing since then has left; what ends the savepoint before it still has to.
            del self._queued[statements.index("SAVEPOINT one") :]
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
        self._xid = ""
        self._epochs: dict[str, int | None] = {}
        self._topics: dict[str, None] = {}

    def begin(self, fences: Sequence[str] = ()) -> None:
        self.open()
        self._queued.clear()
        self._topics.clear()
        self.put("BEGIN")
        self.put(self._turn)
        rows = self.rows(
            "SELECT '', pg_current_xact_id()::text, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint"
            " UNION ALL SELECT name, '', epoch FROM claims WHERE name = ANY (?)"
            if fences
            else "SELECT '', pg_current_xact_id()::text, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint",
            (list(fences),) if fences else (),
        )
        _, self._xid, now_us = rows[0]
        self._at(now_us)
        self._epochs = dict.fromkeys(fences)
        self._epochs.update((name, epoch) for name, _, epoch in rows[1:])

    def epoch(self, name: str) -> int | None:
        if name in self._epochs:
            return self._epochs[name]
        row = self.row("SELECT epoch FROM claims WHERE name = ?", (name,))
        return None if row is None else row[0]

    def _run(self, sql: str | None, params: Sequence[Any]) -> "psycopg.Cursor[Row]":
        self._forget_epochs(sql or "")
        return super()._run(sql, params)

    def put(self, sql: str, params: Sequence[Any] = ()) -> None:
        self._forget_epochs(sql)
        super().put(sql, params)

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._forget_epochs(sql)
        super().many(sql, rows)

    def _forget_epochs(self, sql: str) -> None:
        # A claim taken in this very transaction counts for the writes behind it.
        if self._epochs and " claims " in sql and not sql.startswith("SELECT"):
            self._epochs = {}

    def notify(self, topic: str) -> None:
        self._topics[topic] = None

    def commit(self) -> None:
        self.flush()
        for topic in self._topics:
            self.put("SELECT pg_notify(?, ?)", (CHANNEL, topic))
        try:
            self._run("COMMIT", ())
        except ConnectionLost:
            if not self._happened(self._xid):
                raise

    def _happened(self, xid: str) -> bool:
        """Whether the transaction whose commit nobody confirmed is stored. Raises: StoreError when nobody knows."""
        while True:
            self.open()
            status = self.row("SELECT pg_xact_status(?::text::xid8)", (xid,))
            if status is None or status[0] is None:
                raise StoreError(
                    f"PostgreSQL no longer knows whether transaction {xid} was stored.",
                    mend="Start the worker again: it goes on from what the record holds.",
                )
            if status[0] != "in progress":
                return bool(status[0] == "committed")
            # The server has not noticed yet that its client is gone.
            time.sleep(UNSETTLED_S)


def _said(sql: str, params: Sequence[Any]) -> tuple[str, Sequence[Any] | None]:
    # Without parameters the driver takes the text as it is, per cent signs too.
    return (_translated_sql(sql), params) if params else (sql, None)


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
    return psycopg
