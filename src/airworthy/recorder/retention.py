"""Removes what is older than its days, the oldest first, in batches; never what is open, waits or is in doubt.

What is removed is counted by day. Rollups stay: they name an agent, a release and a feature, and nobody else. It knows
tables only as holdings.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from airworthy.core.clock import US_PER_S, iso
from airworthy.recorder.holdings import (
    Holding,
    Kept,
    TaskRows,
    Whose,
    bound,
    emptied,
    gone,
    trace_bytes,
    waits,
)
from airworthy.recorder.retention_days import drop_days
from airworthy.recorder.traces.days import OF_CHUNKS, OF_TRACE, chunks_of, chunks_on
from airworthy.store import Database, Row, Tx

US_PER_DAY: Final = 86_400 * US_PER_S
PAGE: Final = 200
BATCH: Final = 20  # tasks or traces in one transaction, so that nobody waits long for it
AGED_BATCH: Final = 500
SWEEP_EVERY_US: Final = US_PER_DAY  # what was passed over because it was open is looked at again
Forget = Callable[[Tx, str], None]
_DAYS = Mapping[Kept, float]
BY_TASK: Final = (Kept.PAYLOADS, Kept.TRACES)


@dataclass(frozen=True, slots=True)
class Keep:
    """How many days each kind is kept; a kind that is not named is kept for good. `agents`: what they have of their
    own. `sealed`: payloads go only once they stand in a sealed part.
    """

    days: _DAYS = field(default_factory=dict)
    agents: Mapping[str, _DAYS] = field(default_factory=dict)
    sealed: bool = False

    def before_us(self, kind: Kept, agent: str, now_us: int) -> int | None:
        """What is older than this goes; None: nothing does."""
        days = self.agents.get(agent, {}).get(kind, self.days.get(kind))
        return None if days is None else now_us - round(days * US_PER_DAY)

    def earliest_us(self, kind: Kept, now_us: int) -> int | None:
        """The earliest of all agents' bounds: what is older goes, whoever's it is. None: somebody's stays for good."""
        if kind not in self.days:
            return None
        found = [days[kind] for days in (self.days, *self.agents.values()) if kind in days]
        return now_us - round(max(found) * US_PER_DAY)

    def latest_us(self, kind: Kept, now_us: int) -> int | None:
        """The latest of all agents' bounds: nothing younger goes, whoever's it is."""
        found = [days[kind] for days in (self.days, *self.agents.values()) if kind in days]
        return now_us - round(min(found) * US_PER_DAY) if found else None


class Ref(NamedTuple):
    """A task of ours, or a trace of another program."""

    id: str
    at_us: int
    trace_id: str
    agent: str
    closed_us: int | None  # None: still open


@dataclass(slots=True)
class Removed:
    """`rows` by table; `tasks` by kind: tasks and traces of which something was removed; `waiting`: old enough, but
    open or not yet sealed. `more`: the bound of the round was reached.
    """

    rows: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    more: bool = False


