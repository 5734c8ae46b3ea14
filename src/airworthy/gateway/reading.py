"""Reads what is kept of calls over HTTP and of the models that answered them; changes nothing."""

import json
from dataclasses import dataclass, fields
from typing import Any, Final

from airworthy.recorder import Payloads
from airworthy.store import Row, Tx, ids_alike

_COLUMNS: Final = (
    'id, task_id, agent, key_id, session, "user", feature, operation, streamed, ended_as, code, finish, status, asked,'
    " model, place, answered, fingerprint, started_us, first_us, ended_us, attempts, tokens_in, tokens_out, cached,"
    " cost_nano, estimated, notes"
)


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call as it was recorded. `asked` is the caller's word, `model` the pin that answered, `answered` its own."""

    id: str
    task_id: str
    agent: str
    key_id: str
    session: str
    user: str
    feature: str
    operation: str
    streamed: bool
    ended_as: str
    code: str
    finish: str
    status: int
    asked: str
    model: str
    place: str
    answered: str
    fingerprint: str
    started_us: int
    first_us: int | None
    ended_us: int
    attempts: int
    tokens_in: int | None
    tokens_out: int | None
    cached: int | None
    cost_nano: int | None
    estimated: bool
    notes: tuple[dict[str, Any], ...]


_COLUMN: Final = {field.name: position for position, field in enumerate(fields(CallRow))}


@dataclass(frozen=True, slots=True)
class CallQuery:
    """Which calls; empty: any. `key`: the beginning of a key's id. `model`: as asked, as pinned or as it answered.

    `code`: why it did not end well, or how it ended.
    """

    agent: str = ""
    user: str = ""
    feature: str = ""
    key: str = ""
    task: str = ""
    model: str = ""
    code: str = ""
    since_us: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Bodies:
    """What was said, as it is kept: without secrets. `reply`: empty where it was too long."""

    request: bytes
    reply: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """A model that answered under a pin: what it calls itself, and in how many calls."""

    place: str
    model: str
    answered: str
    fingerprint: str
    first_us: int
    last_us: int
    calls: int


def calls(tx: Tx, query: CallQuery) -> list[CallRow]:
    """The newest first."""
    wanted: list[tuple[str, tuple[Any, ...]]] = [
        (f"{column} = ?", (value,))
        for column, value in (
            ("agent", query.agent), ('"user"', query.user), ("feature", query.feature), ("task_id", query.task),
        )
        if value
    ]  # fmt: skip
    if query.key:
        wanted.append(("substr(key_id, 1, CAST(? AS INTEGER)) = ?", (len(query.key), query.key)))
    if query.model:
        wanted.append(("(asked = ? OR model = ? OR answered = ?)", (query.model,) * 3))
    if query.code:
        wanted.append(("(code = ? OR ended_as = ?)", (query.code,) * 2))
    if query.since_us:
        wanted.append(("started_us >= ?", (query.since_us,)))
    where = f"WHERE {' AND '.join(term for term, _ in wanted)}" if wanted else ""
    params = [value for _, values in wanted for value in values]
    # Ids sort by time as well, and one agent's calls have an index by time.
    order = "started_us DESC, id DESC" if query.agent else "id DESC"
    rows = tx.rows(f"SELECT {_COLUMNS} FROM calls {where} ORDER BY {order} LIMIT ?", (*params, query.limit))
    return [_call(row) for row in rows]


def call(tx: Tx, call_id: str) -> CallRow | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM calls WHERE id = ?", (call_id,))
    return None if row is None else _call(row)


def alike(tx: Tx, part: str, chars_min: int, limit: int) -> list[str]:
    """Ids of calls that begin or end with `part`; see `store.ids_alike`."""
    return ids_alike(tx, "calls", part, chars_min, limit)


def bodies(tx: Tx, call_id: str) -> Bodies | None:
    """None: only facts were kept."""
    row = tx.row("SELECT request, reply FROM call_bodies WHERE call_id = ?", (call_id,))
    return None if row is None else Bodies(*(Payloads.unpack(bytes(packed)) for packed in row))


def of_task(tx: Tx, part: str, chars_min: int) -> tuple[str, int] | None:
    """The one task that is called so, or begins so, and the number of its calls over HTTP."""
    rows = tx.rows("SELECT task_id, COUNT(*) FROM calls WHERE task_id = ? GROUP BY task_id", (part,))
    if not rows and len(part) >= chars_min:
        rows = tx.rows(
            "SELECT task_id, COUNT(*) FROM calls WHERE task_id >= ? AND task_id < ? GROUP BY task_id LIMIT 2",
            (part, part + "~"),
        )
    return (rows[0][0], rows[0][1]) if len(rows) == 1 else None


def seen(tx: Tx) -> list[Seen]:
    """By place, and there the one that answered last first."""
    rows = tx.rows(
        "SELECT place, model, answered, fingerprint, first_us, last_us, calls FROM sightings"
        " ORDER BY place, last_us DESC, answered, fingerprint"
    )
    return [Seen(*row) for row in rows]


def _call(row: Row) -> CallRow:
    values = list(row)
    for flag in (_COLUMN["streamed"], _COLUMN["estimated"]):
        values[flag] = bool(values[flag])
    values[-1] = tuple(json.loads(row[-1])) if row[-1] else ()
    return CallRow(*values)
