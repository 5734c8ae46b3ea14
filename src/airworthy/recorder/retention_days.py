"""Takes a whole day of spans, payloads or words at once, where the engine keeps days apart and all in it may go.

It asks what retention asks of each task and trace, of all that began on a day together: is one of them younger than
its days, open, waiting, or not sealed? Then the day stays, and what may go of it goes row by row.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from airworthy.recorder.holdings import Holding, Kept
from airworthy.recorder.traces import days
from airworthy.store import Database, StoreBusy, Tx

TABLES: Final = {
    Kept.PAYLOADS: ("chunks", "docs", "texts"),
    Kept.TRACES: ("spans", "chunks", "docs", "texts"),
}
DAYS_MAX: Final = 32  # in one round
WAIT_MS: Final = 2_000  # Readers queue behind whoever waits for readers before it, so it gives up soon.
_UNIT_US: Final = 1 << days.UNIT


def drop_days(
    database: Database, holdings: Sequence[Holding], kind: Kept, before_us: int, *, sealed: bool
) -> Counter[str]:
    """Rows that went, by table, of days that ended before this time; the oldest first.

    `before_us`: nothing that ended since may go, whoever's it is. `sealed`: nor what is not sealed as it is now.
    """
    gone: Counter[str] = Counter()
    if database.dialect == "sqlite":
        return gone
    known = database.read_now(partial(days.known, tables=TABLES[kind]))
    over = [day for day in known if (day + 1) * days.US_PER_DAY <= before_us]
    for day in over[:DAYS_MAX]:
        may_go = partial(_may_go, holdings=holdings, day=day, before_us=before_us, sealed=sealed)
        if not database.read_now(may_go):
            continue
        try:
            gone.update(database.write_now(partial(_drop, kind=kind, day=day, may_go=may_go)))
        except StoreBusy:
            break  # Somebody reads for long; the next round comes.
    return +gone


def _drop(tx: Tx, *, kind: Kept, day: int, may_go: Callable[[Tx], bool]) -> Counter[str]:
    gone: Counter[str] = Counter()
    # Again, in turn with all who write: a span that came late, or a task that was opened again, keeps the day.
    if not may_go(tx):
        return gone
    usual = tx.row("SELECT current_setting('lock_timeout')")
    assert usual is not None
    _bounded(tx, f"{WAIT_MS}ms")
    for table in TABLES[kind]:
        if days.part(tx, table, day):
            row = tx.row(f"SELECT COUNT(*) FROM {days.name_of(table, day)}")
            gone[table] += 0 if row is None else int(row[0])
            tx.execute(f"DROP TABLE {days.name_of(table, day)}")
    _bounded(tx, str(usual[0]))
    return gone


def _bounded(tx: Tx, wait: str) -> None:
    tx.rows("SELECT set_config('lock_timeout', ?, true)", (wait,))


def _may_go(tx: Tx, *, holdings: Sequence[Holding], day: int, before_us: int, sealed: bool) -> bool:
    # An entry of `docs` may lie a unit of time behind the day of its trace.
    here = (day * days.US_PER_DAY - _UNIT_US, (day + 1) * days.US_PER_DAY)
    asked: list[tuple[str, tuple[Any, ...]]] = [(_YOUNG, (*here, before_us, before_us))]
    for holding in holdings:
        if holding.waits:
            waits = holding.waits.replace("?task", "day_.id")
            asked.append((f"{_TASKS} AND EXISTS (SELECT 1 FROM {holding.table} WHERE {waits}) LIMIT 1", here))
    if sealed:
        asked.append((_UNSEALED, (*days.bounds("spans", day), *here)))
    return all(tx.row(sql, params) is None for sql, params in asked)


_YOUNG: Final = (
    "SELECT 1 FROM traces WHERE at_us >= ? AND at_us < ? AND"
    " ((origin = 'task' AND (ended_us IS NULL OR ended_us >= ?))"
    " OR (origin <> 'task' AND COALESCE(ended_us, at_us) >= ?)) LIMIT 1"
)
_TASKS: Final = "SELECT 1 FROM traces day_ WHERE day_.at_us >= ? AND day_.at_us < ? AND day_.origin = 'task'"
_UNSEALED: Final = (
    "WITH told (trace, pieces) AS (SELECT encode(trace, 'hex'), COUNT(*) FROM spans WHERE chunk >= ? AND chunk < ?"
    " GROUP BY trace) SELECT 1 FROM traces t LEFT JOIN sealed s ON s.ref = t.id"
    " LEFT JOIN told ON told.trace = t.trace_id"
    " WHERE t.at_us >= ? AND t.at_us < ? AND (s.ref IS NULL OR s.pieces <> COALESCE(told.pieces, 0)"
    " + (SELECT COUNT(*) FROM steps WHERE task_id = t.id)) LIMIT 1"
)
