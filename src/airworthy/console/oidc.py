"""Signing in on the word of an OpenID Connect provider: the way there, the code that comes back, and what it is worth.

Authorization code with PKCE. What a journey must remember is in the traveller's cookie; the store only remembers which
journeys have come back, so that none comes back twice.
"""

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlencode

from airworthy.console.id_token import Expected, checked
from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import AirworthyError
from airworthy.resilience.egress import EgressRefused
from airworthy.review.people import People, Role

if TYPE_CHECKING:
    import httpx

JOURNEY_S: Final = 600
KNOWN_S: Final = 3_600  # How long the provider's document and keys are good.
KEYS_AGAIN_S: Final = 60  # An unknown key id asks for the keys anew, but not more often.
ANSWER_BYTES_MAX: Final = 1024 * 1024
CODE_CHARS_MAX: Final = 4_096
_KNOWN_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderDown(AirworthyError):
    """The provider does not answer, or not as it must. Passwords go on working."""

    code: ClassVar[str] = "provider_down"


class ProviderRefused(AirworthyError):
    """The provider, or what it says, does not let them in."""

    code: ClassVar[str] = "provider_refused"


@dataclass(frozen=True, slots=True)
class Rule:
    """`roles`: by group of `roles_claim`; None: the provider says nothing of roles. `secret` empty: a public client."""

    issuer: str
    client_id: str
    redirect_uri: str
    secret: str = ""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    person_claim: str = "email"
    roles_claim: str | None = None
    roles: Mapping[str, Role] = field(default_factory=dict)
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Vouched:
    """`person`: an id of people.toml. `roles`: of theirs, those that the provider lets them have; None: all."""

    person: str
    roles: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class _Known:
    """The provider's document and keys, and when they were fetched."""

    document: Mapping[str, Any]
    keys: Mapping[str, Any]
    at_us: int


