"""The database a test works on: SQLite in memory, or, with AIRWORTHY_TEST_ENGINE=postgresql, a real PostgreSQL.

One server for the whole session, started when the first test wants it (or the one at AIRWORTHY_TEST_DATABASE). Each
test process has a few databases with all tables made, and a test that uses one leaves it as it was: everything it
writes lies in one transaction that is never committed. What needs several connections asks for `fresh()`.
"""

import atexit
import fcntl
import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import airworthy.app.build
import airworthy.store
from airworthy.app.build import MIGRATIONS
from airworthy.core.clock import Clock
from airworthy.store import (
    Database,
    Fence,
    MemoryDatabase,
    Migration,
    PostgresDatabase,
    StoreError,
    Tx,
    migrate,
)
from airworthy.store import migrate as _real_migrate
from airworthy.store._pg import WriteConnection
from airworthy.store._pg_errors import Server
from airworthy.store.writer import Job, nested, run_batch
from benchmarks import pg_server

T = TypeVar("T")

ENGINE_VARIABLE = "AIRWORTHY_TEST_ENGINE"
SERVER_VARIABLE = "AIRWORTHY_TEST_DATABASE"
FOLDER_VARIABLE = "AIRWORTHY_TEST_PG_FOLDER"
ON_POSTGRES = os.environ.get(ENGINE_VARIABLE) == "postgresql"


def memory() -> Database:
    """What MemoryDatabase() is: an empty database that nothing outlives, on the engine this run is about."""
    return Memory()


# --- the server ---


def begin_session() -> None:
    """In the process that starts the others, before them."""
    if FOLDER_VARIABLE not in os.environ:
        os.environ[FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="airworthy-pg-")
        Path(os.environ[FOLDER_VARIABLE]).chmod(0o755)
        os.environ[FOLDER_VARIABLE + "_OWNER"] = str(os.getpid())


def end_session() -> None:
    if os.environ.get(FOLDER_VARIABLE + "_OWNER") != str(os.getpid()):
        return
    folder = Path(os.environ[FOLDER_VARIABLE])
    if (folder / "url").exists():
        port = int((folder / "port").read_text())
        pg_server.Server(folder, port, pg_server.binaries(folder)).stop(how="immediate")
    pg_server.remove(folder)


def server_url() -> str:
    """Of a running server, ending with a slash."""
    given = os.environ.get(SERVER_VARIABLE)
    if given:
        return given.rstrip("/") + "/"
    folder = Path(os.environ[FOLDER_VARIABLE])
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "url").exists():
            server = pg_server.make(folder, pg_server.FORGETFUL)
            (folder / "port").write_text(str(server.port))
            (folder / "url").write_text(server.url)
    return (folder / "url").read_text()


