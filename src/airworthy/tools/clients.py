"""The HTTP clients that tools are handed: bound to one dependency, guarded, and with errors that say what happened."""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from airworthy.core.clock import US_PER_S, Clock
from airworthy.resilience import Egress, EgressRefused, async_transport, parse_retry_after, sync_transport
from airworthy.tools.errors import Permanent, Transient
from airworthy.tools.exchange import (
    DETAIL_CHARS_MAX,
    KEY_HEADER,
    SAFE_METHODS,
    Exchange,
    count_act,
    current,
    of_error,
    of_refusal,
    of_status,
)

ANSWER_BYTES_MAX = 32 * 1024 * 1024  # Of one body, unpacked; a tool that streams bounds itself.
CONNECTIONS_MAX = 100
CONNECT_SHARE = (
    0.5  # Of the time for an answer, so that a connection that hangs is told from an answer that does.
)
_PACKED = ("content-encoding", "content-length", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a dependency's clients are made of."""

    name: str
    base_url: str
    timeout_s: float
    egress: Egress
    auth: httpx.Auth | None = None
    concurrency: int | None = None

    def settings(self) -> dict[str, Any]:
        wait_s = self.timeout_s * CONNECT_SHARE
        return {
            "base_url": self.base_url,
            "timeout": httpx.Timeout(self.timeout_s, connect=wait_s, pool=wait_s),
            "auth": self.auth,
            # One task's session is none of another's.
            "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=())),
            "follow_redirects": False,
            "trust_env": False,
        }

    def limits(self) -> httpx.Limits:
        return httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=self.concurrency or 20)


class _TooLong(Exception):
    """A body beyond its bound."""


class _Meaning:
    """One request from the first look at it to what its answer means; shared by both clients."""

    def __init__(self, terms: Terms, clock: Clock, base: httpx.URL, request: httpx.Request) -> None:
        self.exchange: Exchange = current()
        self.request = request
        self.deadline_us = clock.now_us() + round(terms.timeout_s * US_PER_S)
        self._terms = terms
        self._clock = clock
        url = request.url
        if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
            # Whatever a model or a record names: neither our credential nor our request goes anywhere else.
            raise Permanent(
                f"The client of {terms.name} goes to {str(base).rstrip('/')} alone, not to {url.host!r}.",
                mend="Hand it a path below base_url, or make a dependency of the other address.",
            )
        if self.exchange.key and request.method not in SAFE_METHODS and KEY_HEADER not in request.headers:
            request.headers[KEY_HEADER] = self.exchange.key_for_next()

    def failed(self, error: Exception) -> Exception:
        if isinstance(error, EgressRefused):
            failure: Exception = of_refusal(error, self.exchange, self.request.method)
        elif isinstance(error, TimeoutError):
            text = f"No answer came within {self._terms.timeout_s:g} s."
            failure = Transient(text, happened=self.exchange.happened(self.request.method, "maybe"))
        elif isinstance(error, httpx.RequestError | httpx.InvalidURL):
            failure = of_error(error, self.exchange, self.request.method)
        elif isinstance(error, _TooLong):
            failure = Permanent(str(error), mend="Ask for less, or stream it.")
            failure.happened = self.exchange.happened(self.request.method, "maybe")
        else:
            failure = error  # Of the credential, and says itself what it means.
            if isinstance(failure, Transient | Permanent):
                failure.happened = self.exchange.happened(self.request.method, failure.happened)
        count_act(self.exchange, self.request.method, failure)
        return failure

    def check_late(self) -> None:
        if self._clock.now_us() > self.deadline_us:
            raise TimeoutError

    def wants_detail(self, response: httpx.Response) -> bool:
        return not (
            response.status_code < 300
            or self.exchange.accepts is None
            or response.status_code in self.exchange.accepts
        )

    def judged(self, response: httpx.Response, body: bytes) -> httpx.Response:
        """The answer, for the tool to read. Raises: Transient, Permanent."""
        now_us = self._clock.now_us()
        failure = of_status(
            response.status_code, response.headers, _shown(body), self.exchange, self.request.method,
            parse_retry_after(response.headers, now_us) if response.status_code >= 400 else None,
        )  # fmt: skip
        count_act(self.exchange, self.request.method, failure)
        if failure is not None:
            raise failure
        return response


class DependencyClient(httpx.AsyncClient):
    """An `httpx.AsyncClient` whose requests raise Transient or Permanent where httpx's own would raise or return."""

    def __init__(self, terms: Terms, clock: Clock) -> None:
        super().__init__(
            transport=async_transport(terms.egress, limits=terms.limits(), ssl_context=_tls()),
            **terms.settings(),
        )
        self._terms = terms
        self._clock = clock

    async def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> httpx.Response:
        meaning = _Meaning(self._terms, self._clock, self.base_url, request)
        options["follow_redirects"] = False
        try:
            async with asyncio.timeout(self._terms.timeout_s):
                response = await super().send(request, stream=True, **options)
                if stream and not meaning.wants_detail(response):
                    return meaning.judged(response, b"")
                body = await _whole_async(response)
        except Exception as error:
            raise meaning.failed(error) from error
        return meaning.judged(_read(response, body), body)


class DependencySyncClient(httpx.Client):
    """The same for plain tools, which run in threads."""

    def __init__(self, terms: Terms, clock: Clock) -> None:
        super().__init__(
            transport=sync_transport(terms.egress, limits=terms.limits(), ssl_context=_tls()),
            **terms.settings(),
        )
        self._terms = terms
        self._clock = clock

    def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> httpx.Response:
        meaning = _Meaning(self._terms, self._clock, self.base_url, request)
        options["follow_redirects"] = False
        try:
            response = super().send(request, stream=True, **options)
            if stream and not meaning.wants_detail(response):
                return meaning.judged(response, b"")
            body = _whole(response, meaning)
        except Exception as error:
            raise meaning.failed(error) from error
        return meaning.judged(_read(response, body), body)


@cache
def _tls() -> ssl.SSLContext:
    """One for a process: it takes tens of milliseconds to read all authorities."""
    return httpx.create_ssl_context()


async def _whole_async(response: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.aiter_bytes():
            size = _checked(size + len(part))
            parts.append(part)
    finally:
        await response.aclose()
    return b"".join(parts)


def _whole(response: httpx.Response, meaning: _Meaning) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        for part in response.iter_bytes():
            meaning.check_late()
            size = _checked(size + len(part))
            parts.append(part)
    finally:
        response.close()
    return b"".join(parts)


def _checked(size: int) -> int:
    if size > ANSWER_BYTES_MAX:
        raise _TooLong(f"The answer has more than {ANSWER_BYTES_MAX} bytes.")
    return size


def _read(response: httpx.Response, body: bytes) -> httpx.Response:
    """The answer with its body at hand. It is unpacked already, so what says that it is packed is left out."""
    headers: Iterable[tuple[bytes, bytes]] = response.headers.raw
    kept = [(name, value) for name, value in headers if name.lower().decode("latin-1") not in _PACKED]
    whole = httpx.Response(
        response.status_code, headers=kept, content=body, request=response.request,
        extensions=response.extensions, history=response.history, default_encoding=response.default_encoding,
    )  # fmt: skip
    whole.elapsed = response.elapsed
    return whole


def _shown(body: bytes) -> str:
    text = body[: 4 * DETAIL_CHARS_MAX].decode("utf-8", "replace")
    return "".join(char for char in " ".join(text.split()) if char.isprintable())[:DETAIL_CHARS_MAX]
