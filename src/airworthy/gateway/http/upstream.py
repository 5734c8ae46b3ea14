"""The upstream port over HTTP: a request's head written, its key put in, its reply handed out. Retries nothing."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final, Literal

from airworthy.gateway.errors import ModelAuthFailed, ModelRefusedRequest
from airworthy.gateway.http.client import HttpClient
from airworthy.gateway.http.connection import Connection
from airworthy.gateway.upstream import Reply, Sent

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
# They say where a message goes and where it ends; from a caller they could only be wrong.
_OURS: Final = frozenset(
    (
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection",
        "proxy-authorization", "accept-encoding", "expect", "te", "trailer", "upgrade",
    )
)  # fmt: skip


_KEY_CHARS_MIN: Final = 8  # What is shorter could be a word of any answer.


class HttpReply:
    """Implements `Reply`. Its connection goes back when the body was read whole, and is closed when it was not.

    `key`: the one it was asked with. Some servers repeat it when they refuse it, and it must not get any further.
    """

    __slots__ = ("_client", "_connection", "_key", "_timeout_s", "headers", "status")

    def __init__(self, client: HttpClient, connection: Connection, timeout_s: float, key: str = "") -> None:
        self.status = connection.status
        self.headers: Mapping[str, str] = connection.headers
        self._client = client
        self._connection: Connection | None = connection
        self._timeout_s = timeout_s
        self._key = key.encode() if len(key) >= _KEY_CHARS_MIN else b""

    async def read(self, bytes_max: int) -> bytes:
        assert self._connection is not None
        raw = await self._connection.read(bytes_max, self._timeout_s)
        if self._key and self._key in raw:
            return raw.replace(self._key, b"[redacted:api_key]")
        return raw

    def chunks(self) -> AsyncIterator[bytes]:
        assert self._connection is not None
        return self._connection.chunks(self._timeout_s)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._client.give_back(connection)


class HttpUpstream:
    """Implements `Upstream`. The key stays out of `repr`, so that no trace can show it.

    `key` is asked for at each call, because it may be a file that was renewed. `header`: how it travels.
    """

    def __init__(
        self,
        client: HttpClient,
        key: Callable[[], str],
        header: Literal["bearer", "x-api-key", "api-key"] = "bearer",
        fixed: Mapping[str, str] | None = None,
    ) -> None:
        """`fixed`: headers that every request has, unless the caller sends the same."""
        self._client = client
        self._key = key
        self._header = header
        self._fixed = {"content-type": "application/json", "user-agent": "airworthy", **(fixed or {})}
        self._known: tuple[str, Mapping[str, str], str, bytes] | None = None

    def __repr__(self) -> str:
        return f"HttpUpstream({self._client.address})"

    async def send(self, sent: Sent) -> Reply:
        request = self._head(sent) + sent.body
        assert self._known is not None
        key = self._known[2]
        late_s = asyncio.get_running_loop().time() + sent.timeout_s
        connection = await self._client.take(late_s)
        try:
            await connection.exchange(request, sent.timeout_s, late_s)
        except BaseException:
            connection.close()
            raise
        return HttpReply(self._client, connection, sent.timeout_s, key)

    async def aclose(self) -> None:
        await self._client.aclose()

    def _head(self, sent: Sent) -> bytes:
        key = self._key()
        known = self._known
        # Most calls differ from the last only in their length.
        if known is None or known[0] != sent.path or known[1] != sent.headers or known[2] != key:
            known = self._known = (sent.path, dict(sent.headers), key, self._written(sent, key))
        return b"%bcontent-length: %d\r\n\r\n" % (known[3], len(sent.body))

    def _written(self, sent: Sent, key: str) -> bytes:
        """Raises: ModelAuthFailed, ModelRefusedRequest for what would end a line, and begin one of its own."""
        address = self._client.address
        if not (key.isascii() and key.isprintable()):
            raise ModelAuthFailed(
                f"The key for {address} holds a character that no key has.",
                mend="Write it anew, on one line.",
            )
        assert sent.path.isascii()
        assert sent.path.isprintable()
        assert " " not in sent.path
        headers = {"host": address.netloc, "accept-encoding": "identity", **self._fixed}
        for given, value in sent.headers.items():
            name = given.lower()
            if not (_NAME.fullmatch(name) and value.isprintable()):
                raise ModelRefusedRequest(
                    f"The header {given[:100]!r} holds a character that no header has.",
                    mend="Send visible characters only.",
                )
            if name not in _OURS:
                headers[name] = value
        if key:
            name = "authorization" if self._header == "bearer" else self._header
            headers[name] = f"Bearer {key}" if self._header == "bearer" else key
        lines = [f"POST {address.path}{sent.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n").encode("utf-8")
