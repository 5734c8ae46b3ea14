"""Preflights as they are stored: begun, gone on with, ended; cell by cell, so that what was found outlives any end."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from airworthy.core.errors import InputError
from airworthy.core.redact import Redactor
from airworthy.evals.stats import Observed
from airworthy.preflight.cell import CellResult
from airworthy.preflight.report import Report, Verdict
from airworthy.preflight.reporting.json_ import json_text, report_from_json
from airworthy.store import Tx
from airworthy.store import lease as leases
from airworthy.store.database import Fence
from airworthy.store.lease import Owner

_COLUMNS: Final = (
    'id, agent, "release", state, verdict, began_us, ended_us, seed, same, spent_nano, worked_us'
)
LISTED_MAX: Final = 1_000


class RunState(StrEnum):
    RUNNING = "running"  # or its process died: who holds the lease tells
    STOPPED = "stopped"  # by a person, or at the cap; can be gone on with
    DONE = "done"


class PreflightUnderWay(InputError):
    """Another process runs a preflight of this agent; two would take each other's cells for their own."""

    code = "preflight_under_way"


class UnknownPreflight(InputError):
    """No preflight is stored under this name."""

    code = "unknown_preflight"


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of `preflights`, without its report."""

    id: str
    agent: str
    release: str
    state: RunState
    verdict: str
    began_us: int
    ended_us: int | None
    seed: int
    same: str
    spent_nano: int
    worked_us: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A cell that came to a result. `trials`: of golden cells, what each run was like, for later comparisons."""

    result: CellResult
    trials: tuple[Observed, ...] = ()
    user: str = ""


def lease_name(agent: str) -> str:
    return f"preflight/{agent}"


def taken(tx: Tx, agent: str, owner: Owner, now_us: int) -> Fence:
    """The right to run preflights of the agent. Raises: PreflightUnderWay."""
    leases.bury(tx, owner, now_us)
    holds = leases.holder(tx, lease_name(agent))
    if holds is not None:
        raise PreflightUnderWay(
            f"A preflight of {agent} is under way in another process ({holds}).",
            mend="Wait for it, or end it with Ctrl-C there; what it found is kept.",
        )
    leases.join(tx, owner, now_us)
    return leases.take(tx, lease_name(agent), owner.id, now_us)


def begun(tx: Tx, row: Stored) -> None:
    tx.execute(
        f"INSERT INTO preflights ({_COLUMNS}) VALUES (?, ?, ?, ?, '', ?, NULL, ?, ?, 0, 0)",
        (row.id, row.agent, row.release, RunState.RUNNING.value, row.began_us, row.seed, row.same),
    )


def gone_on(tx: Tx, id_: str) -> None:
    tx.execute("UPDATE preflights SET state = ? WHERE id = ?", (RunState.RUNNING.value, id_))


def unfinished(tx: Tx, agent: str, same: str) -> Stored | None:
    """The newest that was broken off, if it is the newest of all of the same kind."""
    row = tx.row(
        f"SELECT {_COLUMNS} FROM preflights WHERE agent = ? AND same = ? ORDER BY began_us DESC, id DESC LIMIT 1",
        (agent, same),
    )
    found = None if row is None else _stored(row)
    return found if found is not None and found.state is not RunState.DONE else None


def keep(
    tx: Tx, id_: str, kept: Kept, *, at_us: int, spent_nano: int, redactor: Redactor | None = None
) -> None:
    """Twice is as good as once: the later result stands."""
    result = kept.result
    body = _results().dump_json(result)
    if redactor is not None:
        body, _ = redactor.redact_bytes(body)
    tx.execute(
        "INSERT INTO preflight_cells (preflight, cell, part, state, at_us, user_id, result, trials)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (preflight, cell) DO UPDATE SET"
        " state = excluded.state, at_us = excluded.at_us, result = excluded.result, trials = excluded.trials",
        (id_, result.id, result.part.value, result.state.value, at_us, kept.user,
         body, _observed().dump_json(kept.trials)),
    )  # fmt: skip
    tx.execute("UPDATE preflights SET spent_nano = ? WHERE id = ?", (spent_nano, id_))


def cells(tx: Tx, id_: str) -> dict[str, Kept]:
    """By the cell's id."""
    rows = tx.rows(
        "SELECT cell, result, trials, user_id FROM preflight_cells WHERE preflight = ? ORDER BY at_us, cell",
        (id_,),
    )
    return {
        cell: Kept(_results().validate_json(result), _observed().validate_json(trials), user)
        for cell, result, trials, user in rows
    }


def ended(tx: Tx, report: Report, state: RunState, *, at_us: int, worked_us: int, spent_nano: int) -> None:
    tx.execute(
        "UPDATE preflights SET state = ?, verdict = ?, ended_us = ?, worked_us = ?, spent_nano = ?, report = ?"
        " WHERE id = ?",
        (
            state.value,
            report.verdict.value,
            at_us,
            worked_us,
            spent_nano,
            json_text(report).encode(),
            report.id,
        ),
    )


def latest(tx: Tx, agent: str) -> Report | None:
    """The report of the newest that has one."""
    row = tx.row(
        "SELECT report FROM preflights WHERE agent = ? AND report IS NOT NULL ORDER BY began_us DESC LIMIT 1",
        (agent,),
    )
    return None if row is None else report_from_json(bytes(row[0]))


def listing(tx: Tx, agents: Sequence[str], limit: int = 100) -> list[Stored]:
    """The newest first. `agents`: those that may be seen; none: nothing."""
    if not agents:
        return []
    marks = ", ".join("?" * len(agents))
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM preflights WHERE agent IN ({marks}) ORDER BY began_us DESC, id DESC LIMIT ?",
        (*agents, min(limit, LISTED_MAX)),
    )
    return [_stored(row) for row in rows]


def get(tx: Tx, id_: str) -> Report | None:
    row = tx.row("SELECT report FROM preflights WHERE id = ? AND report IS NOT NULL", (id_,))
    return None if row is None else report_from_json(bytes(row[0]))


def before(tx: Tx, agent: str, named: str) -> Stored | None:
    """What `--against` means: `last-good`, a preflight's id, or a release or its beginning; one that has ended."""
    base = f"SELECT {_COLUMNS} FROM preflights WHERE agent = ? AND state = ?"
    start: tuple[str, ...] = (agent, RunState.DONE.value)
    newest = " ORDER BY began_us DESC LIMIT 1"
    if named == "last-good":
        row = tx.row(f"{base} AND verdict = ?{newest}", (*start, Verdict.GO.value))
    else:
        row = tx.row(f"{base} AND id = ?", (*start, named)) or tx.row(
            f'{base} AND substr("release", 1, CAST(? AS INTEGER)) = ?{newest}', (*start, len(named), named)
        )
    return None if row is None else _stored(row)


def _stored(row: tuple[Any, ...]) -> Stored:
    id_, agent, release, state, *rest = row
    return Stored(id_, agent, release, RunState(state), *rest)


@cache
def _results() -> TypeAdapter[CellResult]:
    return TypeAdapter(CellResult)


@cache
def _observed() -> TypeAdapter[tuple[Observed, ...]]:
    return TypeAdapter(tuple[Observed, ...])


def agents(tx: Tx) -> list[str]:
    """Those that ever had a preflight here."""
    return [name for (name,) in tx.rows("SELECT DISTINCT agent FROM preflights ORDER BY agent")]
