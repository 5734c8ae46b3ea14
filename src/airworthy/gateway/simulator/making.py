"""One call from the question to the answer: the brain decides, a fault may spoil it, a dialect writes it down."""

import random
from dataclasses import dataclass, replace

import orjson

from airworthy.gateway.simulator import brain, misconduct, spoiling, streaming, wire
from airworthy.gateway.simulator.answer import Answer
from airworthy.gateway.simulator.conversation import Conversation, Json
from airworthy.gateway.simulator.decision import Decision
from airworthy.gateway.simulator.dialects.openai import OpenAI
from airworthy.gateway.simulator.dialects.port import Asked, Dialect
from airworthy.gateway.simulator.faults import Fault
from airworthy.gateway.simulator.rules import Rules
from airworthy.gateway.simulator.spoken import Spoken, odd_usage


@dataclass(frozen=True, slots=True)
class Turn:
    """A question in its protocol. `mark` is 16 bytes that stand for seed and request: same mark, same words."""

    dialect: Dialect
    asked: Asked
    conversation: Conversation
    mark: bytes
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """An answer, the fault that was carried out on it, the rule that decided, and what was said (None: nothing)."""

    answer: Answer
    fault: Fault | None = None
    rule: str | None = None
    spoken: Spoken | None = None


def made(turn: Turn, faults: tuple[Fault, ...], rules: Rules | None) -> Made:
    """The first of the drawn faults that can be is carried out."""
    if faults and faults[0].kind in spoiling.BEFORE:
        return _instead(turn, faults[0])
    chance = random.Random(int.from_bytes(turn.mark, "big"))  # noqa: S311  # wording, not secrets
    decision = brain.decide(turn.conversation, rules, chance)
    for fault in faults:
        spoilt = _spoilt(turn, decision, fault, chance)
        if spoilt is not None:
            return spoilt
    return _written(turn, _spoken(turn, decision), None, decision.rule)


def embedded(
    body: dict[str, Json], faults: tuple[Fault, ...], models: tuple[str, ...], chance: random.Random
) -> Made:
    """As `made`, for an answer without words: only faults of the line and of the count apply."""
    answer = encoded(body)
    for fault in faults:
        if fault.kind in spoiling.BEFORE:
            return Made(spoiling.instead(fault, str(body["model"]), OpenAI()), fault)
        if fault.kind in spoiling.BYTES:
            sent = spoiling.sent(answer, fault, chance)
            return Made(sent if sent is not None else answer, fault)
        if fault.kind == "wrong_model":
            return Made(encoded(body | {"model": spoiling.other_model(str(body["model"]), models)}), fault)
        usage = body["usage"]
        if fault.kind in spoiling.USAGE and isinstance(usage, dict):
            odd = odd_usage(usage, spoiling.usage_form(fault, chance))
            rest = {name: value for name, value in body.items() if name != "usage"}
            return Made(encoded(rest if odd is None else rest | {"usage": odd}), fault)
    return Made(answer)


def encoded(value: dict[str, Json]) -> Answer:
    return Answer(200, orjson.dumps(value), {"content-type": "application/json"})


def _spoilt(turn: Turn, decision: Decision, fault: Fault, chance: random.Random) -> Made | None:
    """None if this turn gives the fault nothing to work on."""
    kind, asked = fault.kind, turn.asked
    if kind in spoiling.BEFORE:
        return _instead(turn, fault)
    if kind in misconduct.KINDS:
        worse = misconduct.misconducted(decision, turn.conversation, fault, chance)
        return None if worse is None else _written(turn, _spoken(turn, worse), fault, worse.rule)
    spoken = _spoken(turn, decision)
    if kind in spoiling.BODY:
        spoken = spoiling.body(spoken, fault, turn.conversation, turn.models)
        return _written(turn, spoken, fault, decision.rule)
    if kind in spoiling.USAGE:
        if not asked.wants_usage:
            return None
        spoken = replace(spoken, usage_as=spoiling.usage_form(fault, chance))
        return _written(turn, spoken, fault, decision.rule)
    if kind in streaming.STREAM:
        if not asked.stream:
            return None
        answer = streaming.spoilt(turn.dialect.stream(spoken, asked), fault, turn.dialect, chance)
        return Made(answer, fault, decision.rule, spoken)
    sent = spoiling.sent(_answer(turn, spoken), fault, chance)
    return None if sent is None else Made(sent, fault, decision.rule, spoken)


def _instead(turn: Turn, fault: Fault) -> Made:
    return Made(spoiling.instead(fault, turn.conversation.model, turn.dialect.house), fault)


def _spoken(turn: Turn, decision: Decision) -> Spoken:
    conversation = turn.conversation
    return Spoken(wire.completion(decision, conversation, conversation.model, turn.mark), turn.mark)


def _written(turn: Turn, spoken: Spoken, fault: Fault | None, rule: str | None) -> Made:
    return Made(_answer(turn, spoken), fault, rule, spoken)


def _answer(turn: Turn, spoken: Spoken) -> Answer:
    if turn.asked.stream:
        return streaming.streamed(turn.dialect.stream(spoken, turn.asked))
    return encoded(turn.dialect.plain(spoken, turn.asked))
