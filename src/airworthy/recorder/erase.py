"""Takes one user out of the records: what they and the agent said, and every name of theirs. Counts and costs stay.

Each task or trace goes in a transaction of its own, and what finds them goes last; so a crash in the middle, or a
second call, leaves nothing half done that the next call does not find. It knows tables only as holdings.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

import orjson

from airworthy.core.errors import AirworthyError
from airworthy.recorder import audit
from airworthy.recorder.audit import Entry
from airworthy.recorder.holdings import Holding, TaskRows, Whose, change, emptied, trace_bytes, waits
from airworthy.recorder.traces import facets
from airworthy.recorder.traces.facets import VALUE_CHARS_MAX
from airworthy.store import Database, Row, Tx

BATCH: Final = 100
FACETS_BATCH: Final = 5_000
Forget = Callable[[Tx, str], None]


class Also(Protocol):
    def __call__(self, tx: Tx, *, user: str, now_us: int) -> Counter[str]: ...


class StillOpen(AirworthyError):
    """Something of the user's is open, waits for a person, or is in doubt. Nothing was erased."""

    code = "still_open"

    def __init__(self, blocked: Sequence["Blocked"]) -> None:
        shown = ", ".join(f"{each.task} ({each.state}: {each.table})" for each in blocked[:10])
        more = f" and {len(blocked) - 10} more" if len(blocked) > 10 else ""
        super().__init__(
            f"{len(blocked)} tasks of this user are not over: {shown}{more}.",
            mend="Decide on them, let them end, or cancel them (--cancel); what is in doubt only people can settle.",
        )
        self.blocked = tuple(blocked)


@dataclass(frozen=True, slots=True)
class Blocked:
    """A task that is not over, and the table that says so."""

    task: str
    state: str
    table: str


@dataclass(frozen=True, slots=True)
class Found:
    """What is stored on a user: how many tasks and traces of other programs, and which tasks are not over."""

    tasks: int
    traces: int
    blocked: tuple[Blocked, ...]


@dataclass(slots=True)
class Erased:
    """`rows`: how many rows of each table were changed or deleted. `refs`: tasks and traces, for what lies outside."""

    id: str
    digest: str
    rows: Counter[str] = field(default_factory=Counter)
    tasks: int = 0
    traces: int = 0


