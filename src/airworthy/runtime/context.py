"""Keeps a run's conversations under their share of the model's window; each cut is a step, made again by a replay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from airworthy.core.canonical import digest, encode
from airworthy.core.gate import CallFact, Gate
from airworthy.core.outcome import ReasonCode
from airworthy.gateway import ContextOverflow, ModelError, ModelReply, ModelRequest
from airworthy.gateway.overflow.history import Plan, applied, pieces_of, planned, sendable, summarised_before
from airworthy.gateway.overflow.summary import (
    OUTPUT_TOKENS_MAX,
    SUMMARY_TOKENS,
    asking_in_chat,
    clipped,
    readable,
)
from airworthy.gateway.place import Place
from airworthy.gateway.tokens import Estimate
from airworthy.policy import ContextRule, Limits
from airworthy.policy.stops import stop
from airworthy.recorder import Journal, StepState
from airworthy.runtime.gate import RunGate

KIND: Final = "context"
SUMMARY_SHARE: Final = 0.25  # Of the room; a summary takes no more of it.
AROUND_SUMMARY_TOKENS: Final = 64
SUMMARIES_MAX: Final = 64  # Kept by one run, whose later calls may leave out the same again.


@dataclass(frozen=True, slots=True)
class Room:
    """`tokens` that a request may have, and in words why. `limit`: the policy's limit of one call is the closest."""

    tokens: int
    why: str
    limit: bool = False


class Models(Protocol):
    """The door to the models, as a run needs it."""

    async def complete(
        self, journal: Journal, gate: Gate, request: ModelRequest, sent: ModelRequest | None = None
    ) -> ModelReply:
        """`sent`: what goes out in place of what the journal knows the call by. Raises: ModelError, Halt."""
        ...

    def first(self, model: str = "") -> Place:
        """The place that a call for `model` asks first. Raises: ModelNotAllowed."""
        ...


class Context:
    """Of one run; used from one event loop. `acts`: names of the tools that act."""

    def __init__(self, journal: Journal, gate: RunGate, gateway: Models, acts: frozenset[str]) -> None:
        self._rule: ContextRule | None = gate.policy.context
        self._journal = journal
        self._gate = gate
        self._gateway = gateway
        self._acts = acts if self._rule is not None and self._rule.keep_acts else frozenset()
        self._estimates: dict[str, Estimate] = {}
        self._summaries: dict[bytes, str] = {}
        self._asked: frozenset[str] | None = None
        # What an earlier run cut is cut alike, whatever the policy says by now: the models have answered to that.
        self._plans = {
            step.arguments["conversation"]: _plan_in(step.result)
            for step in journal.recorded(KIND)
            if step.exact and step.state is StepState.DONE
        }
        self._resumed = bool(self._plans)

    async def fit(self, request: ModelRequest) -> ModelRequest:
        """The request with its history cut to fit. Raises: ContextOverflow, ModelNotAllowed, and a Halt at a limit."""
        rule = self._rule
        if rule is None and not self._resumed:
            return request
        place = self._gateway.first(request.model)
        size = _Size(place.rule.name, request, self._estimate(place))
        before, room = (
            size.of(pieces_of(request.messages)),
            room_of(place, request, rule, self._gate.policy.limits),
        )
        if before <= room.tokens and not self._resumed:
            return request
        conversation = self._name_of(request)
        plan = self._plans.get(conversation)
        if plan is None and (before <= room.tokens or rule is None or self._asked_before(request)):
            return request
        if plan is None:
            assert rule is not None
            plan = await self._cut(request, place, size, conversation, (rule, room, before))
        return replace(request, messages=applied(request.messages, plan))

    def _name_of(self, request: ModelRequest) -> str:
        return digest(self._journal.clean(encode(request.messages))).hex()

    async def _cut(
        self,
        request: ModelRequest,
        place: Place,
        size: "_Size",
        conversation: str,
        given: tuple[ContextRule, Room, int],
    ) -> Plan:
        rule, room, before = given
        spare = min(SUMMARY_TOKENS + AROUND_SUMMARY_TOKENS, round(room.tokens * SUMMARY_SHARE))
        plan, note = None, ""
        if rule.strategy == "summarise":
            plan = planned(request.messages, rule, self._acts, size.of, room.tokens - spare)
            if plan is None:
                note = "there is no room for a summary"
            else:
                plan, note = await self._summarised(request, place, plan, spare - AROUND_SUMMARY_TOKENS)
        if plan is not None and size.after(request, plan) > room.tokens:
            plan, note = replace(plan, summary=""), "the summary did not fit"
        plan = plan or planned(request.messages, rule, self._acts, size.of, room.tokens)
        if plan is None:
            raise self._refused(rule, room, before)
        if conversation in self._plans:  # A parallel branch was quicker.
            return self._plans[conversation]
        facts = {
            "strategy": rule.strategy, "left": plan.left, "emptied": plan.emptied, "summary": plan.summary,
            "tokens": before, "tokens_left": size.after(request, plan), "room": room.tokens,
            **({"note": note} if note else {}),
        }  # fmt: skip
        await self._record(
            encode({"conversation": conversation, "messages": len(request.messages)}), encode(facts)
        )
        self._plans[conversation] = plan
        return plan

    async def _record(self, arguments: bytes, facts: bytes) -> None:
        slot = self._journal.slot(KIND, "fit", arguments)
        if slot.recorded is not None:  # A secret was taken out of its summary, so it had to be made anew.
            await self._journal.record(slot, StepState.DONE, result=facts)
            return
        self._gate.admit(CallFact(KIND, "fit", slot.arguments, slot.occurrence))
        # With the record of the call that follows: if a crash loses both, nothing hangs on the cut.
        self._journal.ride(slot, StepState.DONE, facts)

    async def _summarised(
        self, request: ModelRequest, place: Place, plan: Plan, tokens_max: int
    ) -> tuple[Plan, str]:
        """The plan with a summary, or without a new one and why; the summary of an earlier cut then stays."""
        assert self._rule is not None
        estimate = self._estimate(place)
        plan = replace(plan, summary=clipped(estimate, summarised_before(request.messages, plan), tokens_max))
        model = self._rule.summary_model or request.model
        writer = self._gateway.first(model)
        left = [request.messages[index] for index in plan.left]
        text = readable(writer, left, self._gate.policy.limits.tokens_in)
        key = digest(writer.name.encode(), text.encode("utf-8", "replace"))
        if key in self._summaries:
            return replace(plan, summary=self._summaries[key]), ""
        if not text or tokens_max <= 0:
            return plan, "there is no room for a summary"
        asked = ModelRequest(asking_in_chat(text), model=model, tokens_out_max=OUTPUT_TOKENS_MAX)
        try:
            reply = await self._gateway.complete(self._journal, self._gate, asked)
        except ModelError as error:
            return plan, f"no summary could be made: {error.message}"
        # More than this has been left out, so it is shorter than what it stands for.
        said = clipped(estimate, reply.text.strip(), tokens_max)
        if not said:
            return plan, "the model wrote no summary"
        if len(self._summaries) >= SUMMARIES_MAX:
            del self._summaries[next(iter(self._summaries))]
        self._summaries[key] = said
        return replace(plan, summary=said), ""

    def _asked_before(self, request: ModelRequest) -> bool:
        """Whether an earlier run, under another policy, sent it as it is; then the journal has the answer."""
        if self._asked is None:
            recorded = self._journal.recorded("model")
            self._asked = frozenset(digest(encode(step.arguments["messages"])).hex() for step in recorded)
        if not self._asked:
            return False
        return digest(self._journal.clean(encode(sendable(request.messages)))).hex() in self._asked

    def _estimate(self, place: Place) -> Estimate:
        """One that learns nothing: a replay must come to the same cuts."""
        found = self._estimates.get(place.name)
        if found is None:
            found = self._estimates[place.name] = place.estimate.unlearnt()
        return found

    def _refused(self, rule: ContextRule, room: Room, before: int) -> BaseException:
        what = "nothing is left out of it" if rule.strategy == "none" else "what must stay of it is longer"
        text = f"The conversation has about {before} tokens; {room.why} allows {room.tokens}, and {what}."
        if room.limit:
            return stop(self._gate.policy, "limit", ReasonCode.LIMIT_TOKENS_IN, text)
        return ContextOverflow(
            text,
            mend="Shorten the instructions or what the tools return, lower keep_turns, raise share, or choose another "
            "strategy in [context].",
        )


