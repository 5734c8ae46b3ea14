"""The egress guard inside httpx: its connections are opened to judged addresses, never to a name."""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from airworthy.core.errors import ConfigError
from airworthy.resilience.egress import (
    Egress,
    Resolve,
    ResolveAsync,
    checked_addresses,
    checked_addresses_async,
)

ADDRESSES_TRIED_MAX = 4  # One after the other; each gets its share of the time to connect.

_SocketOptions = Iterable[Any] | None


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, egress: Egress, resolve: ResolveAsync | None) -> None:
        self._egress = egress
        self._resolve = resolve
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: _SocketOptions = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                found = await checked_addresses_async(host, port, self._egress, resolve=self._resolve)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host!r} was not resolved within {timeout:g} s.") from error
        except OSError as error:
            raise httpcore.ConnectError(f"{host!r} was not resolved: {error}") from error
        addresses, share_s = _shares(found, timeout)
        failed: Exception | None = None
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, share_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        assert failed is not None
        raise failed


class _SyncBackend(httpcore.NetworkBackend):
    def __init__(self, egress: Egress, resolve: Resolve | None) -> None:
        self._egress = egress
        self._resolve = resolve
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: _SocketOptions = None,
    ) -> httpcore.NetworkStream:
        try:
            found = checked_addresses(host, port, self._egress, resolve=self._resolve)
        except OSError as error:
            raise httpcore.ConnectError(f"{host!r} was not resolved: {error}") from error
        addresses, share_s = _shares(found, timeout)
        failed: Exception | None = None
        for address in addresses:
            try:
                return self._inner.connect_tcp(address, port, share_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        assert failed is not None
        raise failed


def guarded_async(
    egress: Egress,
    limits: httpx.Limits | None,
    ssl_context: ssl.SSLContext | None,
    resolve: ResolveAsync | None,
) -> httpx.AsyncHTTPTransport:
    settings = _pool_settings(limits, ssl_context)
    transport = httpx.AsyncHTTPTransport(verify=settings["ssl_context"])
    _must_hold(transport, httpcore.AsyncConnectionPool)
    transport._pool = httpcore.AsyncConnectionPool(network_backend=_AsyncBackend(egress, resolve), **settings)
    return transport


def guarded_sync(
    egress: Egress, limits: httpx.Limits | None, ssl_context: ssl.SSLContext | None, resolve: Resolve | None
) -> httpx.HTTPTransport:
    settings = _pool_settings(limits, ssl_context)
    transport = httpx.HTTPTransport(verify=settings["ssl_context"])
    _must_hold(transport, httpcore.ConnectionPool)
    transport._pool = httpcore.ConnectionPool(network_backend=_SyncBackend(egress, resolve), **settings)
    return transport


def _must_hold(transport: object, pool: type) -> None:
    """httpx takes no network backend of its own accord, so its pool is replaced; should a version of it keep that
    elsewhere, the replacement would be without effect and every connection unguarded."""
    if not isinstance(getattr(transport, "_pool", None), pool):
        raise ConfigError(
            f"httpx {httpx.__version__} keeps its connections where the egress guard cannot reach them.",
            mend="Use the version of httpx that this version of airworthy names.",
        )


def _pool_settings(limits: httpx.Limits | None, ssl_context: ssl.SSLContext | None) -> dict[str, Any]:
    limits = limits or httpx.Limits(max_connections=100, max_keepalive_connections=20)
    return {
        "ssl_context": ssl_context or httpx.create_ssl_context(),
        "max_connections": limits.max_connections,
        "max_keepalive_connections": limits.max_keepalive_connections,
        "keepalive_expiry": limits.keepalive_expiry,
    }


def _shares(found: tuple[str, ...], timeout: float | None) -> tuple[tuple[str, ...], float | None]:
    addresses = found[:ADDRESSES_TRIED_MAX]
    return addresses, None if timeout is None else timeout / len(addresses)
