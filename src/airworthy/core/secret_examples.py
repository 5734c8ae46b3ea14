"""What each kind of secret looks like, with examples that are found and that are not. Holds no whole secret itself.

The examples are put together when they are asked for: a whole key in a file makes secret scanners stop the file.
"""

from dataclasses import dataclass
from typing import Final

_A: Final = "Ab3dEf6hIj9lMn2p"
_LONG: Final = _A * 3


@dataclass(frozen=True, slots=True)
class SecretExamples:
    """`hits` are texts of which part is written over; `misses` stay as they are."""

    kind: str
    what: str
    hits: tuple[str, ...]
    misses: tuple[str, ...]


def secret_examples() -> tuple[SecretExamples, ...]:
    def keys(kind: str, what: str, *hits: str, misses: tuple[str, ...]) -> SecretExamples:
        return SecretExamples(kind, what, hits, misses)

    jwt = f"eyJ{_A}.eyJ{_A}{_A}.{_A}"
    pem = "-----BEGIN " + f"PRIVATE KEY-----\n{_LONG}\n-----END PRIVATE KEY-----"
    return (
        keys("anthropic_key", "A key of Anthropic.", "sk-ant-" + _LONG, misses=("sk-ant-short",)),
        keys("openai_key", "A key of OpenAI, or of who copied its form.", "sk-proj-" + _LONG, misses=("sk-learn",)),
        keys("airworthy_key", "A key to the gateway.", "aw_" + (_A * 2), misses=("aw_snap",)),
        keys("google_key", "A key of Google.", "AIza" + _LONG, misses=("AIza-short",)),
        keys("aws_key", "An access key's id of AWS.", "AKIA" + "ABCDEFGH12345678", misses=("AKIA-1234",)),
        keys("github_token", "A token of GitHub.", "ghp_" + _LONG, "github_pat_" + _LONG, misses=("ghp_short",)),
        keys("gitlab_token", "A token of GitLab.", "glpat-" + _A + _A, misses=("glpat-short",)),
        keys("slack_token", "A token of Slack.", "xoxb-" + _LONG, misses=("xoxo-hugs",)),
        keys("slack_webhook", "An incoming webhook of Slack.", "https://hooks.slack.com/services/" + _LONG,
             misses=("https://hooks.slack.com/",)),
        keys("stripe_key", "A key of Stripe.", "sk_live_" + _A, misses=("sk_live_short",)),
        keys("jwt", "A JSON web token.", jwt, misses=("eyJhbGciOiJIUzI1NiJ9",)),
        keys("authorization", "What follows Bearer or Basic.", f"Authorization: Bearer {_LONG}",
             misses=("Authorization: Bearer <token>",)),
        keys("private_key", "A private key in PEM.", pem, misses=("-----BEGIN PUBLIC KEY-----",)),
        keys("url_password", "The password in an address.", f"postgres://app:{_A}@db/app",
             misses=("https://example.org/a:b",)),
        keys("password", "The value of a password, in text or JSON.", f"password={_A}", f'{{"passwd":"{_A}"}}',
             misses=("password=<yours>", "Forgot your password?")),
        keys("api_key", "The value of an API key.", f"API_KEY: {_A}", misses=("sort_key: name12345",)),
        keys("secret", "The value of a secret.", f"client_secret = '{_A}'", misses=("It is a secret.",)),
        keys("token", "The value of a token, long and with a digit.", f"TOKEN={_LONG}",
             misses=(f"next_page_token={_LONG}", "token: yes")),
    )  # fmt: skip
