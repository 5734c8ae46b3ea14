"""The port to a SQL engine: durable writes in order, reads beside them; knows no domain and no dialect."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from airworthy.core.clock import Clock
from airworthy.core.errors import AirworthyError

T = TypeVar("T")
Row = tuple[Any, ...]


class StoreError(AirworthyError):
    """The database did not do what was asked; nothing of the failed write is in it."""

    code = "store"


class StoreBusy(StoreError):
    """Another process held the write lock for longer than the bound."""

    code = "store_busy"


class StoreFull(StoreError):
    """No room on the disk. What was acknowledged before is safe."""

    code = "store_full"


class StoreReadOnly(StoreError):
    """The file or its folder cannot be written."""

    code = "store_read_only"


class StoreRefused(StoreError):
    """The server answers and lets nobody in under this address: a user, a password, a name that is not known there."""

    code = "store_refused"


class StoreCorrupt(StoreError):
    """The file is not a database, or is damaged."""

    code = "store_corrupt"


class StaleFence(AirworthyError):
    """The writer lost its claim to another; the write was refused and nothing of it is stored."""

    code = "stale_fence"


@dataclass(frozen=True, slots=True)
class Fence:
    """A claim on a name at an epoch; a write that carries it happens only while the epoch is the newest."""

    name: str
    epoch: int


class Tx(Protocol):
    """One transaction. SQL is the common subset of SQLite and PostgreSQL with `?` for parameters."""

    @property
    def dialect(self) -> str:
        """Of its database, for the few who need what the common subset has not."""
        ...

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Number of rows changed."""
        ...

    def put(self, sql: str, params: Sequence[Any] = ()) -> None:
        """`execute`, for who does not ask how many rows: an engine far away may send it with what comes next.

        Where it fails, the write fails, at the latest at its end; so nothing can be made of the error inside it.
        """
        ...

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """The same statement for each row, in order."""
        ...

    def notify(self, topic: str) -> None:
        """When this is stored, everybody who listens to `topic` hears of it once, however often it is said here.

        A hint and no promise: it may be missed, or come without need. Where `listen` answers None, nothing happens.
        """
        ...

    def tally(self, sql: str, key: Sequence[Any], amounts: Sequence[int]) -> None:
        """Adds to a row that many writes add to, at the end of the transaction: amounts for one row are summed first.

        `sql` inserts `key` and then `amounts`, and adds them where the row is there. Not seen by what this transaction
        reads.
        """
        ...

    def each(self, work: Callable[[Any], None], items: Sequence[Any]) -> None:
        """Does the work for every item. An engine far away asks at once what the works ask, and goes on with each.

        So they must not touch each other's rows, nor rest on their order; what each does is in its own order.
        """
        ...

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]: ...

    def row(self, sql: str, params: Sequence[Any] = ()) -> Row | None: ...


def ids_alike(tx: Tx, table: str, part: str, chars_min: int, limit: int) -> list[str]:
    """Ids of `table` that are `part`, or else begin, or else end with it, the newest first.

    A part shorter than `chars_min` fits only whole. For people who type; the rooms offer it for their own tables.
    """
    if tx.row(f"SELECT 1 FROM {table} WHERE id = ?", (part,)):
        return [part]
    if len(part) < chars_min:
        return []
    begins = tx.rows(
        f"SELECT id FROM {table} WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?", (part, part + "~", limit)
    )
    ends = tx.rows(
        f"SELECT id FROM {table} WHERE substr(id, length(id) + 1 - CAST(? AS INTEGER)) = ? ORDER BY id DESC LIMIT ?",
        (len(part), part, limit),
    )
    return [row[0] for row in begins or ends]


class Hearing(Protocol):
    """What `listen` gives."""

    @property
    def alive(self) -> bool:
        """Whether what is told arrives at this moment; while it does not, look by yourself."""
        ...

    def close(self) -> None: ...


class Database(Protocol):
    """What every engine offers. `tests/store/test_conformance.py` says what each promise means."""

    dialect: str

    @property
    def where(self) -> str:
        """For people: the file, or the address without its password."""
        ...

    def clock(self, own: Clock) -> Clock:
        """The time that all who share this database agree on; `own`: this machine's."""
        ...

    async def write(self, op: Callable[[Tx], T], *, fence: Fence | None = None, beside: bool = False) -> T:
        """Runs `op` in a transaction and returns once it is on disk.

        Writes that wait at the same moment share one commit. `op` may be called twice (the first try is
        rolled back when a neighbour in the same commit fails), so it must be a function of the transaction
        alone. If it raises, nothing of it is stored and the exception reaches the caller.

        Writes of all processes take turns, so what `op` reads stays true until it is stored. `beside`: `op`
        needs no turn, because all it reads and changes belongs to its fence, or is changed by statements that
        are right in any order (`n = n + ?`), or only where it is still as it was read (`WHERE revision = ?`);
        an engine with many writers may then run it beside others of that kind, and never beside one that takes
        its turn.

        Raises: StaleFence when `fence` is no longer the newest claim; StoreError and its children.
        """
        ...

    async def read(self, query: Callable[[Tx], T]) -> T:
        """Runs `query` on what is committed; never waits for a writer. It may be called again, as `op` may."""
        ...

    def write_now(self, op: Callable[[Tx], T]) -> T:
        """`write`, for callers without an event loop."""
        ...

    def read_now(self, query: Callable[[Tx], T]) -> T: ...

    def listen(self, topics: Iterable[str], heard: Callable[[str], None]) -> Hearing | None:
        """Calls `heard`, on a thread of its own, with each of these topics that another transaction tells of.

        None: this engine cannot tell, so whoever waits for others has to look again and again.
        """
        ...

    def close(self) -> None:
        """Waits for the writes under way, then lets go of the files. Twice is once."""
        ...
