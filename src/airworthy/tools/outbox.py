"""The life of an effect, as a table. Rule 1: no other file changes an effect's state."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import AirworthyError
from airworthy.policy import ToolRule
from airworthy.recorder import events
from airworthy.recorder.touched import touch
from airworthy.store import Tx, ids_alike


class EffectState(StrEnum):
    HELD = "held"  # Waits for a person.
    APPROVED = "approved"
    SCHEDULED = "scheduled"  # Accepted, not before its time, can be cancelled.
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"  # Certainly did not happen.
    IN_DOUBT = "in_doubt"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    REHEARSED = "rehearsed"  # Dry run.
    UNDONE = "undone"  # It was done, and another effect has taken it back.


_S = EffectState
TRANSITIONS: dict[EffectState, frozenset[EffectState]] = {
    _S.HELD: frozenset({_S.APPROVED, _S.REJECTED, _S.CANCELLED}),
    _S.APPROVED: frozenset({_S.STARTED, _S.SCHEDULED, _S.CANCELLED}),
    _S.SCHEDULED: frozenset({_S.STARTED, _S.CANCELLED, _S.HELD}),
    # Back to scheduled: it was turned away before anything happened, and its time comes again.
    _S.STARTED: frozenset({_S.STARTED, _S.DONE, _S.FAILED, _S.IN_DOUBT, _S.SCHEDULED}),
    _S.IN_DOUBT: frozenset({_S.DONE, _S.FAILED, _S.APPROVED}),
    _S.FAILED: frozenset({_S.STARTED}),
    _S.DONE: frozenset({_S.UNDONE}),
    _S.REJECTED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.REHEARSED: frozenset(),
    _S.UNDONE: frozenset(),
}
# What a person may say about an effect; the rest of the table is the runtime's alone.
DECISIONS: dict[EffectState, frozenset[EffectState]] = {
    _S.HELD: frozenset({_S.APPROVED, _S.REJECTED, _S.CANCELLED}),
    _S.APPROVED: frozenset({_S.CANCELLED}),
    _S.SCHEDULED: frozenset({_S.CANCELLED, _S.HELD}),
    _S.IN_DOUBT: frozenset({_S.DONE, _S.FAILED, _S.APPROVED}),
}
# What a person can decide, so that their list has to follow.
FOR_PEOPLE = frozenset({_S.HELD, _S.SCHEDULED, _S.IN_DOUBT})
# What counts against a cap: everything that happened, may have happened or is going to. What was taken back happened
# too: its mail was read, and an agent that does and undoes must come to an end as well.
COUNTED = (_S.APPROVED, _S.SCHEDULED, _S.STARTED, _S.DONE, _S.IN_DOUBT, _S.UNDONE)


class TransitionRefused(AirworthyError):
    """The effect is not in a state from which this can be done; nothing was changed."""

    code = "transition_refused"


class CapReached(AirworthyError):
    """A cap of the policy is used up; nothing was stored."""

    code = "cap_reached"


@dataclass(frozen=True, slots=True)
class EffectRow:
    """`arguments` and `result` are JSON, redacted. `day` is the UTC date it counts for.

    `result` is only for effects that no run waits for: sent from the outbox, or settled by a person. `evidence`: JSON,
    why it was held, rule by rule (see `asking.Asked`). `undo_of`: the effect that this one takes back. `undoable`: the
    code could take it back when it was made.
    """

    id: str
    task_id: str
    seq: int
    agent: str
    tool: str
    effect: str
    state: EffectState
    keyed: bool
    arguments: str
    recipient: str | None
    day: str
    created_us: int
    due_us: int | None = None
    started_us: int | None = None
    ended_us: int | None = None
    decided_by: str | None = None
    decided_us: int | None = None
    note: str | None = None
    result: str | None = None
    server: str = ""  # The MCP server that carries it out; empty: the agent's own code.
    evidence: str | None = None
    undo_of: str | None = None
    undoable: bool = False


_COLUMNS = (
    "id, task_id, seq, agent, tool, effect, state, keyed, arguments, recipient, day, created_us, due_us,"
    " started_us, ended_us, decided_by, decided_us, note, result, server, evidence, undo_of, undoable"
)
_MARKS = ", ".join("?" for _ in _COLUMNS.split(","))


@dataclass(frozen=True, slots=True)
class Caps:
    per_day: int | None = None
    per_recipient_per_day: int | None = None
    per_task: int | None = None

    @classmethod
    def of(cls, rule: ToolRule) -> "Caps":
        return cls(rule.per_day, rule.per_recipient_per_day, rule.per_task)


def day_of(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / US_PER_S, UTC).strftime("%Y-%m-%d")


def insert(tx: Tx, row: EffectRow, caps: Caps = Caps()) -> None:
    """Raises: CapReached before anything is written."""
    check_caps(tx, row, caps)
    tx.execute(
        f"INSERT INTO effects ({_COLUMNS}) VALUES ({_MARKS})",
        (
            row.id, row.task_id, row.seq, row.agent, row.tool, row.effect, row.state, int(row.keyed), row.arguments,
            row.recipient, row.day, row.created_us, row.due_us, row.started_us, row.ended_us, row.decided_by,
            row.decided_us, row.note, row.result, row.server,
            row.evidence, row.undo_of, int(row.undoable),
        ),
    )  # fmt: skip
    if row.state in FOR_PEOPLE:
        touch(tx, row.task_id)


def begin(tx: Tx, row: EffectRow, caps: Caps = Caps()) -> None:
    """The intent of an effect: a new row, or one that was approved, or failed before, or is begun again by its key.

    Raises: CapReached, TransitionRefused; nothing is written then.
    """
    known = find(tx, row.id)
    if known is None:
        insert(tx, row, caps)
        return
    if known.state is not EffectState.STARTED:
        check_caps(tx, row, caps)
    move(
        tx,
        row.id,
        EffectState.STARTED,
        sets=(("seq", row.seq), ("started_us", row.started_us), ("day", row.day)),
    )


def check_caps(tx: Tx, row: EffectRow, caps: Caps) -> None:
    states = ", ".join(f"'{state}'" for state in COUNTED)
    base = (
        "SELECT COUNT(*) FROM effects WHERE tool = ? AND agent = ? AND id <> ? AND undo_of IS NULL"
        f" AND state IN ({states})"
    )
    today, tomorrow = f"on {row.day}", "Wait until tomorrow (UTC), or raise"
    for cap, when, bound, extra, params, mend in (
        (caps.per_task, "in this task", "a task", " AND task_id = ?", (row.task_id,), "Raise"),
        (caps.per_day, today, "a day", " AND day = ?", (row.day,), tomorrow),
        (
            caps.per_recipient_per_day, today, f"a day to {row.recipient}", " AND day = ? AND recipient = ?",
            (row.day, row.recipient), tomorrow,
        ),
    ):  # fmt: skip
        if cap is None:
            continue
        found = tx.row(base + extra, (row.tool, row.agent, row.id, *params))
        if found is not None and found[0] >= cap:
            raise CapReached(
                f"{row.tool} has been used {found[0]} times {when}; the policy allows {cap} {bound}.",
                mend=f"{mend} the cap in the policy and have it approved.",
            )


def move(tx: Tx, effect_id: str, to: EffectState, *, sets: Sequence[tuple[str, Any]] = ()) -> EffectRow:
    """Changes the state if the table allows it, and only then. Raises: TransitionRefused."""
    row = find(tx, effect_id)
    if row is None:
        raise TransitionRefused(
            f"There is no effect {effect_id}.", mend="List them with `airworthy outbox list --all`."
        )
    if to not in TRANSITIONS[row.state]:
        raise TransitionRefused(
            f"Effect {effect_id} ({row.tool}) is {row.state}; it cannot become {to}.",
            mend=f"Look at it with `airworthy outbox show {effect_id}`.",
        )
    columns = "".join(f", {column} = ?" for column, _ in sets)
    changed = tx.execute(
        f"UPDATE effects SET state = ?{columns} WHERE id = ? AND state = ?",
        (to, *(value for _, value in sets), effect_id, row.state),
    )
    assert changed == 1, "a transaction saw two states of one row"
    if row.state in FOR_PEOPLE or to in FOR_PEOPLE:
        touch(tx, row.task_id)
    kind = events.effect_kind(to)
    if kind is not None:
        # Whoever moves it says when, under one name or another; few moves have no time of their own.
        times = [
            value for column, value in sets if column in ("ended_us", "decided_us") and value is not None
        ]
        at_us = max(times, default=row.started_us or row.created_us)
        facts = {"tool": row.tool, "effect": row.effect}
        events.note(tx, events.Event(kind, row.task_id, row.agent, row.id, at_us, facts=facts))
    if to is EffectState.DONE and row.undo_of is not None:
        move(tx, row.undo_of, EffectState.UNDONE)  # Here, so that the two can never say different things.
    return row


def decide(tx: Tx, effect_id: str, to: EffectState, *, sets: Sequence[tuple[str, Any]]) -> EffectRow:
    """A person's word; the row as it was before. Raises: TransitionRefused, also for what is under way."""
    row = find(tx, effect_id)
    if row is not None and to not in DECISIONS.get(row.state, frozenset()):
        raise TransitionRefused(
            f"Effect {effect_id} ({row.tool}) is {row.state}; nobody can make it {to} now.",
            mend=f"Look at it with `airworthy outbox show {effect_id}`.",
        )
    return move(tx, effect_id, to, sets=sets)


