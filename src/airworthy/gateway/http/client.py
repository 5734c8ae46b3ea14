"""A server's connections, kept open between calls, and the upstream port on top of them. Retries nothing."""

import asyncio
import base64
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from airworthy.core.errors import ConfigError
from airworthy.gateway.errors import ModelAuthFailed, ModelUnreachable
from airworthy.gateway.http.connection import Connection
from airworthy.gateway.upstream import Reply, Sent

CONNECT_TIMEOUT_S: Final = 5.0
# Servers close idle connections after a while of their own, mostly a minute; ours must be the shorter one.
IDLE_S_MAX: Final = 30.0
IDLE_MAX: Final = 1_000
OK: Final = 200


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is. `proxy` is what the environment says for it, if anything: http://[user:password@]host:port."""

    scheme: str
    host: str
    port: int
    path: str
    proxy: str = ""

    @classmethod
    def of(cls, base_url: str, proxy: str = "") -> "Address":
        """Raises: ConfigError."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"{base_url!r} is no address.", mend="Write http:// or https://, host and path."
            )
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(
            parts.scheme,
            parts.hostname,
            port,
            parts.path.rstrip("/"),
            "" if is_loopback(parts.hostname) else proxy,
        )

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}"


def is_loopback(host: str) -> bool:
    """A proxy set for the outside world must not be asked for a server on this machine."""
    return host in ("localhost", "::1") or host.startswith("127.")


class HttpClient:
    """One server's connections. Belongs to the event loop it is first used in."""

    def __init__(self, address: Address, *, trust: ssl.SSLContext | None = None) -> None:
        """`trust`: which certificates are believed; left out, those the machine believes."""
        self.address = address
        self._trust = trust
        self._idle: deque[Connection] = deque()

    async def take(self) -> Connection:
        """A free connection, or a new one. Raises: ModelUnreachable."""
        now_s = asyncio.get_running_loop().time()
        while self._idle:
            found = self._idle.pop()  # The one used last is the least likely to be closed.
            if not found.is_closing() and now_s - found.idle_since_s < IDLE_S_MAX:
                return found
            found.close()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await self._connected()
        except (OSError, TimeoutError, ssl.SSLError) as error:
            why = str(error) or f"no answer within {CONNECT_TIMEOUT_S:g} s"
            raise ModelUnreachable(
                f"No connection to the model server {self.address}: {why}.",
                mend="Check its address in the policy (base_url), and that it is running.",
            ) from error

    def give_back(self, connection: Connection) -> None:
        if connection.reusable and not connection.is_closing() and len(self._idle) < IDLE_MAX:
            connection.idle_since_s = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.close()

    async def aclose(self) -> None:
        while self._idle:
            self._idle.pop().close()
        await asyncio.sleep(0)

    async def _connected(self) -> Connection:
        loop, address = asyncio.get_running_loop(), self.address
        if address.proxy:
            return await self._through_proxy()
        secure = self._secure() if address.scheme == "https" else None
        _, connection = await loop.create_connection(
            lambda: Connection(str(address)), address.host, address.port,
            ssl=secure, server_hostname=address.host if secure else None,
        )  # fmt: skip
        return connection

    async def _through_proxy(self) -> Connection:
        """A tunnel, for either scheme: the proxy sees where, and nothing else."""
        loop, address = asyncio.get_running_loop(), self.address
        proxy = urlsplit(address.proxy)
        if not proxy.hostname:
            raise ConnectionError("the proxy that is set has no host in its address")
        transport, tunnel = await loop.create_connection(
            lambda: Connection(f"the proxy {proxy.hostname}"), proxy.hostname, proxy.port or 80
        )
        where = f"{address.host}:{address.port}"
        head = f"CONNECT {where} HTTP/1.1\r\nhost: {where}\r\n"
        if proxy.username:
            login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
            head += f"proxy-authorization: Basic {base64.b64encode(login.encode()).decode()}\r\n"
        await tunnel.exchange(f"{head}\r\n".encode(), CONNECT_TIMEOUT_S)
        if tunnel.status != OK:
            tunnel.close()
            raise ConnectionError(f"the proxy {proxy.hostname} answered {tunnel.status}")
        connection = Connection(str(address))
        transport.set_protocol(connection)
        if address.scheme == "https":
            secured = await loop.start_tls(
                transport, connection, self._secure(), server_hostname=address.host
            )
            if secured is None:
                raise ConnectionError("the connection broke while it was being secured")
            connection.connection_made(secured)
        else:
            connection.connection_made(transport)
        return connection

    def _secure(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = ssl.create_default_context()
            self._trust.set_alpn_protocols(["http/1.1"])
        return self._trust


class HttpReply:
    """Implements `Reply`. Its connection goes back when the body was read whole, and is closed when it was not."""

    __slots__ = ("_client", "_connection", "_timeout_s", "headers", "status")

    def __init__(self, client: HttpClient, connection: Connection, timeout_s: float) -> None:
        self.status = connection.status
        self.headers: Mapping[str, str] = connection.headers
        self._client = client
        self._connection: Connection | None = connection
        self._timeout_s = timeout_s

    async def read(self, bytes_max: int) -> bytes:
        assert self._connection is not None
        return await self._connection.read(bytes_max, self._timeout_s)

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
        header: str = "bearer",
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
        connection = await self._client.take()
        try:
            await connection.exchange(self._head(sent) + sent.body, sent.timeout_s)
        except BaseException:
            connection.close()
            raise
        return HttpReply(self._client, connection, sent.timeout_s)

    async def aclose(self) -> None:
        await self._client.aclose()

    def _head(self, sent: Sent) -> bytes:
        key = self._key()
        known = self._known
        # Most calls differ from the last only in their length.
        if known is None or known[0] != sent.path or known[1] != sent.headers or known[2] != key:
            known = self._known = (sent.path, sent.headers, key, self._written(sent, key))
        return b"%bcontent-length: %d\r\n\r\n" % (known[3], len(sent.body))

    def _written(self, sent: Sent, key: str) -> bytes:
        address = self._client.address
        headers = {"host": address.netloc, "accept-encoding": "identity", **self._fixed, **sent.headers}
        if key and not key.isprintable():
            raise ModelAuthFailed(
                f"The key for {address} holds a character that no key has.",
                mend="Write it anew, on one line.",
            )
        if key:
            name, value = {
                "bearer": ("authorization", f"Bearer {key}"), "x-api-key": ("x-api-key", key),
                "api-key": ("api-key", key),
            }[self._header]  # fmt: skip
            headers[name] = value
        lines = [f"POST {address.path}{sent.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items() if value.isprintable()]
        return ("\r\n".join(lines) + "\r\n").encode("utf-8")
