"""Providers as the policy names them: their address, their key from the environment or a file, the way there."""

import os
from collections.abc import Callable
from pathlib import Path

from airworthy.app.config import proxy_for, secret
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


def key_of(rule: ModelRule) -> Callable[[], str]:
    """Asked for at each call: a file is read anew when it has changed."""
    if rule.api_key_file is None:
        key = secret(rule.key_variable)
        return lambda: key
    return _KeyFile(Path(rule.api_key_file))


class _KeyFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._key = ""

    def __call__(self) -> str:
        """Raises: ModelAuthFailed when it cannot be read."""
        try:
            status = os.stat(self._path)  # noqa: PTH116  # Path.stat costs twice that, and this is on every call's way.
            seen = (status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                self._key = self._path.read_text(encoding="utf-8")[:KEY_CHARS_MAX].strip()
                self._seen = seen
        except (OSError, UnicodeDecodeError) as error:
            raise ModelAuthFailed(
                f"The file with the key, {self._path}, cannot be read: {error}.",
                mend="Put the key into it, on one line, where this process may read it.",
            ) from error
        return self._key
