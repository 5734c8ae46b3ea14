"""What each table holds of people, and what retention, erasure and export do with it: values, declared by each room.

A table that no room declares stops the tests: whoever adds one says here what becomes of it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal

from airworthy.recorder.traces.days import EVERYWHERE
from airworthy.store import Tx


class Kept(StrEnum):
    """Which setting of `[retention]` ends a row; the last two end with what they are for."""

    PAYLOADS = "payloads"
    TRACES = "traces"
    SCORES = "scores"
    ALERTS = "alerts"
    NOTICES = "notices"
    AUDIT = "audit"  # kept for good: a row that is taken out breaks the chain
    STATE = "state"  # what the machine needs while it runs, and clears by itself
    COUNTS = "counts"  # numbers that name nobody: kept for good


Change = Mapping[str, str]  # column -> SQL that takes its place
DELETE: Final = "delete"
# `{empty}` of a change: no bytes, as the engine writes them.
# `{nowhere}`: the chunk of a span without one; where the chunk says in which part a row lies, it stays.
_WRITTEN: Final = {
    "sqlite": {"{empty}": "x''", "{nowhere}": "0"},
    "postgresql": {"{empty}": "''::bytea", "{nowhere}": "chunk"},
}
_HERE: Final = "({0} < ?moved OR ({0} >= ?first AND {0} < ?end))"
_MARK: Final = re.compile(r"\?(task|trace|user|like|before|moved|first|end)\b")


@dataclass(frozen=True, slots=True)
class Holding:
    """A table. Conditions may say `?task` (an id of ours), `?trace` (16 bytes), `?user`, `?like` (the user for LIKE
    with ESCAPE '!'), `?before` (a time), and `?moved`, `?first` and `?end` (where its chunks lie, see `days`).

    `of_task`, `of_trace`, `of_user`: which rows belong to one. `words`: what is done to those rows when what was said
    is to go: some columns changed, or the rows deleted. `names`: what is done besides when a person is to go.
    `spoilt`: what is no longer true of a row whose words were changed. `waits`: while such a row is there, the task is
    not touched. `told`: columns of an export. `ages`: rows that go by their own age, whatever task they belong to.
    """

    table: str
    kept: Kept
    holds: str
    of_task: str = ""
    of_trace: str = ""
    of_user: str = ""
    words: Change | Literal["delete"] = field(default_factory=dict)
    names: Change | Literal["delete"] = field(default_factory=dict)
    spoilt: Change = field(default_factory=dict)
    waits: str = ""
    ages: str = ""
    told: tuple[str, ...] = ()
    key: str = "id"  # of the table
    packed: tuple[str, ...] = ()  # columns that hold packed payloads
    goes: bool = True  # with the rows of its task or trace, when those go


@dataclass(frozen=True, slots=True)
class Whose:
    """What the marks of a condition stand for."""

    task: str = ""
    trace: bytes = b""
    user: str = ""
    before_us: int = 0
    chunks: tuple[int, int, int] = EVERYWHERE

    def value(self, mark: str) -> Any:
        match mark:
            case "task":
                return self.task
            case "trace":
                return self.trace
            case "user":
                return self.user
            case "before":
                return self.before_us
            case "moved" | "first" | "end":
                return self.chunks[("moved", "first", "end").index(mark)]
            case _:
                return re.sub(r"([!%_])", r"!\1", self.user)


@dataclass(frozen=True, slots=True)
class TaskRows:
    """How tasks are found, for the room below theirs; every statement is paged by what was last seen.

    `of_user`: ids. `one`: trace id, state, agent and when it was closed, of an id. `by_age`: id, when it was made, and
    the same four. `settled`: id and when it was last moved, of a state. `sealed`: the columns of a sealed trace but its
    sentence, of an id.
    """

    of_user: str
    one: str
    by_age: str
    settled: str
    sealed: str


def trace_bytes(trace_id: str) -> bytes:
    """As spans know their trace; nothing of what is no trace id."""
    try:
        return bytes.fromhex(trace_id)
    except ValueError:
        return b""


def bound(sql: str, whose: Whose) -> tuple[str, list[Any]]:
    """The statement with plain marks, and their values in order."""
    values = [whose.value(match[1]) for match in _MARK.finditer(sql)]
    return _MARK.sub("?", sql), values


def execute(tx: Tx, sql: str, whose: Whose) -> int:
    text, values = bound(sql, whose)
    return tx.execute(text, values)


def change(tx: Tx, holding: Holding, how: Change | str, where: str, whose: Whose) -> int:
    """How many rows it changed."""
    if not how or not where:
        return 0
    if isinstance(how, str):
        return execute(tx, f"DELETE FROM {holding.table} WHERE {where}", whose)
    sets = ", ".join(f"{column} = {value}" for column, value in how.items())
    for mark, written in _WRITTEN[tx.dialect].items():
        sets = sets.replace(mark, written)
    return execute(tx, f"UPDATE {holding.table} SET {sets} WHERE {where}", whose)


def emptied(tx: Tx, holdings: Iterable[Holding], whose: Whose, *, names: bool) -> Counter[str]:
    """Takes what was said of one task or trace, and with `names` who it was about; rows changed by table."""
    counts: Counter[str] = Counter()
    for holding in holdings:
        for where in (holding.of_task if whose.task else "", holding.of_trace if whose.trace else ""):
            for how in (holding.words, holding.names if names else {}):
                counts[holding.table] += change(tx, holding, how, where, whose)
    return +counts


def gone(tx: Tx, holdings: Iterable[Holding], whose: Whose) -> Counter[str]:
    """Deletes every row of one task or trace; rows by table."""
    counts: Counter[str] = Counter()
    for holding in holdings:
        if holding.goes:
            for where in (holding.of_task, holding.of_trace if whose.trace else ""):
                if where:
                    counts[holding.table] += execute(tx, f"DELETE FROM {holding.table} WHERE {where}", whose)
    return +counts


def waits(tx: Tx, holdings: Iterable[Holding], task_id: str) -> str:
    """The first table in which something of the task is still open; empty when nothing is."""
    for holding in holdings:
        if holding.waits:
            text, values = bound(
                f"SELECT 1 FROM {holding.table} WHERE {holding.waits} LIMIT 1", Whose(task_id)
            )
            if tx.row(text, values) is not None:
                return holding.table
    return ""


_TABLES: Final = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    "postgresql": "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
    " AND relnamespace = current_schema()::regnamespace ORDER BY relname",
}


def tables_of(tx: Tx) -> list[str]:
    """Every table, but for the shadows of the text index and parts of other tables; for tests and the doctor."""
    rows = tx.rows(_TABLES[tx.dialect])
    names = [str(row[0]) for row in rows]
    return [name for name in names if not (name.startswith("texts_") and "texts" in names)]


def undeclared(tx: Tx, holdings: Sequence[Holding]) -> list[str]:
    known = {holding.table for holding in holdings}
    return [name for name in tables_of(tx) if name not in known]


RECORDER: Final = (
    Holding(
        "payloads",
        Kept.PAYLOADS,
        "Arguments, results and errors of each step, the input and the answer.",
        of_task="task_id = ?task",
        words=DELETE,
        key="task_id, seq",
        packed=("body",),
        told=("seq", "body"),
    ),
    Holding(
        "steps",
        Kept.TRACES,
        "What each step was, how long it took and what it cost; a digest of its arguments.",
        of_task="task_id = ?task",
        words={"resource": "NULL"},
        key="task_id, seq",
        names={"key": "CASE WHEN key IS NULL THEN NULL ELSE {empty} END"},
        told=("seq", "run", "kind", "name", "state", "effect", "started_us", "ended_us", "model", "resource"),
    ),
    Holding(
        "alerts",
        Kept.ALERTS,
        "What needs a person and belongs to no single task.",
        of_task="task_id = ?task",
        names={"text": "''", "task_id": "''"},
        ages="ended_us < ?before",
        key="key",
        goes=False,
        told=("key", "title", "text", "first_us"),
    ),
    Holding("touched", Kept.STATE, "Tasks the review queue must look at.", of_task="task_id = ?task",
            waits="task_id = ?task"),
    Holding(
        "chunks",
        Kept.PAYLOADS,
        "What spans of other programs said, packed.",
        of_trace=f"id IN (SELECT chunk FROM spans WHERE trace = ?trace AND {_HERE.format('chunk')})"
        f" AND {_HERE.format('id')}",
        words=DELETE,
        told=("id", "body"),
    ),
    Holding(
        "spans",
        Kept.TRACES,
        "Spans of other programs: kind, name, times, usage.",
        of_trace=f"trace = ?trace AND {_HERE.format('chunk')}",
        words={"chunk": "{nowhere}", "part": "-1"},
        names={"name": "kind"},  # the row stays, so that the same span sent again is known
        told=("span", "parent", "kind", "name", "started_us", "ended_us", "model"),
    ),
    Holding(
        "scores",
        Kept.SCORES,
        "What evaluations said, with their explanations.",
        of_trace="trace = ?trace",
        names=DELETE,
        ages="at_us < ?before",
        key="trace, span, name, at_us",
        told=("name", "value", "label", "explanation", "at_us"),
    ),
    Holding(
        "traces",
        Kept.TRACES,
        "One row a task or trace, with session and user, for lists.",
        of_task="id = ?task",
        words={"sentence": "NULL"},
        names={"session": "''", "user_id": "''", "name": "agent"},
        told=("id", "agent", "session", "user_id", "feature", "name", "at_us", "outcome", "sentence"),
    ),
    Holding("facets", Kept.TRACES, "Values traces are found by, the user and the session among them."),
    Holding("texts", Kept.PAYLOADS, "The text index: words, without the text."),
    Holding("docs", Kept.PAYLOADS, "Which row of the text index is which trace; goes with its words."),
    # A task of before there was an index is entered yet, with what is left of it.
    Holding("index_due", Kept.STATE, "What is to be indexed yet.", of_task="ref = ?task AND what = 'text'",
            words=DELETE),
    Holding("intake", Kept.COUNTS, "How many spans came, by day."),
    Holding("series", Kept.COUNTS, "Agent, release and feature of rollups."),
    Holding("rollups", Kept.COUNTS, "Sums by five minutes and hour."),
    Holding("rollup_bins", Kept.COUNTS, "Histograms by five minutes and hour."),
    Holding("erasures", Kept.AUDIT, "Who had whom erased, the person as a keyed digest."),
    Holding("audit", Kept.AUDIT, "Who of the staff did what: chained, so nothing of it is ever taken out."),
    Holding("audit_head", Kept.STATE, "The end of the audit log's chain."),
    Holding("removed", Kept.COUNTS, "How much retention removed, by day."),
    Holding("retention_marks", Kept.STATE, "How far a sweep has come."),
    Holding("privacy_keys", Kept.STATE, "Keys of pseudonyms and digests."),
    Holding("sealed", Kept.TRACES, "Which trace stands in which sealed part.", of_task="ref = ?task"),
    Holding("sealed_parts", Kept.STATE, "Sealed parts, with their hashes."),
    Holding("exports", Kept.STATE, "How far each collector has been told."),
    Holding("export_due", Kept.STATE, "What is to be told to collectors yet.", of_task="task_id = ?task", names=DELETE),
    Holding("event_wishes", Kept.STATE, "What other programs ask to be told of."),
    Holding("event_subscriptions", Kept.STATE, "How far each of them has been told."),
    Holding(
        "event_due",
        Kept.NOTICES,
        "What they are to be told yet, or could not be: ids, codes and numbers.",
        of_task="task_id = ?task",
        ages="state = 'failed' AND ended_us < ?before",
        key="number",
    ),
    # The store's own.
    Holding("migrations", Kept.STATE, "Which steps brought the tables here."),
    Holding("owners", Kept.STATE, "Processes that are alive."),
    Holding("claims", Kept.STATE, "Who holds which name."),
    Holding("commits", Kept.STATE, "The newest commit of each writer, on PostgreSQL."),
)  # fmt: skip