def amend(tx: Tx, row: EffectRow, arguments: str, recipient: str | None) -> None:
    """A person changed the arguments of a held call; the agent's own stay in its step. See `tools.amended`."""
    effect_id = row.id
    evidence = None if row.evidence is None else json.dumps({**json.loads(row.evidence), "amended": True})
    changed = tx.execute(
        "UPDATE effects SET arguments = ?, recipient = ?, evidence = ? WHERE id = ? AND state = 'held'",
        (arguments, recipient, evidence, effect_id),
    )
    if changed != 1:
        raise TransitionRefused(
            f"Effect {effect_id} is held no more, so its arguments stand.",
            mend=f"Look at it with `airworthy outbox show {effect_id}`.",
        )


def find(tx: Tx, effect_id: str) -> EffectRow | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM effects WHERE id = ?", (effect_id,))
    return None if row is None else _effect(row)


def of_task(tx: Tx, task_id: str) -> list[EffectRow]:
    found = tx.rows(
        f"SELECT {_COLUMNS} FROM effects WHERE task_id = ? ORDER BY seq, created_us, id", (task_id,)
    )
    return [_effect(row) for row in found]


def listing(tx: Tx, states: Sequence[EffectState], limit: int, agents: Sequence[str] = ()) -> list[EffectRow]:
    """`agents`: only theirs; empty: of all."""
    marks = ", ".join("?" for _ in states)
    only = f" AND agent IN ({', '.join('?' for _ in agents)})" if agents else ""
    found = tx.rows(
        f"SELECT {_COLUMNS} FROM effects WHERE state IN ({marks}){only} ORDER BY created_us, id LIMIT ?",
        (*states, *agents, limit),
    )
    return [_effect(row) for row in found]


