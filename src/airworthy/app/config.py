"""Where settings come from: `airworthy.toml` and the environment. Nobody else reads either."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from airworthy.core.errors import ConfigError
from airworthy.store.address import check_address, is_address, without_password

CONFIG_FILE = "airworthy.toml"
DATABASE_VARIABLE = "AIRWORTHY_DATABASE"
DATABASE_FILE_VARIABLE = "AIRWORTHY_DATABASE_FILE"  # As containers are handed secrets.
ADDRESS_BYTES_MAX = 4_096
SECRET_CHARS_MIN = 8
ENGINES = ("embedded", "procrastinate")
# As long as most tasks take. Whatever stops the process must wait for it: see deploy/.
DRAIN_S = 60.0
DRAIN_S_MAX = 86_400


@dataclass(frozen=True, slots=True)
class Config:
    """`agents`: "module:name" of each Agent, modules looked up in `folder`.

    `database`: a path, from `folder` on, or the address of a PostgreSQL, which may hold a password.

    `concurrency`: tasks under way at once in one worker process. `drain_s`: how long they may go on once it is told to
    stop; what is not over by then goes on from its record elsewhere. `engine`: what wakes the tasks.
    """

    folder: Path
    database: str = field(default="airworthy.db", repr=False)
    agents: tuple[str, ...] = ()
    concurrency: int = 16
    drain_s: float = DRAIN_S
    engine: str = ENGINES[0]

    def __post_init__(self) -> None:
        if not 1 <= self.concurrency <= 10_000:
            raise ConfigError(
                f"concurrency is {self.concurrency}.", mend=f"Set it between 1 and 10000 in {CONFIG_FILE}."
            )
        if not 0 <= self.drain_s <= DRAIN_S_MAX:
            raise ConfigError(
                f"drain_s is {self.drain_s:g}.", mend=f"Set it between 0 and {DRAIN_S_MAX} in {CONFIG_FILE}."
            )
        if self.engine not in ENGINES:
            near = difflib.get_close_matches(self.engine, ENGINES, n=1)
            raise ConfigError(
                f"engine is {self.engine!r}.",
                mend=f"Did you mean {near[0]!r}?" if near else f"Set it to one of: {', '.join(ENGINES)}.",
            )
        if self.database_url is not None:
            check_address(self.database_url)
        elif "://" in self.database:
            scheme = self.database.partition("://")[0]
            raise ConfigError(
                f"A {scheme} database cannot be used.",
                mend="Give the path of an SQLite file, or postgresql://user:password@host/name.",
            )

    @property
    def database_url(self) -> str | None:
        """The address of a PostgreSQL; None where the database is a file."""
        return self.database if is_address(self.database) else None

    @property
    def where(self) -> str:
        """The database, for people: its path, or its address without the password."""
        return str(self.database_path) if self.database_url is None else without_password(self.database_url)

    @property
    def database_path(self) -> Path:
        """Of a file; ask `database_url` first."""
        return self.folder / self.database

    @property
    def file_missing(self) -> bool:
        """False for a server too, which has to be asked."""
        return self.database_url is None and not self.database_path.exists()


def load_config(folder: Path, *, database: str | None = None, environment: bool = True) -> Config:
    """Reads `airworthy.toml` of `folder` if there is one; `database` and the environment win over it.

    `environment`: whether it is asked.
    """
    values = _read(folder / CONFIG_FILE)
    chosen = database or (database_variable() if environment else None)
    if chosen:
        values["database"] = chosen
    try:
        return Config(folder, **values)  # type: ignore[arg-type]  # checked key by key in _read
    except TypeError as error:
        raise ConfigError(
            f"{folder / CONFIG_FILE}: {error}", mend="Compare it with the reference."
        ) from error


def database_variable() -> str | None:
    """The database that the environment names, itself or in a file. Raises: ConfigError."""
    named, path = os.environ.get(DATABASE_VARIABLE), os.environ.get(DATABASE_FILE_VARIABLE)
    if not path:
        return named or None
    if named:
        raise ConfigError(
            f"Both {DATABASE_VARIABLE} and {DATABASE_FILE_VARIABLE} are set.", mend="Unset one of them."
        )
    try:
        with Path(path).open(encoding="utf-8") as file:
            address = file.read(ADDRESS_BYTES_MAX + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{DATABASE_FILE_VARIABLE} names {path}, which cannot be read: {error}.",
            mend="Name a file that holds the address of the database, and nothing else.",
        ) from error
    if not address or len(address) > ADDRESS_BYTES_MAX:
        raise ConfigError(
            f"{path} holds no address of a database.",
            mend="Write postgresql://user:password@host/name into it.",
        )
    return address


def secrets(names: Mapping[str, None] | list[str]) -> tuple[str, ...]:
    """The values of these environment variables, for the redactor: they must never be written anywhere."""
    values = (os.environ.get(name, "") for name in names if name)
    return tuple(value for value in values if len(value) >= SECRET_CHARS_MIN)


def secret(name: str) -> str:
    """The value of an environment variable that holds a key; empty when it is not set."""
    return os.environ.get(name, "") if name else ""


def proxy_for(url: str) -> str:
    """The proxy that the environment names for this address, as curl reads it; empty: none. Raises: ConfigError."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError as error:
        raise ConfigError(
            f"{url!r} is no address.", mend="Write http:// or https://, host and path."
        ) from error
    port = port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    if any(_spares(rule.strip().lower(), host, port) for rule in _either("no_proxy").split(",")):
        return ""
    return _either(f"{parts.scheme}_proxy") or _either("all_proxy")


def _spares(rule: str, host: str, port: int) -> bool:
    """`rule`: a name, which stands for all below it too, an address or a net, each with a port if it likes; or `*`."""
    if not rule or rule == "*":
        return rule == "*"
    name, _, only = rule.rpartition(":")
    if only.isdigit() and (name.endswith("]") or ":" not in name):
        if int(only) != port:
            return False
        rule = name
    rule = rule.strip("[]")
    try:
        address = ip_address(host)
    except ValueError:
        rule = rule.removeprefix("*").strip(".")
        return bool(rule) and (host == rule or host.endswith(f".{rule}"))
    try:
        return address in ip_network(rule, strict=False)
    except ValueError:
        return False


def _either(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.upper()) or ""


def environment() -> dict[str, str]:
    """All of it, for a process that is started here."""
    return dict(os.environ)


def variable(name: str) -> str | None:
    return os.environ.get(name) or None


def person() -> str:
    """Who gives a command, when they do not say: the name of their login."""
    return (
        os.environ.get("AIRWORTHY_USER") or os.environ.get("USER") or os.environ.get("USERNAME") or "somebody"
    )


def _read(path: Path) -> dict[str, object]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}.", mend="Mend the file, or move it away."
        ) from error
    kinds = {"database": str, "agents": list, "concurrency": int, "engine": str, "drain_s": float}
    known = [field.name for field in fields(Config) if field.name in kinds]
    values: dict[str, object] = {}
    for key, value in raw.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise ConfigError(
                f"{path} has the unknown key {key!r}.",
                mend=f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(known)}.",
            )
        if kinds[key] is float and type(value) is int:
            value = float(value)
        if not isinstance(value, kinds[key]) or isinstance(value, bool):
            raise ConfigError(
                f"{path}: {key} = {value!r} is not a {kinds[key].__name__}.", mend="Mend the value."
            )
        if isinstance(value, list):
            if not all(isinstance(entry, str) and entry.count(":") == 1 for entry in value):
                raise ConfigError(f"{path}: agents = {value!r}.", mend='Write each as "module:name".')
            value = tuple(value)
        values[key] = value
    return values
