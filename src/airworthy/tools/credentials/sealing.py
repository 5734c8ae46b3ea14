"""Tokens as the store may hold them: encrypted under a key that only the client's own secret gives.

The database alone reveals nothing; a guess at the secret can be tried against it, so its strength is the secret's own.
"""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from importlib.util import find_spec

import orjson

from airworthy.core.clock import US_PER_S

_SALT = b"airworthy credentials 1"
KEY_BYTES = 32


def sealing_missing() -> str:
    """How to get what sealing needs; empty when it is there."""
    return "" if find_spec("cryptography") is not None else "Install it: pip install 'airworthy[oauth]'."


def hkdf(secret: bytes, salt: bytes, info: bytes, size: int = KEY_BYTES) -> bytes:
    """HKDF with SHA-256. Source: RFC 5869."""
    inner = hmac.digest(salt or bytes(sha256().digest_size), secret, sha256)
    block, out = b"", b""
    for counter in range(1, -(-size // sha256().digest_size) + 1):
        block = hmac.digest(inner, block + info + bytes([counter]), sha256)
        out += block
    return out[:size]


def row_name(root: str, identity: bytes) -> str:
    """The grant's name in the store: another secret, another row, so a new secret starts with a clean one."""
    return hkdf(root.encode(), _SALT, b"name" + identity, 16).hex()


class Seal:
    """Raises ImportError when `cryptography` is not installed: ask `sealing_missing` before."""

    def __init__(self, root: str, identity: bytes) -> None:
        from cryptography.fernet import Fernet

        self._fernet = Fernet(urlsafe_b64encode(hkdf(root.encode(), _SALT, b"seal" + identity)))

    def __repr__(self) -> str:
        return "Seal()"

    def sealed(self, access: str, refresh: str, now_us: int) -> bytes:
        return self._fernet.encrypt_at_time(orjson.dumps([access, refresh]), now_us // US_PER_S)

    def opened(self, sealed: bytes) -> tuple[str, str] | None:
        """Access and refresh token; None when it was sealed by somebody else, or was damaged."""
        from cryptography.fernet import InvalidToken

        try:
            access, refresh = orjson.loads(self._fernet.decrypt(sealed))
        except (InvalidToken, ValueError):
            return None
        return str(access), str(refresh)