def journey(secret: str, what: str) -> str:
    """State, nonce and verifier: all follow from what the traveller's cookie holds."""
    made = hmac.new(secret.encode(), f"airworthy {what}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


class Provider:
    """One provider. `client`: a new guarded client for each errand; used from threads."""

    def __init__(
        self, rule: Rule, client: "Callable[[], httpx.Client]", clock: Clock, people: Callable[[], People]
    ) -> None:
        self._rule = rule
        self._client = client
        self._clock = clock
        self._people = people
        self._known: _Known | None = None
        self._turn = threading.Lock()

    def way_there(self, secret: str) -> str:
        """Where the browser goes. Raises: ProviderDown."""
        challenge = hashlib.sha256(journey(secret, "verifier").encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._rule.client_id,
            "redirect_uri": self._rule.redirect_uri,
            "scope": " ".join(self._rule.scopes),
            "state": journey(secret, "state"),
            "nonce": journey(secret, "nonce"),
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        at = str(self._learnt().document["authorization_endpoint"])
        return f"{at}{'&' if '?' in at else '?'}{urlencode(query)}"

    def vouched(self, secret: str, code: str, issuer: str = "") -> Vouched:
        """`issuer`: as the answer names it (RFC 9207), if it does. Raises: ProviderDown, ProviderRefused."""
        if issuer and issuer != self._rule.issuer:
            raise ProviderRefused(
                "The answer is of another provider.", mend="Start again from the page to sign in."
            )
        if not 0 < len(code) <= CODE_CHARS_MAX:
            raise ProviderRefused("The answer has no code.", mend="Start again from the page to sign in.")
        known = self._learnt()
        token = self._token(known, code, journey(secret, "verifier"))
        expected = Expected(
            self._rule.issuer,
            self._rule.client_id,
            journey(secret, "nonce"),
            self._clock.now_us() // US_PER_S,
        )
        claims = checked(token, known.keys, expected)
        if claims is None:  # A key that is not known: they may have taken a new one.
            claims = checked(token, self._fresh(known).keys, expected)
        if claims is None:
            raise ProviderRefused(
                "The provider's token is signed with a key that it does not publish.",
                mend="Ask who runs the provider.",
            )
        return Vouched(self._person(claims), self._roles(claims))

    def _token(self, known: _Known, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self._rule.redirect_uri,
            "code_verifier": verifier,
        }  # fmt: skip
        auth = None
        methods = known.document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if self._rule.secret and "client_secret_basic" in methods:
            auth = (_quoted(self._rule.client_id), _quoted(self._rule.secret))
        else:
            form["client_id"] = self._rule.client_id
            if self._rule.secret:
                form["client_secret"] = self._rule.secret
        status, answer = self._ask("POST", str(known.document["token_endpoint"]), form, auth)
        token = answer.get("id_token")
        if status != 200 or not isinstance(token, str):
            raise ProviderRefused(
                "The provider does not take its code back; it may have been used already.",
                mend="Start again from the page to sign in.",
            )
        return token

    def _person(self, claims: Mapping[str, Any]) -> str:
        """Raises: ProviderRefused."""
        claim = self._rule.person_claim
        said = claims.get(claim)
        declared = self._people().people
        if not isinstance(said, str) or not said:
            raise ProviderRefused(
                f"The provider does not say who you are: its token has no {claim}.",
                mend="Ask who runs airworthy.",
            )
        if claim != "email":
            found = [said] if said in declared else []
        elif claims.get("email_verified") not in (True, "true"):
            raise ProviderRefused(
                "The provider has not verified your address, so it proves nothing.",
                mend="Have it verified there.",
            )
        else:
            found = [
                id_ for id_, rule in declared.items() if (rule.email or "").casefold() == said.casefold()
            ]
        if len(found) != 1:
            raise ProviderRefused(
                f"The provider says that you are {said}, and people.toml knows nobody by that."
                if not found
                else f"People.toml names {said} more than once.",
                mend="Ask who runs airworthy to add you to people.toml.",
            )
        return found[0]

    def _roles(self, claims: Mapping[str, Any]) -> tuple[str, ...] | None:
        if self._rule.roles_claim is None:
            return None
        said = claims.get(self._rule.roles_claim)
        groups: Sequence[object] = said if isinstance(said, list) else [said]
        return tuple(
            sorted(
                {
                    self._rule.roles[group]
                    for group in groups
                    if isinstance(group, str) and group in self._rule.roles
                }
            )
        )

    def _learnt(self) -> _Known:
        """Raises: ProviderDown."""
        known = self._known
        if known is not None and self._clock.now_us() - known.at_us < KNOWN_S * US_PER_S:
            return known
        with self._turn:
            if self._known is not known and self._known is not None:
                return self._known  # Somebody else has fetched it meanwhile.
            self._known = self._fetched()
            return self._known

    def _fresh(self, known: _Known) -> _Known:
        if self._clock.now_us() - known.at_us < KEYS_AGAIN_S * US_PER_S:
            return known
        with self._turn:
            self._known = self._fetched()
            return self._known

    def _fetched(self) -> _Known:
        status, document = self._ask(
            "GET", f"{self._rule.issuer.rstrip('/')}/.well-known/openid-configuration"
        )
        if status != 200 or document.get("issuer") != self._rule.issuer:
            raise ProviderDown(
                f"{self._rule.issuer} does not describe itself as an OpenID Connect provider of that name.",
                mend="Compare `issuer` in console.toml with its .well-known/openid-configuration.",
            )
        schemes = ("https://", "http://") if self._rule.internal else ("https://",)
        for name in _KNOWN_ENDPOINTS:
            if not str(document.get(name, "")).startswith(schemes):
                raise ProviderDown(
                    f"The provider's {name} is no https address.", mend="Ask who runs the provider."
                )
        status, keys = self._ask("GET", str(document["jwks_uri"]))
        if status != 200 or not isinstance(keys.get("keys"), list):
            raise ProviderDown("The provider publishes no keys.", mend="Ask who runs the provider.")
        return _Known(document, keys, self._clock.now_us())

    def _ask(
        self,
        method: str,
        url: str,
        form: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON object. Raises: ProviderDown."""
        import httpx
        import orjson

        body = bytearray()
        try:
            with self._client() as client, client.stream(
                method, url, data=form, auth=auth, headers={"Accept": "application/json"}
            ) as answer:  # fmt: skip
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > ANSWER_BYTES_MAX:
                        raise ProviderDown(
                            "The provider answers with too much.", mend="Sign in with a password."
                        )
                status = answer.status_code
            found = orjson.loads(body)
        except (httpx.HTTPError, httpx.InvalidURL, EgressRefused, orjson.JSONDecodeError, OSError) as error:
            raise ProviderDown(
                "The provider does not answer as it must just now.",
                mend="Try again, or sign in with a password.",
            ) from error
        if status >= 500 or not isinstance(found, dict):
            raise ProviderDown(
                "The provider has a fault just now.", mend="Try again, or sign in with a password."
            )
        return status, found


def _quoted(text: str) -> str:
    """As OAuth wants both halves of basic authentication (RFC 6749, 2.3.1)."""
    return urlencode({"": text})[1:]
