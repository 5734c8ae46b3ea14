"""The console with somebody signed in: clients on the application itself, and a stream that is read as it comes."""

import asyncio
from typing import Any

import httpx

from airworthy.console import sessions
from airworthy.console.api import application
from airworthy.console.parts import Parts
from airworthy.review.people import People, PersonRule
from tests.console.kit import api

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
BASE = "http://localhost"
PEOPLE = People(
    people={
        "ada": PersonRule(name="Ada", roles=("admin",)),
        "olga": PersonRule(name="Olga", roles=("operator",)),
        "dana": PersonRule(name="Dana", roles=("reviewer",)),
        "vera": PersonRule(name="Vera", roles=("viewer",)),
        "sven": PersonRule(name="Sven", roles=("viewer", "operator"), agents=("support",)),
    }
)


class House:
    """One application for all its visitors, as one server has."""

    def __init__(self, parts: Parts | None = None) -> None:
        """Without `parts`: an empty store, a clock that stands still, and one agent, `support`."""
        if parts is None:
            made = api()
            made.people[0] = PEOPLE
            parts = made.parts
        self.parts = parts
        self.app = application(parts)

    def now_us(self) -> int:
        return self.parts.clock.now_us()

    def pass_s(self, seconds: float) -> None:
        self.parts.clock.advance(seconds)  # type: ignore[attr-defined]

    def session(self, person: str) -> tuple[str, str]:
        """The header of a session that has just begun, and its form token."""
        door = self.parts.door
        secret, session = sessions.drawn_for(
            self.parts.ids, self.now_us(), door.session_us, person, "password"
        )
        self.parts.database.write_now(lambda tx: sessions.begin(tx, secret, session))
        return f"{door.cookie('airworthy', *BASE.split('://'))}={secret}", sessions.csrf_of(secret)

    def visit(self, person: str = "vera") -> httpx.AsyncClient:
        cookie, _ = self.session(person)
        return self.client({"Cookie": cookie})

    def client(self, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(
            transport=transport, base_url=BASE, headers={**BROWSER, "Origin": BASE, **(headers or {})}
        )

    async def send(self, path: str, person: str, csrf: str | None = None, **fields: str) -> httpx.Response:
        """A form of theirs. `csrf` given: another token than that of their session."""
        cookie, own = self.session(person)
        async with self.client({"Cookie": cookie}) as client:
            return await client.post(path, data={"csrf": own if csrf is None else csrf, **fields})

    def watch(self, path: str, person: str = "vera") -> "Watching":
        cookie, _ = self.session(person)
        return Watching(self.app, path, cookie)


class Watching:
    """A stream as it comes; the client of the standard kind would wait for its end."""

    def __init__(self, app: Any, path: str, cookie: str) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.chunks: list[str] = []
        self._left = asyncio.Event()
        self._came = asyncio.Event()
        where, _, query = path.partition("?")
        headers = {"cookie": cookie, "host": "localhost", "accept": "text/html, text/event-stream"}
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": "GET", "scheme": "http", "path": where, "raw_path": where.encode(), "root_path": "",
            "query_string": query.encode(), "server": ("localhost", 80), "client": ("127.0.0.1", 1),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()], "extensions": {},
        }  # fmt: skip
        self.ended = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self.status:
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        elif message.get("body"):
            self.chunks.append(message["body"].decode())
        self._came.set()

    async def until(self, chunks: int) -> None:
        while len(self.chunks) < chunks and not self.ended.done():
            self._came.clear()
            await self._came.wait()

    async def leave(self) -> None:
        self._left.set()
        await asyncio.wait([self.ended])
