"""The runtime's tables: tasks, the wake-ups of the embedded engine, and the switches that pause agents."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airworthy.runtime.admission.tables import tables as admission
from airworthy.store.migrate import Migration, create_all

if TYPE_CHECKING:
    from sqlalchemy import MetaData


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

    metadata = MetaData()
    _tasks(metadata)
    wakes = Table(
        "wakes",
        metadata,
        Column("task_id", String, primary_key=True),
        Column("agent", String, nullable=False),
        Column("priority", Integer, nullable=False),
        Column("due_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("wakes_in_order", wakes.c.agent, wakes.c.priority, wakes.c.due_us)
    Table(
        "switches",
        metadata,
        Column("scope", String, primary_key=True),
        Column("by_whom", String, nullable=False),
        Column("reason", Text, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    Table(
        "approvals",
        metadata,
        Column("agent", String, primary_key=True),
        Column("policy_hash", String, primary_key=True),
        Column("approver", String, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        Column("note", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    return create_all(metadata, dialect)


def _tasks(metadata: "MetaData") -> None:
    from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

    tasks = Table(
        "tasks",
        metadata,
        Column("id", String, primary_key=True),
        Column("agent", String, nullable=False),
        Column("policy_hash", String, nullable=False),
        Column("trace_id", String, nullable=False),
        Column("idempotency_key", String),
        Column("input_digest", LargeBinary, nullable=False),
        Column("session", String, nullable=False),
        Column("user_id", String, nullable=False),
        Column("feature", String, nullable=False),
        Column("source", String, nullable=False),
        Column("priority", Integer, nullable=False),
        Column("state", String, nullable=False),
        Column("created_us", BigInteger, nullable=False),
        Column("changed_us", BigInteger, nullable=False),
        Column("closed_us", BigInteger),
        Column("run", Integer, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("failures", Integer, nullable=False),
        Column("seq_claimed", Integer, nullable=False),
        Column("run_started_us", BigInteger),
        Column("active_us", BigInteger, nullable=False),
        Column("wake_us", BigInteger),
        Column("waiting_for", Text, nullable=False),
        Column("cancel_asked", Integer, nullable=False),
        Column("pause_asked", Integer, nullable=False),
        Column("reason_code", String),
        Column("reason", Text),
        Column("escalated_to", String, nullable=False),
        Column("steps", Integer, nullable=False),
        Column("tokens", Integer, nullable=False),
        Column("cost_nano", BigInteger),
        Column("discarded_us", BigInteger),
        Column("counted_from", Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("tasks_by_key", tasks.c.agent, tasks.c.idempotency_key, unique=True)
    Index("tasks_by_state", tasks.c.state, tasks.c.changed_us)
    Index("tasks_by_time", tasks.c.created_us)


def _touch_what_waits(dialect: str) -> Sequence[str]:  # noqa: ARG001  # the same words in both
    """What waited for people before there was a list of it."""
    statement = (
        "INSERT INTO touched (task_id) SELECT id FROM tasks WHERE discarded_us IS NULL AND"
        " state IN ('escalated', 'dead_lettered') UNION SELECT task_id FROM effects WHERE"
        " state IN ('held', 'scheduled', 'in_doubt')"
    )
    return [statement]


def _manual(dialect: str) -> Sequence[str]:  # noqa: ARG001  # the same for every engine
    return ("ALTER TABLE switches ADD COLUMN manual INTEGER NOT NULL DEFAULT 0",)


def _sessions(_: str) -> Sequence[str]:
    return ("ALTER TABLE tasks ADD COLUMN kind VARCHAR NOT NULL DEFAULT 'run'",)


def _to_be_entered(_: str) -> Sequence[str]:
    """Tasks of before there was an index of traces; a worker enters them, a few at a time."""
    return ("INSERT INTO index_due (ref, what) SELECT id, 'all' FROM tasks",)


def _forks(_: str) -> Sequence[str]:
    return (
        "ALTER TABLE tasks ADD COLUMN fork_of VARCHAR",
        "ALTER TABLE tasks ADD COLUMN fork_at INTEGER",
        "CREATE INDEX forks_of_tasks ON tasks (fork_of) WHERE fork_of IS NOT NULL",
    )


def _releases(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, MetaData, String, Table, Text

    metadata = MetaData()
    releases = Table(
        "releases",
        metadata,
        Column("agent", String, primary_key=True),
        Column("hash", String, primary_key=True),
        Column("policy_hash", String, nullable=False),
        Column("made_us", BigInteger, nullable=False),
        Column("parts", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    Index("releases_by_hash", releases.c.hash)
    return create_all(metadata, dialect)


def _sweeps(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, MetaData, String, Table

    metadata = MetaData()
    Table(
        "sweeps",
        metadata,
        Column("name", String, primary_key=True),
        Column("at_us", BigInteger, nullable=False),
        Column("after_id", String, nullable=False),
        sqlite_with_rowid=False,
    )
    return (
        *create_all(metadata, dialect),
        "CREATE INDEX tasks_to_wake ON tasks (wake_us, id) WHERE state = 'waiting' AND wake_us IS NOT NULL",
        # Open sessions among a million tasks that wait took a second to find, in the turn of writers.
        "CREATE INDEX sessions_open ON tasks (id) WHERE kind = 'session' AND state IN ('running', 'waiting')",
    )


MIGRATIONS = (
    Migration("runtime", 1, "tasks, wakes, switches and approvals", _first),
    Migration("runtime", 2, "queues, lanes, waiting, under_way and starts", admission),
    Migration("runtime", 3, "what waits for people goes on their list", _touch_what_waits),
    Migration("runtime", 4, "switches that hand tasks to people", _manual),
    Migration("runtime", 5, "tasks that are a session of an agent elsewhere", _sessions),
    Migration("runtime", 6, "tasks are entered in the index of traces", _to_be_entered),
    Migration("runtime", 7, "tasks that are a fork of another", _forks),
    Migration("runtime", 8, "releases of agents", _releases),
    Migration("runtime", 9, "how far the sweep for missing wake-ups is", _sweeps),
)
