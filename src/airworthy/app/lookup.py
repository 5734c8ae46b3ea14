"""Finding things for people who type: ids by a part of them, workers alive, names to complete. Changes nothing."""

import contextlib
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from airworthy.app.build import App, opened
from airworthy.app.config import load_config
from airworthy.core.errors import AirworthyError, InputError
from airworthy.runtime import NoSuchTask, TaskQuery
from airworthy.store import Tx
from airworthy.store.lease import process_born, this_host
from airworthy.tools import EffectState

LAST = "last"  # No id holds an l.
PART_CHARS_MIN = 4
ALIKE_MAX = 6
_LONG_ENOUGH = f"An id may be cut to {PART_CHARS_MIN} characters at either end. List them with"
COMPLETIONS_MAX = 50
OPEN_EFFECTS = (EffectState.HELD, EffectState.SCHEDULED, EffectState.IN_DOUBT)


class AmbiguousId(InputError):
    """Several ids begin or end like that."""

    code = "ambiguous_id"


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker process that keeps its lease alive. Times are UTC microseconds."""

    id: str
    pid: int
    started_us: int
    expires_us: int
    here: bool


def task_id(app: App, part: str) -> str:
    """The one task whose id is `part`, or begins or ends with it; "last" is the newest.

    Raises: NoSuchTask, AmbiguousId.
    """
    if part == LAST:
        newest = app.operations.tasks(TaskQuery(limit=1))
        if newest:
            return newest[0].id
    found = _alike(app, "tasks", part)
    if not found:
        raise NoSuchTask(f"There is no task {part!r}.", mend=f"{_LONG_ENOUGH} `airworthy task list`.")
    return _only(found, part)


def effect_id(app: App, part: str) -> str:
    """The same for effects. Raises: InputError, AmbiguousId."""
    found = _alike(app, "effects", part)
    if not found:
        raise InputError(
            f"There is no effect {part!r}.", mend=f"{_LONG_ENOUGH} `airworthy outbox list --all`."
        )
    return _only(found, part)


def workers(app: App) -> list[WorkerRow]:
    """Those whose lease runs and, on this machine, whose process exists."""
    now_us, here = app.clock.now_us(), this_host()
    rows = app.database.read_now(
        lambda tx: tx.rows(
            "SELECT id, host, pid, born, started_us, expires_us FROM owners ORDER BY started_us"
        )
    )
    alive = []
    for id_, host, pid, born, started_us, expires_us in rows:
        is_here = bool(host) and host == here
        if expires_us >= now_us and (not is_here or process_born(pid) == born):
            alive.append(WorkerRow(id_, pid, started_us, expires_us, is_here))
    return alive


def effect_counts(app: App) -> dict[str, int]:
    return dict(
        app.database.read_now(lambda tx: tx.rows("SELECT state, COUNT(*) FROM effects GROUP BY state"))
    )


def completion_tasks(folder: Path, database: str | None) -> list[tuple[str, str]]:
    return _completed(
        folder, database,
        lambda app: [(row.id, row.state.value) for row in app.operations.tasks(TaskQuery(limit=COMPLETIONS_MAX))],
    )  # fmt: skip


def completion_effects(folder: Path, database: str | None) -> list[tuple[str, str]]:
    return _completed(
        folder, database,
        lambda app: [
            (row.id, f"{row.tool} {row.state.value}") for row in app.operations.outbox(OPEN_EFFECTS, COMPLETIONS_MAX)
        ],
    )  # fmt: skip


def completion_agents(folder: Path, database: str | None) -> list[str]:
    names = {name for name, _ in _completed(folder, database, _recent_agents)}
    for path in sorted(folder.glob("*.toml"))[:20]:
        with contextlib.suppress(OSError, ValueError):
            name = tomllib.loads(path.read_text(encoding="utf-8")).get("agent")
            names |= {name} if isinstance(name, str) else set()
    return sorted(names)


def _recent_agents(app: App) -> list[tuple[str, str]]:
    return [(row.agent, "") for row in app.operations.tasks(TaskQuery(limit=COMPLETIONS_MAX))]


def _completed(
    folder: Path, database: str | None, ask: Callable[[App], list[tuple[str, str]]]
) -> list[tuple[str, str]]:
    """A completion that cannot be made is none; the shell must not see an error while somebody types."""
    try:
        config = load_config(folder, database=database)
        if not config.database_path.exists():
            return []
        with opened(config) as app:
            return ask(app)
    except (AirworthyError, OSError):
        return []


def _alike(app: App, table: str, part: str) -> list[str]:
    part = part.strip().lower()
    if not re.fullmatch(r"[a-z0-9_]{1,64}", part):
        return []

    def query(tx: Tx) -> list[str]:
        if tx.row(f"SELECT 1 FROM {table} WHERE id = ?", (part,)):
            return [part]
        if len(part) < PART_CHARS_MIN:
            return []
        begins = tx.rows(
            f"SELECT id FROM {table} WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?",
            (part, part + "~", ALIKE_MAX),
        )
        ends = tx.rows(
            f"SELECT id FROM {table} WHERE substr(id, ?) = ? ORDER BY id DESC LIMIT ?",
            (-len(part), part, ALIKE_MAX),
        )
        return [row[0] for row in begins or ends]

    return app.database.read_now(query)


def _only(found: list[str], part: str) -> str:
    if len(found) > 1:
        listed = ", ".join(found[: ALIKE_MAX - 1]) + (", and more" if len(found) == ALIKE_MAX else "")
        raise AmbiguousId(f"{part!r} is the id of several: {listed}.", mend="Write more of it.")
    return found[0]
