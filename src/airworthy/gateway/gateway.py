"""The one door to models, in process: journal, limits, budget, retry, fallback, record; the wire is the client's."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airworthy.core.canonical import encode
from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.gate import CallFact, Gate
from airworthy.core.outcome import ErrorFact, ReasonCode
from airworthy.gateway.client import ModelClient
from airworthy.gateway.errors import ContextOverflow, ModelError, ModelNotAllowed, error_from
from airworthy.gateway.price import bound_nano, check_priced, cost_nano
from airworthy.gateway.reply import ModelReply, read_chat_completion
from airworthy.gateway.spend import Exceeded, Scope, reserve, scopes_of, settle
from airworthy.policy import ModelRule, Policy
from airworthy.policy.stops import stop
from airworthy.recorder import Journal, Slot, StepFacts, StepState
from airworthy.resilience import (
    NO,
    Bulkhead,
    Compartment,
    DeadlinePassed,
    Decision,
    Full,
    GaveUp,
    Retrier,
    Retry,
    RetryAccount,
    RetryBudget,
    Yes,
)
from airworthy.store import Tx

RESERVE_POLL_S, RESERVE_POLL_S_MAX = 0.05, 1.0
_REASONING = re.compile(r"(o\d|gpt-5)")
BYTES_PER_TOKEN = 4  # English text and JSON; only an estimate for limits, never for money.


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A chat completion to be made. `model` chooses among the policy's pins; empty: its first, then its fallbacks."""

    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] = ()
    response_format: Mapping[str, Any] | None = None
    model: str = ""
    tokens_out_max: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def canonical(self) -> bytes:
        """What identifies the call in the journal: everything but the pin that happens to answer it."""
        return encode(self)

    def body(self, rule: ModelRule) -> bytes:
        body: dict[str, Any] = {**self.extra, "model": rule.name, "messages": list(self.messages)}
        if self.tools:
            body["tools"] = list(self.tools)
        if self.response_format is not None:
            body["response_format"] = self.response_format
        if rule.temperature is not None:
            body["temperature"] = rule.temperature
        # Reasoning models refuse the older name of the bound; other servers know no newer one.
        bound = "max_completion_tokens" if _REASONING.match(rule.name) else "max_tokens"
        body[bound] = self.output_bound(rule)
        return encode(body)

    def output_bound(self, rule: ModelRule) -> int:
        return min(self.tokens_out_max or rule.output_tokens_max, rule.output_tokens_max)


class _Call:
    """What one call has come to so far, over its attempts and models."""

    def __init__(self, slot: Slot, scopes: tuple[Scope, ...]) -> None:
        self.slot = slot
        self.scopes = scopes
        self.attempts = 0
        self.reserved_nano = 0
        self.notes: list[dict[str, Any]] = []