def due(tx: Tx, agents: Sequence[str], now_us: int, limit: int, server: str = "") -> list[EffectRow]:
    """`server`: those that this MCP server carries out; empty: those of the agents' own code."""
    marks = ", ".join("?" for _ in agents)
    found = tx.rows(
        f"SELECT {_COLUMNS} FROM effects WHERE state = 'scheduled' AND due_us <= ? AND server = ?"
        f" AND agent IN ({marks}) ORDER BY due_us LIMIT ?",
        (now_us, server, *agents, limit),
    )
    return [_effect(row) for row in found]


def alike(tx: Tx, part: str, chars_min: int, limit: int) -> list[str]:
    """Ids of effects that begin or end with `part`; see `store.ids_alike`."""
    return ids_alike(tx, "effects", part, chars_min, limit)


def counts(tx: Tx) -> dict[EffectState, int]:
    rows = tx.rows("SELECT state, COUNT(*) FROM effects GROUP BY state")
    return {EffectState(state): count for state, count in rows}


def next_due_us(tx: Tx, agents: Sequence[str]) -> int | None:
    """When the first scheduled effect of these agents' own code is to be carried out; None when none is scheduled."""
    if not agents:
        return None
    marks = ", ".join("?" for _ in agents)
    row = tx.row(
        f"SELECT MIN(due_us) FROM effects WHERE state = 'scheduled' AND server = '' AND agent IN ({marks})",
        agents,
    )
    return None if row is None else row[0]


