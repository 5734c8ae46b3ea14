"""How the console is reached: its public address, and what that means for cookies and for forms. Pure."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from airworthy.core.clock import US_PER_S

HOUR_US: Final = 3_600 * US_PER_S
COOKIE: Final = "airworthy"
HOPS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Door:
    """`public_url`: as browsers reach it, scheme and host; empty: as each request says itself. `proxies`: networks of
    those whose word on where a request came from is believed. `provider`: what people call the one that vouches for
    them; empty: there is none. `metrics_open`: to whoever reaches the port.
    """

    public_url: str = ""
    session_us: int = 12 * HOUR_US
    idle_us: int = 2 * HOUR_US
    proxies: tuple[str, ...] = ()
    provider: str = ""
    metrics_open: bool = False

    def origin(self, scheme: str, host: str) -> str:
        """`scheme`, `host`: of the request, for want of a public address."""
        return self.public_url or f"{scheme}://{host}"

    def secure(self, scheme: str, host: str) -> bool:
        """Whether its cookies travel over TLS alone: always, but over plain HTTP within one machine."""
        parts = urlsplit(self.origin(scheme, host))
        return parts.scheme == "https" or not _loopback(parts.hostname or "")

    def address(self, peer: str, forwarded: str) -> str:
        """Of whoever sent a request. `forwarded`: X-Forwarded-For; each hop adds the one before it at the end."""
        hops = [hop.strip() for hop in forwarded.split(",")[-HOPS_MAX:] if hop.strip()]
        at = peer
        while hops and self._is_proxy(at):
            at = hops.pop()
        return at

    def _is_proxy(self, at: str) -> bool:
        try:
            address = ipaddress.ip_address(at)
        except ValueError:
            return False
        return any(address in ipaddress.ip_network(proxy, strict=False) for proxy in self.proxies)

    def cookie(self, name: str, scheme: str, host: str) -> str:
        """With the prefix that keeps other hosts of the domain from setting it, where browsers allow it."""
        return f"__Host-{name}" if self.secure(scheme, host) else name


def same_origin(headers: Mapping[str, str], origin: str) -> bool:
    """Whether a browser says that a request came from a page of ours. Browsers set both headers; pages cannot.

    A client that is no browser sends neither and has no cookie that somebody else could ride on.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    came = headers.get("origin")
    return came is None or came.rstrip("/").lower() == origin.rstrip("/").lower()


def _loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