class Gateway:
    """One per agent in a process; used from one event loop."""

    def __init__(self, policy: Policy, clients: Mapping[str, ModelClient], clock: Clock) -> None:
        """`clients` by `place_of` their rule, or by the model's name. Raises: Unpriced, ModelNotAllowed."""
        for rule in policy.models:
            check_priced(rule)
        self.policy = policy
        self._clients = {place_of(rule): _client(clients, rule) for rule in policy.models}
        self._clock = clock
        self._retriers = {
            place_of(rule): Retrier(
                Retry(attempts=rule.attempts), clock, account=RetryAccount(RetryBudget(), clock)
            )
            for rule in policy.models
        }
        self._places = {
            place_of(rule): Compartment(Bulkhead(rule.concurrency, queue_max=10_000), clock, name=rule.name)
            for rule in policy.models
        }

    async def complete(self, journal: Journal, gate: Gate, request: ModelRequest) -> ModelReply:
        """Raises: ModelError when no model of the policy answered; Halt at a limit or budget."""
        rules = self._candidates(request.model)
        slot = journal.slot("model", "chat", request.canonical())
        if slot.recorded is not None and slot.recorded.exact:
            return _replayed(slot)
        body_bytes = len(slot.arguments)
        fact = CallFact(
            "model", "chat", slot.arguments, slot.occurrence, body_bytes // BYTES_PER_TOKEN,
            request.output_bound(rules[0]),
        )  # fmt: skip
        if slot.recorded is None:
            gate.admit(fact)
        call = _Call(slot, scopes_of(self.policy, journal.task, self._clock.now_us()))
        error: ModelError | None = None
        for rule in rules:
            try:
                reply, bill_nano = await self._with_retry(journal, gate, call, request, rule)
            except ModelError as failed:
                error = failed
                call.notes.append(
                    {"model": rule.name, "error": type(failed).__name__, "message": failed.message}
                )
                if failed.elsewhere:
                    continue
                break
            result = encode(reply)
            await journal.record(
                slot, StepState.DONE, result=result, facts=_facts(call, reply, bill_nano),
                also=partial(_settled, call, bill_nano),
            )  # fmt: skip
            if slot.recorded is None:
                gate.observe(fact, result, _tokens(fact, reply))
            return reply
        assert error is not None
        if slot.recorded is None:
            gate.observe(fact, None)
        raise await self._failed(journal, call, error, rules)

    def _candidates(self, wanted: str) -> Sequence[ModelRule]:
        rules = self.policy.models
        if not rules:
            raise ModelNotAllowed(
                f"The policy of {self.policy.agent!r} names no model.", mend="Add a [[models]] entry to it."
            )
        if not wanted:
            return rules
        chosen = [rule for rule in rules if rule.name == wanted]
        if not chosen:
            names = ", ".join(rule.name for rule in rules)
            raise ModelNotAllowed(
                f"Model {wanted!r} is not in the policy of {self.policy.agent!r}.",
                mend=f"Add it under [[models]], or ask for one of: {names}.",
            )
        return chosen

    async def _with_retry(
        self, journal: Journal, gate: Gate, call: _Call, request: ModelRequest, rule: ModelRule
    ) -> tuple[ModelReply, int]:
        def note(attempt: int, error: Exception, wait_s: float) -> None:
            call.notes.append({
                "model": rule.name, "attempt": attempt, "error": type(error).__name__, "wait_s": round(wait_s, 3),
            })  # fmt: skip

        deadline_us = self._clock.now_us() + round(gate.seconds_left() * US_PER_S)
        try:
            return await self._retriers[place_of(rule)].run(
                lambda: self._attempt(journal, gate, call, request, rule),
                classify=_classify, deadline_us=deadline_us, on_retry=note,
            )  # fmt: skip
        except GaveUp as gave_up:
            raise gave_up.error from gave_up
        except (DeadlinePassed, Full):
            gate.check_halted()
            raise stop(
                self.policy, "limit", ReasonCode.LIMIT_SECONDS,
                f"The time for this task ran out while model {rule.name} was being called.",
            ) from None  # fmt: skip

    async def _attempt(
        self, journal: Journal, gate: Gate, call: _Call, request: ModelRequest, rule: ModelRule
    ) -> tuple[ModelReply, int]:
        gate.check_halted()
        body = request.body(rule)
        tokens, longest = len(body) // BYTES_PER_TOKEN, request.output_bound(rule)
        if tokens + longest > rule.window:
            raise ContextOverflow(
                f"The conversation has about {tokens} tokens; with {longest} of output it does not fit the window of "
                f"{rule.name}, {rule.window}.",
                mend="Send less history, or use a model with a larger window.",
            )
        bound = bound_nano(rule, len(body), request.output_bound(rule))
        call.attempts += 1

        def take(tx: Tx) -> Exceeded | None:
            journal.confirm(tx)
            return reserve(tx, call.scopes, bound)

        async with self._places[place_of(rule)].hold():
            exceeded = await self._reserved(journal, gate, rule, take)
            if exceeded is not None:
                of_task = exceeded.scope is call.scopes[0]
                code = ReasonCode.LIMIT_COST if of_task else ReasonCode.BUDGET
                raise stop(
                    self.policy, "limit", code, exceeded.text, evidence={"budget": exceeded.scope.name}
                )
            try:
                raw = await self._clients[place_of(rule)].complete(
                    body, min(rule.timeout_s, gate.seconds_left())
                )
                reply = read_chat_completion(raw, rule.name)
            except ModelError as error:
                # A call that may have been billed keeps its reservation: a crash must overcount, never undercount.
                if not error.billed:
                    await journal.database.write(
                        lambda tx: settle(tx, call.scopes, bound, 0), fence=journal.fence
                    )
                raise
        call.reserved_nano = bound
        if reply.model and reply.model != rule.name:
            call.notes.append(
                {"note": "the provider answered as another model", "pin": rule.name, "answered": reply.model}
            )
        # Without a count of tokens the bill is unknown, and the whole reservation counts as spent.
        return reply, cost_nano(rule, reply.usage) if reply.usage.known else bound

    async def _reserved(
        self, journal: Journal, gate: Gate, rule: ModelRule, take: Callable[[Tx], Exceeded | None]
    ) -> Exceeded | None:
        """Waits while only the reservations of other calls are in the way: they are the worst case, and will shrink.

        Not for longer than such a call may take; a reservation whose bill never comes stays.
        """
        until_us = self._clock.now_us() + round(min(rule.timeout_s, gate.seconds_left()) * US_PER_S)
        wait_s = RESERVE_POLL_S
        while True:
            exceeded = await journal.database.write(take, fence=journal.fence)
            if exceeded is None or not exceeded.passing or self._clock.now_us() >= until_us:
                return exceeded
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RESERVE_POLL_S_MAX)
            gate.check_halted()

    async def _failed(
        self, journal: Journal, call: _Call, error: ModelError, rules: Sequence[ModelRule]
    ) -> ModelError:
        fact: ErrorFact = error.fact(f"model call {call.slot.seq}", rules[-1].name, call.attempts)
        facts = StepFacts(attempts=call.attempts, model=rules[-1].name, notes=tuple(call.notes))
        await journal.record(call.slot, StepState.FAILED, error=fact, facts=facts)
        error.seq = call.slot.seq
        return error


