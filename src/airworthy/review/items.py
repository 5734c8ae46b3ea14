"""Items and the records of what was done with them, as rows; the only file that knows their columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from airworthy.core.canonical import digest
from airworthy.core.errors import InputError
from airworthy.recorder import events
from airworthy.review import notices
from airworthy.review.item import Act, Item, Kind, Record, Status
from airworthy.store import Tx, ids_alike

PAGE_MAX = 1000


class NoSuchItem(InputError):
    """Nothing in the review queue has this id."""

    code = "no_such_item"


@dataclass(frozen=True, slots=True)
class ItemQuery:
    """Which items to list, the oldest first. `after`: the last id of the page before.

    `kinds` empty: all but delayed calls, which wait for no decision. `agents` empty: of all. `by_deadline_for`: not the
    oldest first but those assigned to this person, then by deadline; such a list has one page.
    """

    kinds: Sequence[Kind] = ()
    to: str = ""
    assigned: str = ""
    agent: str = ""
    task_id: str = ""
    statuses: Sequence[Status] = (Status.OPEN,)
    after: str = ""
    limit: int = 50
    agents: Sequence[str] = ()
    by_deadline_for: str | None = None


_FIELDS = tuple(Item.__dataclass_fields__)
_NAMES = {"to": "to_team", "by": "decided_by", "act": "decision"}
_COLUMNS = ", ".join(_NAMES.get(name, name) for name in _FIELDS)
_MARKS = ", ".join("?" for _ in _FIELDS)


def id_of(kind: Kind, subject: str, number: int) -> str:
    """The same for everybody who derives it: `number` counts earlier items of this kind about this subject."""
    return f"rev_{digest(kind.encode(), subject.encode(), str(number).encode()).hex()}"


def insert(tx: Tx, item: Item) -> Item:
    """With the id it gets here; `item.id` is not looked at."""
    row = tx.row(
        "SELECT COUNT(*) FROM review_items WHERE subject = ? AND kind = ?", (item.subject, item.kind)
    )
    made = replace(item, id=id_of(item.kind, item.subject, row[0] if row is not None else 0))
    values = tuple(_plain(getattr(made, name)) for name in _FIELDS)
    tx.execute(f"INSERT INTO review_items ({_COLUMNS}) VALUES ({_MARKS})", values)
    if made.kind is not Kind.DELAYED and made.status is Status.OPEN:  # A delayed call waits for its time.
        facts = {"kind": made.kind.value}
        events.note(
            tx,
            events.Event("review.waiting", made.task_id, made.agent, made.id, made.created_us, facts=facts),
        )
    return made


def update(tx: Tx, item_id: str, **sets: Any) -> bool:
    """Only while it is open; False when it is not any more."""
    columns = ", ".join(f"{_NAMES.get(name, name)} = ?" for name in sets)
    changed = tx.execute(
        f"UPDATE review_items SET {columns} WHERE id = ? AND status = 'open'",
        (*(_plain(value) for value in sets.values()), item_id),
    )
    if changed == 1 and sets.get("status", Status.OPEN) is not Status.OPEN:
        notices.over(tx, item_id, sets["decided_us"])
        _tell_decided(tx, item_id, sets)
    return changed == 1


def _tell_decided(tx: Tx, item_id: str, sets: dict[str, Any]) -> None:
    row = tx.row("SELECT task_id, agent, kind FROM review_items WHERE id = ?", (item_id,))
    assert row is not None
    facts = {"kind": row[2], "status": _plain(sets["status"])}
    events.note(tx, events.Event("review.decided", row[0], row[1], item_id, sets["decided_us"], facts=facts))


def find(tx: Tx, item_id: str) -> Item | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM review_items WHERE id = ?", (item_id,))
    return None if row is None else _item(row)


def get(tx: Tx, item_id: str) -> Item:
    """Raises: NoSuchItem."""
    found = find(tx, item_id)
    if found is None:
        raise NoSuchItem(
            f"Nothing in the review queue has the id {item_id!r}.",
            mend="List it with `airworthy review list`.",
        )
    return found


def open_of_task(tx: Tx, task_id: str) -> list[Item]:
    rows = tx.rows(f"SELECT {_COLUMNS} FROM review_items WHERE task_id = ? AND status = 'open'", (task_id,))
    # Sorted here: told to sort, the database goes through all that is open instead of this task's few.
    return sorted((_item(row) for row in rows), key=lambda item: (item.created_us, item.id))


def listing(tx: Tx, query: ItemQuery) -> list[Item]:
    kinds = query.kinds or [kind for kind in Kind if kind is not Kind.DELAYED]
    statuses = query.statuses or tuple(Status)
    clauses = [f"status IN ({_marks(statuses)})", f"kind IN ({_marks(kinds)})"]
    params: list[Any] = [*statuses, *kinds]
    for column, value in (
        ("to_team", query.to), ("assigned", query.assigned), ("agent", query.agent), ("task_id", query.task_id),
    ):  # fmt: skip
        if value:
            clauses.append(f"{column} = ?")
            params.append(value)
    if query.agents:
        clauses.append(f"agent IN ({_marks(query.agents)})")
        params += query.agents
    if query.after:
        last = get(tx, query.after)
        clauses.append("(created_us > ? OR (created_us = ? AND id > ?))")
        params += [last.created_us, last.created_us, last.id]
    order = "created_us, id"
    if query.by_deadline_for is not None:
        mine_first = "CASE WHEN assigned <> '' AND assigned = ? THEN 0 ELSE 1 END"
        order = f"{mine_first}, CASE WHEN deadline_us IS NULL THEN 1 ELSE 0 END, deadline_us, {order}"
        params.append(query.by_deadline_for)
    sql = f"SELECT {_COLUMNS} FROM review_items WHERE {' AND '.join(clauses)} ORDER BY {order} LIMIT ?"
    return [_item(row) for row in tx.rows(sql, (*params, min(query.limit, PAGE_MAX)))]


def due(tx: Tx, now_us: int, limit: int) -> list[Item]:
    """Those about which a clock has something to do by now."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM review_items WHERE status = 'open' AND wake_us <= ? ORDER BY wake_us, id LIMIT ?",
        (now_us, limit),
    )
    return [_item(row) for row in rows]


