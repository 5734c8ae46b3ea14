"""Secrets that are good for a while and one purpose, as rows of their digests: links, journeys, browsers known."""

from dataclasses import dataclass
from typing import Final, Literal

from airworthy.gateway.keys.key import digest_of
from airworthy.store import Tx

PREFIX: Final = "awl_"
KNOWN_MAX: Final = 50

Kind = Literal["link", "journey", "known"]


@dataclass(frozen=True, slots=True)
class Pass:
    """`aim`: where it leads in the end."""

    kind: Kind
    person: str
    expires_us: int
    aim: str = ""


def give(tx: Tx, secret: str, given: Pass, now_us: int) -> None:
    tx.execute("DELETE FROM passes WHERE expires_us <= ?", (now_us,))
    tx.execute(
        "INSERT INTO passes (digest, kind, person, aim, created_us, expires_us) VALUES (?, ?, ?, ?, ?, ?)",
        (digest_of(secret), given.kind, given.person, given.aim, now_us, given.expires_us),
    )


def mark(tx: Tx, secret: str, given: Pass, now_us: int) -> bool:
    """Remembers that this one came; False when it has come before."""
    if find(tx, given.kind, secret, now_us) is not None:
        return False
    give(tx, secret, given, now_us)
    return True


def find(tx: Tx, kind: Kind, secret: str, now_us: int) -> Pass | None:
    row = tx.row(
        "SELECT person, expires_us, aim FROM passes WHERE digest = ? AND kind = ? AND expires_us > ?",
        (digest_of(secret), kind, now_us),
    )
    return None if row is None else Pass(kind, *row)


def use(tx: Tx, kind: Kind, secret: str, now_us: int) -> Pass | None:
    """Once: whoever comes second finds nothing."""
    found = find(tx, kind, secret, now_us)
    if found is not None:
        tx.execute("DELETE FROM passes WHERE digest = ?", (digest_of(secret),))
    return found


def drop_all(tx: Tx, kind: Kind, person: str) -> None:
    tx.execute("DELETE FROM passes WHERE kind = ? AND person = ?", (kind, person))


def keep_newest(tx: Tx, kind: Kind, person: str, most: int) -> None:
    tx.execute(
        "DELETE FROM passes WHERE kind = ? AND person = ? AND digest NOT IN (SELECT digest FROM passes"
        " WHERE kind = ? AND person = ? ORDER BY created_us DESC LIMIT ?)",
        (kind, person, kind, person, most),
    )
