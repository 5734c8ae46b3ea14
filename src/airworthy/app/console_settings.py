"""What `console.toml` says: where the console is reached, how people sign in, and for how long."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import Field

from airworthy.console.door import HOUR_US, Door
from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import ENTRIES_MAX, Section
from airworthy.policy.load import load_toml
from airworthy.review.people import Role

CONSOLE_FILE: Final = "console.toml"
Text = Annotated[str, Field(min_length=1, max_length=500)]
Claim = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.:/-]{0,127}$")]


class OidcRule(Section):
    """`[oidc]`: a provider that vouches for people of people.toml."""

    issuer: Text = Field(description="The provider's address, exactly as its tokens say it in `iss`.")
    client_id: Text = Field(description="What the provider calls this console.")
    client_secret_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")] | None = Field(
        default=None,
        description="The environment variable with the secret; none: a public client, by PKCE alone.",
    )
    name: Annotated[str, Field(min_length=1, max_length=60)] = Field(
        default="your organisation", description="What the button says: Sign in with ..."
    )
    scopes: Annotated[tuple[Text, ...], Field(strict=False, max_length=20)] = Field(
        default=("openid", "email", "profile"), description="What is asked for."
    )
    person_claim: Claim = Field(
        default="email",
        description="The claim that tells who it is: `email` is looked up in people.toml (and must be verified), any "
        "other must be an id there.",
    )
    roles_claim: Claim | None = Field(
        default=None,
        description="A claim with groups. People then have, of their roles in people.toml, those alone that `roles` "
        "gives their groups.",
    )
    roles: Annotated[Mapping[Text, Role], Field(max_length=ENTRIES_MAX)] = Field(
        default_factory=dict, description="Which role a group lets people have."
    )
    internal: bool = Field(
        default=False, description="The provider may be at an internal address, and speak http."
    )

    def contradictions(self) -> list[Flaw]:
        flaws = []
        parts = urlsplit(self.issuer)
        schemes = ("https", "http") if self.internal else ("https",)
        if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment:
            flaws.append(Flaw(("issuer",), "is no address of a provider.", "Write it as https://HOST/PATH."))
        if "openid" not in self.scopes:
            flaws.append(Flaw(("scopes",), "lacks openid.", 'Add "openid".'))
        if (self.roles_claim is None) != (not self.roles):
            flaws.append(Flaw(("roles",), "and roles_claim go together.", "Write both, or neither."))
        return flaws


class ConsoleSettings(Section):
    """All of console.toml; without the file all is as by default."""

    public_url: Annotated[str, Field(max_length=500)] | None = Field(
        default=None,
        description="As browsers reach it: scheme, host and port. Needed behind a proxy, and for `[oidc]`.",
    )
    session_hours: Annotated[float, Field(gt=0, le=24 * 90)] = Field(
        default=12.0, description="After so long somebody signs in anew."
    )
    idle_hours: Annotated[float, Field(gt=0, le=24 * 90)] = Field(
        default=2.0, description="After so long without a request, too."
    )
    proxies: Annotated[tuple[Text, ...], Field(strict=False, max_length=50)] = Field(
        default=(), description="Addresses or networks whose X-Forwarded-For is believed."
    )
    metrics_open: bool = Field(
        default=False,
        description="/metrics without a key, for whoever reaches the port. They name agents, no user.",
    )
    oidc: OidcRule | None = Field(default=None, description="Sign-in by OpenID Connect.")

    def contradictions(self) -> list[Flaw]:
        flaws = []
        if self.public_url is not None and not _is_origin(self.public_url):
            flaws.append(
                Flaw(
                    ("public_url",),
                    "is no address of a site.",
                    "Write scheme, host and port: https://console.example.",
                )
            )
        if self.oidc is not None and self.public_url is None:
            flaws.append(
                Flaw(("public_url",), "is needed by [oidc].", "Write where browsers reach the console.")
            )
        for position, proxy in enumerate(self.proxies):
            try:
                ipaddress.ip_network(proxy, strict=False)
            except ValueError:
                flaws.append(Flaw(("proxies", position), "is no network.", "Write it as 10.0.0.0/8."))
        return flaws


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and text == f"{parts.scheme}://{parts.netloc}"
    )


def load_console_settings(folder: Path) -> ConsoleSettings:
    """Raises: PolicyError, with all problems of the file at once, each with its line."""
    path = folder / CONSOLE_FILE
    return load_toml(path, ConsoleSettings) if path.exists() else ConsoleSettings()


def door_of(settings: ConsoleSettings) -> Door:
    return Door(
        settings.public_url or "", round(settings.session_hours * HOUR_US), round(settings.idle_hours * HOUR_US),
        settings.proxies, settings.oidc.name if settings.oidc is not None else "",
        metrics_open=settings.metrics_open,
    )  # fmt: skip
