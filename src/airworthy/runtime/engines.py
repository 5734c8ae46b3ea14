"""Which engine wakes the tasks of a database, by the name it has in the settings."""

from enum import StrEnum
from typing import assert_never

from airworthy.core.errors import ConfigError
from airworthy.runtime.engine import EmbeddedEngine, Engine, PostgresEngine
from airworthy.store import Database


class EngineName(StrEnum):
    EMBEDDED = "embedded"
    PROCRASTINATE = "procrastinate"


def engine_of(database: Database, name: EngineName = EngineName.EMBEDDED) -> Engine:
    """A new one: each process, and each part of it that waits, has its own. Raises: ConfigError."""
    on_postgres = database.dialect == "postgresql"
    match name:
        case EngineName.EMBEDDED:
            return PostgresEngine() if on_postgres else EmbeddedEngine()
        case EngineName.PROCRASTINATE:
            if not on_postgres:
                raise ConfigError(
                    f"procrastinate cannot wake the tasks of {database.where}, because it needs a PostgreSQL.",
                    mend='Take out engine = "procrastinate", or set the database to postgresql://...',
                )
            # Late: most know no procrastinate.
            from airworthy.runtime.engine_procrastinate import ProcrastinateEngine

            return ProcrastinateEngine()
        case _:
            assert_never(name)
