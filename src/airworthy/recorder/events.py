"""What happened and other programs asked to be told of, as rows: written with the fact itself, sent later.

A row holds ids, codes and numbers, and nothing that anybody said; what a message says besides is read when it is sent,
so that what was erased meanwhile is not in it. Knows no channel.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Final, Literal, get_args

import orjson

from airworthy.core.errors import InputError
from airworthy.recorder.traces import ours
from airworthy.store import Tx, ids_alike

Kind = Literal[
    "task.closed", "review.waiting", "review.decided",
    "effect.done", "effect.failed", "effect.in_doubt", "effect.cancelled", "effect.rejected", "effect.undone",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
State = Literal["pending", "failed"]
STATES: Final[tuple[State, ...]] = ("pending", "failed")

WAITING_MAX: Final = 100_000  # of one subscription; beyond, the oldest are dropped and counted
FAILED_MAX: Final = 10_000  # of one subscription that stay in the list; older ones are dropped and counted
ERROR_CHARS_MAX: Final = 500
ID_CHARS_MIN: Final = 4
ALIKE_MAX: Final = 101  # rows; one event has as many as there are subscriptions to it
_EFFECT: Final = "effect."

# A rehearsal or a fork has done nothing that another program should act on.
_NOTE: Final = (
    "INSERT INTO event_due (subscription, id, kind, task_id, agent, ref, facts, at_us, since_us, state, attempts,"
    " next_us, error) SELECT w.subscription, CAST(? AS VARCHAR), w.kind, CAST(? AS VARCHAR), CAST(? AS VARCHAR),"
    " CAST(? AS VARCHAR), CAST(? AS VARCHAR), CAST(? AS BIGINT), CAST(? AS BIGINT), 'pending', 0, 0, ''"
    " FROM event_wishes w WHERE w.kind = ? AND w.agent IN ('', ?) AND w.outcome IN ('', ?)"
    f" AND NOT EXISTS (SELECT 1 FROM traces t WHERE t.id = ? AND t.mode <> '{ours.LIVE}')"
    " GROUP BY w.subscription, w.kind ON CONFLICT (subscription, id) DO NOTHING"
)


_ASKED: Final = "SELECT 1 FROM event_wishes WHERE kind = ? LIMIT 1"


@dataclass(frozen=True, slots=True)
class Event:
    """`ref`: which one of the task's, such as the number of the step or the id of the effect. `facts`: numbers and
    codes as they are now, for they may be others when it is told."""

    kind: Kind
    task_id: str
    agent: str
    ref: str
    at_us: int
    outcome: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The same for everybody who derives it, whoever is told."""
        parts = f"{self.kind}/{self.task_id}/{self.ref}/{self.at_us}".encode()
        return f"evt_{blake2b(parts, digest_size=16).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Row:
    """An event for one subscription. `since_us`: from when its time to be given up counts."""

    number: int
    subscription: str
    id: str
    kind: Kind
    task_id: str
    agent: str
    ref: str
    facts: Mapping[str, Any]
    at_us: int
    since_us: int
    state: State
    attempts: int
    next_us: int
    ended_us: int | None
    error: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A subscription as it is declared. Empty `agents` or `outcomes`: all; outcomes are those of closed tasks."""

    name: str
    kinds: tuple[Kind, ...]
    agents: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (kind, agent, outcome, self.name)
            for kind in self.kinds
            for agent in self.agents or ("",)
            for outcome in (self.outcomes if kind == "task.closed" else ()) or ("",)
        ]


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one subscription. `dropped`: events nobody will be told of. `failures`: attempts in a row, none before
    `next_us`. `stopped_us`: since when nothing is tried, because the receiver said that it is gone for good."""

    name: str
    since_us: int
    sent: int
    dropped: int
    failures: int
    next_us: int
    stopped_us: int | None
    last_sent_us: int | None
    error: str
    waiting: int = 0
    failed: int = 0


_COLUMNS: Final = ", ".join(Row.__dataclass_fields__)
_STANDING: Final = "name, since_us, sent, dropped, failures, next_us, stopped_us, last_sent_us, error"


def note(tx: Tx, event: Event) -> None:
    """It has happened; twice is once. Where nobody asked to be told, it costs one look into an empty table."""
    # Apart, as the statement below costs several times as much even where it inserts nothing.
    if tx.row(_ASKED, (event.kind,)) is None:
        return
    facts = orjson.dumps(event.facts).decode()
    tx.execute(
        _NOTE,
        (
            event.id, event.task_id, event.agent, event.ref, facts, event.at_us, event.at_us,
            event.kind, event.agent, event.outcome, event.task_id,
        ),
    )  # fmt: skip


