"""The door for agents in this process: journal, limits and record around a call; how it is carried is the core's."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from airworthy.core.canonical import encode
from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import storable_text
from airworthy.core.gate import CallFact, Gate
from airworthy.core.ids import Ids
from airworthy.core.outcome import ErrorFact, ReasonCode
from airworthy.gateway.budget import Amount, Dimensions, Exceeded, Tally, day_of, roll, rows, scopes_of
from airworthy.gateway.carry import Carried, NoTime, carried
from airworthy.gateway.errand import Errand
from airworthy.gateway.errors import ModelError, ModelNotAllowed, error_from
from airworthy.gateway.fetch import Fetched, Fetcher
from airworthy.gateway.overflow import Fitting, Summaries, Summariser
from airworthy.gateway.place import Client, Place, Switch, places_of
from airworthy.gateway.prices import cost_nano
from airworthy.gateway.records import SEEN
from airworthy.gateway.reply import ModelReply, reply_from
from airworthy.gateway.reply import Usage as ReplyUsage
from airworthy.gateway.served import Served
from airworthy.gateway.translate import translate_reply
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.gateway.wire.facts import ReplyFacts, RequestFacts, Usage
from airworthy.gateway.wire.openai_chat import bound_name
from airworthy.policy import ModelRule, Policy
from airworthy.policy.stops import stop
from airworthy.recorder import Journal, Slot, StepFacts, StepState
from airworthy.store import Tx

RESERVE_POLL_S, RESERVE_POLL_S_MAX = 0.05, 1.0
_CHAT = DIALECTS["chat"]
SEEN_CHARS_MAX = 200
_IDS = Ids()  # For the parts of a translated reply that its provider left without an id.


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
        body[bound_name(rule.name)] = self.output_bound(rule)
        return encode(body)

    def as_sent(self, rule: ModelRule) -> tuple[bytes, RequestFacts]:
        raw = self.body(rule)
        return raw, _CHAT.read_request(raw)

    def output_bound(self, rule: ModelRule) -> int:
        return min(self.tokens_out_max or rule.output_tokens_max, rule.output_tokens_max)


@dataclass(frozen=True, slots=True)
class _Held:
    """What was reserved for one attempt, in whose name."""

    amount: Amount
    who: Dimensions


class _JournalPurse:
    """Reserves in the store's rows, one transaction a call: the journal writes one for the call anyway."""

    def __init__(self, gateway: "Gateway", journal: Journal, gate: Gate) -> None:
        self._policy = gateway.policy
        self._clock = gateway.clock
        self._journal = journal
        self._gate = gate
        task, *others = scopes_of(self._policy, journal.task, self._clock.now_us())
        # The gate bounds the task's tokens, over all its runs.
        self.scopes = (replace(task, cap_tokens=None), *others)
        self._kept: list[_Held] = []
        self._summaries: list[tuple[_Held, Usage, int]] = []

    async def reserve(self, place: Place, bound: Amount) -> _Held:
        """Raises: Halt at a limit or budget."""
        task = self._journal.task
        day = day_of(self._clock.now_us())
        held = _Held(bound, Dimensions(day, task.agent, "", task.user, task.feature, place.rule.name))

        def take(tx: Tx) -> Exceeded | None:
            self._journal.confirm(tx)
            exceeded = rows.reserve(tx, self.scopes, bound)
            if exceeded is None:
                roll(tx, held.who, Tally(reserved_nano=bound.nano))
            return exceeded

        exceeded = await self._reserved(place.rule, take)
        if exceeded is None:
            return held
        code = ReasonCode.LIMIT_COST if exceeded.scope is self.scopes[0] else ReasonCode.BUDGET
        raise stop(self._policy, "limit", code, exceeded.text, evidence={"budget": exceeded.scope.name})

    async def release(self, hold: _Held) -> None:
        def give_back(tx: Tx) -> None:
            rows.release(tx, self.scopes, hold.amount)
            roll(tx, hold.who, Tally(reserved_nano=-hold.amount.nano))

        await self._journal.database.write(give_back, fence=self._journal.fence)

    def keep(self, hold: _Held) -> None:
        """It stands as it was reserved, and is marked so with the next record, lest others wait for it to end."""
        self._kept.append(hold)

    def paid(self, done: Carried[Fetched, _Held]) -> None:
        """A summary that the call needed; settled with the next record."""
        facts = done.value.facts
        usage = facts.usage
        done.visit.over(usage.tokens_in + usage.tokens_out if usage.known else None)
        if usage.known:
            bill_nano = cost_nano(done.visit.place.price, usage, facts.tier)
            self._summaries.append((done.hold, usage, bill_nano))
        else:
            self.keep(done.hold)

    @property
    def extra(self) -> tuple[int, int, int]:
        """Tokens in, tokens out and nano-USD of the summaries."""
        made = self._summaries
        return (
            sum(u.tokens_in for _, u, _ in made),
            sum(u.tokens_out for _, u, _ in made),
            sum(b for _, _, b in made),
        )

    def mark_kept(self, tx: Tx) -> None:
        for hold, usage, bill_nano in self._summaries:
            self._settle(tx, hold, usage, bill_nano)
        for hold in self._kept:
            rows.keep(tx, self.scopes, hold.amount)
            roll(tx, hold.who, Tally(calls=1, unpriced_calls=1))

    def settle(self, tx: Tx, hold: _Held, reply: ModelReply, bill_nano: int) -> None:
        """In the transaction that records the reply. Without a count of tokens the whole reservation stands."""
        self.mark_kept(tx)
        usage = reply.usage
        if not usage.known:
            rows.keep(tx, self.scopes, hold.amount)
            roll(tx, hold.who, Tally(calls=1, unpriced_calls=1))
            return
        self._settle(tx, hold, usage, bill_nano)

    def _settle(self, tx: Tx, hold: _Held, usage: Usage | ReplyUsage, bill_nano: int) -> None:
        tokens = usage.tokens_in + usage.tokens_out
        rows.settle(tx, self.scopes, hold.amount, Amount(bill_nano, tokens))
        roll(tx, hold.who, Tally(
            1, usage.tokens_in, usage.tokens_out, usage.cached, -hold.amount.nano, bill_nano,
        ))  # fmt: skip

    async def _reserved(self, rule: ModelRule, take: Callable[[Tx], Exceeded | None]) -> Exceeded | None:
        """Waits while only other calls' reservations are in the way: they shrink to their bills when those end."""
        journal, clock = self._journal, self._clock
        until_us = clock.now_us() + round(min(rule.timeout_s, self._gate.seconds_left()) * US_PER_S)
        wait_s = RESERVE_POLL_S
        while True:
            exceeded = await journal.database.write(take, fence=journal.fence)
            if exceeded is None or not exceeded.passing or clock.now_us() >= until_us:
                return exceeded
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RESERVE_POLL_S_MAX)
            self._gate.check_halted()


