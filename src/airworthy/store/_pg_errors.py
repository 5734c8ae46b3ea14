"""What PostgreSQL's errors are in our words. The password of the address is in none of them."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from airworthy.core.errors import ConfigError
from airworthy.store.database import StoreBusy, StoreError, StoreFull, StoreReadOnly
from airworthy.store.writer import ConnectionLost

if TYPE_CHECKING:
    import psycopg

OUTAGE_S_MAX = 30.0
BUSY_S_MAX = 30.0
GIVEN_UP = frozenset({"40001", "40P01", "57P01", "57P02", "57P03", "57P05", "25P03"})
# A plan that was prepared before a table changed, or in a pipeline that failed: a new connection has none.
PLANS_GONE = frozenset({"26000", "42P05", "0A000"})


@dataclass(frozen=True, slots=True)
class Server:
    """Where a database is. `outage_s`: how long its absence is borne; `busy_s`: how long a turn is waited for."""

    url: str = field(repr=False)
    outage_s: float = OUTAGE_S_MAX
    busy_s: float = BUSY_S_MAX

    @property
    def where(self) -> str:
        return without_password(self.url)


def without_password(url: str) -> str:
    """The address as it may be shown."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        user = parts.netloc.rpartition("@")[0].partition(":")[0]
    except ValueError:
        return "postgresql://..."
    kept = [(key, value) for key, value in parse_qsl(parts.query) if "password" not in key]
    return urlunsplit(
        (parts.scheme, f"{user}@{host}" if user else host, parts.path, urlencode(kept, safe="/"), "")
    )


def not_installed() -> ConfigError:
    return ConfigError(
        "The driver of PostgreSQL is not installed.", mend="Install it: pip install 'airworthy[postgres]'"
    )


def translated(error: "psycopg.Error", server: Server, *, connecting: bool = False) -> StoreError:
    state = error.sqlstate or ""
    text = " ".join(str(error).split())
    if connecting and state[:2] in ("", "08", "57", "53"):
        return StoreBusy(
            f"PostgreSQL at {server.where} did not answer ({_masked(text, server)}).",
            mend="Look whether it runs and may be reached from here; what was acknowledged is safe.",
        )
    if state in GIVEN_UP or state in PLANS_GONE or state[:2] == "08":
        return ConnectionLost(
            f"PostgreSQL at {server.where} gave the transaction up: {_masked(text, server)}"
        )
    if not state and _is_lost(error):
        return ConnectionLost(f"The connection to PostgreSQL at {server.where} was lost.")
    if state in ("55P03", "57014"):
        return StoreBusy(
            f"PostgreSQL at {server.where} was busy for longer than the bound ({_masked(text, server)}).",
            mend="Look for a stopped or hung airworthy process: airworthy workers.",
        )
    if state[:2] == "53":
        return StoreFull(
            f"PostgreSQL at {server.where} has no room: {_masked(text, server)}",
            mend="Free disk space there, then start the worker again; what was acknowledged is safe.",
        )
    if state in ("25006", "42501"):
        return StoreReadOnly(
            f"The database {server.where} cannot be written: {_masked(text, server)}",
            mend="Connect to the primary, as a user who may write there and make tables.",
        )
    if connecting:
        return StoreError(
            f"PostgreSQL at {server.where} let nobody in: {_masked(text, server)}",
            mend="Mend the address, user, password or database name in AIRWORTHY_DATABASE.",
        )
    return StoreError(f"PostgreSQL refused: {_masked(text, server)} (database {server.where}).")


def _is_lost(error: "psycopg.Error") -> bool:
    import psycopg

    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def _masked(text: str, server: Server) -> str:
    """A parameter's value never comes with the message; the password could, from a broken address."""
    try:
        secret = urlsplit(server.url).password
    except ValueError:
        return "the address cannot be read"
    return text.replace(secret, "***") if secret else text
