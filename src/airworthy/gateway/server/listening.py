"""Where the server listens: an address as people write it, and the socket bound to it."""

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import ClassVar

from airworthy.core.errors import ConfigError

BACKLOG = 2_048
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9.-]*):(?P<port>[0-9]{1,5})")


class CannotListen(ConfigError):
    """The address is none, is not this machine's, or is taken."""

    code: ClassVar[str] = "cannot_listen"


@dataclass(frozen=True, slots=True)
class Address:
    """Port 0: any free one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it. A name counts as elsewhere, but for localhost."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def url(self) -> str:
        return f"http://{_bracketed(self.host)}:{self.port}"

    @property
    def reachable(self) -> "Address":
        """To connect to: every address of a machine is none."""
        return Address({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host), self.port)  # noqa: S104

    def __str__(self) -> str:
        return f"{_bracketed(self.host)}:{self.port}"


def address(text: str) -> Address:
    """`127.0.0.1:8090`, `[::1]:8090`, `localhost:0`. Raises: CannotListen."""
    match = _ADDRESS.fullmatch(text.strip())
    host = match["host"].strip("[]") if match else ""
    if match is None or not host or int(match["port"]) > 65_535:
        raise CannotListen(
            f"{text!r} is no address to listen on.",
            mend='Write host and port: "127.0.0.1:8090"; "0.0.0.0:8090" is every address of this machine.',
        )
    return Address(host, int(match["port"]))


def bound(at: Address) -> socket.socket:
    """Bound here and not by the server, so that a port in use is told before anything else starts.

    Raises: CannotListen.
    """
    try:
        family, kind, number, _, place = socket.getaddrinfo(
            at.host, at.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise CannotListen(
            f"{at.host} is not known here: {error}.", mend="Write an address of this machine."
        ) from error
    # asyncio sets TCP_NODELAY only on sockets that say they are TCP; without it each event of a stream may wait.
    listener = socket.socket(family, kind, number)
    # Without it the port stays refused for a minute after the last run.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotListen(
            f"Cannot listen on {at}: {error.strerror or error}.",
            mend="Stop the program that listens there, or choose another with `--listen`; port 0 takes any free one.",
        ) from error
    return listener


def address_of(listener: socket.socket) -> Address:
    """Where it listens in fact, once the port is chosen."""
    host, port = listener.getsockname()[:2]
    return Address(host, port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