class Gateway:
    """One per agent in a process; used from one event loop."""

    def __init__(
        self,
        policy: Policy,
        clients: Mapping[str, Client],
        clock: Clock,
        *,
        circuits: Callable[[str], Switch] | None = None,
    ) -> None:
        """`clients` by `place_of` their rule, or by the model's name. Raises: Unpriced, ModelNotAllowed.

        `circuits`: the breaker of a name; left out, each place has one of its own in this process.
        """
        self.policy = policy
        self.clock = clock
        self._served = Served(policy, places_of(policy.models, clients, clock, circuits))
        self._fetcher = Fetcher(clock)
        self._summaries = Summaries()

    async def complete(
        self, journal: Journal, gate: Gate, request: ModelRequest, sent: ModelRequest | None = None
    ) -> ModelReply:
        """`sent`: what goes out, and is written down, in place of the request by which the journal knows the call.

        Raises: ModelError when no model of the policy answered; Halt at a limit or budget.
        """
        asked, request = request, request if sent is None else sent
        places = self._places(request.model)
        slot = journal.slot("model", "chat", asked.canonical())
        if slot.recorded is not None and slot.recorded.exact:
            return replayed(slot)
        if sent is not None:
            slot.arguments = journal.clean(sent.canonical())
        purse = _JournalPurse(self, journal, gate)
        errand = Errand(
            _CHAT, request.as_sent, places, self.clock.now_us() + round(gate.seconds_left() * US_PER_S),
            halted=gate.check_halted,
        )  # fmt: skip
        errand.overflowed = fitting = self._fitting(errand, purse)
        tokens_in, tokens_in_max = places[0].estimate.of_text(slot.arguments), self.policy.limits.tokens_in
        # A conversation that will be made to fit does not pass the limit; one that cannot be does.
        too_long = fitting is not None and tokens_in > tokens_in_max and fitting.possible()
        fact = CallFact(
            "model", "chat", slot.arguments, slot.occurrence, tokens_in_max if too_long else tokens_in,
            request.output_bound(places[0].rule),
        )  # fmt: skip
        if slot.recorded is None:
            gate.admit(fact)
        try:
            if fitting is not None and too_long:
                await fitting()
            done = await carried(errand, purse, self._fetcher.whole, self.clock)
        except ModelError as error:
            if slot.recorded is None:
                gate.observe(fact, None)
            raise await _failed(journal, slot, errand, purse, error) from None
        except NoTime:
            gate.check_halted()
            text = f"The time for this task ran out while model {places[0].rule.name} was being called."
            raise stop(self.policy, "limit", ReasonCode.LIMIT_SECONDS, text) from None
        reply, bill_nano = _understood(errand, done)
        result = encode(reply)
        await journal.record(
            slot, StepState.DONE, result=result, facts=_facts(errand, reply, bill_nano, purse.extra),
            also=partial(_settled, purse, done.hold, reply, bill_nano, (done.visit.place.name, self.clock.now_us())),
        )  # fmt: skip
        if slot.recorded is None:
            gate.observe(fact, result, _tokens(fact, reply) + sum(purse.extra[:2]))
        return reply

    def first(self, model: str = "") -> Place:
        """The place that a call for `model` asks first. Raises: ModelNotAllowed."""
        return self._places(model)[0]

    def _fitting(self, errand: Errand, purse: _JournalPurse) -> Fitting[_Held] | None:
        mode = self.policy.gateway.on_overflow
        if mode == "refuse":
            return None
        summariser = Summariser(purse, self._fetcher, self.clock, self._summaries, purse.paid)
        return Fitting(errand, mode, summariser, tokens_in_max=self.policy.limits.tokens_in)

    def _places(self, wanted: str) -> Sequence[Place]:
        """With a name: that model, and what it names as its fallbacks. Raises: ModelNotAllowed."""
        rules = self.policy.models
        if not rules:
            raise ModelNotAllowed(
                f"The policy of {self.policy.agent!r} names no model.", mend="Add a [[models]] entry to it."
            )
        if not wanted:
            return self._served.places_for(rules[0].name)
        places = self._served.places_for(wanted)
        # Who asks for a model by name means that one, unless the policy itself says what may stand in for it.
        return places if places[0].rule.fallback is not None else places[:1]


