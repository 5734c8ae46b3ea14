"""Which model the demo uses: a real one if the environment offers it, else the simulated one. Starts nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import orjson

from airworthy.app.config import secret, variable
from airworthy.core.errors import ConfigError

SIMULATED: Final = "simulated"
SIMULATED_NAMES: Final = ("sim-large-2026-11-01", "sim-small-2026-11-01")
OPENAI_NAME: Final = "gpt-4.1-mini-2025-04-14"
ANTHROPIC_NAME: Final = "claude-haiku-4-5-20251001"
ANTHROPIC_URL: Final = "https://api.anthropic.com/v1"
# What a letter takes on average, seen over all letters of the demo; an estimate for people, never a bound.
TOKENS_IN_PER_LETTER: Final = 9_000
TOKENS_OUT_PER_LETTER: Final = 600
LIST_S_MAX: Final = 5.0


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens. `cached`: input that the provider still had."""

    tokens_in: float
    tokens_out: float
    cached: float | None = None


PRICES: Final = {OPENAI_NAME: Price(0.40, 1.60, 0.10), ANTHROPIC_NAME: Price(1.00, 5.00)}
# The simulated model charges what the small real one would, so that budgets have something to count.
SIMULATED_PRICE: Final = PRICES[OPENAI_NAME]
FREE: Final = Price(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Choice:
    """`models`: exact names, the first one and its fallbacks. `base_url` None: the provider's own.

    `because` says in words how the choice came about. `price_known`: False for a server whose prices nobody told us.
    """

    models: tuple[str, ...]
    price: Price
    because: str
    base_url: str | None = None
    api_key_env: str = ""
    simulated: bool = False
    price_known: bool = True

    @property
    def name(self) -> str:
        return SIMULATED if self.simulated else self.models[0]

    def estimate_usd(self, letters: int) -> float:
        return (
            letters
            * (TOKENS_IN_PER_LETTER * self.price.tokens_in + TOKENS_OUT_PER_LETTER * self.price.tokens_out)
            / 1e6
        )


def choose(model: str | None, base_url: str | None) -> Choice:
    """A base URL goes before a key, and what a command says before the environment. Raises: ConfigError."""
    base_url = base_url or (variable("OPENAI_BASE_URL") if model != SIMULATED else None)
    if model == SIMULATED and base_url:
        raise ConfigError(
            f"The simulated model is not served at {base_url}.", mend="Leave one of the two out."
        )
    if base_url:
        return _served_at(base_url, model)
    if model != SIMULATED and secret("OPENAI_API_KEY"):
        name = _priced(model or OPENAI_NAME, OPENAI_NAME)
        return Choice((name,), PRICES[name], "OPENAI_API_KEY is set", api_key_env="OPENAI_API_KEY")
    if model != SIMULATED and secret("ANTHROPIC_API_KEY"):
        name = _priced(model or ANTHROPIC_NAME, ANTHROPIC_NAME)
        because = "ANTHROPIC_API_KEY is set"
        return Choice((name,), PRICES[name], because, base_url=ANTHROPIC_URL, api_key_env="ANTHROPIC_API_KEY")
    if model not in (None, SIMULATED):
        raise ConfigError(
            f"There is no key for the model {model!r}.",
            mend="Set OPENAI_API_KEY or ANTHROPIC_API_KEY, or name its server with --base-url.",
        )
    because = "--model says so" if model == SIMULATED else "no key and no base URL of a real one are set"
    return Choice(SIMULATED_NAMES, SIMULATED_PRICE, because, simulated=True)


def _served_at(base_url: str, model: str | None) -> Choice:
    key_env = "OPENAI_API_KEY" if secret("OPENAI_API_KEY") else ""
    name = model or _only_one(_served_models(base_url, secret(key_env)), base_url)
    known = PRICES.get(name)
    is_local = (urlsplit(base_url).hostname or "") in {"localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104
    return Choice(
        (name,), known or FREE, f"the server {base_url} was named", base_url=base_url.rstrip("/"),
        api_key_env=key_env, price_known=known is not None or is_local,
    )  # fmt: skip


def _priced(name: str, known: str) -> str:
    if name not in PRICES:
        raise ConfigError(
            f"The demo does not know the price of {name!r}, so it could not bound what the run costs.",
            mend=f"Leave --model out to use {known}.",
        )
    return name


def _only_one(names: Sequence[str], base_url: str) -> str:
    if len(names) == 1:
        return names[0]
    listed = ", ".join(names[:12]) or "none that it would list"
    raise ConfigError(f"{base_url} serves {len(names)} models: {listed}.", mend="Choose one with --model.")


def _served_models(base_url: str, api_key: str) -> list[str]:
    from pyreqwest import exceptions as http
    from pyreqwest.client import SyncClientBuilder

    url = f"{base_url.rstrip('/')}/models"
    try:
        with SyncClientBuilder().timeout(timedelta(seconds=LIST_S_MAX)).build() as client:
            request = client.get(url)
            response = (request.bearer_auth(api_key) if api_key else request).build().send()
            body = orjson.loads(bytes(response.bytes()))
            return [str(entry["id"]) for entry in body["data"]]
    except (http.PyreqwestError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{url} does not say which models it serves ({type(error).__name__}).",
            mend="Check the address (it usually ends in /v1), or name the model with --model.",
        ) from error
