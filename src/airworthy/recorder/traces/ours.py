"""Our own tasks in the index of traces: written in the transactions that open, close and reopen them.

What a task added to the rollups stands in its row, so that reopening takes exactly that back. Rehearsals and forks
are in every list and in no sum: they are not what the agent did for its users.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from airworthy.recorder import rollups
from airworthy.recorder.rollups import Change
from airworthy.recorder.traces import facets, own_text
from airworthy.store import Tx

LIVE: Final = "live"
REHEARSAL: Final = "rehearsal"
FORK: Final = "fork"
RELEASE_CHARS: Final = 12
_SUMMED: Final = (
    "steps", "model_calls", "tool_calls", "errors", "retries", "tokens_in", "tokens_out", "unpriced", "duration_us",
)  # fmt: skip
_STEPS: Final = (
    "SELECT kind, name, state, model, error_type, attempts, tokens_in, tokens_out, cost_nano, run FROM steps"
    " WHERE task_id = ? AND seq > 0"
)
_CLOSE: Final = (
    "UPDATE traces SET ended_us = ?, duration_us = ?, outcome = ?, error_type = ?, steps = ?, model_calls = ?,"
    " tool_calls = ?, errors = ?, retries = ?, tokens_in = ?, tokens_out = ?, cost_nano = ?, unpriced = ?,"
    " revision = revision + 1 WHERE id = ?"
)
_END: Final = f"ended_us, outcome, cost_nano, {', '.join(_SUMMED)}"
_REOPEN: Final = (
    "UPDATE traces SET ended_us = NULL, duration_us = NULL, outcome = NULL, error_type = NULL, sentence = NULL,"
    " revision = revision + 1 WHERE id = ?"
)


def release_of(policy_hash: str) -> str:
    """As every list names it."""
    return policy_hash.removeprefix("sha256:")[:RELEASE_CHARS]


@dataclass(frozen=True, slots=True)
class Opened:
    """A task as it begins. `mode`: live, rehearsal or fork."""

    id: str
    trace_id: str
    agent: str
    policy_hash: str
    session: str
    user: str
    feature: str
    created_us: int
    mode: str = LIVE

    @property
    def release(self) -> str:
        return release_of(self.policy_hash)


@dataclass(frozen=True, slots=True)
class Closed:
    """How it ended. `check`: the one that stopped it. `worked_us`: without what it waited for times and people.
    `cost_nano`: None is unpriced.
    """

    outcome: str
    reason: str
    error_type: str
    ended_us: int
    worked_us: int
    cost_nano: int | None
    check: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    at_us: int
    mode: str
    agent: str
    release: str
    feature: str
    outcome: str | None
    error: str | None


@dataclass(slots=True)
class _Sums:
    steps: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    errors: int = 0
    retries: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    unpriced: int = 0


def opened(tx: Tx, task: Opened) -> None:
    """Twice is once: a task of before there was an index may be entered while it changes."""
    new = tx.execute(
        "INSERT INTO traces (id, origin, mode, trace_id, agent, release, session, user_id, feature, name, at_us,"
        " started_us, steps, model_calls, tool_calls, errors, retries, tokens_in, tokens_out, unpriced)"
        " VALUES (?, 'task', ?, ?, ?, ?, ?, ?, ?, '', ?, ?, 0, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT (id) DO NOTHING",
        (
            task.id, task.mode, task.trace_id, task.agent, task.release, task.session, task.user, task.feature,
            task.created_us, task.created_us,
        ),
    )  # fmt: skip
    if not new:
        return
    labels = [
        ("agent", task.agent), ("release", task.release), ("session", task.session), ("user", task.user),
        ("feature", task.feature), ("origin", "task"), ("mode", task.mode),
    ]  # fmt: skip
    facets.note(tx, task.id, task.created_us, labels)
    if task.mode == LIVE:
        change = Change({"opened": 1})
        rollups.add(
            tx, task.created_us, rollups.series_id(tx, task.agent, task.release, task.feature), change
        )


def closed(tx: Tx, task_id: str, end: Closed) -> None:
    """Nothing for a task that is not in the index yet; it is entered as it stands then."""
    row = _row(tx, task_id)
    if row is None:
        return
    steps = tx.rows(_STEPS, (task_id,))
    # What a fork began with was no step of its own; it is found by it all the same.
    sums = _summed([step for step in steps if row.mode != FORK or step[-1] > 0])
    told = tx.rows(f"{_CLOSE} RETURNING {_END}", (
        end.ended_us, end.worked_us, end.outcome, end.error_type or None, sums.steps, sums.model_calls,
        sums.tool_calls, sums.errors, sums.retries, sums.tokens_in, sums.tokens_out, end.cost_nano, sums.unpriced,
        task_id,
    ))  # fmt: skip
    facets.note(tx, task_id, row.at_us, _values(steps, end))
    if row.mode == LIVE:
        _count(tx, row, told[0])
    own_text.due(tx, task_id)


def reopened(tx: Tx, task_id: str, reason: str, check: str) -> None:
    """A person sent it back: it counts as open again, and its next end is counted when it comes. `reason`, `check`: as
    `closed` was told.
    """
    row = _row(tx, task_id)
    if row is None or row.outcome is None:
        return
    if row.mode == LIVE:
        found = tx.row(f"SELECT {_END} FROM traces WHERE id = ?", (task_id,))
        assert found is not None
        _count(tx, row, found, times=-1)
    facets.forget(tx, task_id, row.at_us, "outcome", row.outcome)
    # An error that a step had as well is noted again with that.
    for field, value in (("reason", reason), ("check", check), ("error", row.error or "")):
        facets.forget(tx, task_id, row.at_us, field, value)
    tx.execute(_REOPEN, (task_id,))


def _row(tx: Tx, task_id: str) -> _Row | None:
    row = tx.row(
        "SELECT at_us, mode, agent, release, feature, outcome, error_type FROM traces WHERE id = ?",
        (task_id,),
    )
    return None if row is None else _Row(*row)


def _summed(steps: Sequence[tuple[Any, ...]]) -> _Sums:
    sums = _Sums()
    for kind, _name, state, _model, error_type, attempts, tokens_in, tokens_out, cost_nano, _run in steps:
        sums.steps += kind in ("model", "tool", "step")
        sums.model_calls += kind == "model"
        sums.tool_calls += kind == "tool"
        sums.errors += error_type is not None
        sums.retries += max(0, attempts - 1)
        sums.tokens_in += tokens_in or 0
        sums.tokens_out += tokens_out or 0
        sums.unpriced += kind == "model" and state == "done" and cost_nano is None
    return sums


def _values(steps: Sequence[tuple[Any, ...]], end: Closed) -> list[tuple[str, str]]:
    values = [
        ("outcome", end.outcome), ("reason", end.reason), ("error", end.error_type), ("check", end.check),
    ]  # fmt: skip
    for kind, name, _state, model, error_type, *_ in steps:
        values += [("error", error_type or ""), ("model", model or "")]
        if kind in ("tool", "step"):
            values.append(("tool", name))
    return values


def _count(tx: Tx, row: _Row, found: tuple[Any, ...], times: int = 1) -> None:
    """What is `found` of its end, added to the sums or taken back."""
    ended_us, outcome, cost_nano = found[:3]
    known: dict[str, int] = dict(zip(_SUMMED, found[3:], strict=True))
    change = Change()
    for name, count in (*known.items(), (outcome, 1), ("ended", 1), ("cost_nano", cost_nano or 0)):
        change.add(name, times * count)
    change.add("priced", times * (known["model_calls"] - known["unpriced"]))
    change.values = [("duration", known["duration_us"], times), ("steps", known["steps"], times)]
    if cost_nano is not None:
        change.values.append(("cost", cost_nano, times))
    rollups.add(tx, ended_us, rollups.series_id(tx, row.agent, row.release, row.feature), change)