def effect_kind(state: str) -> Kind | None:
    """None where an effect that comes to this state is told to nobody."""
    kind = _EFFECT + state
    return next((each for each in KINDS if each == kind), None)


def wishes(tx: Tx) -> set[tuple[str, str, str, str]]:
    """As `Wish.rows`, of all that are set up."""
    return {
        (str(kind), str(agent), str(outcome), str(name))
        for kind, agent, outcome, name in tx.rows(
            "SELECT kind, agent, outcome, subscription FROM event_wishes"
        )
    }


def set_up(tx: Tx, wanted: Sequence[Wish], now_us: int) -> list[str]:
    """From now on these and no others are told. What waits for one that is no more is let go; names of those."""
    tx.execute("DELETE FROM event_wishes")
    tx.many(
        "INSERT INTO event_wishes (kind, agent, outcome, subscription) VALUES (?, ?, ?, ?)",
        sorted({row for wish in wanted for row in wish.rows()}),
    )
    names = [wish.name for wish in wanted]
    known = {str(name) for (name,) in tx.rows("SELECT name FROM event_subscriptions")}
    ended = sorted(known.difference(names))
    for name in ended:
        tx.execute("DELETE FROM event_subscriptions WHERE name = ?", (name,))
        tx.execute("DELETE FROM event_due WHERE subscription = ?", (name,))
    tx.many(
        f"INSERT INTO event_subscriptions ({_STANDING}) VALUES (?, ?, 0, 0, 0, 0, NULL, NULL, '')"
        " ON CONFLICT (name) DO NOTHING",
        [(name, now_us) for name in names],
    )
    return ended


def standing(tx: Tx, name: str) -> Standing | None:
    row = tx.row(f"SELECT {_STANDING} FROM event_subscriptions WHERE name = ?", (name,))
    return None if row is None else Standing(*row)


def standings(tx: Tx) -> list[Standing]:
    """Of all, with what waits and what failed."""
    counts: dict[tuple[str, str], int] = {
        (name, state): count
        for name, state, count in tx.rows(
            "SELECT subscription, state, COUNT(*) FROM event_due GROUP BY subscription, state"
        )
    }
    return [
        replace(
            Standing(*row),
            waiting=counts.get((row[0], "pending"), 0),
            failed=counts.get((row[0], "failed"), 0),
        )
        for row in tx.rows(f"SELECT {_STANDING} FROM event_subscriptions ORDER BY name")
    ]


