"""Where a server is, and the proxy on the way there; checked here once, so that nobody else has to. Opens nothing."""

import base64
import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from airworthy.core.errors import ConfigError

PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_PATH: Final = re.compile(r"[!-~]*")  # What fits into a request's first line: visible ASCII.


@dataclass(frozen=True, slots=True)
class Proxy:
    """`login` is a whole `proxy-authorization`, or nothing; it stays out of `repr`."""

    host: str
    port: int
    login: str = field(default="", repr=False)

    @classmethod
    def of(cls, url: str) -> "Proxy":
        """As curl reads it: without a scheme it is http. Raises: ConfigError."""
        parts = _split(url if "://" in url else f"http://{url}")
        # Neither the address nor what is wrong with it is repeated: it may hold a password.
        if parts is None or parts.scheme != "http" or not _is_host(parts.hostname or ""):
            raise ConfigError(
                "The proxy that the environment names cannot be used.",
                mend="Set it to http://[user:password@]host:port, or spare the host in no_proxy.",
            )
        login = ""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            login = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return cls(parts.hostname or "", parts.port or PORTS["http"], login)


@dataclass(frozen=True, slots=True)
class Address:
    """`host` as the name service wants it; an IPv6 address stands there without its brackets."""

    scheme: str
    host: str
    port: int
    path: str
    proxy: Proxy | None = None

    @classmethod
    def of(cls, base_url: str, proxy: str = "") -> "Address":
        """`proxy` is what the environment says for this address, if anything. Raises: ConfigError."""
        parts = _split(base_url)
        if parts is not None and (parts.username is not None or parts.query or parts.fragment):
            raise ConfigError(
                "A server's address holds more than host and path.",
                mend="Leave out user, password, query and fragment; a key has a place of its own.",
            )
        host = _ascii(parts.hostname or "") if parts is not None else ""
        if (
            parts is None
            or parts.scheme not in PORTS
            or not _is_host(host)
            or not _PATH.fullmatch(parts.path)
        ):
            raise ConfigError(
                f"{base_url!r} is no address.", mend="Write http:// or https://, host and path."
            )
        port = PORTS[parts.scheme] if parts.port is None else parts.port
        way = Proxy.of(proxy) if proxy and not is_loopback(host) else None
        return cls(parts.scheme, host, port, parts.path.rstrip("/"), way)

    @property
    def at(self) -> str:
        """Host and port, as a proxy is asked for them."""
        host = f"[{self.name}]" if ":" in self.name else self.name
        return f"{host}:{self.port}"

    @property
    def netloc(self) -> str:
        return self.at.removesuffix(f":{PORTS[self.scheme]}")

    @property
    def name(self) -> str:
        """The host as others know it, and as its certificate has to say it."""
        # A zone ("%eth0") means something on this machine only.
        return self.host.partition("%")[0].removesuffix(".")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}"


def is_loopback(host: str) -> bool:
    """A proxy set for the outside world must not be asked for a server on this machine."""
    if host.removesuffix(".").rpartition(".")[2] == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    inside = getattr(address, "ipv4_mapped", None)  # ::ffff:127.0.0.1
    return address.is_loopback or (inside is not None and inside.is_loopback)


def _split(url: str) -> SplitResult | None:
    """None for what cannot be taken apart: an open bracket, a port that is none."""
    try:
        parts = urlsplit(url)
        return None if parts.port == 0 else parts
    except ValueError:
        return None


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _is_host(host: str) -> bool:
    if ":" not in host:
        return _HOST.fullmatch(host) is not None
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True
