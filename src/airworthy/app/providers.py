"""Providers as the policy names them: their address, their key from the environment or a file, the way there."""

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from airworthy.app.config import SECRET_CHARS_MIN, proxy_for, secret, secrets
from airworthy.core.errors import AirworthyError
from airworthy.gateway.errors import ModelAuthFailed
from airworthy.gateway.http import Address, HttpClient, HttpUpstream
from airworthy.policy import ModelRule

KEY_CHARS_MAX = 10_000
ANTHROPIC = {"anthropic-version": "2023-06-01"}


def upstream_of(rule: ModelRule) -> HttpUpstream:
    """Raises: ConfigError for an address that is none."""
    address = Address.of(rule.address, proxy_for(rule.address))
    fixed = ANTHROPIC if rule.served.protocol == "anthropic" else {}
    return HttpUpstream(HttpClient(address), key_of(rule), rule.served.header, fixed)


def known_keys(rules: Iterable[ModelRule]) -> tuple[str, ...]:
    """The keys as they are now, for whoever must never write them down. A file that cannot be read has none yet."""
    rules = list(rules)
    found = list(secrets([rule.key_variable for rule in rules]))
    for rule in rules:
        if rule.api_key_file is not None:
            with contextlib.suppress(ModelAuthFailed):
                found.append(key_of(rule)())
    return tuple(key for key in found if len(key) >= SECRET_CHARS_MIN)


def key_of(rule: ModelRule) -> Callable[[], str]:
    """Asked for at each call: a file is read anew when it has changed."""
    if rule.api_key_file is None:
        key = secret(rule.key_variable)
        return lambda: key
    return KeyFile(Path(rule.api_key_file))


class KeyFile:
    """A file with a key, read anew when it changes. `error` is raised for one that cannot be used."""

    def __init__(self, path: Path, error: type[AirworthyError] = ModelAuthFailed) -> None:
        self._path = path
        self._error = error
        self._seen: tuple[int, int, int] | None = None
        self._key = ""

    def __call__(self) -> str:
        """Raises: `error` when it cannot be read, or holds no key."""
        try:
            status = os.stat(self._path)  # noqa: PTH116  # Path.stat costs twice that, and this is on every call's way.
            # A file that another one took the place of may have the time and the size of the first.
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen != self._seen:
                self._key = self._read()
                self._seen = seen
        except (OSError, UnicodeDecodeError) as error:
            raise self._bad(f"cannot be read: {error}") from error
        return self._key

    def _read(self) -> str:
        with self._path.open(encoding="utf-8") as file:
            key = file.read(KEY_CHARS_MAX + 1)
        if len(key) > KEY_CHARS_MAX:
            raise self._bad(f"holds more than {KEY_CHARS_MAX} characters")
        if not key.strip():
            raise self._bad("is empty")
        return key.strip()

    def _bad(self, how: str) -> Exception:
        return self._error(
            f"The file with the key, {self._path}, {how}.",
            mend="Put the key into it, on one line, where this process may read it.",
        )
