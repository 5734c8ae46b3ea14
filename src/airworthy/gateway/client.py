"""The OpenAI chat-completions protocol over HTTP: one request, one reply or one classified error. No retry here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import orjson

from airworthy.gateway.errors import (
    ContextOverflow,
    ModelAuthFailed,
    ModelError,
    ModelOutage,
    ModelRateLimited,
    ModelRefusedRequest,
    ModelTimeout,
    ModelUnknown,
    ModelUnreachable,
)
from airworthy.resilience import reached

if TYPE_CHECKING:
    from pyreqwest.client import Client

OPENAI_URL = "https://api.openai.com/v1"
_OVERFLOW_WORDS = (
    "context_length",
    "context window",
    "maximum context",
    "too many tokens",
    "prompt is too long",
)

RetryAfter = Callable[[Mapping[str, str]], float | None]


class ModelClient(Protocol):
    """What the gateway needs of a provider; `airworthy.testing.SimulatedModel` is the fake."""

    async def complete(self, body: bytes, timeout_s: float) -> bytes:
        """The provider's body of a 200. Raises: ModelError."""
        ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is served. The key stays out of `repr`, so that no trace can show it."""

    base_url: str
    api_key: str

    def __repr__(self) -> str:
        return f"Endpoint(base_url={self.base_url!r}, api_key={'set' if self.api_key else 'none'})"


class OpenAIClient:
    """Keeps connections open between calls; belongs to one event loop, and is made when first used there."""

    def __init__(
        self, endpoint: Endpoint, retry_after: RetryAfter, *, connect_timeout_s: float = 5.0
    ) -> None:
        self.endpoint = endpoint
        self._retry_after = retry_after
        self._connect_timeout_s = connect_timeout_s
        self._client: Client | None = None

    async def complete(self, body: bytes, timeout_s: float) -> bytes:
        from pyreqwest import exceptions as http

        url = f"{self.endpoint.base_url.rstrip('/')}/chat/completions"
        request = self._connected().post(url).body_bytes(body).header("content-type", "application/json")
        if self.endpoint.api_key:
            request = request.bearer_auth(self.endpoint.api_key)
        try:
            response = await request.timeout(timedelta(seconds=timeout_s)).build().send()
            raw = bytes(await response.bytes())
        except http.PyreqwestError as error:
            raise self._lost(error, timeout_s) from error
        if response.status != 200:
            headers = {name.lower(): value for name, value in response.headers.items()}
            raise classified(self.endpoint.base_url, response.status, raw, self._retry_after(headers))
        return raw

    def _lost(self, error: Exception, timeout_s: float) -> ModelError:
        where = self.endpoint.base_url
        match reached(error):
            case "no":
                return ModelUnreachable(
                    f"No connection to the model server {where}.",
                    mend="Check its address in the policy (base_url), and that it is running.",
                )
            case "timeout":
                return ModelTimeout(
                    f"No reply from {where} within {timeout_s:g} s.",
                    mend="Raise timeout_s of the model, or name a fallback model.",
                    billed=True,
                )
            case "maybe":
                return ModelTimeout(
                    f"The connection to {where} broke before the reply was whole.", billed=True
                )

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _connected(self) -> "Client":
        if self._client is None:
            from pyreqwest.client import ClientBuilder

            builder = ClientBuilder().connect_timeout(timedelta(seconds=self._connect_timeout_s))
            if _is_loopback(self.endpoint.base_url):
                # A proxy set for the outside world must not be asked for a server on this machine.
                builder = builder.no_proxy()
            self._client = builder.user_agent("airworthy").build()
        return self._client


def classified(where: str, status: int, raw: bytes, retry_after_s: float | None) -> ModelError:
    """What an answer other than 200 means. `where` names the server for the reader."""
    detail = _detail(raw)
    says = f"{where} answered {status}: {detail}"
    match status:
        case 401 | 403:
            return ModelAuthFailed(
                says,
                mend="Put a valid key for this server into the variable the policy names (api_key_env).",
            )
        case 404:
            return ModelUnknown(says, mend="Check the model's name and base_url in the policy.")
        case 408 | 409 | 425:
            return ModelTimeout(says, retry_after_s=retry_after_s)
        case 429:
            if "quota" in detail.lower() or "billing" in detail.lower():
                return ModelAuthFailed(says, mend="The account is out of credit: top it up, or use another.")
            return ModelRateLimited(says, retry_after_s=retry_after_s)
        case 400 | 413 if any(word in detail.lower() for word in _OVERFLOW_WORDS):
            return ContextOverflow(says, mend="Send less history, or use a model with a larger window.")
        case _ if status >= 500:
            return ModelOutage(says, retry_after_s=retry_after_s, billed=status != 503)
        case _:
            return ModelRefusedRequest(says, mend="Mend the request: the provider says what it dislikes.")


def _is_loopback(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def _detail(raw: bytes) -> str:
    """The provider's own words, shortened; its body is data and may be anything."""
    try:
        error: Any = orjson.loads(raw).get("error", {})
        parts = (
            [str(error.get("code") or ""), str(error.get("message") or "")]
            if isinstance(error, dict)
            else [str(error)]
        )
        text = " ".join(part for part in parts if part)
    except (orjson.JSONDecodeError, AttributeError):
        text = raw[:200].decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in text)[:300] or "no explanation"
