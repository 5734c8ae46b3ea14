"""What `gateway.toml` says: where the gateway listens, which policies it serves, what it bounds."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from airworthy.app.config import Config, database_variable, load_config
from airworthy.core.errors import ConfigError

GATEWAY_FILE: Final = "gateway.toml"
LISTEN: Final = "127.0.0.1:8090"
POLICIES_MAX: Final = 1_000

OnStoreDown = Literal["refuse", "allow"]
Kept = Literal["full", "facts"]


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """`policies`: one file an agent, from `folder` on; empty: the agents of `airworthy.toml`.

    `drain_s`: how long calls under way may go on once the gateway is told to stop. `on_store_down`: whether calls are
    made that cannot be recorded. `record`: overrides what the policies say; None: each policy decides.
    """

    folder: Path
    listen: str = LISTEN
    database: str = field(default="", repr=False)  # may hold a password
    policies: tuple[str, ...] = ()
    body_bytes_max: int = 32 * 1024 * 1024
    calls_max: int = 4_096
    drain_s: float = 30.0
    on_store_down: OnStoreDown = "refuse"
    record: Kept | None = None

    def __post_init__(self) -> None:
        _within("body_bytes_max", self.body_bytes_max, 1_024, 2**30)
        _within("calls_max", self.calls_max, 1, 1_000_000)
        _within("drain_s", self.drain_s, 0, 3_600)
        if self.on_store_down not in ("refuse", "allow"):
            raise _wrong("on_store_down", self.on_store_down, 'Write "refuse" or "allow".')
        if self.record not in (None, "full", "facts"):
            raise _wrong("record", self.record, 'Write "full" or "facts", or leave it to the policies.')
        if len(self.policies) > POLICIES_MAX:
            raise _wrong("policies", f"{len(self.policies)} files", f"Name at most {POLICIES_MAX}.")


def load_gateway_config(folder: Path, file: Path | None = None) -> GatewayConfig:
    """`file`, or `gateway.toml` of `folder`; without either all is as by default. Raises: ConfigError."""
    path = file if file is not None else folder / GATEWAY_FILE
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if file is None:
            return GatewayConfig(folder)
        raise ConfigError(f"There is no file {path}.", mend="Check the path given to --config.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}.", mend="Mend the file, or move it away."
        ) from error
    try:
        return GatewayConfig(path.parent, **_checked(raw))  # type: ignore[arg-type]  # checked key by key
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}", mend=error.mend) from error


def database_config(found: GatewayConfig, database: str | None = None) -> Config:
    """The database the gateway shares with everything else. The command line and the environment win over the file."""
    chosen = database or database_variable() or found.database or None
    return load_config(found.folder, database=chosen)


_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "listen": (str,),
    "database": (str,),
    "policies": (list,),
    "body_bytes_max": (int,),
    "calls_max": (int,),
    "drain_s": (int, float),
    "on_store_down": (str,),
    "record": (str,),
}
_WORDS: Final = {str: "text", list: "a list", int: "a whole number", float: "a number"}


def _checked(raw: Mapping[str, object]) -> dict[str, object]:
    values: dict[str, object] = {}
    for key, value in raw.items():
        kinds = _KINDS.get(key)
        if kinds is None:
            near = difflib.get_close_matches(key, _KINDS, n=1)
            raise ConfigError(
                f"unknown key {key!r}.",
                mend=f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(_KINDS)}.",
            )
        if type(value) not in kinds:
            raise _wrong(key, value, f"It must be {_WORDS[kinds[-1]]}.")
        if isinstance(value, list):
            if not all(isinstance(entry, str) and entry for entry in value):
                raise _wrong(key, value, 'Write each as a path: ["support.toml"].')
            value = tuple(value)
        values[key] = value
    return values


def _within(key: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise _wrong(key, value, f"Set it between {least:,} and {most:,}.".replace(",", "_"))


def _wrong(key: str, value: object, mend: str) -> ConfigError:
    return ConfigError(f"{key} = {value!r} cannot be used.", mend=mend)
