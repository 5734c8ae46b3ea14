"""Keys of the gateway as commands handle them: which database they are in, and each act in one transaction."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from airworthy.app.build import App, opened
from airworthy.app.gateway_config import database_config, load_gateway_config
from airworthy.gateway import keys
from airworthy.gateway.keys import Key, KeyFilter, NewKey, expiry_us
from airworthy.recorder import audit
from airworthy.recorder.audit import Entry


@contextlib.contextmanager
def key_store(folder: Path, database: str | None) -> Iterator[App]:
    """The gateway's database, made if need be: keys may come before the first call."""
    with opened(database_config(load_gateway_config(folder), database)) as app:
        yield app


def created(app: App, new: NewKey, expires: str = "") -> tuple[str, Key]:
    """The secret and the key. `expires`: a period such as 30d. Raises: InputError."""
    now_us = app.clock.now_us()
    if expires:
        new = replace(new, expires_us=expiry_us(expires, now_us))
    secret, key = keys.mint(new, app.ids, now_us)
    told = Entry("key.create", key.id, detail={"agent": key.agent, "expires_us": key.expires_us})
    app.database.write_now(audit.noted(partial(keys.create, key=key), told, now_us))
    return secret, key


def listed(app: App, agent: str, limit: int, *, every: bool) -> list[Key]:
    wanted = KeyFilter(app.clock.now_us(), agent, every, limit)
    return app.database.read_now(partial(keys.keys, wanted=wanted))


def revoked(app: App, part: str) -> tuple[Key, bool]:
    """The key, and whether it was good until now. Raises: UnknownKey."""
    now_us = app.clock.now_us()

    def told(found: tuple[Key, bool]) -> Entry | None:
        key, was_good = found
        return Entry("key.revoke", key.id, detail={"agent": key.agent}) if was_good else None

    op = partial(keys.revoke, part=part, now_us=now_us)
    return app.database.write_now(audit.noted(op, told, now_us))