class Eraser:
    """`forget`: takes a task or trace out of the text index, while its words are still there.

    `also`: what holdings cannot say of rows that hang on the user alone; it is handed the user and the time.
    """

    def __init__(
        self,
        database: Database,
        holdings: Sequence[Holding],
        tasks: TaskRows,
        forget: Forget,
        also: Sequence[Also] = (),
    ) -> None:
        self._database = database
        self._holdings = holdings
        self._rows = tasks
        self._forget = forget
        self._also = also

    def look(self, users: Sequence[str]) -> Found:
        """`users`: every form in which the user may be on record."""
        tasks = [ref for user in users for page in self._tasks(user) for ref in page]
        traces = {ref for user in users for page in self._traces(user) for ref in page}
        blocked = [each for each in map(self._blocked, tasks) if each is not None]
        return Found(len(tasks), len(traces), tuple(blocked))

    def check(self, users: Sequence[str]) -> None:
        """Raises: StillOpen."""
        blocked = self.look(users).blocked
        if blocked:
            raise StillOpen(blocked)

    def refs(self, users: Sequence[str]) -> list[str]:
        """Ids of all tasks and traces of the user."""
        return [
            ref
            for user in users
            for pages in (self._tasks(user), self._traces(user))
            for page in pages
            for ref in page
        ]

    def begin(self, id_: str, digest: str, by: str, now_us: int) -> None:
        sql = "INSERT INTO erasures (id, digest, by_whom, begun_us, counts) VALUES (?, ?, ?, ?, '{}')"
        told = Entry("user.erase.begin", about=digest, who=by, detail={"id": id_})
        self._database.write_now(
            audit.noted(lambda tx: tx.execute(sql, (id_, digest, by, now_us)), told, now_us)
        )

    def erase(self, users: Sequence[str], made: Erased, now_us: int) -> None:
        """Everything of the user that is in the database. Raises: StillOpen, before the first change."""
        self.check(users)
        for user in users:
            for page in self._tasks(user):
                for ref in page:
                    done = self._database.write_now(partial(self._task, ref=ref))
                    made.rows.update(done)
                    made.tasks += bool(done)
            refs = [ref for page in self._traces(user) for ref in page]
            for ref in refs:
                made.rows.update(
                    self._database.write_now(partial(self._emptied, whose=Whose(ref, trace_bytes(ref))))
                )
            made.traces += len(refs)
            self._of_user(user, made, now_us)
            self._facets(user, set(refs), made)

    def end(self, made: Erased, by: str, now_us: int) -> None:
        counts = {"tasks": made.tasks, "traces": made.traces, "rows": dict(made.rows)}
        sql = "UPDATE erasures SET ended_us = ?, counts = ? WHERE id = ?"
        params = (now_us, orjson.dumps(counts).decode(), made.id)
        told = Entry("user.erase", about=made.digest, who=by, detail={"id": made.id, **counts})
        self._database.write_now(audit.noted(lambda tx: tx.execute(sql, params), told, now_us))

    def _tasks(self, user: str) -> Iterator[list[str]]:
        """Ids, page by page."""
        after = ""
        while page := self._read(self._rows.of_user, (user, after, BATCH)):
            yield [str(row[0]) for row in page]
            after = page[-1][0]

    def _traces(self, user: str) -> Iterator[list[str]]:
        """Of other programs; found by a facet, which is deleted last."""
        value, place = user[:VALUE_CHARS_MAX], (-1, "")
        while page := self._read(_FOREIGN, (value, place[0], *place, BATCH)):
            yield [str(row[1]) for row in page]
            place = (page[-1][0], page[-1][1])

    def _read(self, sql: str, params: Sequence[Any]) -> list[Row]:
        return self._database.read_now(lambda tx: tx.rows(sql, params))

    def _blocked(self, ref: str) -> Blocked | None:
        def look(tx: Tx) -> Blocked | None:
            table = waits(tx, self._holdings, ref)
            row = tx.row(self._rows.one, (ref,))
            return Blocked(ref, str(row[1]) if row is not None else "", table) if table else None

        return self._database.read_now(look)

    def _task(self, tx: Tx, ref: str) -> Counter[str]:
        """One task, unless it was opened meanwhile: then the next call finds it."""
        if waits(tx, self._holdings, ref):
            return Counter()
        row = tx.row(self._rows.one, (ref,))
        known = tx.row("SELECT at_us, user_id, session FROM traces WHERE id = ?", (ref,))
        if known is not None:
            facets.forget(tx, ref, known[0], "user", known[1])
            facets.forget(tx, ref, known[0], "session", known[2])
        return self._emptied(tx, Whose(ref, trace_bytes(row[0]) if row is not None else b""))

    def _emptied(self, tx: Tx, whose: Whose) -> Counter[str]:
        self._forget(tx, whose.task)
        return emptied(tx, self._holdings, whose, names=True)

    def _of_user(self, user: str, made: Erased, now_us: int) -> None:
        for also in self._also:
            made.rows.update(self._database.write_now(partial(also, user=user, now_us=now_us)))
        whose = Whose(user=user)
        for holding in self._holdings:
            for how in (holding.words, holding.names):
                made.rows[holding.table] += self._database.write_now(
                    partial(change, holding=holding, how=how, where=holding.of_user, whose=whose)
                )
        made.rows = +made.rows

    def _facets(self, user: str, refs: set[str], made: Erased) -> None:
        """Other names of the same traces, then the one by which they were found."""
        for field_ in ("session", "user") if refs else ():
            self._sweep_facets(field_, user[:VALUE_CHARS_MAX], refs, made)
        sql = "DELETE FROM facets WHERE field = 'user' AND value = ?"
        self._database.write_now(lambda tx: tx.execute(sql, (user[:VALUE_CHARS_MAX],)))

    def _sweep_facets(self, field_: str, user: str, refs: set[str], made: Erased) -> None:
        value, at_us, ref = "", -1, ""
        while page := self._read(_FACETS, (field_, value, value, at_us, at_us, ref, FACETS_BATCH)):
            gone = [
                (field_, *row) for row in page if row[2] in refs and not (field_ == "user" and row[0] == user)
            ]
            if gone:
                self._database.write_now(partial(_delete_facets, rows=gone))
                made.rows["facets"] += len(gone)
            value, at_us, ref = page[-1]


def _delete_facets(tx: Tx, rows: Sequence[Sequence[Any]]) -> None:
    tx.many("DELETE FROM facets WHERE field = ? AND value = ? AND at_us = ? AND ref = ?", rows)


_FOREIGN: Final = (
    "SELECT f.at_us, f.ref FROM facets f JOIN traces t ON t.id = f.ref WHERE f.field = 'user' AND f.value = ?"
    " AND (f.at_us > ? OR (f.at_us = ? AND f.ref > ?)) AND t.origin <> 'task' ORDER BY f.at_us, f.ref LIMIT ?"
)
_FACETS: Final = (
    "SELECT value, at_us, ref FROM facets WHERE field = ? AND (value > ? OR (value = ? AND (at_us > ?"
    " OR (at_us = ? AND ref > ?)))) ORDER BY value, at_us, ref LIMIT ?"
)
