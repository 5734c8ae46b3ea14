"""Statements on a PostgreSQL connection, by libpq's own calls: a fifth of what the driver's cursors cost.

Statements that go together leave in one piece, with one Sync behind them. Sent one by one, a process frozen between
two would hold the turn without being idle, because the server waits for the rest; also, each costs system calls. What
fills more than libpq's buffer still leaves in several pieces: see `_pg_turn.WriteConnection._free_the_turn`.
"""

import select
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from airworthy.store import _pg_wait
from airworthy.store._pg_queue import Statement, told_by_columns
from airworthy.store._pg_types import Bound, bound, loaders_of
from airworthy.store.database import Row

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

STATEMENTS_PREPARED: Final = 500
OLD_MAX: Final = 32  # Of those beyond, before the server is told to let go of them.
Packed = tuple[str, Bound | None]


class Answer:
    """What one statement gave."""

    __slots__ = ("_result",)

    def __init__(self, result: "PGresult") -> None:
        self._result = result

    @property
    def rowcount(self) -> int:
        changed = self._result.command_tuples
        return -1 if changed is None else changed

    def fetchall(self) -> list[Row]:
        result = self._result
        get, loaders = result.get_value, loaders_of(result)
        return [
            tuple([None if (raw := get(row, column)) is None else load(raw) for column, load in loaders])
            for row in range(result.ntuples)
        ]

    def fetchone(self) -> Row | None:
        result = self._result
        if not result.ntuples:
            return None
        get = result.get_value
        return tuple(
            [None if (raw := get(0, column)) is None else load(raw) for column, load in loaders_of(result)]
        )


