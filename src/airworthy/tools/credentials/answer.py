"""What a token endpoint's answer means (RFC 6749, section 5), as a function from bytes to a value."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

TOKEN_CHARS_MAX: Final = 16_384
BODY_BYTES_MAX: Final = 65_536
RETRY_AFTER_S_MAX: Final = 3_600.0

_TOKEN = re.compile(r"[\x21-\x7e]+")  # What may stand in a header.
_CODE = re.compile(r"[a-z_]{1,60}")
_DESCRIPTION_CHARS_MAX = 200
# Codes that say: not now. All others say: not with this.
_PASSING: Final = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_NOT_NOW: Final = frozenset({408, 425, 429})
_MENDS: Final[Mapping[str, str]] = {
    "invalid_grant": "It was revoked, has expired, or was used elsewhere: give a new refresh token, or a new secret.",
    "invalid_client": "Check client_id, the secret and client_auth; the endpoint does not know this client.",
    "unauthorized_client": "Have the client allowed this kind of grant, where it is registered.",
    "unsupported_grant_type": "Check `kind` and token_url: this endpoint does not give tokens that way.",
    "invalid_scope": "Check `scopes`: the endpoint does not give them to this client.",
    "invalid_target": "Check `audience`: the endpoint does not know it.",
    "invalid_request": "Check token_url, client_auth, scopes and audience: the endpoint cannot read the request.",
}


@dataclass(frozen=True, slots=True, repr=False)
class Given:
    """A token, `expires_in` as it was said, and the next refresh token if it was changed."""

    access: str
    expires_in: object = None
    refresh: str = ""

    def __repr__(self) -> str:
        return f"Given(expires_in={self.expires_in!r}, rotated={bool(self.refresh)})"


@dataclass(frozen=True, slots=True)
class Later:
    """No token this time; it may pass."""

    why: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """No token with this credential, however often it is asked; `mend` is for a person."""

    why: str
    mend: str


def read_answer(
    status: int, body: bytes, retry_after_s: float | None, clean: Callable[[str], str]
) -> Given | Later | Refused:
    """`clean` takes our secrets out of what the endpoint says, for it may repeat them."""
    said = _object(body)
    code = said.get("error") if said is not None else None
    code = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
    if status == 200 and not code:  # Some endpoints say no with a 200.
        return _given(said, body)
    if 300 <= status < 400:
        return Later(
            f"The token endpoint answered {status}, a redirect, which is not followed: it would carry the secret."
        )
    about = _about(status, code, said, clean)
    if status in _NOT_NOW or status >= 500 or code in _PASSING:
        bounded = None if retry_after_s is None else min(retry_after_s, RETRY_AFTER_S_MAX)
        return Later(about, bounded)
    if code:
        mend = _MENDS.get(code, "Look up what the endpoint means by that, and mend the credential.")
        return Refused(about, mend)
    # A proxy's or a wrong page's answer: nobody who knows the credential has judged it.
    return Later(f"{about} It is no answer of a token endpoint: check token_url.")


def _given(said: Mapping[str, Any] | None, body: bytes) -> Given | Later | Refused:
    if said is None:
        kind = "a page" if body.lstrip()[:1] == b"<" else "no JSON object"
        return Later(f"The token endpoint answered 200 with {kind}, {len(body)} bytes.")
    access = _token(said.get("access_token"))
    if access is None:
        return Later("The token endpoint answered 200 without a usable access_token.")
    kind = said.get("token_type", "Bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return Refused(
            "The token endpoint gives tokens that are not of the type Bearer.",
            "Have the client given bearer tokens; tokens bound to a key cannot be used here.",
        )
    return Given(access, said.get("expires_in"), _token(said.get("refresh_token")) or "")


def _token(value: object) -> str | None:
    fits = isinstance(value, str) and len(value) <= TOKEN_CHARS_MAX and _TOKEN.fullmatch(value)
    return value if fits and isinstance(value, str) else None


def _object(body: bytes) -> Mapping[str, Any] | None:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None


def _about(status: int, code: str, said: Mapping[str, Any] | None, clean: Callable[[str], str]) -> str:
    words = said.get("error_description") if said is not None and code else None
    shown = ""
    if isinstance(words, str):
        # Cleaned whole and then cut: a cut secret would not be found.
        printable = "".join(char for char in clean(words[:BODY_BYTES_MAX]) if char.isprintable())
        shown = f" ({printable[:_DESCRIPTION_CHARS_MAX]})"
    return f"The token endpoint answered {status}{': ' + code if code else ''}{shown}."
