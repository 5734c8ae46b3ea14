"""Whether an ID token is what it says: its signature by the provider's keys, for us, now, for this journey. Pure."""

import hmac
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airworthy.core.errors import AirworthyError, ConfigError

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

# Signatures by a private key alone. With HS256 whoever knows a public key, or our own secret, could sign.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_S: Final = 120
OLD_S_MAX: Final = 3_600
TOKEN_CHARS_MAX: Final = 32_768


class TokenRefused(AirworthyError):
    """The token is not good; nobody was signed in."""

    code: ClassVar[str] = "provider_refused"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The provider's token is not good: {why}.", mend="Start again from the page to sign in."
        )


@dataclass(frozen=True, slots=True)
class Expected:
    """`now_s`: seconds since 1970."""

    issuer: str
    client_id: str
    nonce: str
    now_s: int


def checked(token: str, keys: Mapping[str, Any], expected: Expected) -> Mapping[str, Any] | None:
    """Its claims; None when it is signed with a key that is not among these. Raises: TokenRefused, ConfigError."""
    try:
        from joserfc import jws, jwt
        from joserfc.errors import InvalidKeyIdError, JoseError
    except ImportError as error:
        raise ConfigError(
            "Sign-in by OpenID Connect needs joserfc.", mend="Install it: pip install 'airworthy[oidc]'"
        ) from error
    if len(token) > TOKEN_CHARS_MAX:
        raise TokenRefused("it is too long")
    try:
        header = jws.extract_compact(token.encode()).headers()
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise TokenRefused("its algorithm is none that we take")
        usable = _usable(keys, str(algorithm), header.get("kid"))
        if not usable.keys:
            return None
        claims = jwt.decode(token, usable, algorithms=[str(algorithm)]).claims
    except InvalidKeyIdError:
        return None
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise TokenRefused("its signature does not fit") from error
    _check_claims(claims, expected)
    return claims


def _usable(keys: Mapping[str, Any], algorithm: str, kid: object) -> "KeySet":
    """Those of the kind the algorithm needs, with the id the token names. Never one that can be a shared secret."""
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet, import_key

    kind = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}[algorithm[:2]]
    found = []
    for each in keys["keys"]:
        if not isinstance(each, dict) or each.get("kty") != kind or each.get("use", "sig") != "sig":
            continue
        if each.get("alg", algorithm) != algorithm or (kid is not None and each.get("kid") != kid):
            continue
        try:
            found.append(import_key(each))
        except (JoseError, ValueError, TypeError):
            continue  # One that cannot be read; the others may do.
    return KeySet(found[:20])


def _check_claims(claims: Mapping[str, Any], expected: Expected) -> None:
    """Raises: TokenRefused. Source of the rules: OpenID Connect Core 1.0, 3.1.3.7."""
    if claims.get("iss") != expected.issuer:
        raise TokenRefused("it is of another issuer")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in named:
        raise TokenRefused("it is for somebody else")
    if (len(named) > 1 or "azp" in claims) and claims.get("azp") != expected.client_id:
        raise TokenRefused("it was given to somebody else")
    for name in ("exp", "iat"):
        if not _is_time(claims.get(name)):
            raise TokenRefused(f"it has no {name}")
    if claims["exp"] <= expected.now_s - LEEWAY_S:
        raise TokenRefused("it has expired")
    if claims["iat"] > expected.now_s + LEEWAY_S or claims["iat"] < expected.now_s - OLD_S_MAX:
        raise TokenRefused("it was made at another time; compare the clocks")
    before = claims.get("nbf", 0)
    if not _is_time(before) or before > expected.now_s + LEEWAY_S:
        raise TokenRefused("it is not good yet")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), expected.nonce.encode()):
        raise TokenRefused("it is of another sign-in")
    if not isinstance(claims.get("sub"), str):
        raise TokenRefused("it names no subject")


def _is_time(value: object) -> bool:
    """JSON as Python reads it may hold NaN, which is neither before nor after anything."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
