"""The credential in an HTTP request: put into its header, and once anew when the answer is 401. Needs httpx."""

from collections.abc import AsyncGenerator, Generator

import httpx

from airworthy.core.errors import ConfigError
from airworthy.tools.credentials.keeper import Source

REFUSED = 401


class CredentialAuth(httpx.Auth):
    """For `httpx.Client(auth=...)` and `httpx.AsyncClient(auth=...)`; any number of clients may share one.

    Only requests to the origin of `base_url` carry the credential. A 401 was refused before anything was done, so the
    request is sent once more with another credential, if there is one, unless its body is gone with the sending.
    """

    def __init__(
        self, source: Source, base_url: str, header: str = "Authorization", scheme: str = "Bearer"
    ) -> None:
        self._source = source
        self._origin = _origin(httpx.URL(base_url))
        self._header = header
        self._scheme = scheme

    def __repr__(self) -> str:
        return f"CredentialAuth({self._header!r})"

    async def obtain(self) -> None:
        """Has a credential at hand for the next call. Raises: CredentialDown, CredentialBroken."""
        await self._source.get_async()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if _origin(request.url) != self._origin:
            yield request
            return
        text = self._source.get()
        self._put(request, text)
        response = yield request
        if response.status_code == REFUSED and _can_be_sent_again(request):
            other = self._source.instead(text)
            if other is not None:
                self._put(request, other)
                yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if _origin(request.url) != self._origin:
            yield request
            return
        text = await self._source.get_async()
        self._put(request, text)
        response = yield request
        if response.status_code == REFUSED and _can_be_sent_again(request):
            other = await self._source.instead_async(text)
            if other is not None:
                self._put(request, other)
                yield request

    def _put(self, request: httpx.Request, text: str) -> None:
        request.headers[self._header] = f"{self._scheme} {text}" if self._scheme else text


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    default = {"http": 80, "https": 443}.get(url.scheme)
    if not url.host:
        raise ConfigError(f"{str(url)!r} is no address.", mend="Write it as https://host.")
    return url.scheme, url.host, url.port or default


def _can_be_sent_again(request: httpx.Request) -> bool:
    """A stream that was read is gone; bytes are not."""
    return isinstance(request.stream, httpx.ByteStream)
