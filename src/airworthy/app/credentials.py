"""Credentials of an agent's dependencies, put together from the policy, the environment and the store."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from airworthy.app.config import secret
from airworthy.app.providers import KeyFile
from airworthy.core.errors import AirworthyError, ConfigError
from airworthy.core.redact import KNOWN_CHARS_MIN
from airworthy.policy import CredentialRule, Policy
from airworthy.resilience.egress import Egress, async_transport
from airworthy.store.lease import Owner
from airworthy.tools.credentials import (
    CredentialBroken,
    FromCode,
    Grant,
    Keeper,
    PlainKey,
    Refused,
    Renewal,
    Renewed,
    Seal,
    Source,
    Token,
    sealing_missing,
)
from airworthy.tools.credentials.endpoint import Endpoint

if TYPE_CHECKING:
    import httpx

    from airworthy.app.build import App
    from airworthy.runtime import Agent

OWNER = "crd"  # How the ids begin of those who only ask for a token.


def credentials_of(agent: "Agent", app: "App") -> "Mapping[str, httpx.Auth]":
    """By dependency, for the clients that tools are handed. Asks for nothing yet.

    Raises: ConfigError for what is missing: a variable, a file, the library that seals tokens.
    """
    found = {name: auth_of(name, agent, app) for name in agent.policy.dependencies}
    return {name: auth for name, auth in found.items() if auth is not None}


def auth_of(name: str, agent: "Agent", app: "App") -> "httpx.Auth | None":
    """Of one dependency; None when it needs no credential, or has no address. Raises: ConfigError."""
    dependency = agent.policy.dependencies[name]
    rule = dependency.credentials
    if rule is None or dependency.base_url is None:
        return None
    from airworthy.tools.credentials.auth import CredentialAuth

    return CredentialAuth(source_of(name, agent, app), dependency.base_url, rule.header, rule.scheme)


def source_of(name: str, agent: "Agent", app: "App") -> Source:
    """The credential of one dependency, which must have one. Raises: ConfigError."""
    rule = agent.policy.dependencies[name].credentials
    assert rule is not None
    learn = app.payloads.redactor.learn
    if rule.kind == "callable":
        return Keeper(
            name, FromCode(name, agent.credentials[name], app.clock), app.clock, rule.early_s, learn
        )
    try:
        if rule.kind == "api_key":
            key = PlainKey(_Words(name, rule, learn))
            key.get()
            return key
        renew = OAuth(name, agent.policy, app)
        renew.grant()
    except CredentialBroken as error:
        raise ConfigError(error.message, mend=error.mend) from error
    if rule.kind == "refresh_token" and sealing_missing():
        raise ConfigError(
            f"The refresh tokens of {name} cannot be kept: sealing them needs the package cryptography.",
            mend=sealing_missing(),
        )
    return Keeper(name, renew, app.clock, rule.early_s, learn, app.flights)


def secrets_of(policies: "list[Policy]") -> tuple[str, ...]:
    """Keys, client secrets and first refresh tokens as they are now, for whoever must never write them down."""
    found = []
    for policy in policies:
        for name, dependency in policy.dependencies.items():
            rule = dependency.credentials
            if rule is None or rule.kind == "callable":
                continue
            found.append(secret(rule.refresh_token_env))
            try:
                found.append(_Words(name, rule)())
            except CredentialBroken:
                continue  # Whoever needs it says so.
    return tuple(value for value in found if len(value) >= KNOWN_CHARS_MIN)


class OAuth:
    """The `renew` of a Keeper: with the secret as it is now, so that one that was changed needs no restart."""

    def __init__(
        self, name: str, policy: Policy, app: "App", client: "Callable[[], httpx.AsyncClient] | None" = None
    ) -> None:
        self._name = name
        self._dependency = policy.dependencies[name]
        rule = self._dependency.credentials
        assert rule is not None
        self._rule = rule
        self._app = app
        self._secret = _Words(name, rule, app.payloads.redactor.learn)
        self._renewal: Renewal | None = None
        self.endpoint = Endpoint(client or self._client, app.clock)

    def __call__(self, refused: str, known: Token | None) -> Renewed:
        try:
            return self.renewal()(refused, known)
        except AirworthyError as error:
            return Renewed(failed=Refused(error.message, error.mend))

    def renewal(self) -> Renewal:
        """Raises: CredentialBroken."""
        grant = self.grant()
        if self._renewal is None or self._renewal.grant != grant:
            seal = None if sealing_missing() else Seal(grant.root, grant.identity)
            self._renewal = Renewal(
                grant, self.endpoint.ask, self._app.database, self._app.clock, self._owner, seal=seal,
                learn=self._app.payloads.redactor.learn,
            )  # fmt: skip
        return self._renewal

    def grant(self) -> Grant:
        """Raises: CredentialBroken when a secret is missing."""
        rule = self._rule
        assert rule.token_url is not None
        assert rule.client_id is not None
        named = rule.secret_env or rule.secret_file
        first = secret(rule.refresh_token_env)
        if rule.kind == "refresh_token" and not first:
            raise _missing(self._name, rule.refresh_token_env, "the first refresh token")
        return Grant(
            self._name, "refresh_token" if rule.kind == "refresh_token" else "client_credentials", rule.token_url,
            rule.client_id, self._secret() if named else "", rule.client_auth, first, rule.scopes,
            rule.audience or "", rule.early_s,
        )  # fmt: skip

    def _client(self) -> "httpx.AsyncClient":
        import httpx

        # The token endpoint may be inside the network where its dependency may be.
        transport = async_transport(Egress(internal=self._dependency.internal))
        return httpx.AsyncClient(transport=transport, trust_env=False, timeout=self._dependency.timeout_s)

    def _owner(self) -> Owner:
        from airworthy.app.build import this_process

        return this_process(self._app.clock, OWNER, "")


class _Words:
    """A secret from its variable or its file. A file that is being changed and cannot be read gives the last one."""

    def __init__(
        self, name: str, rule: CredentialRule, learn: Callable[[str], None] = lambda _: None
    ) -> None:
        self._name = name
        self._variable = rule.secret_env
        self._file = (
            KeyFile(Path(rule.secret_file), CredentialBroken) if rule.secret_file is not None else None
        )
        self._learn = learn
        self._last = ""

    def __call__(self) -> str:
        """Raises: CredentialBroken."""
        try:
            text = secret(self._variable) if self._file is None else self._file()
        except CredentialBroken:
            if not self._last:
                raise
            return self._last
        if not text:
            raise _missing(self._name, self._variable, "its secret")
        if text != self._last:
            self._learn(text)
            self._last = text
        return text


def _missing(name: str, variable: str, what: str) -> CredentialBroken:
    return CredentialBroken(
        f"The credential of {name} is missing: {variable}, which holds {what}, is not set.",
        mend=f"Set it where the workers start: export {variable}=...",
    )