class Wire:
    """Prepares what has parameters, once for each kind of them. Used by one thread at a time."""

    def __init__(self, pgconn: "PGconn") -> None:
        self._pgconn = pgconn
        self._names: OrderedDict[tuple[str, tuple[int, ...]], bytes] = OrderedDict()
        self._made = 0
        self._old: list[bytes] = []

    def one(self, sql: str, values: Bound | None) -> Answer:
        """Raises: psycopg.Error."""
        self._let_go()
        pgconn = self._pgconn
        if values is None:
            pgconn.send_query_params(sql.encode(), None)
            return Answer(self._only())
        name = self._names.get((sql, values.types))
        if name is None:
            name = self._fresh()
            pgconn.send_prepare(name, numbered(sql), values.types)
            self._only()
            self._names[sql, values.types] = name
        pgconn.send_query_prepared(name, values.values, values.formats)
        return Answer(self._only())

    def _only(self) -> "PGresult":
        self._leave()
        return _checked(self._answer())

    def together(self, statements: Sequence[Packed]) -> list[Answer]:
        """At the first that fails, the rest is not carried out. Raises: psycopg.Error."""
        self._let_go()
        pgconn = self._pgconn
        pgconn.enter_pipeline_mode()
        pgconn.nonblocking = 1
        new: list[tuple[str, tuple[int, ...]]] = []
        try:
            sent = [self._sent(sql, values, new) for sql, values in statements]
            pgconn.pipeline_sync()
            self._leave()
            # A statement that was prepared on the way has an answer more, before its own.
            results = [self._answers(answers) for answers in sent]
            self._there()  # The end of them all.
        except BaseException:
            self._forget(new)
            raise
        finally:
            if pgconn.status == 0:  # OK; a lost one is closed by whoever hears of it.
                self._drained()
        for result in results:
            if result.status == FATAL:
                self._forget(new)
                _checked(result)
        return [Answer(result) for result in results]

    def _sent(self, sql: str, values: Bound | None, new: list[tuple[str, tuple[int, ...]]]) -> int:
        """How many answers it will have."""
        if values is None:
            self._pgconn.send_query_params(sql.encode(), None)
            return 1
        key = (sql, values.types)
        name = self._names.get(key)
        fresh = name is None
        if name is None:
            name = self._fresh()
            self._pgconn.send_prepare(name, numbered(sql), values.types)
            self._names[key] = name
            new.append(key)
        self._pgconn.send_query_prepared(name, values.values, values.formats)
        return 2 if fresh else 1

    def _leave(self) -> None:
        while self._pgconn.flush():
            _await(self._pgconn, select.POLLIN | select.POLLOUT)
            self._pgconn.consume_input()

    def _answers(self, count: int) -> "PGresult":
        found = [self._answer() for _ in range(count)]
        # What could not be prepared cannot be carried out either; the first says why.
        return next((each for each in found if each.status == FATAL), found[-1])

    def _answer(self) -> "PGresult":
        result = self._there()
        if self._next() is not None:
            raise _lost("gave an answer too many")
        return result

    def _there(self) -> "PGresult":
        result = self._next()
        if result is None:
            raise _lost("ended before it had answered")
        return result

    def _next(self) -> "PGresult | None":
        pgconn = self._pgconn
        # Waited for here: the driver's own wait would hold every thread of this process.
        while pgconn.is_busy():
            _await(pgconn, select.POLLIN)
            pgconn.consume_input()
        return pgconn.get_result()

    def _drained(self) -> None:
        pgconn = self._pgconn
        if pgconn.transaction_status == ACTIVE:
            return  # In the middle of it: whoever hears of the error closes the connection.
        pgconn.nonblocking = 0
        pgconn.exit_pipeline_mode()

    def _fresh(self) -> bytes:
        if len(self._names) >= STATEMENTS_PREPARED:
            self._old.append(self._names.popitem(last=False)[1])
        self._made += 1
        return b"a%d" % self._made

    def _let_go(self) -> None:
        """The statements that others took the place of, many at once: it is a journey."""
        if len(self._old) < OLD_MAX or self._pgconn.transaction_status == IN_ERROR:
            return
        old, self._old = self._old, []
        _checked(self._pgconn.exec_(b"; ".join(b"DEALLOCATE " + name for name in old)))

    def _forget(self, names: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        """They may not have been prepared, because something before them failed."""
        for each in names:
            self._names.pop(each, None)


def packed_all(statements: Sequence[Statement]) -> list[Packed]:
    """All, before any is sent: one that cannot travel must not leave the server waiting for the rest."""
    return [(sql, _bound(sql, params) if params else None) for sql, params in statements]


def _bound(sql: str, params: Sequence[Any]) -> Bound:
    values = bound(params)
    # One statement for all rows, whichever of them has a NULL where.
    return values._replace(types=()) if told_by_columns(sql) else values


@lru_cache(maxsize=4096)
def numbered(sql: str) -> bytes:
    """`?` outside of string literals becomes `$1`, `$2`, and so on."""
    parts = sql.split("'")
    made, number = [], 0
    for place, part in enumerate(parts):
        if place % 2:
            made.append(part)
            continue
        pieces = part.split("?")
        text = pieces[0]
        for piece in pieces[1:]:
            number += 1
            text += f"${number}{piece}"
        made.append(text)
    return "'".join(made).encode()


FATAL: Final = 7  # PGRES_FATAL_ERROR
ABORTED: Final = 11  # PGRES_PIPELINE_ABORTED
ACTIVE: Final = 1  # PQTRANS_ACTIVE
IN_ERROR: Final = 3  # PQTRANS_INERROR


def _checked(result: "PGresult") -> "PGresult":
    if result.status in (FATAL, ABORTED):
        from psycopg.errors import error_from_result
        from psycopg.pq import DiagnosticField

        # Without a code it is libpq that speaks: the connection is gone.
        if not result.error_field(DiagnosticField.SQLSTATE):
            raise _lost(f"was lost: {result.error_message.decode('utf-8', 'replace')}")
        raise error_from_result(result)
    return result


def _await(pgconn: "PGconn", events: int) -> None:
    poll = select.poll()
    poll.register(pgconn.socket, events)
    if not poll.poll(_pg_wait.SILENCE_S_MAX * 1000):
        raise _lost(f"was silent for {_pg_wait.SILENCE_S_MAX:g} s")


def _lost(what: str) -> Exception:
    from psycopg import OperationalError

    return OperationalError(f"the connection to the server {what}")
