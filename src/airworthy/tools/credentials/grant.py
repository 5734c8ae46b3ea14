"""A client's claim to a token (RFC 6749, sections 2.3.1, 4.4 and 6) and the request it makes; does no I/O."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote_plus, urlencode

from airworthy.core.canonical import encode

GrantKind = Literal["client_credentials", "refresh_token"]
ClientAuth = Literal["basic", "body"]


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A POST that asks for a token."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"TokenRequest({self.url!r})"


@dataclass(frozen=True, slots=True)
class Grant:
    """`first_refresh`: the refresh token that a person gave; later ones are kept by whoever renews.

    Without a secret the client is public, and only named.
    """

    dependency: str
    kind: GrantKind
    url: str
    client_id: str
    secret: str = ""
    client_auth: ClientAuth = "basic"
    first_refresh: str = ""
    scopes: tuple[str, ...] = ()
    audience: str = ""
    early_s: float = 60.0

    def __repr__(self) -> str:
        return f"Grant({self.dependency!r}, {self.kind!r}, {self.url!r}, {self.client_id!r})"

    @property
    def root(self) -> str:
        """What only the client itself knows, and what stays the same for as long as the grant does.

        Of a refresh token's grant that is the first one: the client's secret may change and the grant goes on.
        """
        return self.first_refresh if self.kind == "refresh_token" else self.secret

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(value for value in (self.secret, self.first_refresh) if value)

    @property
    def identity(self) -> bytes:
        """What a token of this grant is good for, without anything secret."""
        return encode([self.kind, self.url, self.client_id, self.scopes, self.audience])

    def request(self, refresh: str = "") -> TokenRequest:
        """`refresh`: the refresh token to be used up."""
        form: dict[str, str] = {"grant_type": self.kind}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # A compressed answer would have no bound.
        }
        if self.kind == "refresh_token":
            form["refresh_token"] = refresh
        if self.scopes:
            form["scope"] = " ".join(self.scopes)
        if self.audience:
            form["audience"] = self.audience
        if self.secret and self.client_auth == "basic":
            pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = self.client_id
            if self.secret:
                form["client_secret"] = self.secret
        return TokenRequest(self.url, headers, urlencode(form).encode())
