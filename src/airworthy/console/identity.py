"""Who a request comes from: a key that it carries, or the session of its cookie. Answers nothing, refuses nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airworthy.console import access, sessions
from airworthy.console.access import Caller
from airworthy.console.door import COOKIE, Door
from airworthy.store import Database

if TYPE_CHECKING:
    from airworthy.review.people import People


@dataclass(frozen=True, slots=True)
class Identity:
    """`csrf`: of a session; empty for a key. `session`: its id."""

    caller: Caller
    csrf: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class Came:
    """What of a request tells who sends it."""

    scheme: str
    host: str
    authorization: str | None
    cookies: Mapping[str, str]


def identified(came: Came, database: Database, people: "People", door: Door, now_us: int) -> Identity | None:
    """None for a stranger. A request that names a key is judged by the key alone, whatever cookies it has."""
    if came.authorization is not None:
        return _by_key(came.authorization, database, people, now_us)
    secret = came.cookies.get(door.cookie(COOKIE, came.scheme, came.host), "")
    if not secret.startswith(sessions.PREFIX) or not secret.isascii():
        return None
    found = database.read_now(lambda tx: sessions.find(tx, secret, people, now_us, door.idle_us))
    if found is None:
        return None
    if now_us - found.session.seen_us >= sessions.SEEN_EVERY_US:
        database.write_now(lambda tx: sessions.touch(tx, found.session.id, now_us))
    return Identity(found.caller, sessions.csrf_of(secret), found.session.id)


def _by_key(authorization: str, database: Database, people: "People", now_us: int) -> Identity | None:
    scheme, _, secret = authorization.partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret.startswith(access.PREFIX) or not secret.isascii():
        return None
    key = database.read_now(lambda tx: access.find(tx, secret))
    if key is None or not key.good(now_us):
        return None
    caller = access.caller_of(key, people)
    return None if caller is None else Identity(caller)
