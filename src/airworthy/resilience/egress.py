"""Which addresses an outbound connection may reach: names are resolved once, and only what was judged is connected to.

Proxies named in the environment are not used by anything made here: behind one, nobody could say which address is
reached.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, ClassVar

from airworthy.core.errors import AirworthyError, ConfigError
from airworthy.resilience.addresses import INTERNAL, Address, AddressKind, kind_of
from airworthy.resilience.again import NO, Decision

if TYPE_CHECKING:
    import ssl

    import httpx

ADDRESSES_MAX = 16  # Of one name; further ones are not looked at.
HOST_CHARS_MAX = 253
HOSTS_MAX = 100

_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")  # A last label like this makes the whole host a number.

Resolve = Callable[[str, int], Iterable[str]]
ResolveAsync = Callable[[str, int], Awaitable[Iterable[str]]]


class EgressRefused(AirworthyError):
    """The host is, or resolves to, an address that must not be reached; nothing was sent."""

    code: ClassVar[str] = "egress_refused"

    def again(self) -> Decision:
        return NO


@dataclass(frozen=True, slots=True)
class Egress:
    """The internet alone; with `internal`, or for a host named in `hosts`, private and loopback addresses too.

    Link-local addresses, cloud metadata, multicast and what is reserved are out of reach in any case.
    """

    internal: bool = False
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.hosts) > HOSTS_MAX:
            raise ConfigError(
                f"{len(self.hosts)} internal hosts are more than {HOSTS_MAX}.", mend="Name fewer."
            )

    def lets_in(self, host: str) -> bool:
        """Whether this host may be inside the network."""
        return self.internal or _folded(host) in {_folded(name) for name in self.hosts}


INTERNET_ONLY = Egress()


def judge(host: str, addresses: Iterable[str], egress: Egress = INTERNET_ONLY) -> tuple[str, ...]:
    """Those of a host's addresses that may be reached, in their order. Raises: EgressRefused when none may."""
    found = tuple(dict.fromkeys(addresses))[:ADDRESSES_MAX]
    allowed = {AddressKind.PUBLIC, *(INTERNAL if egress.lets_in(host) else ())}
    kinds = {address: kind_of(address) for address in found}
    good = tuple(address for address, kind in kinds.items() if kind in allowed)
    if good:
        return good
    if not found:
        raise EgressRefused(f"{host!r} resolves to no address.", mend="Check the name.")
    named = ", ".join(f"{address} ({kind.value.replace('_', '-')})" for address, kind in kinds.items())
    is_at = f"{host!r} is" if found == (host,) else f"{host!r} resolves to"
    if INTERNAL.intersection(kinds.values()):
        mend = (
            "If it is meant to be inside your network, declare it: internal = true in its [dependencies.<name>], "
            "or Egress(internal=True)."
        )
    else:
        mend = "Such addresses are never reached, declared or not. Check the name and who answers for it."
    raise EgressRefused(f"{is_at} {named}, which is not reached from here.", mend=mend)


def literal(host: str) -> Address | None:
    """The address that a host is, None when it is a name.

    Raises: EgressRefused for a number in a form that programs read differently (`2130706433`, `0177.0.0.1`, `127.1`),
    and for what is no host at all.
    """
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return ip_address(bare)
    except ValueError:
        pass
    if not bare or len(bare) > HOST_CHARS_MAX or not bare.isascii() or not bare.isprintable() or " " in bare:
        raise EgressRefused(
            f"{bare[:HOST_CHARS_MAX]!r} is no host.",
            mend="Write its name in ASCII (an international one as xn--...), or its address.",
        )
    if ":" in bare or _NUMERIC.fullmatch(bare.rstrip(".").rpartition(".")[2]):
        raise EgressRefused(
            f"{bare!r} is a number that programs read as different addresses.",
            mend="Write the address as four decimal numbers without leading zeros, as 192.0.2.1, or a name.",
        )
    return None


def checked_addresses(
    host: str, port: int, egress: Egress = INTERNET_ONLY, *, resolve: Resolve | None = None
) -> tuple[str, ...]:
    """The addresses to connect to in place of the host. Connect to one of them, not to the name again: whoever answers
    for the name may answer otherwise the second time. Raises: EgressRefused, OSError for a name that nobody knows.
    """
    address = literal(host)
    if address is not None:
        return judge(host, [str(address)], egress)
    return judge(host, (resolve or _resolve)(host, port), egress)


async def checked_addresses_async(
    host: str, port: int, egress: Egress = INTERNET_ONLY, *, resolve: ResolveAsync | None = None
) -> tuple[str, ...]:
    """As `checked_addresses`, without holding up the event loop. Bound it in time: the system's resolver is not."""
    address = literal(host)
    if address is not None:
        return judge(host, [str(address)], egress)
    return judge(host, await (resolve or _resolve_async)(host, port), egress)


def async_transport(
    egress: Egress = INTERNET_ONLY,
    *,
    limits: "httpx.Limits | None" = None,
    ssl_context: "ssl.SSLContext | None" = None,
    resolve: ResolveAsync | None = None,
) -> "httpx.AsyncHTTPTransport":
    """For `httpx.AsyncClient(transport=...)`: each new connection is judged, redirects included; TLS is verified
    against the host's name as ever. A connection that is not allowed raises EgressRefused out of the request.
    """
    from airworthy.resilience._egress_http import guarded_async

    return guarded_async(egress, limits, ssl_context, resolve)


def sync_transport(
    egress: Egress = INTERNET_ONLY,
    *,
    limits: "httpx.Limits | None" = None,
    ssl_context: "ssl.SSLContext | None" = None,
    resolve: Resolve | None = None,
) -> "httpx.HTTPTransport":
    """As `async_transport`, for `httpx.Client`."""
    from airworthy.resilience._egress_http import guarded_sync

    return guarded_sync(egress, limits, ssl_context, resolve)


def _resolve(host: str, port: int) -> list[str]:
    return _texts(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


async def _resolve_async(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    return _texts(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _texts(found: Iterable[tuple[object, ...]]) -> list[str]:
    return [str(sockaddr[0]) for *_, sockaddr in found if isinstance(sockaddr, tuple)]


def _folded(host: str) -> str:
    return host.rstrip(".").casefold()
