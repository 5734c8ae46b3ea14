"""Who waits for a scope, first come first served. Knows no money."""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airworthy.gateway.budget.rollup import Dimensions
from airworthy.gateway.budget.values import Amount, Exceeded, Scope

if TYPE_CHECKING:
    from airworthy.gateway.budget.slice import Hold, Slice


class Waiter:
    """`ticket` orders waiters over all scopes; `why` is what stood in the way last."""

    __slots__ = ("amount", "answer", "parked", "scopes", "ticket", "who", "why")

    def __init__(
        self, ticket: int, scopes: Sequence[Scope], amount: Amount, who: Dimensions | None,
        answer: "asyncio.Future[Hold | Exceeded]",
    ) -> None:  # fmt: skip
        self.ticket = ticket
        self.scopes = scopes
        self.amount = amount
        self.who = who
        self.answer = answer
        self.parked: Slice | None = None
        self.why: Exceeded | None = None

    def __lt__(self, other: "Waiter") -> bool:
        return self.ticket < other.ticket


class Queue(list[Waiter]):
    """Those who wait in one scope, by ticket. A list, so that its being empty costs the fast path nothing to see."""

    __slots__ = ()

    def put(self, waiter: Waiter) -> None:
        if not self or self[-1] < waiter:
            self.append(waiter)
        else:
            self.insert(bisect_left(self, waiter), waiter)

    def drop(self, waiter: Waiter) -> None:
        at = bisect_left(self, waiter)
        if at < len(self) and self[at] is waiter:
            del self[at]
