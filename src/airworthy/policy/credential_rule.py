"""How a dependency knows us: which kind of credential, and where its secrets come from; holds no secret."""

from typing import Annotated, Literal

from pydantic import Field

from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import Argument, Seconds, Section
from airworthy.policy.model_rule import BaseUrl, EnvironmentName, KeyFile

Kind = Literal["api_key", "client_credentials", "refresh_token", "callable"]
Scope = Annotated[str, Field(pattern=r"^[!#-\[\]-~]{1,200}$")]


class CredentialRule(Section):
    """One `[dependencies.<name>.credentials]` table."""

    kind: Kind = Field(
        description="`api_key`; OAuth 2 `client_credentials` or `refresh_token`; or `callable`, given to the Agent in "
        "code. Broken: an unknown word is an error at load.",
    )
    header: Argument = Field(
        default="Authorization",
        description="The header that carries it. Broken: the other side refuses the call.",
    )
    scheme: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,50}$")] = Field(
        default="Bearer",
        description='The word before it in the header; "" for none. Broken: the other side refuses the call.',
    )
    secret_env: EnvironmentName = Field(
        default="",
        description="The variable with the API key, the client secret or the refresh token's client secret. "
        "Broken: `doctor` and the start say that it is missing.",
    )
    secret_file: KeyFile | None = Field(
        default=None,
        description="A file with it instead, read anew when it changes: so a key is rotated without a restart. "
        "Broken: as `secret_env`.",
    )
    token_url: BaseUrl | None = Field(
        default=None,
        description="Where OAuth 2 tokens are asked for. Broken: missing for an OAuth kind is an error at load.",
    )
    client_id: str | None = Field(
        default=None,
        max_length=500,
        description="The OAuth 2 client. Broken: missing for an OAuth kind is an error at load.",
    )
    refresh_token_env: EnvironmentName = Field(
        default="",
        description="The variable with the first refresh token; later ones are kept in the store, sealed. "
        "Broken: as `secret_env`.",
    )
    client_auth: Literal["basic", "body"] = Field(
        default="basic",
        description="How the client's secret travels to the token endpoint: in a header (`basic`) or in the `body`. "
        "Broken: the endpoint does not know the client.",
    )
    scopes: Annotated[tuple[Scope, ...], Field(strict=False, max_length=50)] = Field(
        default=(),
        description="Scopes to ask for. Broken: the token endpoint refuses, or the call does.",
    )
    audience: str | None = Field(
        default=None,
        max_length=500,
        description="The audience to ask for, where the endpoint wants one. Broken: as `scopes`.",
    )
    early_s: Seconds = Field(
        default=60.0,
        description="How long before its end a token is refreshed. Broken: a late one is refreshed on the first 401.",
    )

    def contradictions(self) -> list[Flaw]:
        flaws = []
        oauth = self.kind in ("client_credentials", "refresh_token")
        if oauth:
            flaws += [
                Flaw((key,), f"is needed for kind = {self.kind!r}.", f'Add {key} = "...".')
                for key in ("token_url", "client_id")
                if getattr(self, key) is None
            ]
        if self.kind in ("api_key", "client_credentials") and not (self.secret_env or self.secret_file):
            mend = 'Name where it is: secret_env = "CRM_SECRET", or secret_file.'
            flaws.append(Flaw(("kind",), "needs a secret.", mend))
        if self.kind == "refresh_token" and not self.refresh_token_env:
            mend = 'Name the variable with the first one: refresh_token_env = "CRM_REFRESH_TOKEN".'
            flaws.append(Flaw(("kind",), "needs a refresh token.", mend))
        if self.kind == "callable":
            flaws += [
                Flaw(
                    (key,),
                    "means nothing for a callable.",
                    "Leave it out; the function in the code knows it.",
                )
                for key in ("secret_env", "secret_file", "token_url", "client_id", "refresh_token_env")
                if self.says(key)
            ]
        if self.secret_env and self.secret_file:
            flaws.append(Flaw(("secret_file",), "stands beside secret_env.", "Keep one of the two."))
        return flaws
