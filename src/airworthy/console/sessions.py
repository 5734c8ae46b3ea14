"""Sessions of people signed in, as rows: begun, found again by what their cookie holds, ended. Knows no HTTP."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from airworthy.console.access import Caller, person_of
from airworthy.core.clock import US_PER_S
from airworthy.core.ids import Ids
from airworthy.gateway.keys.key import digest_of, drawn
from airworthy.review.people import People
from airworthy.store import Row, Tx

PREFIX: Final = "aws_"
SESSIONS_MAX: Final = 20  # Of one person; the oldest ends for the one more.
SEEN_EVERY_US: Final = 60 * US_PER_S  # A write for each request would cost more than the request.
KEPT_US: Final = 30 * 86_400 * US_PER_S
ADDRESS_CHARS_MAX: Final = 64
BROWSER_CHARS_MAX: Final = 200

Way = Literal["password", "oidc", "link"]


@dataclass(frozen=True, slots=True)
class Session:
    """`way`: how they signed in. `roles`: which of their own the provider lets them have; None: it does not say."""

    id: str
    person: str
    way: Way
    created_us: int
    seen_us: int
    expires_us: int
    roles: tuple[str, ...] | None = None
    address: str = ""
    browser: str = ""
    ended_us: int | None = None

    def good(self, now_us: int, idle_us: int) -> bool:
        return self.ended_us is None and now_us < min(self.expires_us, self.seen_us + idle_us)


@dataclass(frozen=True, slots=True)
class Found:
    """A good session and whoever it is, as roles stand now, not as they stood at sign-in."""

    session: Session
    caller: Caller


def drawn_for(
    ids: Ids, now_us: int, length_us: int, person: str, way: Way, *, roles: Sequence[str] | None = None
) -> tuple[str, Session]:
    """What the cookie is to hold, which is never seen again, and the session that answers to it."""
    return drawn(PREFIX, ids), Session(
        ids.new("ses", now_us),
        person,
        way,
        now_us,
        now_us,
        now_us + length_us,
        None if roles is None else tuple(roles),
    )


def csrf_of(secret: str) -> str:
    """What the forms of the session send back. Follows from the cookie alone, so that nothing need be kept."""
    return hmac.new(secret.encode(), b"airworthy csrf", hashlib.sha256).hexdigest()


_COLUMNS = "id, person, way, created_us, seen_us, expires_us, roles, address, browser, ended_us"


def begin(tx: Tx, secret: str, session: Session) -> None:
    """Also ends the oldest of too many, and forgets those that ended long ago."""
    tx.execute("DELETE FROM sessions WHERE expires_us < ?", (session.created_us - KEPT_US,))
    open_ = tx.rows(
        "SELECT id FROM sessions WHERE person = ? AND ended_us IS NULL AND expires_us > ?"
        " ORDER BY created_us DESC, id DESC",
        (session.person, session.created_us),
    )
    for (id_,) in open_[SESSIONS_MAX - 1 :]:
        tx.execute("UPDATE sessions SET ended_us = ? WHERE id = ?", (session.created_us, id_))
    tx.execute(
        f"INSERT INTO sessions (digest, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            digest_of(secret), session.id, session.person, session.way, session.created_us, session.seen_us,
            session.expires_us, None if session.roles is None else " ".join(session.roles),
            session.address[:ADDRESS_CHARS_MAX], session.browser[:BROWSER_CHARS_MAX], session.ended_us,
        ),
    )  # fmt: skip


def find(tx: Tx, secret: str, people: People, now_us: int, idle_us: int) -> Found | None:
    """None whatever is wrong: unknown, ended, expired, idle for too long, or of somebody who may not any more."""
    row = tx.row(f"SELECT {_COLUMNS} FROM sessions WHERE digest = ?", (digest_of(secret),))
    session = None if row is None else _session(row)
    if session is None or not session.good(now_us, idle_us):
        return None
    kept = tx.row("SELECT roles, agents, disabled_us FROM accounts WHERE person = ?", (session.person,))
    roles, agents, disabled_us = kept if kept is not None else ("", "", None)
    if disabled_us is not None:
        return None
    caller = person_of(session.person, people, roles.split(), agents.split(), through=session.id)
    if caller is not None and session.roles is not None:
        caller = caller.narrowed(session.roles)
    return None if caller is None or not caller.roles else Found(session, caller)


def touch(tx: Tx, id_: str, now_us: int) -> None:
    tx.execute("UPDATE sessions SET seen_us = ? WHERE id = ? AND seen_us < ?", (now_us, id_, now_us))


def listing(tx: Tx, person: str = "", limit: int = 1_000) -> list[Session]:
    """The newest first, ended ones too."""
    where, params = ("WHERE person = ? ", (person,)) if person else ("", ())
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM sessions {where}ORDER BY created_us DESC, id DESC LIMIT ?", (*params, limit)
    )
    return [_session(row) for row in rows]


def end(tx: Tx, id_: str, now_us: int, person: str = "") -> bool:
    """`person`: only if it is theirs. False when there is no such session that has not ended."""
    whose, params = (" AND person = ?", (person,)) if person else ("", ())
    return bool(
        tx.execute(
            f"UPDATE sessions SET ended_us = ? WHERE id = ? AND ended_us IS NULL{whose}",
            (now_us, id_, *params),
        )
    )


def end_all(tx: Tx, person: str, now_us: int, but: str = "") -> int:
    """How many ended. `but`: the id of one that goes on."""
    return tx.execute(
        "UPDATE sessions SET ended_us = ? WHERE person = ? AND ended_us IS NULL AND id <> ? AND expires_us > ?",
        (now_us, person, but, now_us),
    )


def _session(row: Row) -> Session:
    id_, person, way, created_us, seen_us, expires_us, roles, address, browser, ended_us = row
    kept = None if roles is None else tuple(roles.split())
    return Session(id_, person, way, created_us, seen_us, expires_us, kept, address, browser, ended_us)
