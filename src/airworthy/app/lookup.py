"""Finding things for people who type: ids by a part of them, workers alive, names to complete. Changes nothing."""

import contextlib
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

from airworthy.app.build import App, opened
from airworthy.app.config import load_config
from airworthy.core.errors import AirworthyError, InputError
from airworthy.gateway import reading
from airworthy.gateway.keys.book import KeyFilter, keys
from airworthy.recorder.traces import facets, find
from airworthy.recorder.traces.query import Query
from airworthy.review import ItemQuery, NoSuchItem, items
from airworthy.runtime import NoSuchTask, TaskQuery, tasks
from airworthy.store import Tx
from airworthy.store.lease import Alive, alive, this_host
from airworthy.tools import EffectState, outbox

LAST = "last"  # No id holds an l.
PART_CHARS_MIN = 4
ALIKE_MAX = 6
_LONG_ENOUGH = f"An id may be cut to {PART_CHARS_MIN} characters at either end. List them with"
COMPLETIONS_MAX = 50
OPEN_EFFECTS = (EffectState.HELD, EffectState.SCHEDULED, EffectState.IN_DOUBT)
GATEWAY = "gwy_"  # How the owners' ids of gateways begin.
MCP_PROXY = "mcp_"
NO_WORKERS = (
    GATEWAY,
    MCP_PROXY,
    "crd_",
    "hand_",
    "pfl_",
    "mon_",
    "srv_",
)  # Owners of claims that work on no task.


class AmbiguousId(InputError):
    """Several ids begin or end like that."""

    code = "ambiguous_id"


def task_id(app: App, part: str) -> str:
    """The one task whose id is `part`, or begins or ends with it; "last" is the newest.

    Raises: NoSuchTask, AmbiguousId.
    """
    if part == LAST:
        newest = app.operations.tasks(TaskQuery(limit=1))
        if newest:
            return newest[0].id
    found = _alike(app, tasks.alike, part)
    if not found:
        calls = app.database.read_now(lambda tx: reading.of_task(tx, part, PART_CHARS_MIN))
        if calls is not None:
            raise NoSuchTask(
                f"{calls[0]!r} is no task here but a run of calls over HTTP ({calls[1]} so far).",
                mend=f"Look at them: airworthy call list --task {shlex.quote(calls[0])}",
            )
        raise NoSuchTask(f"There is no task {part!r}.", mend=f"{_LONG_ENOUGH} `airworthy task list`.")
    return _only(found, part)


def effect_id(app: App, part: str) -> str:
    """The same for effects. Raises: InputError, AmbiguousId."""
    found = _alike(app, outbox.alike, part)
    if not found:
        raise InputError(
            f"There is no effect {part!r}.", mend=f"{_LONG_ENOUGH} `airworthy outbox list --all`."
        )
    return _only(found, part)


def review_id(app: App, part: str) -> str:
    """The same for items of the review queue, what just came onto it included; the whole id of a task or an effect
    stands for the open item about it. Raises: InputError, AmbiguousId."""
    app.reviews.keep_up()
    found = _alike(app, items.alike, part)
    if not found:
        found = app.database.read_now(lambda tx: items.about(tx, part, ALIKE_MAX))
    if not found:
        raise NoSuchItem(
            f"Nothing in the review queue is {part!r}.", mend=f"{_LONG_ENOUGH} `airworthy review list`."
        )
    return _only(found, part)


def call_id(app: App, part: str) -> str:
    """The same for calls over HTTP. Raises: InputError, AmbiguousId."""
    if part == LAST:
        newest = app.database.read_now(lambda tx: reading.calls(tx, reading.CallQuery(limit=1)))
        if newest:
            return newest[0].id
    found = _alike(app, reading.alike, part)
    if not found:
        raise InputError(f"There is no call {part!r}.", mend=f"{_LONG_ENOUGH} `airworthy call list`.")
    return _only(found, part)


def trace_id(app: App, part: str) -> str:
    """The same for traces, tasks of ours among them. Raises: NoSuchTrace, AmbiguousId."""
    if part == LAST:
        newest = app.database.read_now(lambda tx: find.find(tx, Query(), limit=1)).rows
        if newest:
            return newest[0].id
    found = _alike(app, find.alike, part)
    if not found:
        raise find.NoSuchTrace(f"There is no trace {part!r}.", mend=f"{_LONG_ENOUGH} `airworthy trace list`.")
    return _only(found, part)


def workers(app: App) -> list[Alive]:
    now_us, here = app.clock.now_us(), this_host()
    """Those who work on tasks. Gateways and MCP proxies are known to the store as well, but work on none."""
    found = app.database.read_now(lambda tx: alive(tx, here, now_us))
    return [row for row in found if not row.id.startswith(NO_WORKERS)]


def is_known(app: App, agent: str) -> bool:
    """Whether there is a task of this agent, or a key for its calls."""
    if app.operations.counts(agent):
        return True
    return bool(app.database.read_now(lambda tx: keys(tx, KeyFilter(app.clock.now_us(), agent))))


def gateways(app: App) -> list[Alive]:
    now_us, here = app.clock.now_us(), this_host()
    found = app.database.read_now(lambda tx: alive(tx, here, now_us))
    return [row for row in found if row.id.startswith(GATEWAY)]


def mcp_proxies(app: App) -> list[Alive]:
    now_us, here = app.clock.now_us(), this_host()
    found = app.database.read_now(lambda tx: alive(tx, here, now_us))
    return [row for row in found if row.id.startswith(MCP_PROXY)]


def effect_counts(app: App) -> dict[EffectState, int]:
    return app.database.read_now(outbox.counts)


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


def completion_items(folder: Path, database: str | None) -> list[tuple[str, str]]:
    return _completed(
        folder, database,
        lambda app: [
            (shown.item.id, shown.item.kind.value) for shown in app.reviews.listing(ItemQuery(limit=COMPLETIONS_MAX))
        ],
    )  # fmt: skip


def completion_traces(folder: Path, database: str | None) -> list[tuple[str, str]]:
    return _completed(
        folder, database,
        lambda app: [
            (row.id, f"{row.agent} {row.name}"[:60])
            for row in app.database.read_now(lambda tx: find.find(tx, Query(), limit=COMPLETIONS_MAX)).rows
        ],
    )  # fmt: skip


def completion_values(folder: Path, database: str | None, key: str) -> list[str]:
    """Of a key of the filter language, what traces have."""

    def ask(app: App) -> list[tuple[str, str]]:
        known = app.database.read_now(lambda tx: facets.values(tx, key, COMPLETIONS_MAX))
        return [(value, "") for value in known]

    return [value for value, _ in _completed(folder, database, ask)]


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
        with opened(load_config(folder, database=database), must_exist=True) as app:
            return ask(app)
    except (AirworthyError, OSError):
        return []


def _alike(app: App, find: Callable[[Tx, str, int, int], list[str]], part: str) -> list[str]:
    part = part.strip().lower()
    if not re.fullmatch(r"[a-z0-9_]{1,64}", part):
        return []
    return app.database.read_now(lambda tx: find(tx, part, PART_CHARS_MIN, ALIKE_MAX))


def _only(found: list[str], part: str) -> str:
    if len(found) > 1:
        listed = ", ".join(found[: ALIKE_MAX - 1]) + (", and more" if len(found) == ALIKE_MAX else "")
        raise AmbiguousId(f"{part!r} is the id of several: {listed}.", mend="Write more of it.")
    return found[0]
