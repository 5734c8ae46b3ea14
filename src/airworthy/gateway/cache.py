"""Answers used again for identical requests: which may be, under which key, for how long. Asks no model.

A cache that fails is passed by: it must never cost an answer.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Protocol

import orjson

from airworthy.core.clock import US_PER_S, Clock
from airworthy.gateway.wire.facts import ReplyFacts, RequestFacts
from airworthy.policy import CacheRule
from airworthy.store import Database, StoreError, Tx
from airworthy.store.migrate import Migration, create_all

MEMORY_BYTES_MAX: Final = 32 * 1024 * 1024
ANSWER_BYTES_MAX: Final = 1024 * 1024
TRIM_EVERY: Final = 100  # Answers kept between two looks at how much there is.
# Fields that change nothing of the answer, and so must not keep equal questions apart.
_IRRELEVANT: Final = frozenset({"user", "metadata", "safety_identifier", "prompt_cache_key", "store"})
_TOOLS: Final = ("tools", "functions", "mcp_servers")
# With these a request means something else each time.
_REMEMBERS: Final = ("previous_response_id", "conversation", "container")


@dataclass(frozen=True, slots=True)
class Question:
    """What an answer is kept by. `owner` is the user it belongs to, or empty where it serves everybody.

    `route`: the places that may answer, so that a policy with another pin is not answered by the old one's words.
    `headers`: those that the provider sees.
    """

    agent: str
    owner: str
    dialect: str
    model: str
    body: dict[str, Any]
    rule: CacheRule
    route: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def key(self) -> bytes:
        body = {name: value for name, value in self.body.items() if name not in _IRRELEVANT}
        told = [self.agent, self.owner, self.dialect, self.model, self.route, self.headers, body]
        return sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).digest()


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as its caller got it: one body, or all bytes of a stream. `model` is who gave it."""

    body: bytes
    model: str
    at_us: int


Later = Callable[[Callable[[Tx], None]], None]
"""Takes a write that may wait a moment, and may be lost in a crash."""


class AnswerCache(Protocol):
    """The port: an exact cache, or one that finds what means the same."""

    async def find(self, question: Question) -> Kept | None: ...

    def keep(self, question: Question, kept: Kept) -> None: ...


def may_ask(rule: CacheRule, facts: RequestFacts, user: str) -> bool:
    """Whether this request may be answered from the cache at all, and its answer kept.

    Without a user there is nobody to keep answers apart for, so only what is shared is kept.
    """
    if not rule.enabled or (not user and not rule.shared):
        return False
    if not rule.with_tools and any(facts.body.get(name) for name in _TOOLS):
        return False
    if any(facts.body.get(name) for name in _REMEMBERS):
        return False
    temperature = facts.body.get("temperature")
    return not isinstance(temperature, int | float) or temperature <= rule.temperature_max


def may_keep(rule: CacheRule, facts: ReplyFacts, body: bytes) -> bool:
    whole = facts.finish == "stop" or (facts.finish == "tool_calls" and rule.with_tools)
    return whole and not facts.refusal and len(body) <= ANSWER_BYTES_MAX


class ExactCache:
    """Implements `AnswerCache` in the store, with what was used lately in memory. One per process."""

    def __init__(self, database: Database, clock: Clock, later: Later) -> None:
        self._database = database
        self._clock = clock
        self._later = later
        self._near: OrderedDict[bytes, Kept] = OrderedDict()
        self._near_bytes = 0
        self._since_trim = 0

    async def find(self, question: Question) -> Kept | None:
        key = question.key()
        oldest_us = self._clock.now_us() - round(question.rule.ttl_s * US_PER_S)
        kept = self._near.get(key)
        if kept is None:
            try:
                kept = await self._database.read(lambda tx: _read(tx, key))
            except StoreError:
                return None
            if kept is not None:
                self._remember(key, kept)
        if kept is None or kept.at_us < oldest_us:
            return None
        if key in self._near:
            self._near.move_to_end(key)
        return kept

    def keep(self, question: Question, kept: Kept) -> None:
        key = question.key()
        self._remember(key, kept)
        self._since_trim += 1
        trims = self._since_trim >= TRIM_EVERY
        if trims:
            self._since_trim = 0
        bytes_max = question.rule.entries_bytes_max
        oldest_us = kept.at_us - round(question.rule.ttl_s * US_PER_S)

        def write(tx: Tx) -> None:
            tx.execute(
                "INSERT INTO kept_answers (key, agent, owner, model, at_us, size, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET model = excluded.model, at_us = excluded.at_us,"
                " size = excluded.size, body = excluded.body",
                (key, question.agent, question.owner, kept.model, kept.at_us, len(kept.body), kept.body),
            )
            if trims:
                tx.execute(
                    "DELETE FROM kept_answers WHERE agent = ? AND at_us < ?", (question.agent, oldest_us)
                )
                _trim(tx, question.agent, bytes_max)

        self._later(write)

    def _remember(self, key: bytes, kept: Kept) -> None:
        before = self._near.pop(key, None)
        if before is not None:
            self._near_bytes -= len(before.body)
        self._near[key] = kept
        self._near_bytes += len(kept.body)
        while self._near_bytes > MEMORY_BYTES_MAX:
            _, gone = self._near.popitem(last=False)
            self._near_bytes -= len(gone.body)


def _read(tx: Tx, key: bytes) -> Kept | None:
    row = tx.row("SELECT body, model, at_us FROM kept_answers WHERE key = ?", (key,))
    return None if row is None else Kept(bytes(row[0]), row[1], row[2])


def _trim(tx: Tx, agent: str, bytes_max: int) -> None:
    row = tx.row("SELECT COALESCE(SUM(size), 0) FROM kept_answers WHERE agent = ?", (agent,))
    over = (row[0] if row is not None else 0) - bytes_max
    if over <= 0:
        return
    for key, size in tx.rows("SELECT key, size FROM kept_answers WHERE agent = ? ORDER BY at_us", (agent,)):
        tx.execute("DELETE FROM kept_answers WHERE key = ?", (key,))
        over -= size
        if over <= 0:
            return


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

    metadata = MetaData()
    table = Table(
        "kept_answers",
        metadata,
        Column("key", LargeBinary, primary_key=True),
        Column("agent", String, nullable=False),
        Column("owner", String, nullable=False),
        Column("model", String, nullable=False),
        Column("at_us", BigInteger, nullable=False),
        Column("size", Integer, nullable=False),
        Column("body", LargeBinary, nullable=False),
    )
    Index("kept_answers_by_age", table.c.agent, table.c.at_us)
    return create_all(metadata, dialect)


MIGRATIONS = (Migration("gateway-cache", 1, "kept answers", _first),)
