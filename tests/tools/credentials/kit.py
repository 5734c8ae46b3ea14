"""A token endpoint and an API on real loopback sockets that behave or misbehave as told, and what calls them."""

import contextlib
import itertools
import json
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import httpx

from airworthy.app.build import MIGRATIONS
from airworthy.core.clock import Clock, ManualClock
from airworthy.recorder import alerts
from airworthy.recorder.alerts import AlertRow
from airworthy.store import Database, migrate
from airworthy.store.lease import Owner
from airworthy.tools.credentials import Given, Grant, Keeper, Later, Refused, Renewal, Seal, shelf
from airworthy.tools.credentials.endpoint import Endpoint
from airworthy.tools.credentials.grant import TokenRequest
from airworthy.tools.credentials.shelf import TokenRow
from tests.database import memory

SECRET = "canary-client-secret-5f1b"
FIRST_REFRESH = "canary-refresh-0-77aa"


@dataclass(frozen=True)
class Asked:
    """A request as the server saw it."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def basic(self) -> tuple[str, str]:
        pair = b64decode(self.headers["authorization"].removeprefix("Basic ")).decode()
        name, _, secret = pair.partition(":")
        return unquote_plus(name), unquote_plus(secret)


@dataclass
class Answer:
    """`raw`: written to the socket as it is, instead of all else; parts are sent one by one until `hold` is set."""

    status: int = 200
    body: bytes | Mapping[str, Any] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: Iterator[bytes] | None = None


class Server:
    """`answer` is called in a thread of its own for each request. `asked` holds all requests so far."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.over = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                if self.headers.get("transfer-encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.path, headers, body)
                server.asked.append(asked)
                self._write(server.answer(asked))

            def do_GET(self) -> None:
                self.do_POST()

            def _write(self, answer: Answer) -> None:
                with contextlib.suppress(OSError):
                    if answer.raw is not None:
                        self.close_connection = True
                        for part in answer.raw:
                            self.wfile.write(part)
                            if server.over.wait(0.02):
                                return
                        return
                    body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        class Listening(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self._server = Listening(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Server":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


class Tokens:
    """A well-behaved token endpoint; each token is another one. `rotates`: each refresh token is good once."""

    def __init__(self, *, expires_in: object = 3600, rotates: bool = False) -> None:
        self.expires_in = expires_in
        self.rotates = rotates
        self.valid = FIRST_REFRESH
        self.given: list[str] = []
        self._turn = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        with self._turn:
            form = asked.form
            if form["grant_type"] == "refresh_token" and form["refresh_token"] != self.valid:
                return Answer(
                    400, {"error": "invalid_grant", "error_description": f"{form['refresh_token']}?"}
                )
            number = len(self.given) + 1
            self.given.append(f"canary-access-{number}-9c3d")
            body: dict[str, Any] = {"access_token": self.given[-1], "token_type": "bearer"}
            if self.expires_in is not None:
                body["expires_in"] = self.expires_in
            if self.rotates:
                self.valid = body["refresh_token"] = f"canary-refresh-{number}-77aa"
            return Answer(200, body)


class Guarded:
    """An API that lets in whoever has a token of `good`, and says 401 to all others."""

    def __init__(self, good: Callable[[], str]) -> None:
        self.good = good

    def __call__(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {self.good()}":
            return Answer(401, b"who are you?")
        return Answer(200, {"got": asked.body.decode()})


@dataclass
class Kit:
    """One process's way to tokens. `restarted` is another process on the same database."""

    database: Database
    clock: Any
    grant: Grant
    ask: Callable[[TokenRequest, tuple[str, ...]], Given | Later | Refused]
    renewal: Renewal
    keeper: Keeper
    learnt: list[str]

    def restarted(self, grant: Grant | None = None, *, seals: bool = True) -> "Kit":
        return kit(grant or self.grant, self.ask, self.database, self.clock, seals=seals)

    def row(self) -> TokenRow:
        row = self.database.read_now(lambda tx: shelf.find(tx, self.renewal.name))
        assert row is not None
        return row

    def alerts(self, *, over: bool = False) -> list[AlertRow]:
        return self.database.read_now(lambda tx: alerts.listing(tx, over=over))


_owners = itertools.count(1)


def kit(
    grant: Grant,
    ask: Callable[[TokenRequest, tuple[str, ...]], Given | Later | Refused],
    database: Database | None = None,
    clock: Any = None,
    *,
    seals: bool = True,
) -> Kit:
    if database is None:
        database = memory()
        migrate(database, MIGRATIONS)
    clock = clock if clock is not None else ManualClock()
    learnt: list[str] = []
    seal = Seal(grant.root, grant.identity) if seals else None
    renewal = Renewal(
        grant, ask, database, clock, lambda: Owner(f"crd_{next(_owners)}", "", 1, ""), seal=seal,
        learn=learnt.append,
    )  # fmt: skip
    return Kit(database, clock, grant, ask, renewal, Keeper("crm", renewal, clock, grant.early_s), learnt)


def asking(clock: Clock, answer_s_max: float = 2.0) -> Endpoint:
    return Endpoint(lambda: httpx.AsyncClient(trust_env=False, timeout=5.0), clock, answer_s_max)


def client_credentials(url: str = "http://tokens.test/token", **about: Any) -> Grant:
    return Grant("crm", "client_credentials", url, "client-1", SECRET, **about)


def refresh_token(url: str = "http://tokens.test/token", **about: Any) -> Grant:
    return Grant("crm", "refresh_token", url, "client-1", SECRET, first_refresh=FIRST_REFRESH, **about)
