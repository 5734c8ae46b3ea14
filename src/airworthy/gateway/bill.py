"""Reserves and settles the calls of the HTTP door in the ledger; does no I/O of its own."""

from collections.abc import Mapping
from typing import Any, Final

from airworthy.core.clock import Clock
from airworthy.gateway.budget import Amount, Exceeded, Hold, Ledger, Standing
from airworthy.gateway.budget.rollup import Dimensions
from airworthy.gateway.budget.scopes import NO_KEY_BUDGETS, day_of
from airworthy.gateway.call import Call
from airworthy.gateway.place import Place
from airworthy.gateway.prices import cost_nano
from airworthy.gateway.served import Served
from airworthy.gateway.wire.facts import ReplyFacts, Usage

_LIMITS: Final = {"money": "limit_cost", "tokens": "limit_tokens", "calls": "limit_steps"}


class Stopped(Exception):
    """A call that ends at one of our bounds; no model can help, so none is asked."""

    def __init__(self, code: str, text: str, evidence: Mapping[str, Any]) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.evidence = evidence


class LedgerPurse:
    """The purse of one call, over all its attempts."""

    __slots__ = ("_call", "_clock", "_deadline_us", "_ledger", "_nano", "_served", "_tokens")

    def __init__(self, ledger: Ledger, served: Served, call: Call, deadline_us: int, clock: Clock) -> None:
        self._ledger = ledger
        self._served = served
        self._call = call
        self._deadline_us = deadline_us
        self._clock = clock
        # What the call has used, or may have: one that belongs to no run is bounded as a task of its own.
        self._nano = self._tokens = 0

    async def reserve(self, place: Place, bound: Amount) -> Hold:
        """Raises: Stopped."""
        caller, now_us = self._call.caller, self._clock.now_us()
        book = self._served.scopes
        if not caller.run:
            mine = Standing(settled_nano=self._nano, settled_tokens=self._tokens)
            exceeded = mine.exceeded(book.of_call, bound)
            if exceeded is not None:
                raise _stopped(exceeded, of_task=True)
        scopes = book.of(
            now_us, task_id=caller.run, user=caller.user, feature=caller.feature, key_id=caller.key_id,
            key=caller.budgets or NO_KEY_BUDGETS,
        )  # fmt: skip
        who = Dimensions(
            day_of(now_us), caller.agent, caller.key_id, caller.user, caller.feature, place.rule.name
        )
        hold = self._ledger.try_reserve(scopes, bound, who)
        if hold is None:
            found = await self._ledger.reserve(scopes, bound, who, deadline_us=self._deadline_us)
            if isinstance(found, Exceeded):
                raise _stopped(found, of_task=bool(caller.run) and found.scope.name == f"task:{caller.run}")
            hold = found
        self._nano += bound.nano
        self._tokens += bound.tokens
        return hold

    async def release(self, hold: Hold) -> None:
        self._nano -= hold.amount.nano
        self._tokens -= hold.amount.tokens
        self._ledger.release(hold)

    def keep(self, hold: Hold) -> None:
        self._ledger.keep(hold)

    def settle(self, hold: Hold, place: Place, facts: ReplyFacts) -> int | None:
        """The bill in nano-USD; None when the provider did not say what was used: then all that was reserved counts."""
        if not facts.usage.known:
            self._ledger.keep(hold)
            return None
        return self.settle_for(hold, place, facts.usage, facts.tier)

    def settle_for(self, hold: Hold, place: Place, usage: Usage, tier: str = "") -> int:
        bill_nano = cost_nano(place.price, usage, tier)
        tokens = usage.tokens_in + usage.tokens_out
        self._nano += bill_nano - hold.amount.nano
        self._tokens += tokens - hold.amount.tokens
        self._ledger.settle(hold, Amount(bill_nano, tokens), usage)
        return bill_nano


def _stopped(exceeded: Exceeded, *, of_task: bool) -> Stopped:
    code = _LIMITS[exceeded.of] if of_task else "budget"
    return Stopped(code, exceeded.text, {"budget": exceeded.scope.name})
