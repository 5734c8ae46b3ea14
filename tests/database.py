"""The database a test works on: SQLite in memory, or, with AIRWORTHY_TEST_ENGINE=postgresql, a real PostgreSQL.

One server for the whole session, started when the first test wants it (or the one at AIRWORTHY_TEST_DATABASE). Each
test process has a few databases with all tables made, and a test that uses one leaves it as it was: everything it
writes lies in one transaction that is never committed. What needs several connections asks for `fresh()`.
"""

import atexit
import contextlib
import fcntl
import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import airworthy.app.build
import airworthy.store
from airworthy.app.build import MIGRATIONS
from airworthy.app.config import DATABASE_VARIABLE
from airworthy.core.clock import Clock
from airworthy.store import (
    Database,
    Fence,
    Hearing,
    MemoryDatabase,
    Migration,
    PostgresDatabase,
    SQLiteDatabase,
    StoreError,
    Tx,
    migrate,
)
from airworthy.store._pg_errors import Server
from airworthy.store._pg_turn import WriteConnection
from airworthy.store.database import Row
from airworthy.store.writer import Job, nested, run_batch
from benchmarks import pg_server
from tests import quick_disk
from tests.remembered import Remembered, changes
from tests.virtual import wait_external

if TYPE_CHECKING:
    import pytest

T = TypeVar("T")

ENGINE_VARIABLE = "AIRWORTHY_TEST_ENGINE"
SERVER_VARIABLE = "AIRWORTHY_TEST_DATABASE"
FOLDER_VARIABLE = "AIRWORTHY_TEST_PG_FOLDER"
ON_POSTGRES = os.environ.get(ENGINE_VARIABLE) == "postgresql"


def memory() -> Database:
    """What MemoryDatabase() is: an empty database that nothing outlives, on the engine this run is about."""
    return Memory()


def migrated() -> Database:
    """`memory()` with all tables of this version, in a thousandth of the time that migrating takes."""
    made = memory()
    migrate_here(made, MIGRATIONS)
    return made


# --- the server ---


def begin_session() -> None:
    """In the process that starts the others, before them."""
    if FOLDER_VARIABLE not in os.environ:
        os.environ[FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="airworthy-pg-", dir=quick_disk.folder())
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
    like = f" TEMPLATE {_template()}{_strategy()}" if migrated else ""
    _admin(f"CREATE DATABASE {name}{like}")
    if not _made:
        atexit.register(_drop_all)
    _made.append(server_url() + name)
    return _made[-1]


def _strategy() -> str:
    """As files, not by way of its log: a fifth of the time. Older servers know one way only."""
    return "" if os.environ.get(SERVER_VARIABLE) else " STRATEGY file_copy"


def _near(url: str) -> str:
    """The same database through the socket of a server of our own, which spares a fifth."""
    if os.environ.get(SERVER_VARIABLE):
        return url
    folder = Path(os.environ[FOLDER_VARIABLE])
    host = quote(str(folder), safe="")
    return f"postgresql://postgres@{host}:{(folder / 'port').read_text()}/{url.rpartition('/')[2]}"


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
            migrate(database, MIGRATIONS)
            database.close()
            marker.write_text(name)
            _made.append(url + name)
    return marker.read_text()


# --- a folder to work in ---

_of_folder: dict[Path, str] = {}


class _Awaited(PostgresDatabase):
    """Virtual time waits for its writes: while the server works, no thread of ours does."""

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        return await wait_external(super().write(op, fence=fence, beside=beside))


def for_commands(folder: Path, monkeypatch: "pytest.MonkeyPatch") -> None:
    """Commands of this test find a database of its own: the file of the folder they are in, or one with all tables."""
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    if ON_POSTGRES:
        monkeypatch.setenv(DATABASE_VARIABLE, address(folder))


def address(folder: Path) -> str:
    """What commands in `folder` work on: of the file, or of a database that is dropped when the test ends."""
    if not ON_POSTGRES:
        return str(folder / "airworthy.db")
    chosen = os.environ.get(DATABASE_VARIABLE)
    if chosen:
        return chosen
    if folder not in _of_folder:
        _of_folder[folder] = fresh(migrated=True)
    return _of_folder[folder]


def opened(where: str) -> Database:
    """`where`: an address as above."""
    return _Awaited(where) if "://" in where else SQLiteDatabase(where)


def opened_at(folder: Path) -> Database:
    return opened(address(folder))


# --- one transaction for one test ---

_idle: list["_Held"] = []
_lent: list["Rehearsal"] = []


