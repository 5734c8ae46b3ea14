"""Which steps a database lacks, and the applying of them, apart from any other use of it."""

from airworthy.app.build import MIGRATIONS, brought_up, open_database
from airworthy.app.config import Config
from airworthy.core.clock import SystemClock
from airworthy.store import Migration
from airworthy.store.catalog import Snapshot
from airworthy.store.migrate import missing


def lacking(config: Config) -> tuple[Migration, ...]:
    """Makes nothing, not even a file. Raises: StoreError, ConfigError."""
    if config.file_missing:
        return MIGRATIONS
    source = Snapshot(config.database_url or str(config.database_path))
    try:
        return missing(source, MIGRATIONS)
    finally:
        source.close()


def migrated(config: Config) -> tuple[Migration, ...]:
    """What was applied; another process may have been quicker with some. Raises: StoreError, ConfigError."""
    database = open_database(config)
    try:
        lacks = missing(database, MIGRATIONS)
        applied = brought_up(database, database.clock(SystemClock()))
        return tuple(each for each in lacks if str(each) in applied)
    finally:
        database.close()
