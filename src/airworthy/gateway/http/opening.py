"""A new connection: straight or through a proxy, plain or secured. Nothing of a request was sent when it fails."""

import asyncio
import functools
import socket
import ssl
from typing import Final

from airworthy.gateway.errors import ModelError, ModelUnreachable
from airworthy.gateway.http.address import Address, Proxy
from airworthy.gateway.http.connection import Connection

CONNECT_TIMEOUT_S: Final = 5.0
_REFUSED_LOGIN: Final = 407
# OpenSSL's words for a certificate that is good, but for somebody else (by name, by address).
_WRONG_NAME: Final = (62, 64)


class _ProxyFailed(ConnectionError):
    def __init__(self, why: str, mend: str) -> None:
        super().__init__(why)
        self.mend = mend


async def opened(address: Address, trust: ssl.SSLContext | None, late_s: float) -> Connection:
    """`late_s`: the loop's time at which nobody waits any more. Raises: ModelUnreachable."""
    wait_s = min(CONNECT_TIMEOUT_S, late_s - asyncio.get_running_loop().time())
    try:
        async with asyncio.timeout(wait_s):
            secure = None
            if address.scheme == "https":
                secure = trust if trust is not None else machine_trust()
            if address.proxy is not None:
                return await _through(address.proxy, address, secure)
            return await _straight(address, secure)
    except (OSError, TimeoutError) as error:  # An SSLError is an OSError.
        why, mend = _told(error, max(wait_s, 0.0))
        raise ModelUnreachable(f"No connection to the model server {address}: {why}.", mend=mend) from error


@functools.cache
def machine_trust() -> ssl.SSLContext:
    """What this machine believes; reading it takes tens of milliseconds, so all servers share it."""
    trust = ssl.create_default_context()
    trust.set_alpn_protocols(["http/1.1"])
    return trust


async def _straight(address: Address, secure: ssl.SSLContext | None) -> Connection:
    connection = Connection(str(address))
    try:
        await asyncio.get_running_loop().create_connection(
            lambda: connection, address.host, address.port,
            ssl=secure, server_hostname=address.name if secure else None,
        )  # fmt: skip
    except BaseException:
        connection.close()
        raise
    return connection


async def _through(proxy: Proxy, address: Address, secure: ssl.SSLContext | None) -> Connection:
    """A tunnel, for either scheme: the proxy sees where, and nothing else."""
    loop = asyncio.get_running_loop()
    where = f"the proxy {proxy.host}:{proxy.port}"
    tunnel, connection = Connection(where), Connection(str(address))
    try:
        try:
            transport, _ = await loop.create_connection(lambda: tunnel, proxy.host, proxy.port)
        except OSError as error:
            raise _ProxyFailed(f"{where} cannot be reached ({error})", _MEND_PROXY) from error
        await _tunnelled(tunnel, address, proxy.login)
        if transport.is_closing():
            raise _ProxyFailed(f"{where} closed the tunnel it had opened", _MEND_PROXY)
        transport.set_protocol(connection)
        if secure is not None:
            secured = await loop.start_tls(transport, connection, secure, server_hostname=address.name)
            if secured is None:
                raise ConnectionError("the connection broke while it was being secured")
            connection.connection_made(secured)
        else:
            connection.connection_made(transport)
        return connection
    except BaseException:
        connection.close()
        tunnel.close()
        raise


async def _tunnelled(tunnel: Connection, address: Address, login: str) -> None:
    head = f"CONNECT {address.at} HTTP/1.1\r\nhost: {address.at}\r\n"
    if login:
        head += f"proxy-authorization: {login}\r\n"
    late_s = asyncio.get_running_loop().time() + CONNECT_TIMEOUT_S
    try:
        await tunnel.exchange(f"{head}\r\n".encode(), CONNECT_TIMEOUT_S, late_s)
    except ModelError as error:
        raise _ProxyFailed(error.message.rstrip("."), _MEND_PROXY) from error
    if tunnel.status == _REFUSED_LOGIN:
        raise _ProxyFailed(
            f"{tunnel.where} wants another login (407)",
            "Put user and password into the proxy's address in the environment.",
        )
    if not 200 <= tunnel.status < 300:
        raise _ProxyFailed(f"{tunnel.where} answered {tunnel.status}", _MEND_PROXY)


_MEND_PROXY: Final = "Check the proxy that the environment names, or spare the host in no_proxy."


def _told(error: OSError, wait_s: float) -> tuple[str, str]:
    """Why, and what to do about it."""
    match error:
        case _ProxyFailed():
            return str(error), error.mend
        case TimeoutError() if not str(error):
            return f"no answer within {wait_s:.3g} s", "Check its address in the policy (base_url)."
        case ssl.SSLCertVerificationError() if error.verify_code in _WRONG_NAME:
            return (
                f"its certificate is for another server ({error.verify_message.rstrip('.')})",
                "Write the host name that the certificate is for into base_url.",
            )
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate is not believed ({error.verify_message.rstrip('.')})",
                "Renew it; if an authority of your own signed it, name that one's file in SSL_CERT_FILE.",
            )
        case ssl.SSLError():
            return (
                f"it cannot be secured ({error})",
                "Check that the server speaks TLS at this port; write http:// if it does not.",
            )
        case socket.gaierror():
            return f"its name is not known ({error.strerror})", "Check the host in base_url."
        case _:
            return str(error), "Check its address in the policy (base_url), and that it is running."