class _Held(WriteConnection):
    """Its transactions are savepoints of one that is never committed; one is open at all times, so a read is bare.

    Nobody else is here: what was read is true until this connection writes, so it is not read again.
    """

    def __init__(self, server: Server, *, name: str) -> None:
        super().__init__(server, name=name)
        self._known = Remembered()
        self._clean = True

    def hold(self) -> None:
        raw = self.open()
        raw.execute("SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '10s'")
        self._say("BEGIN; SAVEPOINT turn")

    def let_go(self) -> None:
        self._known.clear()
        self._say("ROLLBACK")

    def begin(self, fences: Sequence[str] = ()) -> None:
        self._queued.clear()

    def begin_read(self) -> None:
        self.begin()

    def commit(self) -> None:
        if self._clean:
            return
        self.flush()
        self._say("RELEASE SAVEPOINT turn; SAVEPOINT turn")
        self._clean = True

    def rollback(self) -> None:
        self._queued.clear()
        self._known.clear()
        self._say("ROLLBACK TO SAVEPOINT turn")
        self._clean = True

    def savepoint(self) -> None:
        self._clean = False
        super().savepoint()

    def rollback_to(self) -> None:
        self._known.clear()
        super().rollback_to()

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        self._writes(sql)
        return super().execute(sql, params)

    def put(self, sql: str, params: Sequence[Any] = ()) -> None:
        self._writes(sql)
        super().put(sql, params)

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._writes(sql)
        super().many(sql, rows)

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        if changes(sql):
            self._writes(sql)
            return super().rows(sql, params)
        if self._fibers.inside:  # Another may write between the answer and when it is known.
            return super().rows(sql, params)
        found = self._known.answer(sql, params)
        if found is None:
            found = super().rows(sql, params)
            self._known.keep(sql, params, found)
        return found

    def row(self, sql: str, params: Sequence[Any] = ()) -> Row | None:
        found = self.rows(sql, params)
        return found[0] if found else None

    def _writes(self, sql: str) -> None:
        self._known.changed(sql)
        self._clean = False

    def _say(self, statements: str) -> None:
        # Thousands of times in a test, so past all that makes a statement of ours one of PostgreSQL's.
        result = self.open().pgconn.exec_(statements.encode())
        assert not result.error_message, f"{statements}: {result.error_message.decode()}"


class Rehearsal:
    """Implements `Database` as MemoryDatabase does: every write in place, nothing outlives it."""

    dialect = "postgresql"
    where = "a rehearsal"

    def __init__(self) -> None:
        self._turn = threading.RLock()
        self._busy = False
        self._closed = False
        self._connection = (
            _idle.pop() if _idle else _Held(Server(_near(fresh(migrated=True))), name="rehearsal")
        )
        self._connection.hold()
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
            except BaseException:
                self._connection.rollback()
                raise

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
        with self._turn:  # A thread of the test may still be at it.
            self._closed = True
            self._connection.let_go()
        _idle.append(self._connection)


# For doubles that are a database with something added.
if TYPE_CHECKING or not ON_POSTGRES:
    Memory = MemoryDatabase
else:
    Memory = Rehearsal


class Before:
    """A double that stands before a database and hands everything on; it overrides what its test is about."""

    where = "behind a double"

    def __init__(self, inner: Database) -> None:
        self.inner = inner
        self.dialect = inner.dialect

    def clock(self, own: Clock) -> Clock:
        return self.inner.clock(own)

    def listen(self, topics: Iterable[str], heard: Callable[[str], None]) -> Hearing | None:
        return self.inner.listen(topics, heard)

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        return await self.inner.write(op, fence=fence, beside=beside)

    async def read(self, query: Callable[[Tx], T]) -> T:
        return await self.inner.read(query)

    def write_now(self, op: Callable[[Tx], T]) -> T:
        return self.inner.write_now(op)

    def read_now(self, query: Callable[[Tx], T]) -> T:
        return self.inner.read_now(query)

    def close(self) -> None:
        self.inner.close()


@contextlib.contextmanager
def lasting() -> Iterator[None]:
    """Databases that are made within it are shared by tests, and stay until the process ends."""
    before = len(_lent)
    yield
    del _lent[before:]


@contextlib.contextmanager
def held() -> Iterator[Database]:
    """`memory()` for as long as the block, whichever tests end meanwhile."""
    with lasting():
        database = memory()
    try:
        yield database
    finally:
        database.close()
        if isinstance(database, Rehearsal):
            _lent.append(database)  # The test that ends next gives it back.


def end_test() -> None:
    """Gives every database of the test that ends to the next, and drops what processes worked on."""
    while _lent:
        _lent.pop().give_back()
    while _of_folder:
        _, url = _of_folder.popitem()
        _made.remove(url)
        _admin(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")


def migrate_here(
    database: Database, migrations: Sequence[Migration], busy: Callable[[Tx], Sequence[str]] = lambda _: ()
) -> tuple[str, ...]:
    """A rehearsal has all the product's tables from the start; only what is a test's own is made.

    An empty database in memory begins as a copy of the first one that was migrated like that, which took 30 ms.
    """
    if type(database) is MemoryDatabase and _PRODUCT.issuperset(migrations):
        return _copied(database, tuple(migrations), busy)
    if not isinstance(database, Rehearsal):
        return migrate(database, migrations, busy)
    done: list[str] = []
    for migration in migrations:
        if migration not in MIGRATIONS:
            done.append(str(migration))
            database.write_now(partial(_apply, migration))
    return tuple(done)


_PRODUCT = frozenset(MIGRATIONS)
_images: dict[tuple[Migration, ...], bytes] = {}


def _copied(
    database: MemoryDatabase, migrations: tuple[Migration, ...], busy: Callable[[Tx], Sequence[str]]
) -> tuple[str, ...]:
    if database.read_now(lambda tx: tx.row("SELECT 1 FROM sqlite_master")):
        return migrate(database, migrations, busy)
    if migrations in _images:
        database._connection.load(_images[migrations])
        return tuple(map(str, migrations))
    applied = migrate(database, migrations, busy)
    _images[migrations] = database.image()
    return applied


def _apply(migration: Migration, tx: Tx) -> None:
    for statement in migration.statements("postgresql"):
        tx.execute(statement)


# Kits bring a database to the shape they need; here it has it already.
for module in (airworthy.store, airworthy.app.build):
    module.migrate = migrate_here  # type: ignore[attr-defined]  # neither hands it out, or not as a function
