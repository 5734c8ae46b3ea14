"""A step as a value and as a row; the only file that knows the columns of `steps` and `payloads`."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from airworthy.core.outcome import ErrorFact
from airworthy.recorder.payload import Payloads
from airworthy.store import Row, Tx


class StepState(StrEnum):
    STARTED = "started"  # An effect whose intent is on disk and whose result is not.
    DONE = "done"
    FAILED = "failed"  # It failed and certainly did not happen.
    REFUSED = "refused"  # A guard said no; nothing was tried.
    HELD = "held"  # An effect that waits for a person.
    IN_DOUBT = "in_doubt"  # It may or may not have happened; a person decides.


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What a step's row says beside its result; every field is optional because most steps have few."""

    attempts: int = 1
    model: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_nano: int | None = None
    resource: str | None = None
    resource_version: int | None = None
    notes: tuple[dict[str, Any], ...] = ()


NO_FACTS = StepFacts()


@dataclass(slots=True)
class Recorded:
    """One step as it stands in the journal. `result` is decoded JSON."""

    seq: int
    run: int
    kind: str
    name: str
    key: bytes | None
    state: StepState
    effect: str | None
    exact: bool
    started_us: int
    ended_us: int | None
    error_type: str | None
    arguments: Any
    result: Any
    error: ErrorFact | None
    facts: StepFacts

    @property
    def acted(self) -> bool:
        """The run changed the world with it, or may have."""
        happened = (StepState.STARTED, StepState.DONE, StepState.IN_DOUBT)
        acts = self.effect not in (None, "read") and self.key is not None and self.state in happened
        return acts and not self.by_hand

    @property
    def by_hand(self) -> str:
        """The person who made this call in the run's place; it answers the same call of a later run all the same."""
        return next((str(note["by_hand"]) for note in self.facts.notes if "by_hand" in note), "")


