"""A store with the table of keys, and keys whose chance is seeded."""

import random

from airworthy.core.clock import Clock
from airworthy.core.ids import Ids
from airworthy.gateway import keys
from airworthy.gateway.keys import Key, NewKey
from airworthy.store import Database, migrate
from airworthy.store.tables import MIGRATIONS as STORE
from tests.database import memory


def store() -> Database:
    database = memory()
    migrate(database, (*STORE, *keys.MIGRATIONS))
    return database


def seeded(seed: int = 7) -> Ids:
    return Ids(random.Random(seed))


def made(database: Database, clock: Clock, ids: Ids, new: NewKey | None = None) -> tuple[str, Key]:
    secret, key = keys.mint(new or NewKey("support"), ids, clock.now_us())
    database.write_now(lambda tx: keys.create(tx, key))
    return secret, key