def unplaced(tx: Tx, agents: Sequence[str], limit: int) -> list[Item]:
    """In no order: it is asked every few seconds, and all of them get their turn."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM review_items WHERE status = 'open' AND placed = 0 AND agent IN ({_marks(agents)})"
        " LIMIT ?",
        (*agents, limit),
    )
    return [_item(row) for row in rows]


def pressing(tx: Tx, limit: int) -> list[Item]:
    """What is open, the nearest deadline first, then what has none, the oldest first; without delayed calls."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM review_items WHERE status = 'open' AND kind <> 'delayed'"
        " ORDER BY CASE WHEN deadline_us IS NULL THEN 1 ELSE 0 END, deadline_us, created_us, id LIMIT ?",
        (limit,),
    )
    return [_item(row) for row in rows]


def counts_by_agent(tx: Tx) -> dict[tuple[str, Kind], int]:
    """Of what is open."""
    rows = tx.rows(
        "SELECT agent, kind, COUNT(*) FROM review_items WHERE status = 'open' GROUP BY agent, kind"
    )
    return {(agent, Kind(kind)): count for agent, kind, count in rows}


def counts(tx: Tx, agents: Sequence[str] = ()) -> dict[Kind, int]:
    """Of what is open. `agents`: only theirs; empty: of all."""
    only = f" AND agent IN ({_marks(agents)})" if agents else ""
    rows = tx.rows(
        f"SELECT kind, COUNT(*) FROM review_items WHERE status = 'open'{only} GROUP BY kind", list(agents)
    )
    return {Kind(kind): count for kind, count in rows}


def alike(tx: Tx, part: str, chars_min: int, limit: int) -> list[str]:
    return ids_alike(tx, "review_items", part, chars_min, limit)


def open_about(tx: Tx, subject: str) -> Item | None:
    """The open item about an effect or a question."""
    row = tx.row(f"SELECT {_COLUMNS} FROM review_items WHERE subject = ? AND status = 'open'", (subject,))
    return None if row is None else _item(row)


def about(tx: Tx, whole_id: str, limit: int) -> list[str]:
    """Of what is open: the items about this task, or about this effect or question, by its whole id."""
    rows = tx.rows(
        "SELECT id FROM review_items WHERE task_id = ? AND status = 'open'"
        " UNION SELECT id FROM review_items WHERE subject = ? AND status = 'open' ORDER BY 1 LIMIT ?",
        (whole_id, whole_id, limit),
    )
    return [row[0] for row in rows]


def add_record(tx: Tx, record: Record) -> None:
    """`record.number` is not looked at: records of an item are counted as they come."""
    row = tx.row("SELECT COUNT(*) FROM review_records WHERE item_id = ?", (record.item_id,))
    tx.execute(
        "INSERT INTO review_records (item_id, number, at_us, act, by_whom, role, note, seen, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            record.item_id, row[0] + 1 if row is not None else 1, record.at_us, record.act.value, record.by,
            record.role, record.note, record.seen, record.detail,
        ),
    )  # fmt: skip


def records(tx: Tx, item_id: str) -> list[Record]:
    rows = tx.rows(
        "SELECT item_id, number, at_us, act, by_whom, role, note, seen, detail FROM review_records"
        " WHERE item_id = ? ORDER BY number",
        (item_id,),
    )
    return [Record(row[0], row[1], row[2], Act(row[3]), *row[4:]) for row in rows]


def words_of_task(tx: Tx, task_id: str) -> list[str]:
    """What people said when they opened the task again, in order."""
    rows = tx.rows(
        "SELECT r.detail FROM review_records r JOIN review_items i ON i.id = r.item_id"
        " WHERE i.task_id = ? AND r.act = ? ORDER BY r.at_us, r.item_id, r.number",
        (task_id, Act.REOPEN.value),
    )
    return [row[0] for row in rows]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values)


def _plain(value: Any) -> Any:
    return (
        int(value)
        if isinstance(value, bool)
        else value.value
        if isinstance(value, Kind | Status | Act)
        else value
    )


def _item(row: tuple[Any, ...]) -> Item:
    values = dict(zip(_FIELDS, row, strict=True))
    values.update(kind=Kind(values["kind"]), status=Status(values["status"]), placed=bool(values["placed"]))
    return Item(**values)
