"""Accounts as rows: who has one, what their password hashes to, and whether it is closed. Decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from airworthy.console import passes, sessions
from airworthy.core.errors import InputError
from airworthy.store import Row, Tx

ACCOUNTS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Account:
    """`roles` and `agents` hold only while there is no people.toml. `has_password` false: a link was not used yet."""

    person: str
    roles: tuple[str, ...]
    agents: tuple[str, ...]
    created_us: int
    changed_us: int
    disabled_us: int | None
    has_password: bool


_COLUMNS = "person, roles, agents, created_us, changed_us, disabled_us, CASE WHEN hash = '' THEN 0 ELSE 1 END"


def insert(tx: Tx, person: str, roles: Sequence[str], agents: Sequence[str], now_us: int) -> None:
    """Raises: InputError when there is one, or when there are as many as there may be."""
    row = tx.row("SELECT COUNT(*) FROM accounts")
    if row is not None and row[0] >= ACCOUNTS_MAX:
        raise InputError(
            f"There are {row[0]} accounts.", mend="Let a provider vouch for people: [oidc] in console.toml."
        )
    if find(tx, person) is not None:
        raise InputError(
            f"{person!r} has an account.", mend=f"Make a link for it: airworthy user link {person}"
        )
    tx.execute(
        "INSERT INTO accounts (person, hash, roles, agents, created_us, changed_us) VALUES (?, '', ?, ?, ?, ?)",
        (person, " ".join(roles), " ".join(agents), now_us, now_us),
    )


def find(tx: Tx, person: str) -> Account | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM accounts WHERE person = ?", (person,))
    return None if row is None else _account(row)


def get(tx: Tx, person: str) -> Account:
    """Raises: InputError."""
    found = find(tx, person)
    if found is None:
        raise InputError(f"{person!r} has no account.", mend=f"Make one: airworthy user add {person}")
    return found


def listing(tx: Tx) -> list[Account]:
    return [_account(row) for row in tx.rows(f"SELECT {_COLUMNS} FROM accounts ORDER BY person")]


def hash_of(tx: Tx, person: str) -> str:
    """Empty for whoever has no password, no account, or one that is closed."""
    row = tx.row("SELECT hash FROM accounts WHERE person = ? AND disabled_us IS NULL", (person,))
    return "" if row is None else str(row[0])


def put_hash(tx: Tx, person: str, hash_: str, now_us: int) -> None:
    """Links they have are void, browsers that were known are not, and all their sessions end."""
    tx.execute("UPDATE accounts SET hash = ?, changed_us = ? WHERE person = ?", (hash_, now_us, person))
    passes.drop_all(tx, "link", person)
    passes.drop_all(tx, "known", person)
    sessions.end_all(tx, person, now_us)


def switch(tx: Tx, person: str, disabled_us: int | None) -> bool:
    """False when it was so. Raises: InputError."""
    before = get(tx, person)
    if (before.disabled_us is None) == (disabled_us is None):
        return False
    tx.execute("UPDATE accounts SET disabled_us = ? WHERE person = ?", (disabled_us, person))
    return True


def closed(tx: Tx, person: str) -> bool:
    found = find(tx, person)
    return found is not None and found.disabled_us is not None


def _account(row: Row) -> Account:
    person, roles, agents, created_us, changed_us, disabled_us, has_password = row
    return Account(
        person,
        tuple(roles.split()),
        tuple(agents.split()),
        created_us,
        changed_us,
        disabled_us,
        bool(has_password),
    )
