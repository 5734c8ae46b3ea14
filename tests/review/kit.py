"""A small town for tests: real servers on loopback that misbehave as told, a database, people, and the post."""

import asyncio
import contextlib
import functools
import json
import random
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from airworthy.app.build import MIGRATIONS
from airworthy.core.clock import Clock
from airworthy.core.ids import Ids
from airworthy.review import People, messages
from airworthy.review.alerted import TeamsOf
from airworthy.review.channel_rule import ChannelRule
from airworthy.review.courier_http import HttpCourier
from airworthy.review.couriers import Courier, Result, Secrets, Sent
from airworthy.review.message import Content, Message
from airworthy.review.messages import MessageRow
from airworthy.review.notices import Notice, enqueue
from airworthy.review.post_office import PostOffice, Sorting
from airworthy.store import Database, migrate
from tests.database import memory
from tests.virtual import START_US, LoopClock, wait_external

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV0MkQ4V1RMeUxQ"
PATH = "/services/T0000/B0000/XXXXSECRETXXXX"


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers each request with the next of `script`, then with `ok`; a script entry may be raw bytes, or a word.

    `hang` reads and never answers; `close` closes in the middle of an answer; `trickle` sends one byte a second.
    """

    script: list[bytes | str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    ok: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    port: int = 0
    connections: int = 0
    judge: Callable[[Seen], bytes | None] | None = None  # its word goes before the script

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *others = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (o.partition(":") for o in others)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.seen.append(Seen(first.split()[1], headers, body))
            judged = self.judge(self.seen[-1]) if self.judge is not None else None
            act = judged or (self.script.pop(0) if self.script else self.ok)
            if act == "hang":
                await reader.read()
            elif act == "close":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-le")
            elif act == "trickle":
                writer.write(b"HTTP/1.1 500 No\r\ncontent-length: 10000\r\n\r\n")
                while not reader.at_eof():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(1)
            else:
                assert isinstance(act, bytes)
                writer.write(act)
            await writer.drain()
        writer.close()


def answer(status: int, body: str = "", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@contextlib.asynccontextmanager
async def receiving(*script: bytes | str, tls: Any = None) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(script))
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await receiver.serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def rule(kind: str = "webhook", **keys: Any) -> ChannelRule:
    needs: dict[str, Any] = {"url_env": "URL", "internal": True}
    if kind in {"webhook", "pagerduty"}:
        needs["secret_env"] = "SECRET"
    if kind == "email":
        needs["sender"] = "agent@example.com"
    return ChannelRule.model_validate({"kind": kind, **needs, **keys})


def secrets(url: str, secret: str = SECRET, previous: str = "") -> Callable[[], Secrets]:
    return lambda: Secrets(url, secret, previous)


def message(title: str = "A question waits", text: Sequence[str] = ("Why?",), **keys: Any) -> Message:
    content = Content(
        title, tuple(text), keys.pop("link", "airworthy review list"), "warning", "support",
        keys.pop("about", "rev_1"), START_US,
    )  # fmt: skip
    fields: dict[str, Any] = {
        "id": "msg_1", "channel": "ops", "recipient": "", "team": "leads", "kind": "notice", "count": 1,
        "created_us": START_US, **keys,
    }  # fmt: skip
    return Message(**fields, content=content)


def notice(key: str, to: str = "leads", at_us: int = START_US, **keys: Any) -> Notice:
    fields: dict[str, Any] = {
        "kind": "review", "agent": "support", "title": f"Title of {key}", "text": "Text.", "link": "", **keys
    }  # fmt: skip
    return Notice(key, to=to, at_us=at_us, **fields)


def people(channels: dict[str, ChannelRule], *, teams: dict[str, Any] | None = None, **keys: Any) -> People:
    """One team, `leads`, of Ann and Bob, that is told over all channels."""
    return People.model_validate(
        {
            "people": {
                "ann": {"name": "Ann", "email": "ann@example.com"},
                "bob": {"name": "Bob", "email": "bob@example.com"},
            },
            "teams": teams or {"leads": {"members": ["ann", "bob"], "notify": list(channels)}},
            "channels": {
                name: made.model_dump(exclude_unset=True, exclude_none=True)
                for name, made in channels.items()
            },
            **keys,
        }
    )


class Pigeon:
    """A courier that answers as told, and remembers what it carried."""

    def __init__(self, act: Callable[[Message], Result] = lambda _: Sent()) -> None:
        self.act = act
        self.carried: list[Message] = []

    async def carry(self, message: Message, now_us: int) -> Result:
        self.carried.append(message)
        return self.act(message)

    async def close(self) -> None: ...


class Town:
    """The whole post of one database, its rounds called by hand."""

    def __init__(
        self,
        who: People,
        couriers: dict[str, Courier],
        *,
        database: Database | None = None,
        clock: Clock | None = None,
        teams_of: TeamsOf = lambda _: ("leads",),
        seed: int = 1,
    ) -> None:
        self.database = database if database is not None else memory()
        migrate(self.database, MIGRATIONS)
        self.clock = clock if clock is not None else LoopClock()
        self.sorting = Sorting(self.database, who, teams_of)
        ids = Ids(random.Random(seed))
        self.offices = {
            name: PostOffice(
                name, made, couriers[name], self.database, self.clock, ids=ids,
                redact=lambda text: text,
            )
            for name, made in who.channels.items()
        }  # fmt: skip

    def enqueue(self, *notices: Notice) -> None:
        for one in notices:
            self.database.write_now(partial(enqueue, notice=one))

    async def round(self) -> None:
        await self.sorting.round(self.clock.now_us())
        for office in self.offices.values():
            await wait_external(office.round(self.clock.now_us()))

    async def rounds(self, seconds: float, every_s: float = 2.0) -> None:
        for _ in range(round(seconds / every_s)):
            await self.round()
            await asyncio.sleep(every_s)

    def rows(self) -> list[MessageRow]:
        """The oldest first."""
        return self.database.read_now(lambda tx: messages.listing(tx, limit=10_000))[::-1]


def http(made: ChannelRule, at: str | Callable[[], Secrets], **keys: Any) -> HttpCourier:
    return HttpCourier(made, secrets(at) if isinstance(at, str) else at, ssl_context=_context(), **keys)


@functools.cache
def _context() -> ssl.SSLContext:
    """One for all tests: reading the roots of trust takes a while."""
    return httpx.create_ssl_context()
