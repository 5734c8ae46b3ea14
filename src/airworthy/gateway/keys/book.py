"""The stored keys: add, list, revoke, and what changed since; each a function of a transaction."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from airworthy.core.errors import InputError
from airworthy.core.money import NANO_PER_USD, nano_from_usd
from airworthy.gateway.budget.scopes import NO_KEY_BUDGETS, KeyBudgets
from airworthy.gateway.keys.key import PREFIX, SECRET_CHARS, Key, digest_of
from airworthy.store import Row, Tx

PART_CHARS_MIN = 4
KEYS_MAX = 100_000  # All of them stand in every gateway's memory.
_COLUMNS = (
    "id, digest, agent, created_us, user_id, feature, label, priority, day_nano, month_nano, total_nano,"
    " day_tokens, day_calls, expires_us, revoked_us, used_day"
)
_NEXT_VERSION = "(SELECT COALESCE(MAX(version), 0) + 1 FROM gateway_keys)"


class UnknownKey(InputError):
    """No key, or more than one, has this id."""

    code: ClassVar[str] = "unknown_key"


class TooManyKeys(InputError):
    """The bound on stored keys is reached."""

    code: ClassVar[str] = "too_many_keys"


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Which keys to list. `now_us` decides what has expired; those and revoked ones only with `every`."""

    now_us: int
    agent: str = ""
    every: bool = False
    limit: int = 100


def create(tx: Tx, key: Key) -> None:
    """Raises: TooManyKeys; StoreError should two keys ever begin alike."""
    row = tx.row("SELECT COUNT(*) FROM gateway_keys")
    if row is not None and row[0] >= KEYS_MAX:
        raise TooManyKeys(f"There are {row[0]} keys already.", mend="Give several users one key.")
    bounds = key.budgets
    tx.execute(
        f"INSERT INTO gateway_keys ({_COLUMNS}, version)"
        f" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {_NEXT_VERSION})",
        (
            key.id, key.digest, key.agent, key.created_us, key.user, key.feature, key.label, key.priority,
            _nano(bounds.day_usd), _nano(bounds.month_usd), _nano(bounds.total_usd), bounds.day_tokens,
            bounds.day_calls, key.expires_us, key.revoked_us, key.used_day,
        ),
    )  # fmt: skip


def keys(tx: Tx, wanted: KeyFilter) -> list[Key]:
    """The newest first."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM gateway_keys WHERE (? = '' OR agent = ?)"
        " AND (? = 1 OR (revoked_us IS NULL AND (expires_us IS NULL OR expires_us > ?)))"
        " ORDER BY created_us DESC, id LIMIT ?",
        (wanted.agent, wanted.agent, int(wanted.every), wanted.now_us, wanted.limit),
    )
    return [_key(row) for row in rows]


def revoke(tx: Tx, part: str, now_us: int) -> tuple[Key, bool]:
    """The key whose id begins like this, and whether it was good until now; twice is once.

    A whole key is taken too, since that is what somebody has who finds one where it should not be. Raises: UnknownKey.
    """
    key = _alike(tx, part)
    if key.revoked_us is not None:
        return key, False
    tx.execute(
        f"UPDATE gateway_keys SET revoked_us = ?, version = {_NEXT_VERSION} WHERE id = ?", (now_us, key.id)
    )
    return replace(key, revoked_us=now_us), key.good(now_us)


def changed(tx: Tx, since: int) -> tuple[list[Key], int]:
    """Keys added or revoked after version `since`, and the version now."""
    rows = tx.rows(
        f"SELECT {_COLUMNS}, version FROM gateway_keys WHERE version > ? ORDER BY version", (since,)
    )
    return [_key(row) for row in rows], rows[-1][-1] if rows else since


def touch(tx: Tx, ids: Iterable[str], day: str) -> None:
    """They were used on this day. No new version: nobody else's decision hangs on it."""
    for id_ in ids:
        tx.execute("UPDATE gateway_keys SET used_day = ? WHERE id = ? AND used_day < ?", (day, id_, day))


def _alike(tx: Tx, part: str) -> Key:
    select = f"SELECT {_COLUMNS} FROM gateway_keys"
    secret = part.partition(".")[0]
    if secret.startswith(PREFIX) and len(secret) == len(PREFIX) + SECRET_CHARS:
        rows = tx.rows(f"{select} WHERE digest = ?", (digest_of(secret),))
        part = "this secret"  # It may be good somewhere, and must not be repeated.
    else:
        rows = tx.rows(f"{select} WHERE id = ?", (part,))
        if not rows and len(part) >= PART_CHARS_MIN and part.replace("_", "").isalnum() and part.isascii():
            rows = tx.rows(f"{select} WHERE id >= ? AND id < ? ORDER BY id LIMIT 2", (part, part + "~"))
    if len(rows) == 1:
        return _key(rows[0])
    raise UnknownKey(
        f"{part!r} begins several keys." if rows else f"There is no key {part!r}.",
        mend="Take the id from `airworthy key list`; its beginning is enough.",
    )


def _key(row: Row) -> Key:
    id_, digest, agent, created_us, user, feature, label, priority = row[:8]
    day_nano, month_nano, total_nano, day_tokens, day_calls, expires_us, revoked_us, used_day = row[8:16]
    budgets = KeyBudgets(_usd(day_nano), _usd(month_nano), _usd(total_nano), day_tokens, day_calls)
    if budgets == NO_KEY_BUDGETS:
        budgets = NO_KEY_BUDGETS  # One object says to all callers that there is nothing to look up.
    return Key(
        id_, bytes(digest), agent, created_us, user, feature, label, priority, budgets,
        expires_us, revoked_us, used_day,
    )  # fmt: skip


def _nano(usd: float | None) -> int | None:
    return None if usd is None else nano_from_usd(usd)


def _usd(nano: int | None) -> float | None:
    return None if nano is None else nano / NANO_PER_USD