class Retention:
    """`forget`: see `erase.Eraser`. Synchronous; every transaction is small."""

    def __init__(
        self, database: Database, holdings: Sequence[Holding], tasks: TaskRows, keep: Keep, forget: Forget
    ) -> None:
        self._database = database
        self._holdings = holdings
        self._rows = tasks
        self._keep = keep
        self._forget = forget

    def round(self, now_us: int, *, refs_max: int, dry: bool = False, anew: bool = False) -> Removed:
        """Looks at up to `refs_max` tasks and traces of each kind, where the last round stopped; `anew`: from the
        oldest on. `dry`: only counts.
        """
        removed = Removed()
        for kind in BY_TASK:
            latest_us = self._keep.latest_us(kind, now_us)
            if latest_us is None:
                continue
            earliest_us = self._keep.earliest_us(kind, now_us)
            if earliest_us is not None and not dry:
                removed.rows.update(
                    drop_days(self._database, self._holdings, kind, earliest_us, sealed=self._keep.sealed)
                )
            for source in ("tasks", "traces"):
                self._sweep((kind, source), latest_us, now_us, removed, (refs_max, dry, anew))
        self._by_age(now_us, removed, dry=dry)
        if not dry and (removed.rows or removed.tasks):
            self._count(removed, now_us)
        return removed

    def _sweep(
        self,
        of: tuple[Kept, str],
        latest_us: int,
        now_us: int,
        removed: Removed,
        bounds: tuple[int, bool, bool],
    ) -> None:
        kind, source = of
        refs_max, dry, anew = bounds
        mark = f"{kind}:{source}"
        at_us, ref, begun_us = (-1, "", now_us) if anew else self._mark(mark, now_us)
        seen = 0
        while seen < refs_max:
            page = self._page(source, at_us, ref, latest_us)
            for start in range(0, len(page), BATCH):
                batch = page[start : start + BATCH]
                op = partial(self._batch, kind=kind, refs=batch, now_us=now_us, dry=dry)
                done = self._database.read_now(op) if dry else self._database.write_now(op)
                removed.rows.update(done.rows)
                removed.tasks.update(done.tasks)
                removed.waiting.update(done.waiting)
            seen += len(page)
            if len(page) < PAGE:
                break
            at_us, ref = page[-1].at_us, page[-1].id
        else:
            removed.more = True
        if dry or anew:
            return
        if not removed.more and now_us - begun_us >= SWEEP_EVERY_US:
            at_us, ref, begun_us = -1, "", now_us
            if kind is Kept.TRACES:
                self._orphans(latest_us)
        self._database.write_now(partial(_set_mark, mark=mark, at_us=at_us, ref=ref, begun_us=begun_us))

    def _page(self, source: str, at_us: int, ref: str, before_us: int) -> list[Ref]:
        params = (at_us, at_us, ref, before_us, PAGE)
        if source == "tasks":
            rows = self._read(self._rows.by_age, params)
            return [Ref(row[0], row[1], row[2], row[4], row[5]) for row in rows]
        return [Ref(row[0], row[1], row[0], row[2], row[3]) for row in self._read(_FOREIGN, params)]

    def _batch(self, tx: Tx, *, kind: Kept, refs: Sequence[Ref], now_us: int, dry: bool) -> Removed:
        made = Removed()
        for ref in refs:
            before_us = self._keep.before_us(kind, ref.agent, now_us)
            if before_us is None or (ref.closed_us or ref.at_us) >= before_us or not _holds(tx, kind, ref):
                continue
            if ref.closed_us is None or waits(tx, self._holdings, ref.id):
                made.waiting[f"{kind}: open"] += 1
                continue
            if self._keep.sealed and not is_sealed(tx, ref):
                made.waiting[f"{kind}: not sealed"] += 1
                continue
            made.tasks[kind] += 1
            if not dry:
                made.rows.update(self._remove(tx, kind, ref))
        return made

    def _remove(self, tx: Tx, kind: Kept, ref: Ref) -> Counter[str]:
        whose = Whose(ref.id, trace_bytes(ref.trace_id), chunks=chunks_on(tx.dialect, ref.at_us))
        self._forget(tx, ref.id)
        if kind is Kept.TRACES:
            return gone(tx, self._holdings, whose)
        return emptied(tx, self._holdings, whose, names=False)

    def _by_age(self, now_us: int, removed: Removed, *, dry: bool) -> None:
        for holding in self._holdings:
            before_us = self._keep.before_us(holding.kept, "", now_us)
            if not holding.ages or before_us is None:
                continue
            whose = Whose(before_us=before_us)
            if dry:
                sql, values = bound(f"SELECT COUNT(*) FROM {holding.table} WHERE {holding.ages}", whose)
                removed.rows[holding.table] += int(self._read(sql, values)[0][0])
                continue
            removed.rows[holding.table] += self._aged(holding, whose)
        removed.rows = +removed.rows

    def _aged(self, holding: Holding, whose: Whose) -> int:
        """Batch by batch, by the key of the table."""
        key, total = holding.key, 0
        sql, values = bound(
            f"DELETE FROM {holding.table} WHERE ({key}) IN"
            f" (SELECT {key} FROM {holding.table} WHERE {holding.ages} LIMIT {AGED_BATCH})",
            whose,
        )
        while True:
            count = self._database.write_now(partial(_execute, sql=sql, values=values))
            total += count
            if count < AGED_BATCH:
                return total

    def _orphans(self, before_us: int) -> None:
        """Facets of traces that are no more: value by value, each a seek, because they are found by value alone."""
        field_, value = "", ""
        while page := self._read(_NEXT_FACET, (field_, field_, value, 1)):
            field_, value = page[0]
            sql = (
                "DELETE FROM facets WHERE field = ? AND value = ? AND at_us < ?"
                " AND NOT EXISTS (SELECT 1 FROM traces t WHERE t.id = facets.ref)"
            )
            self._database.write_now(partial(_execute, sql=sql, values=(field_, value, before_us)))

    def _mark(self, what: str, now_us: int) -> tuple[int, str, int]:
        rows = self._read("SELECT at_us, ref, begun_us FROM retention_marks WHERE what = ?", (what,))
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else (-1, "", now_us)

    def _count(self, removed: Removed, now_us: int) -> None:
        day = (iso(now_us) or "")[:10]
        counts = {**removed.rows, **{f"of {kind}": count for kind, count in removed.tasks.items()}}

        def write(tx: Tx) -> None:
            tx.many(
                "INSERT INTO removed (day, what, count) VALUES (?, ?, ?) ON CONFLICT (day, what)"
                " DO UPDATE SET count = removed.count + excluded.count",
                [(day, what, count) for what, count in sorted(counts.items()) if count],
            )

        self._database.write_now(write)

    def _read(self, sql: str, params: Sequence[Any]) -> list[Row]:
        return self._database.read_now(lambda tx: tx.rows(sql, params))


