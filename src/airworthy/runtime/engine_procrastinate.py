"""procrastinate as the engine: what is due is one of its jobs, in the same PostgreSQL and the same transaction.

It holds wake-ups only. A job is fetched and finished in the transaction that claims the task, so none is ever seen
under way, and none can be lost with its worker. What is not due yet stays in the table `wakes` until then: its fetch
looks at every job that is to come (8 s with a million of them), and ours at none.
"""

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final

from airworthy.core.errors import ConfigError
from airworthy.runtime.engine import TAKE_DUE, EmbeddedEngine, Lane
from airworthy.store import Database, Tx

TASK: Final = "airworthy.advance"
_QUEUE: Final = "airworthy:"
QUEUE_CHARS_MAX: Final = 40  # procrastinate tells of a job on a channel named after its queue: 63 in all.
MOVED_MAX: Final = 1000  # Wake-ups that become jobs in one transaction.
_TODO: Final = "queueing_lock = ? AND status = 'todo'"


def queue_of(agent: str) -> str:
    """The queue that an agent's wake-ups are in."""
    name = _QUEUE + agent
    if len(name) <= QUEUE_CHARS_MAX:
        return name
    return f"{name[: QUEUE_CHARS_MAX - 9]}~{sha256(agent.encode()).hexdigest()[:8]}"


class ProcrastinateEngine(EmbeddedEngine):
    """Takes over what an embedded engine has left in `wakes`, and leaves behind what the sweeper finds."""

    def __init__(self) -> None:
        super().__init__()
        queries = _imported().sql.queries
        # Its functions carry versions in their names, and this is the version that is installed.
        self._defer, self._fetch, self._finish, self._cancel = (
            _function(queries[name]) for name in ("defer_jobs", "fetch_job", "finish_job", "cancel_job")
        )

    def prepare(self, database: Database) -> None:
        if not database.read_now(_prepared):
            database.write_now(_make_tables)

    def schedule(self, tx: Tx, task_id: str, *, agent: str, priority: int, due_us: int, now_us: int) -> None:
        if due_us > now_us:
            self._cancel_job(tx, task_id)
            super().schedule(tx, task_id, agent=agent, priority=priority, due_us=due_us, now_us=now_us)
            return
        super().forget(tx, task_id)
        queue = queue_of(agent)
        tx.put(
            f"SELECT {self._cancel}(id, false, true) FROM procrastinate_jobs WHERE {_TODO}"
            " AND (queue_name <> ? OR priority <> ?)",
            (task_id, queue, priority),
        )
        tx.put(
            f"SELECT {self._defer}(ARRAY[{_JOB}]) WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE {_TODO})",
            (queue, TASK, priority, task_id, task_id, task_id),
        )
        self._tell(tx, agent, due_us, now_us)

    def forget(self, tx: Tx, task_id: str) -> None:
        super().forget(tx, task_id)
        self._cancel_job(tx, task_id)

    def take(self, tx: Tx, agents: Sequence[str], now_us: int, count: int) -> list[str]:
        for lane in self._lanes(tx, agents):
            if lane.first_us <= now_us:
                self._move(tx, lane, now_us)
        queues = [queue_of(agent) for agent in agents]
        # As many calls as there are jobs, each seeing what the one before has taken.
        jobs = tx.rows(
            f"SELECT (job).id, (job).queueing_lock FROM (SELECT {self._fetch}(?::varchar[], NULL) AS job FROM"
            " generate_series(1, (SELECT COUNT(*) FROM (SELECT 1 FROM procrastinate_jobs WHERE status = 'todo'"
            " AND queue_name = ANY (?) LIMIT ?) AS ready)) OFFSET 0) AS fetched WHERE (job).id IS NOT NULL",
            (queues, queues, count),
        )
        if jobs:
            tx.put(
                f"SELECT {self._finish}(id, 'succeeded', true) FROM unnest(?::bigint[]) AS id",
                ([job[0] for job in jobs],),
            )
        return [job[1] for job in jobs]

    def next_us(self, tx: Tx, agents: Sequence[str]) -> int | None:
        row = tx.row(
            "SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = ANY (?) LIMIT 1",
            ([queue_of(agent) for agent in agents],),
        )
        return super().next_us(tx, agents) if row is None else 0

    def unknown(self, name: str) -> str:
        """A job that another worker of procrastinate took by mistake wakes nobody any more."""
        return (
            f"{super().unknown(name)} AND NOT EXISTS"
            f" (SELECT 1 FROM procrastinate_jobs job WHERE job.queueing_lock = {name} AND job.status = 'todo')"
        )

    def _cancel_job(self, tx: Tx, task_id: str) -> None:
        tx.put(f"SELECT {self._cancel}(id, false, true) FROM procrastinate_jobs WHERE {_TODO}", (task_id,))

    def _move(self, tx: Tx, lane: Lane, now_us: int) -> None:
        """What has become due becomes jobs, the longest due first."""
        due = (lane.agent, lane.priority, now_us, MOVED_MAX)
        tx.put(
            f"WITH due AS ({TAKE_DUE}) SELECT {self._defer}(array_agg({_JOB_OF_DUE} ORDER BY due_us, task_id))"
            " FROM due WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs job WHERE job.queueing_lock = task_id"
            " AND job.status = 'todo') HAVING COUNT(*) > 0",
            (*due, queue_of(lane.agent), TASK, lane.priority),
        )


_JOB_OF: Final = (
    "ROW(?, ?, ?, NULL, {0}, jsonb_build_object('task', {0}::text), NULL)::procrastinate_job_to_defer_v1"
)
_JOB: Final = _JOB_OF.format("?")
_JOB_OF_DUE: Final = _JOB_OF.format("task_id")


def _function(query: str) -> str:
    found = re.search(r"\bprocrastinate_\w+(?=\()", query)
    assert found is not None, f"no function of procrastinate in {query!r}"
    return found.group()


def _prepared(tx: Tx) -> bool:
    row = tx.row("SELECT to_regclass('procrastinate_jobs')::text")
    return row is not None and row[0] is not None


def _make_tables(tx: Tx) -> None:
    if not _prepared(tx):  # Another process may have made them since we looked.
        for statement in _statements(_imported().schema.SchemaManager.get_schema()):
            tx.execute(statement)


def _statements(script: str) -> Iterable[str]:
    """Each by itself; what stands between `$$` is one word."""
    statement = ""
    for number, part in enumerate(script.split("$$")):
        if number % 2:
            statement += f"$${part}$$"
            continue
        *whole, begun = re.sub(r"--[^\n]*", "", part).split(";")
        for each in whole:
            if (statement + each).strip():
                yield statement + each
            statement = ""
        statement += begun
    if statement.strip():
        yield statement


def _imported() -> Any:
    try:
        import procrastinate
        import procrastinate.schema
        import procrastinate.sql
    except ImportError as error:
        raise ConfigError(
            "procrastinate is not installed, and the settings name it as the engine.",
            mend="Install it: pip install 'airworthy[procrastinate]'",
        ) from error
    return procrastinate
