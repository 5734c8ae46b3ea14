"""Secrets for digests and pseudonyms: drawn once for a database, kept in it."""

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from airworthy.store import Database, Tx

BYTES: Final = 32


def key_of(database: Database, name: str, drawn: Callable[[int], bytes]) -> bytes:
    """`drawn` gives so many bytes of chance."""
    found = database.read_now(lambda tx: _find(tx, name))
    if found is not None:
        return found
    secret = drawn(BYTES)

    def keep(tx: Tx) -> bytes:
        tx.execute(
            "INSERT INTO privacy_keys (name, secret) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
            (name, secret),
        )
        kept = _find(tx, name)
        assert kept is not None
        return kept

    return database.write_now(keep)


def digest_of(key: bytes, user: str) -> str:
    """32 hex digits that stand for a user where the name must not: only who has the key can try names."""
    return hmac.new(key, user.encode("utf-8", "surrogatepass"), sha256).hexdigest()[:32]


def _find(tx: Tx, name: str) -> bytes | None:
    row = tx.row("SELECT secret FROM privacy_keys WHERE name = ?", (name,))
    return None if row is None else bytes(row[0])