def due(tx: Tx, name: str, now_us: int, limit: int) -> list[Row]:
    """The oldest first, of each task the first that waits and no other: none overtakes one of its task."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM event_due d WHERE subscription = ? AND state = 'pending' AND next_us <= ?"
        " AND NOT EXISTS (SELECT 1 FROM event_due e WHERE e.task_id = d.task_id AND e.subscription = d.subscription"
        " AND e.state = 'pending' AND e.number < d.number) ORDER BY number LIMIT ?",
        (name, now_us, limit),
    )
    return [_of_row(row) for row in rows]


def sent(tx: Tx, rows: Sequence[Row], now_us: int, *, untold: int = 0) -> None:
    """These are dealt with, and go. `untold`: how many of them nobody was told of, as their task is gone."""
    by_name: dict[str, int] = {}
    for row in rows:
        # Only what still waits counts: it may have been sent twice, or given up by a bound.
        gone = tx.execute("DELETE FROM event_due WHERE number = ? AND id = ?", (row.number, row.id))
        by_name[row.subscription] = by_name.get(row.subscription, 0) + gone
    for name, count in by_name.items():
        told = max(0, count - untold)
        tx.execute(
            "UPDATE event_subscriptions SET sent = sent + ?, dropped = dropped + ? WHERE name = ?",
            (told, count - told, name),
        )
        if told:
            tx.execute(
                "UPDATE event_subscriptions SET failures = 0, next_us = 0, error = '', last_sent_us = ? WHERE name = ?",
                (now_us, name),
            )


def put_off(tx: Tx, row: Row, next_us: int, error: str) -> None:
    """An attempt that will be made again."""
    tx.execute(
        "UPDATE event_due SET attempts = attempts + 1, next_us = ?, error = ? WHERE number = ? AND id = ?",
        (next_us, error[:ERROR_CHARS_MAX], row.number, row.id),
    )


def pause(tx: Tx, name: str, next_us: int, error: str) -> None:
    """Nothing of the subscription is tried before that."""
    tx.execute(
        "UPDATE event_subscriptions SET failures = failures + 1, next_us = ?, error = ? WHERE name = ?",
        (next_us, error[:ERROR_CHARS_MAX], name),
    )


def stop(tx: Tx, name: str, now_us: int, error: str) -> None:
    """Nothing of it is tried until a person says so; what happens is still written down."""
    tx.execute(
        "UPDATE event_subscriptions SET stopped_us = ?, error = ? WHERE name = ?",
        (now_us, error[:ERROR_CHARS_MAX], name),
    )


def fail(tx: Tx, row: Row, now_us: int, error: str) -> None:
    """It will not be tried again unless a person says so; what came after it in its task goes on."""
    tx.execute(
        "UPDATE event_due SET state = 'failed', attempts = attempts + 1, ended_us = ?, error = ?"
        " WHERE number = ? AND id = ?",
        (now_us, error[:ERROR_CHARS_MAX], row.number, row.id),
    )


def bound(tx: Tx, name: str) -> int:
    """Drops the oldest beyond the bounds, and counts them; how many that were."""
    dropped = 0
    for state, most in (("pending", WAITING_MAX), ("failed", FAILED_MAX)):
        dropped += tx.execute(
            "DELETE FROM event_due WHERE subscription = ? AND state = ? AND number <= (SELECT number FROM event_due"
            " WHERE subscription = ? AND state = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
            (name, state, name, state, most),
        )
    if dropped:
        tx.execute("UPDATE event_subscriptions SET dropped = dropped + ? WHERE name = ?", (dropped, name))
    return dropped


def over_bound(tx: Tx, name: str) -> bool:
    return any(
        tx.row(
            "SELECT 1 FROM event_due WHERE subscription = ? AND state = ? LIMIT 1 OFFSET ?",
            (name, state, most),
        )
        is not None
        for state, most in (("pending", WAITING_MAX), ("failed", FAILED_MAX))
    )


def again(tx: Tx, now_us: int, *, id_: str = "", name: str = "") -> int:
    """Sends an event, or all of a subscription that are not sent, at once: with their ids, and with new time."""
    key, value = ("id", id_) if id_ else ("subscription", name)
    names = [name] if name else subscriptions_of(tx, id_)
    changed = tx.execute(
        "UPDATE event_due SET state = 'pending', attempts = 0, next_us = 0, since_us = ?, ended_us = NULL"
        f" WHERE {key} = ?",
        (now_us, value),
    )
    for each in names:
        tx.execute(
            "UPDATE event_subscriptions SET stopped_us = NULL, failures = 0, next_us = 0 WHERE name = ?",
            (each,),
        )
    return changed


def subscriptions_of(tx: Tx, id_: str) -> list[str]:
    """For which an event waits or failed."""
    rows = tx.rows("SELECT subscription FROM event_due WHERE id = ? ORDER BY subscription", (id_,))
    return [str(name) for (name,) in rows]


def listing(
    tx: Tx, *, states: Sequence[State] = STATES, name: str = "", task_id: str = "", limit: int = 100
) -> list[Row]:
    """The newest first."""
    clauses, params = [f"state IN ({', '.join('?' for _ in states)})"], list[Any](states)
    for column, value in (("subscription", name), ("task_id", task_id)):
        if value:
            clauses.append(f"{column} = ?")
            params.append(value)
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM event_due WHERE {' AND '.join(clauses)} ORDER BY number DESC LIMIT ?",
        (*params, limit),
    )
    return [_of_row(row) for row in rows]


def whole_id(tx: Tx, part: str) -> str:
    """Of what waits or failed, by its beginning or end. Raises: InputError."""
    ids: Collection[str] = set(ids_alike(tx, "event_due", part, ID_CHARS_MIN, ALIKE_MAX))
    if len(ids) != 1:
        how = "Several events have" if ids else "No event that waits or failed has"
        raise InputError(f"{how} an id like {part!r}.", mend="List them with `airworthy event list`.")
    return next(iter(ids))


def _of_row(row: Sequence[Any]) -> Row:
    values = dict(zip(Row.__dataclass_fields__, row, strict=True))
    values["facts"] = orjson.loads(values["facts"])
    return Row(**values)