def _in_chat(errand: Errand, done: Carried[Fetched, _Held]) -> ReplyFacts:
    """What was answered, in the protocol in which the agent asked; counted as the provider counted it."""
    facts, bridge = done.value.facts, done.prepared.bridge
    if bridge is None:
        return facts
    translated = translate_reply(done.value.raw, bridge, new_id=_IDS.trace)
    errand.notes += [{"note": note} for note in translated.notes]
    seen = _CHAT.read_reply(translated.body)
    return replace(
        facts, text=seen.text, tool_calls=seen.tool_calls, finish=seen.finish, refusal=seen.refusal
    )


def _understood(errand: Errand, done: Carried[Fetched, _Held]) -> tuple[ModelReply, int]:
    facts, place = _in_chat(errand, done), done.visit.place
    usage = facts.usage
    done.visit.over(usage.tokens_in + usage.tokens_out if usage.known else None)
    errand.answered_as(place, facts.model)
    # Without a count of tokens the bill is unknown, and the whole reservation counts as spent.
    bill_nano = cost_nano(place.price, usage, facts.tier) if usage.known else done.hold.amount.nano
    return reply_from(facts, place.rule.name), bill_nano


def _tokens(fact: CallFact, reply: ModelReply) -> int:
    usage = reply.usage
    return usage.tokens_in + usage.tokens_out if usage.known else fact.tokens_in + fact.tokens_out_max


def _settled(
    purse: _JournalPurse, hold: _Held, reply: ModelReply, bill_nano: int, seen: tuple[str, int], tx: Tx
) -> None:
    purse.settle(tx, hold, reply, bill_nano)
    if reply.model:
        place, at_us = seen
        words = (reply.model[:SEEN_CHARS_MAX], reply.fingerprint[:SEEN_CHARS_MAX])
        tx.execute(SEEN, (place, reply.pin, *(storable_text(word) for word in words), at_us, at_us, 1))


async def _failed(
    journal: Journal, slot: Slot, errand: Errand, purse: _JournalPurse, error: ModelError
) -> ModelError:
    model = errand.places[-1].rule.name
    fact: ErrorFact = error.fact(f"model call {slot.seq}", model, errand.attempts)
    facts = StepFacts(attempts=errand.attempts, model=model, notes=tuple(errand.notes))
    await journal.record(slot, StepState.FAILED, error=fact, facts=facts, also=purse.mark_kept)
    error.seq = slot.seq
    return error


def replayed(slot: Slot) -> ModelReply:
    """What the record answers. Raises: ModelError, as it was raised then."""
    assert slot.recorded is not None
    if slot.recorded.error is not None:
        raise error_from(slot.recorded.error, slot.seq)
    return ModelReply.model_validate(slot.recorded.result)


def _facts(errand: Errand, reply: ModelReply, bill_nano: int, extra: tuple[int, int, int]) -> StepFacts:
    """`extra`: what a summary took."""
    usage = reply.usage
    return StepFacts(
        attempts=errand.attempts,
        model=reply.pin,
        tokens_in=usage.tokens_in + extra[0] if usage.known else None,
        tokens_out=usage.tokens_out + extra[1] if usage.known else None,
        cost_nano=bill_nano + extra[2] if usage.known else None,
        notes=tuple(errand.notes),
    )