def postpone(tx: Tx, effect_id: str, due_us: int) -> None:
    """It stays scheduled; those behind it in the queue get their turn."""
    tx.execute("UPDATE effects SET due_us = ? WHERE id = ? AND state = 'scheduled'", (due_us, effect_id))


def cancel_unsent(tx: Tx, task_id: str, now_us: int, by: str) -> int:
    """For a task that was cancelled: what has not been sent is never sent."""
    count = 0
    for row in of_task(tx, task_id):
        # What takes back an effect was asked for by a person and does not end with the task.
        if EffectState.CANCELLED in TRANSITIONS[row.state] and row.undo_of is None:
            move(tx, row.id, EffectState.CANCELLED, sets=(("decided_by", by), ("decided_us", now_us)))
            count += 1
    return count


def cancel_unreached(tx: Tx, task_id: str, now_us: int, by: str) -> None:
    """For a task that no run goes on with: calls that a run would have carried out after a person's yes."""
    for row in of_task(tx, task_id):
        if row.state in (EffectState.HELD, EffectState.APPROVED) and row.due_us is None:
            move(tx, row.id, EffectState.CANCELLED, sets=(("decided_by", by), ("decided_us", now_us)))


def any_of(tx: Tx, task_id: str) -> bool:
    return tx.row("SELECT 1 FROM effects WHERE task_id = ? LIMIT 1", (task_id,)) is not None


def doubt_started(tx: Tx, task_id: str, now_us: int) -> int:
    """For a task that ends without having looked: what its dead worker had begun shows up as in doubt."""
    count = 0
    for row in of_task(tx, task_id):
        if row.state is EffectState.STARTED and row.due_us is None:
            sets = (("ended_us", now_us), ("note", "its task ended while the result was unknown"))
            move(tx, row.id, EffectState.IN_DOUBT, sets=sets)
            count += 1
    return count


def drop_unasked(tx: Tx, task_id: str, now_us: int, why: str) -> int:
    """For a task that ended well: a question whose answer nobody would act on any more is no question."""
    count = 0
    for row in of_task(tx, task_id):
        if row.state in (EffectState.HELD, EffectState.APPROVED) and row.due_us is None:
            move(tx, row.id, EffectState.CANCELLED, sets=(("ended_us", now_us), ("note", why)))
            count += 1
    return count


def reached_before(tx: Tx, row: EffectRow) -> bool:
    """Whether this agent has done something with this tool to this recipient, and nobody took it back."""
    found = tx.row(
        "SELECT 1 FROM effects WHERE agent = ? AND tool = ? AND recipient = ? AND state = 'done' AND undo_of IS NULL"
        " AND id <> ? LIMIT 1",
        (row.agent, row.tool, row.recipient, row.id),
    )
    return found is not None


def undone_by(tx: Tx, effect_id: str) -> list[EffectRow]:
    """What was begun to take it back, the oldest first."""
    found = tx.rows(f"SELECT {_COLUMNS} FROM effects WHERE undo_of = ? ORDER BY created_us, id", (effect_id,))
    return [_effect(row) for row in found]


def hold_unsent(tx: Tx, task_id: str, why: str) -> int:
    """For a task that ended badly: a delayed effect of it waits for a person instead of for its time."""
    count = 0
    for row in of_task(tx, task_id):
        if row.state is EffectState.SCHEDULED and row.undo_of is None:
            move(tx, row.id, EffectState.HELD, sets=(("note", why),))
            count += 1
    return count


def _effect(row: tuple[Any, ...]) -> EffectRow:
    values = list(row)
    values[6], values[7], values[-1] = EffectState(row[6]), bool(row[7]), bool(row[-1])
    return EffectRow(*values)
