"""A call as it comes through the HTTP door and what goes back: values between the server and the core."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from airworthy.gateway.budget import KeyBudgets
from airworthy.gateway.wire.dialect import Dialect
from airworthy.gateway.wire.facts import RequestFacts

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as the key and the request say. `run` is the task the call belongs to; empty: a task of its own.

    `priority`: larger goes first.
    """

    key_id: str
    agent: str
    user: str = ""
    feature: str = ""
    session: str = ""
    run: str = ""
    priority: int = 0
    budgets: KeyBudgets | None = None


@dataclass(slots=True)
class Call:
    """One request. `headers` are those a provider should see, such as `anthropic-beta`; names in small letters."""

    id: str
    dialect: Dialect
    raw: bytes
    facts: RequestFacts
    caller: Caller
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def task(self) -> str:
        return self.caller.run or self.id


@dataclass(slots=True)
class Answer:
    """What the caller gets. A stream that is closed early stops the provider's work and settles the bill."""

    status: int
    headers: Headers
    body: bytes | AsyncGenerator[bytes, None]