def fresh(*, migrated: bool = False) -> str:
    """The address of a new database on the server. `migrated`: with all tables of this version."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    like = f" TEMPLATE {_template()}" if migrated else ""
    _admin(f"CREATE DATABASE {name}{like}")
    if not _made:
        atexit.register(_drop_all)
    _made.append(server_url() + name)
    return _made[-1]


_made: list[str] = []


def _drop_all() -> None:
    """A server of our own goes with all that is in it; another's is left as it was."""
    if os.environ.get(SERVER_VARIABLE):
        for url in _made:
            _admin(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")


def _admin(statement: str) -> None:
    import psycopg

    with psycopg.connect(server_url() + "postgres", autocommit=True) as raw:
        raw.execute(statement)


def _template() -> str:
    """Made once for all processes of the session."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    url = server_url()
    with (folder / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        marker = folder / "template"
        if not marker.exists():
            name = f"template_{uuid.uuid4().hex[:12]}"
            _admin(f"CREATE DATABASE {name}")
            database = PostgresDatabase(url + name)
            _real_migrate(database, MIGRATIONS)
            database.close()
            marker.write_text(name)
            _made.append(url + name)
    return marker.read_text()


# --- one transaction for one test ---

_idle: list["_Held"] = []
_lent: list["Rehearsal"] = []


class _Held(WriteConnection):
    """Its transactions are savepoints of one that is never committed."""

    def begin(self, fences: Sequence[str] = ()) -> None:
        self.open()
        self._queued.clear()
        self.put("SAVEPOINT turn")

    def begin_read(self) -> None:
        self.begin()

    def commit(self) -> None:
        self.flush()
        self.execute("RELEASE SAVEPOINT turn")

    def rollback(self) -> None:
        began = any(sql == "SAVEPOINT turn" for sql, _ in self._queued)
        self._queued.clear()
        if not began:
            self.put("ROLLBACK TO SAVEPOINT turn")
            self.execute("RELEASE SAVEPOINT turn")


class Rehearsal:
    """Implements `Database` as MemoryDatabase does: every write in place, nothing outlives it."""

    dialect = "postgresql"
    where = "a rehearsal"

    def __init__(self) -> None:
        self._turn = threading.RLock()
        self._busy = False
        self._closed = False
        self._connection = _idle.pop() if _idle else _Held(Server(fresh(migrated=True)), name="rehearsal")
        raw = self._connection.open()
        raw.execute("SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '10s'")
        raw.execute("BEGIN")
        _lent.append(self)

    def clock(self, own: Clock) -> Clock:
        return own

    def listen(self, topics: Iterable[str], heard: Callable[[str], None]) -> None:
        return None

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        return self._write(op, fence)

    async def read(self, query: Callable[[Tx], T]) -> T:
        return self.read_now(query)

    def write_now(self, op: Callable[[Tx], T]) -> T:
        return self._write(op, None)

    def read_now(self, query: Callable[[Tx], T]) -> T:
        with self._turn:
            self._open()
            self._connection.begin_read()
            try:
                return query(self._connection)
            finally:
                self._connection.rollback()

    def _write(self, op: Callable[[Tx], T], fence: Fence | None) -> T:
        job = Job(op, fence, None)
        with self._turn:
            self._open()
            if self._busy:
                raise nested()
            self._busy = True
            try:
                run_batch(self._connection, [job])
            finally:
                self._busy = False
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def _open(self) -> None:
        if self._closed:
            raise StoreError("The database is closed.", mend="Open it again before using it.")

    def close(self) -> None:
        """Others may still look at what was closed by its app, so it is only given back at the end of the test."""
        self._closed = True

    def give_back(self) -> None:
        self._closed = True
        raw = self._connection.open()
        raw.execute("ROLLBACK")
        _idle.append(self._connection)


# For doubles that are a database with something added.
if TYPE_CHECKING or not ON_POSTGRES:
    Memory = MemoryDatabase
else:
    Memory = Rehearsal


def end_test() -> None:
    """Gives every database of the test that ends to the next."""
    while _lent:
        _lent.pop().give_back()


def migrate_here(
    database: Database, migrations: Sequence[Migration], busy: Callable[[Tx], Sequence[str]] = lambda _: ()
) -> tuple[str, ...]:
    """A rehearsal has all the product's tables from the start; only what is a test's own is made."""
    if not isinstance(database, Rehearsal):
        return _real_migrate(database, migrations, busy)
    done: list[str] = []
    for migration in migrations:
        if migration not in MIGRATIONS:
            done.append(f"{migration.room} {migration.number}: {migration.name}")
            database.write_now(
                lambda tx, m=migration: [tx.execute(each) for each in m.statements("postgresql")]
            )
    return tuple(done)


if ON_POSTGRES:
    # Kits bring a database to the shape they need; here it has it already.
    airworthy.store.migrate = migrate_here
    airworthy.app.build.migrate = migrate_here  # type: ignore[attr-defined]  # as the kits see it


__all__ = ["ON_POSTGRES", "Memory", "begin_session", "end_session", "end_test", "fresh", "memory", "migrate"]
