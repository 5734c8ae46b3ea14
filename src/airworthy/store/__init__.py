"""SQL engines, transactions, group commit, migrations, claims and payload bytes; knows no domain."""

from airworthy.store.database import (
    Database,
    Fence,
    Hearing,
    Row,
    StaleFence,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreRefused,
    Tx,
    ids_alike,
)
from airworthy.store.memory import MemoryDatabase
from airworthy.store.migrate import Migration, StoreInUse, StoreNewer, check_readable, migrate
from airworthy.store.postgres import PostgresDatabase
from airworthy.store.sqlite import SQLiteDatabase

__all__ = [
    "Database",
    "Fence",
    "Hearing",
    "MemoryDatabase",
    "Migration",
    "PostgresDatabase",
    "Row",
    "SQLiteDatabase",
    "StaleFence",
    "StoreBusy",
    "StoreCorrupt",
    "StoreError",
    "StoreFull",
    "StoreInUse",
    "StoreNewer",
    "StoreReadOnly",
    "StoreRefused",
    "Tx",
    "check_readable",
    "ids_alike",
    "migrate",
]