def place_of(rule: ModelRule) -> str:
    """The same version may be served at two addresses, the one as the other's fallback."""
    return f"{rule.name} at {rule.base_url or 'its provider'}"


def _client(clients: Mapping[str, ModelClient], rule: ModelRule) -> ModelClient:
    found = clients.get(place_of(rule)) or clients.get(rule.name)
    if found is None:
        raise ModelNotAllowed(
            f"No client was given for the model {rule.name!r}, which the policy names.",
            mend=f"Add it to Agent(clients=...), which has: {', '.join(clients) or 'none'}.",
        )
    return found


def _tokens(fact: CallFact, reply: ModelReply) -> int:
    usage = reply.usage
    return usage.tokens_in + usage.tokens_out if usage.known else fact.tokens_in + fact.tokens_out_max


def _settled(call: _Call, bill_nano: int, tx: Tx) -> None:
    settle(tx, call.scopes, call.reserved_nano, bill_nano)


def _classify(error: Exception) -> Decision:
    if isinstance(error, ModelError) and error.retryable:
        return Yes(error.retry_after_s)
    return NO


def _replayed(slot: Slot) -> ModelReply:
    assert slot.recorded is not None
    if slot.recorded.error is not None:
        raise error_from(slot.recorded.error, slot.seq)
    return ModelReply.model_validate(slot.recorded.result)


def _facts(call: _Call, reply: ModelReply, bill_nano: int) -> StepFacts:
    return StepFacts(
        attempts=call.attempts,
        model=reply.pin,
        tokens_in=reply.usage.tokens_in if reply.usage.known else None,
        tokens_out=reply.usage.tokens_out if reply.usage.known else None,
        cost_nano=bill_nano if reply.usage.known else None,
        notes=tuple(call.notes),
    )
