"""Takes personal data out of tasks that are over, some time after they ended: never while a run may need it again.

A task that is open, waits for a person, was escalated or dead-lettered keeps its record whole, because it may go on. A
step that lost something is marked as inexact, so that nobody takes its record for what the agent saw.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from airworthy.core.personal import Personal
from airworthy.recorder.holdings import Holding, TaskRows, Whose, bound, waits
from airworthy.recorder.payload import Payloads
from airworthy.store import Database, Row, Tx

STATES: Final = ("answered", "declined", "cancelled")
PAGE: Final = 100
_DUE: Final = "personal due:"
Hook = Callable[[Tx, str], None]


@dataclass(slots=True)
class Cleaned:
    """`tasks` looked at, of which some lost `values`; `waiting` are not over yet. `more`: the bound was reached."""

    tasks: int = 0
    values: int = 0
    waiting: int = 0
    more: bool = False


class PersonalRows:
    """`forget` and `index`: of the text index, before and after the words change. Synchronous, a task at a time."""

    def __init__(
        self,
        database: Database,
        payloads: Payloads,
        personal: Personal,
        holdings: Sequence[Holding],
        tasks: TaskRows,
        hooks: tuple[Hook, Hook],
    ) -> None:
        self._database = database
        self._payloads = payloads
        self._personal = personal
        self._holdings = holdings
        self._rows = tasks
        self._forget, self._index = hooks
        self._known: dict[Any, tuple[Any, int]] = {}  # Of the task at hand.

    def round(self, before_us: int, tasks_max: int) -> Cleaned:
        """Tasks that ended before this time, each once; those that waited the last time are tried again."""
        made = Cleaned()
        for ref in self._due(tasks_max):
            self._one(ref, made)
        for state in STATES:
            for ref, changed_us in self._settled(state, before_us, tasks_max):
                self._one(ref, made)
                self._database.write_now(partial(_mark, what=f"personal:{state}", at_us=changed_us, ref=ref))
                if made.tasks >= tasks_max:
                    made.more = True
                    return made
        return made

    def _one(self, ref: str, made: Cleaned) -> None:
        # First without a transaction: to look for names may take long, and whoever holds the turn holds up everybody.
        self._known.clear()
        for holding in self._holdings:
            for row in self._database.read_now(partial(self._held, holding=holding, whose=Whose(ref))):
                for value in row[len(holding.key.split(", ")) :]:
                    self._value(value, packed=bool(holding.packed))
        count = self._database.write_now(partial(self._clean, ref=ref))
        self._known.clear()
        if count is None:
            made.waiting += 1
        else:
            made.tasks += 1
            made.values += count

    def _clean(self, tx: Tx, *, ref: str) -> int | None:
        """How many values it lost; None: it is not over."""
        if waits(tx, self._holdings, ref):
            _mark(tx, what=_DUE + ref, at_us=0, ref=ref)
            return None
        self._forget(tx, ref)
        count = 0
        for holding in self._holdings:
            count += self._table(tx, holding, Whose(ref))
        self._index(tx, ref)
        tx.execute("DELETE FROM retention_marks WHERE what = ?", (_DUE + ref,))
        return count

    def _held(self, tx: Tx, holding: Holding, whose: Whose) -> list[Row]:
        """Its keys, and then what may have names in it."""
        columns = _columns(holding)
        if not holding.of_task or not columns:
            return []
        names = ", ".join((*holding.key.split(", "), *columns))
        return tx.rows(*bound(f"SELECT {names} FROM {holding.table} WHERE {holding.of_task}", whose))

    def _table(self, tx: Tx, holding: Holding, whose: Whose) -> int:
        columns, keys = _columns(holding), holding.key.split(", ")
        total = 0
        for row in self._held(tx, holding, whose):
            key, held = row[: len(keys)], row[len(keys) :]
            clean = [self._value(value, packed=bool(holding.packed)) for value in held]
            count = sum(found for _, found in clean)
            if count:
                spoilt = [f"{column} = {value}" for column, value in holding.spoilt.items()]
                sets = ", ".join((*(f"{column} = ?" for column in columns), *spoilt))
                where = " AND ".join(f"{name} = ?" for name in keys)
                tx.execute(
                    f"UPDATE {holding.table} SET {sets} WHERE {where}", (*(value for value, _ in clean), *key)
                )
                if holding.table == "payloads":
                    tx.execute("UPDATE steps SET exact = 0 WHERE task_id = ? AND seq = ?", key)
                total += count
        return total

    def _value(self, value: Any, *, packed: bool) -> tuple[Any, int]:
        """Clean, and how much was taken out; looked at once."""
        found = self._known.get((value, packed))
        if found is None:
            found = self._known[value, packed] = self._looked_at(value, packed=packed)
        return found

    def _looked_at(self, value: Any, *, packed: bool) -> tuple[Any, int]:
        if packed:
            clean, count = self._personal.redact_json(Payloads.unpack(bytes(value)))
            return (self._payloads.pack(clean), count) if count else (value, 0)
        if not isinstance(value, str):
            return value, 0
        clean, count = self._personal.redact_json(value.encode("utf-8", "surrogateescape"))
        return (clean.decode("utf-8", "surrogateescape"), count) if count else (value, 0)

    def _settled(self, state: str, before_us: int, limit: int) -> Iterator[tuple[str, int]]:
        rows = self._read("SELECT at_us, ref FROM retention_marks WHERE what = ?", (f"personal:{state}",))
        at_us, ref = (rows[0][0], rows[0][1]) if rows else (-1, "")
        seen = 0
        while seen < limit and (
            page := self._read(self._rows.settled, (state, at_us, at_us, ref, before_us, PAGE))
        ):
            yield from ((str(row[0]), int(row[1])) for row in page)
            ref, at_us = page[-1]
            seen += len(page)

    def _due(self, limit: int) -> list[str]:
        rows = self._read(
            "SELECT ref FROM retention_marks WHERE what > ? AND what < ? ORDER BY what LIMIT ?",
            (_DUE, _DUE + "~", limit),
        )
        return [str(row[0]) for row in rows]

    def _read(self, sql: str, params: Sequence[Any]) -> list[Row]:
        return self._database.read_now(lambda tx: tx.rows(sql, params))


def _mark(tx: Tx, *, what: str, at_us: int, ref: str) -> None:
    tx.execute(
        "INSERT INTO retention_marks (what, at_us, ref, begun_us) VALUES (?, ?, ?, 0) ON CONFLICT (what)"
        " DO UPDATE SET at_us = excluded.at_us, ref = excluded.ref",
        (what, at_us, ref),
    )


def _columns(holding: Holding) -> tuple[str, ...]:
    texts = holding.words if not isinstance(holding.words, str) else {}
    return holding.packed or tuple(column for column in texts if column not in holding.spoilt)
