"""A wire between clients and a server that can be cut, held and made deaf; knows no protocol but what it is told."""

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

CHUNK = 1 << 16
TICK_S = 0.05
RESET = struct.pack("ii", 1, 0)  # Closing sends RST: the other side is told of no orderly end.


class Fate(StrEnum):
    """What becomes of a piece that a client sends."""

    PASS = "pass"
    CUT = "cut"  # The connection is cut before the piece arrives.
    DEAF = "deaf"  # It arrives, and the connection is cut as soon as the server answers.


def passed(_: bytes) -> Fate:
    return Fate.PASS


@dataclass(eq=False)
class _Pair:
    client: socket.socket
    server: socket.socket
    deaf: bool = False


@dataclass
class Wire:
    """`with Wire(url) as wire`: who connects to `wire.url` reaches the server at `upstream`, a PostgreSQL address.

    `judge` sees each piece that clients send, `hear` each that the server answers. `host`: where it listens.
    """

    upstream: str
    host: str = "127.0.0.1"
    judge: Callable[[bytes], Fate] = passed
    hear: Callable[[bytes], Fate] = passed
    port: int = 0
    cuts: int = 0
    _held: bool = False
    _refusing: bool = False
    _pairs: list[_Pair] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _closing: bool = False

    def __enter__(self) -> "Wire":
        self._listener = socket.create_server((self.host, 0))
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, daemon=True, name="wire")
        self._thread.start()
        return self

    @property
    def url(self) -> str:
        """Of the same database, through here."""
        parts = self._parts()
        password = f":{parts['password']}" if parts.get("password") else ""
        return f"postgresql://{parts['user']}{password}@{self.host}:{self.port}/{parts['dbname']}"

    def _parts(self) -> dict[str, str]:
        from psycopg.conninfo import conninfo_to_dict

        return {name: str(value) for name, value in conninfo_to_dict(self.upstream).items()}

    def _connected(self) -> socket.socket:
        parts = self._parts()
        host, port = parts.get("host", "127.0.0.1"), parts.get("port", "5432")
        if not host.startswith("/"):
            return socket.create_connection((host, int(port)), timeout=5)
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._thread.join()
        self.cut()
        self._listener.close()
        self._selector.close()

    # --- what can happen to it ---

    def cut(self) -> int:
        """Every connection at once; new ones are let through. Answers with how many."""
        with self._lock:
            pairs = list(self._pairs)
            for pair in pairs:
                self._drop(pair)
            return len(pairs)

    def hold(self) -> None:
        """Nothing passes in either direction, and nobody is told: as a network that is parted."""
        self._held = True

    def go(self) -> None:
        """What was held passes now."""
        self._held = False

    def refuse(self, refusing: bool = True) -> None:
        """New connections are cut at once."""
        self._refusing = refusing

    def outgoing(self) -> list[int]:
        """The ports from which the server is reached now: which of its sessions are ours."""
        with self._lock:
            return [
                pair.server.getsockname()[1] for pair in self._pairs if pair.server.family is socket.AF_INET
            ]

    # --- how it works ---

    def _run(self) -> None:
        while not self._closing:
            if self._held:
                time.sleep(TICK_S)
                continue
            for key, _ in self._selector.select(TICK_S):
                with self._lock:
                    if key.data is None:
                        self._accept()
                    elif key.data in self._pairs:
                        self._pump(key.data, key.fileobj)  # type: ignore[arg-type]

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self._refusing:
            _reset(client)
            return
        try:
            server = self._connected()
        except OSError:
            _reset(client)
            return
        pair = _Pair(client, server)
        for each in (client, server):
            each.settimeout(5)
            if each.family is not socket.AF_UNIX:
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(each, selectors.EVENT_READ, pair)
        self._pairs.append(pair)

    def _pump(self, pair: _Pair, source: socket.socket) -> None:
        try:
            piece = source.recv(CHUNK)
        except OSError:
            piece = b""
        if not piece:
            self._drop(pair)
            return
        if source is pair.client:
            fate = self.judge(piece)
            pair.deaf = pair.deaf or fate is Fate.DEAF
            gone = fate is Fate.CUT
        else:
            gone = pair.deaf or self.hear(piece) is not Fate.PASS
        if gone:
            self._drop(pair)
            return
        with contextlib.suppress(OSError):
            (pair.server if source is pair.client else pair.client).sendall(piece)
            return
        self._drop(pair)

    def _drop(self, pair: _Pair) -> None:
        if pair not in self._pairs:
            return
        self._pairs.remove(pair)
        self.cuts += 1
        for each in (pair.client, pair.server):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(each)
            _reset(each)


def _reset(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    each.close()