class RecordedCuts(Context):
    """For a replay: what was cut is cut alike, and nothing else, however long the conversation is by now."""

    async def fit(self, request: ModelRequest) -> ModelRequest:
        plan = self._plans.get(self._name_of(request))
        return request if plan is None else replace(request, messages=applied(request.messages, plan))


class _Size:
    """Counts the tokens of one request with other messages."""

    def __init__(self, name: str, request: ModelRequest, estimate: Estimate) -> None:
        body: dict[str, Any] = {**request.extra, "model": name}
        if request.tools:
            body["tools"] = list(request.tools)
        if request.response_format is not None:
            body["response_format"] = request.response_format
        self._around = encode(body)[:-1]
        self._estimate = estimate

    def of(self, pieces: Sequence[bytes]) -> int:
        return self._estimate.of(b"".join((self._around, b',"messages":[', b",".join(pieces), b"]}")))

    def after(self, request: ModelRequest, plan: Plan) -> int:
        return self.of(pieces_of(applied(request.messages, plan)))


def room_of(place: Place, request: ModelRequest, rule: ContextRule | None, limits: Limits) -> Room:
    """The closest of: the share of the window, the window without the answer, and the limit of one call."""
    window = window_of(place)
    share = 1.0 if rule is None else rule.share
    rooms = [
        Room(int(window * share), f"{share:.0%} of the window of {place.rule.name}"),
        Room(window - request.output_bound(place.rule), f"the window of {place.rule.name} beside the answer"),
        Room(limits.tokens_in, "the limit of one call", limit=True),
    ]
    return min(rooms, key=lambda room: room.tokens)


def window_of(place: Place) -> int:
    """As the policy says. Where it does not, the price list may know of a smaller one than is assumed."""
    if place.rule.says("window"):
        return place.rule.window
    return min(place.rule.window, place.price.window or place.rule.window)


def _plan_in(facts: Mapping[str, Any]) -> Plan:
    return Plan(tuple(facts["left"]), tuple(facts["emptied"]), facts["summary"])