INSERT_STEP = (
    "INSERT INTO steps (task_id, seq, run, kind, name, key, state, effect, exact, started_us, ended_us, attempts,"
    " error_type, model, tokens_in, tokens_out, cost_nano, resource, resource_version)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
INSERT_PLAIN_STEP = (  # Most steps have no more than this, and a narrow statement is a third faster.
    "INSERT INTO steps (task_id, seq, run, kind, name, key, state, effect, exact, started_us, ended_us, attempts)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
UPDATE_STEP = (
    "UPDATE steps SET state = ?, exact = ?, ended_us = ?, attempts = ?, error_type = ?, model = ?, tokens_in = ?,"
    " tokens_out = ?, cost_nano = ?, resource = ?, resource_version = ? WHERE task_id = ? AND seq = ?"
)
INSERT_PAYLOAD = "INSERT INTO payloads (task_id, seq, body) VALUES (?, ?, ?)"
RIDE_STEP = INSERT_PLAIN_STEP + " ON CONFLICT (task_id, seq) DO NOTHING"
RIDE_PAYLOAD = INSERT_PAYLOAD + " ON CONFLICT (task_id, seq) DO NOTHING"
INPUT_SEQ = 0
UPDATE_PAYLOAD = "UPDATE payloads SET body = ? WHERE task_id = ? AND seq = ?"
_COPY_STEP = (  # Times nought: unknown stays unknown.
    "INSERT INTO steps (task_id, seq, run, kind, name, key, state, effect, exact, started_us, ended_us, attempts,"
    " error_type, model, tokens_in, tokens_out, cost_nano, resource, resource_version)"
    " SELECT ?, seq, 0, kind, name, key, state, effect, exact, started_us, ended_us, attempts, error_type, model,"
    " tokens_in * 0, tokens_out * 0, cost_nano * 0, resource, resource_version FROM steps WHERE task_id = ? AND seq = ?"
)
_COPY_PAYLOAD = (
    "INSERT INTO payloads (task_id, seq, body)"
    " SELECT ?, seq, body FROM payloads WHERE task_id = ? AND seq = ?"
)
_SELECT = (
    "SELECT s.seq, s.run, s.kind, s.name, s.key, s.state, s.effect, s.exact, s.started_us, s.ended_us, s.error_type,"
    " s.attempts, s.model, s.tokens_in, s.tokens_out, s.cost_nano, s.resource, s.resource_version, p.body"
    " FROM steps s LEFT JOIN payloads p ON p.task_id = s.task_id AND p.seq = s.seq"
)


def body(
    arguments: bytes, result: bytes | None, error: ErrorFact | None, notes: Sequence[dict[str, Any]]
) -> bytes:
    """The payload's JSON, joined from parts that are JSON already, so that nothing is encoded twice."""
    parts = [b'{"arguments":', arguments]
    if result is not None:
        parts += [b',"result":', result]
    if error is not None:
        parts += [b',"error":', orjson.dumps(error.model_dump())]
    if notes:
        parts += [b',"notes":', orjson.dumps(list(notes))]
    parts.append(b"}")
    return b"".join(parts)


def read_steps(tx: Tx, task_id: str) -> list[Recorded]:
    """In the order they began; superseded ones too (their key is None)."""
    return recorded_of(step_rows(tx, task_id))


def step_rows(tx: Tx, task_id: str) -> list[Row]:
    """For whoever makes something of them once the transaction is over: see `recorded_of`."""
    return tx.rows(f"{_SELECT} WHERE s.task_id = ? ORDER BY s.seq", (task_id,))


def recorded_of(rows: Sequence[Row]) -> list[Recorded]:
    return [_recorded(row) for row in rows]


def read_step(tx: Tx, task_id: str, seq: int) -> Recorded | None:
    row = tx.row(f"{_SELECT} WHERE s.task_id = ? AND s.seq = ?", (task_id, seq))
    return None if row is None else _recorded(row)


def insert_input(tx: Tx, task_id: str, packed: bytes, now_us: int) -> None:
    """What a task begins with, as its first step. `packed`: the body of it."""
    row = (task_id, INPUT_SEQ, 0, "input", "input", None, StepState.DONE.value, None, 1, now_us, now_us, 1)
    tx.put(INSERT_PLAIN_STEP, row)
    tx.put(INSERT_PAYLOAD, (task_id, INPUT_SEQ, packed))


def copy_steps(tx: Tx, task_id: str, to_id: str, seqs: Sequence[int]) -> None:
    """As steps of run 0 of another task, which has paid nothing for them; it must have an input already."""
    for seq in seqs:
        tx.execute(_COPY_STEP, (to_id, task_id, seq))
        tx.execute(_COPY_PAYLOAD, (to_id, task_id, seq))


def supersede(tx: Tx, task_id: str, seq: int) -> None:
    """The step no longer answers a replay, so that the next run does it again; it stays as history.

    Never an intent without a result: it keeps its key, by which it is met again.
    """
    tx.execute(
        "UPDATE steps SET key = NULL WHERE task_id = ? AND seq = ? AND state NOT IN ('started', 'in_doubt')",
        (task_id, seq),
    )


def doubt_started(tx: Tx, task_id: str) -> None:
    """For a task that ends without having looked at what a dead worker had begun."""
    tx.execute(
        "UPDATE steps SET state = ? WHERE task_id = ? AND state = ?",
        (StepState.IN_DOUBT, task_id, StepState.STARTED),
    )


def _recorded(row: tuple[Any, ...]) -> Recorded:
    payload = orjson.loads(Payloads.unpack(row[18])) if row[18] is not None else {}
    error = payload.get("error")
    return Recorded(
        seq=row[0],
        run=row[1],
        kind=row[2],
        name=row[3],
        key=row[4],
        state=StepState(row[5]),
        effect=row[6],
        exact=bool(row[7]),
        started_us=row[8],
        ended_us=row[9],
        error_type=row[10],
        arguments=payload.get("arguments"),
        result=payload.get("result"),
        error=ErrorFact.model_validate(error) if error is not None else None,
        facts=StepFacts(
            attempts=row[11],
            model=row[12],
            tokens_in=row[13],
            tokens_out=row[14],
            cost_nano=row[15],
            resource=row[16],
            resource_version=row[17],
            notes=tuple(payload.get("notes", ())),
        ),
    )
