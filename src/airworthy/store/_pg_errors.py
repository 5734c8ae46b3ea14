"""What PostgreSQL's errors are in our words. The password of the address is in none of them."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airworthy.core.errors import ConfigError
from airworthy.store.address import masked, password_of, without_password
from airworthy.store.database import StoreBusy, StoreError, StoreFull, StoreReadOnly, StoreRefused
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


def not_installed(module: str) -> ConfigError:
    return ConfigError(
        f"What PostgreSQL needs is not installed: {module}.",
        mend="Install it: pip install 'airworthy[postgres]'",
    )


def check_understood(url: str) -> None:
    """Whether the driver can read the address. Raises: ConfigError."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(url)
    except psycopg.Error as error:
        text = masked(" ".join(str(error).split()), password_of(url))
        raise ConfigError(
            f"The address {without_password(url)} of the database cannot be used: {text}.",
            mend="Write postgresql://user:password@host:port/name, and behind a ? what libpq knows.",
        ) from None  # The driver's own error may hold the password.


def translated(error: "psycopg.Error", server: Server, *, connecting: bool = False) -> StoreError:
    state = error.sqlstate or ""
    # Not the whole of it: its details and its context quote the rows.
    said = error.diag.message_primary or str(error)
    text = masked(" ".join(said.split()), password_of(server.url))
    if connecting:
        return _not_connected(state, text, server)
    if state in GIVEN_UP or state in PLANS_GONE or state[:2] == "08":
        return ConnectionLost(f"PostgreSQL at {server.where} gave the transaction up: {text}")
    if not state and _is_lost(error):
        return ConnectionLost(f"The connection to PostgreSQL at {server.where} was lost.")
    if state in ("55P03", "57014"):
        return StoreBusy(
            f"PostgreSQL at {server.where} was busy for longer than the bound ({text}).",
            mend="Look for a stopped or hung airworthy process: airworthy workers.",
        )
    if state[:2] == "53":
        return StoreFull(
            f"PostgreSQL at {server.where} has no room: {text}",
            mend="Free disk space there, then start the worker again; what was acknowledged is safe.",
        )
    if state in ("25006", "42501"):
        return StoreReadOnly(
            f"The database {server.where} cannot be written: {text}",
            mend="Connect to the primary, as the user who owns the tables and may make more.",
        )
    return StoreError(f"PostgreSQL refused: {text} (database {server.where}).")


# libpq gives no code for what happens before a connection stands, so its words must do; the first that fit count.
_REFUSALS = (
    ("certificate", "Mend the certificate there, or sslmode and sslrootcert in the address."),
    ("does not exist", "Make it there (createdb, createuser), or name another in AIRWORTHY_DATABASE."),
    ("no password supplied", "Give the password: in the address, in PGPASSWORD or in ~/.pgpass."),
    ("authentication failed", "Mend user and password: in the address, in PGPASSWORD or in ~/.pgpass."),
    ("no pg_hba.conf entry", "Let this machine, user and database in: pg_hba.conf of the server."),
    ("permission denied", "Let the user connect: GRANT CONNECT ON DATABASE."),
    ("support SSL", "Switch SSL on there, or take sslmode out of the address."),
    ("connection is bad: invalid", "Mend the address in AIRWORTHY_DATABASE."),
)  # fmt: skip
_ALL_TAKEN = ("too many clients", "too many connections", "remaining connection slots")


def _not_connected(state: str, text: str, server: Server) -> StoreError:
    """StoreRefused: waiting will not help; StoreBusy: it may."""
    if state[:2] in ("", "08"):
        for words, mend in _REFUSALS:
            if words in text:
                return StoreRefused(f"PostgreSQL at {server.where} let nobody in: {text}", mend=mend)
    elif state[:2] not in ("57", "53"):
        return StoreRefused(
            f"PostgreSQL at {server.where} let nobody in: {text}",
            mend="Mend the address, user, password or database name in AIRWORTHY_DATABASE.",
        )
    if any(words in text for words in _ALL_TAKEN):
        return StoreBusy(
            f"PostgreSQL at {server.where} has no connection left ({text}).",
            mend="Raise max_connections there, or run fewer processes: airworthy takes up to 7 for each.",
        )
    return StoreBusy(
        f"PostgreSQL at {server.where} did not answer ({text}).",
        mend="Look whether it runs and may be reached from here; what was acknowledged is safe.",
    )


def _is_lost(error: "psycopg.Error") -> bool:
    import psycopg

    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