def removed_by_day(tx: Tx, limit: int) -> list[tuple[str, str, int]]:
    """Day, what, and how much of it, the newest first."""
    rows = tx.rows("SELECT day, what, count FROM removed ORDER BY day DESC, what LIMIT ?", (limit,))
    return [(str(day), str(what), int(count)) for day, what, count in rows]


def is_sealed(tx: Tx, ref: Ref) -> bool:
    """And nothing has been added to it since."""
    row = tx.row("SELECT pieces FROM sealed WHERE ref = ?", (ref.id,))
    return row is not None and row[0] == pieces(tx, ref.id, ref.trace_id)


def pieces(tx: Tx, ref: str, trace_id: str) -> int:
    """Steps and spans of it."""
    row = tx.row(
        "SELECT (SELECT COUNT(*) FROM steps WHERE task_id = ?)"
        f" + (SELECT COUNT(*) FROM spans WHERE {OF_TRACE})",
        (ref, trace_bytes(trace_id), *chunks_of(tx, trace_id)),
    )
    return 0 if row is None else int(row[0])


def _holds(tx: Tx, kind: Kept, ref: Ref) -> bool:
    """Whether there is anything left to remove."""
    if kind is Kept.TRACES:
        return True
    here = chunks_on(tx.dialect, ref.at_us)
    row = tx.row("SELECT 1 FROM payloads WHERE task_id = ? LIMIT 1", (ref.id,)) or tx.row(
        f"SELECT 1 FROM spans WHERE {OF_TRACE} AND chunk > 0 AND part >= 0"
        f" AND EXISTS (SELECT 1 FROM chunks WHERE id = spans.chunk AND {OF_CHUNKS}) LIMIT 1",
        (trace_bytes(ref.trace_id), *here, *here),
    )
    return row is not None


def _execute(tx: Tx, *, sql: str, values: Sequence[Any]) -> int:
    return tx.execute(sql, values)


def _set_mark(tx: Tx, *, mark: str, at_us: int, ref: str, begun_us: int) -> None:
    tx.execute(
        "INSERT INTO retention_marks (what, at_us, ref, begun_us) VALUES (?, ?, ?, ?) ON CONFLICT (what)"
        " DO UPDATE SET at_us = excluded.at_us, ref = excluded.ref, begun_us = excluded.begun_us",
        (mark, at_us, ref, begun_us),
    )


# A trace of another program is over when it was last heard of; one without a root has no end of its own.
_FOREIGN: Final = (
    "SELECT id, at_us, agent, COALESCE(ended_us, at_us) FROM traces WHERE (at_us > ? OR (at_us = ? AND id > ?))"
    " AND at_us < ? AND origin <> 'task' ORDER BY at_us, id LIMIT ?"
)
_NEXT_FACET: Final = (
    "SELECT field, value FROM facets WHERE field > ? OR (field = ? AND value > ?)"
    " ORDER BY field, value LIMIT ?"
)
