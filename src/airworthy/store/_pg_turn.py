"""The PostgreSQL connection that writes: in its turn among all writers, and sure of each commit whether it happened."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from airworthy.core.ids import process_nonce
from airworthy.store._pg import BACKOFF_S, Connection
from airworthy.store._pg_errors import Server
from airworthy.store._pg_wire import Answer
from airworthy.store.database import Row, StoreBusy, StoreError
from airworthy.store.writer import ConnectionLost

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
SETTLE_TRIES_MAX: Final = 10
# Beside what a transaction writes: which of its writer's it is, so that a commit nobody answered can be looked up.
# Not by its xid: a server that crashed gives the same number to another transaction.
# Only where anything was written, as the server itself sees it: nobody waits for a disk to have read something.
MARK: Final = (
    "INSERT INTO commits (writer, batch, at_us) SELECT ?, ?::bigint, ?::bigint"
    " WHERE pg_current_xact_id_if_assigned() IS NOT NULL"
    " ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, at_us = excluded.at_us"
)
MARKS_KEPT_US: Final = 86_400 * 1_000_000


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
        self.apart = shared
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
