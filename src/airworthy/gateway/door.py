"""The door for callers over HTTP: one call in, one answer out, whatever happens; knows no socket."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import AirworthyError
from airworthy.core.ids import Ids
from airworthy.gateway import faces
from airworthy.gateway.bill import LedgerPurse, Stopped
from airworthy.gateway.budget import Hold, Ledger
from airworthy.gateway.cache import AnswerCache, Kept, Question, may_ask, may_keep
from airworthy.gateway.call import Answer, Call, Caller
from airworthy.gateway.carry import Carried, NoTime, carried
from airworthy.gateway.errand import Errand
from airworthy.gateway.errors import ModelError
from airworthy.gateway.fetch import Fetched, Fetcher
from airworthy.gateway.guard import Memory, Watch, together, watching
from airworthy.gateway.overflow import Summaries, fitting_at_door
from airworthy.gateway.place import Place
from airworthy.gateway.records import Record, Recorder
from airworthy.gateway.repeats import Repeats
from airworthy.gateway.served import Served
from airworthy.gateway.stream import Streaming, added
from airworthy.gateway.translate import translate_reply
from airworthy.policy import ModelRule

Paused = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Shared:
    """What all calls of a process share. `paused` says why an agent is switched off, or None.

    Without `withheld`, tool calls that were withheld beside others are missing from later histories.
    """

    ledger: Ledger
    recorder: Recorder
    clock: Clock
    ids: Ids
    fetcher: Fetcher
    paused: Paused
    cache: AnswerCache
    allow_unrecorded: bool = False
    summaries: Summaries = field(default_factory=Summaries)
    withheld: Memory | None = None


class Door:
    """One per process; used from one event loop. `run` must be running, or nothing is written."""

    def __init__(self, served: Mapping[str, Served], shared: Shared) -> None:
        """`served`: by the agent's name."""
        self._served = dict(served)
        self._shared = shared
        self._repeats = Repeats()

    def models(self, caller: Caller) -> Sequence[ModelRule]:
        served = self._served.get(caller.agent)
        return () if served is None else served.policy.models

    async def run(self) -> None:
        """Writes what was done, for ever; ends when cancelled."""
        await self._shared.recorder.run(self._shared.ledger.flush)

    async def aclose(self) -> None:
        """Writes what is left. Calls under way must have ended."""
        await self._shared.recorder.flush(self._shared.ledger.flush)

    async def answer(self, call: Call) -> Answer:
        """Never raises for what a model, a budget or the store does: the answer says it."""
        shared = self._shared
        served = self._served.get(call.caller.agent)
        if served is None:
            return faces.no_agent(call)
        record = Record(call, shared.clock.now_us(), full=served.policy.gateway.record == "full")
        try:
            return await self._made(call, served, record)
        except ModelError as error:
            self._repeats.withdrawn(call)
            return self._ended(record, faces.of_error(call, error), error.code)
        except Stopped as stopped:
            return self._stopped(record, served, stopped)
        except NoTime:
            return self._stopped(record, served, faces.no_time(served.policy.limits.seconds))
        except asyncio.CancelledError:
            self._repeats.withdrawn(call)
            record.ended_as, record.code = "left", "caller_left"
            shared.recorder.add(record)
            raise
        except AirworthyError as error:  # The store, the configuration: ours, not the model's.
            self._repeats.withdrawn(call)
            return self._ended(record, faces.of_ours(call, error), error.code)
        except Exception:  # A fault of ours: the server answers, and the call is on record all the same.
            record.code = "gateway_error"
            shared.recorder.add(record)
            raise

    def _stopped(self, record: Record, served: Served, stopped: Stopped) -> Answer:
        record.ended_as = "stopped"
        return self._ended(record, faces.of_stop(record.call, served.policy, stopped), stopped.code)

    def _ended(self, record: Record, answer: Answer, code: str) -> Answer:
        record.code, record.status = code, answer.status
        assert isinstance(answer.body, bytes)
        record.kept(answer.body)
        self._shared.recorder.add(record)
        return answer

    async def _made(self, call: Call, served: Served, record: Record) -> Answer:
        shared = self._shared
        await shared.recorder.slowed()
        self._check_open(call)
        self._check_circling(call, served)
        errand = self._errand(call, served, record)
        purse = LedgerPurse(shared.ledger, served, call, errand.deadline_us, shared.clock)
        record.notes = errand.notes
        watch = watching(call, served.policy, shared.withheld, errand.notes)
        if watch is not None:
            await watch.asked()
            errand.raw_for = watch.request_for
        errand.overflowed = fitting_at_door(
            errand, purse, record, served.policy, (shared.fetcher, shared.clock, shared.summaries)
        )
        question = self._question(call, served, errand.places)
        if question is not None:
            kept = await shared.cache.find(question)
            if kept is not None and (watch is None or watch.passes(kept.body)):
                return self._kept(record, kept)
        if call.facts.stream:
            streaming = Streaming(shared, errand, purse, record, question, watch)
            try:
                return await streaming.opened()
            finally:
                record.attempts = errand.attempts
        try:
            body, done = await self._replied(errand, purse, record, watch)
        finally:
            record.attempts = errand.attempts
        place, facts = done.visit.place, done.value.facts
        record.ended_as, record.status = "answered", 200
        record.kept(body)
        shared.recorder.add(record)
        if (
            question is not None
            and may_keep(question.rule, facts, body)
            and not (watch is not None and watch.withheld)
        ):
            shared.cache.keep(question, Kept(body, place.rule.name, shared.clock.now_us()))
        return Answer(200, faces.headers(call, place, record.cost_nano), body)

    async def _replied(
        self, errand: Errand, purse: LedgerPurse, record: Record, watch: Watch | None
    ) -> tuple[bytes, Carried[Fetched, Hold]]:
        """A whole reply as the caller may see it, settled; the model is asked again as often as the guard wants it."""
        shared = self._shared
        while True:
            done = await carried(errand, purse, shared.fetcher.whole, shared.clock)
            place, facts = done.visit.place, done.value.facts
            usage = facts.usage
            record.model, record.place = place.rule.name, place.name
            record.facts = together(record.facts, facts)
            errand.answered_as(place, facts.model)
            record.cost_nano = added(record.cost_nano, purse.settle(done.hold, place, facts))
            done.visit.over(usage.tokens_in + usage.tokens_out if usage.known else None)
            body = done.value.raw
            bridge = done.prepared.bridge
            if bridge is not None:
                now_s = record.started_us // US_PER_S
                translated = translate_reply(body, bridge, new_id=shared.ids.trace, now_s=now_s)
                body = translated.body
                errand.notes += [{"note": note} for note in translated.notes]
            if watch is None:
                return body, done
            watch.request = errand.raw_for(place.rule)  # It may have been made to fit.
            seen = await watch.answered(body, facts, translated=bridge is not None)
            if seen is not None:
                return seen, done
            errand.raw_for = watch.request_for

    def _question(self, call: Call, served: Served, places: Sequence[Place]) -> Question | None:
        """None: not from the cache, and not into it."""
        rule, caller = served.policy.gateway.cache, call.caller
        if call.dialect.name == "count_tokens" or not may_ask(rule, call.facts, caller.user):
            return None
        owner = "" if rule.shared else caller.user
        route = [place.name for place in places]
        return Question(
            caller.agent, owner, call.dialect.name, call.facts.model, call.facts.body, rule, route, call.headers
        )  # fmt: skip

    def _kept(self, record: Record, kept: Kept) -> Answer:
        """At no cost, and said so."""
        record.ended_as, record.status, record.model, record.cost_nano = "cached", 200, kept.model, 0
        record.kept(kept.body)
        self._shared.recorder.add(record)
        return Answer(200, faces.cached(record.call, kept.model), kept.body)

    def _check_open(self, call: Call) -> None:
        """Raises: Stopped."""
        shared = self._shared
        why = shared.paused(call.caller.agent)
        if why is not None:
            raise Stopped(
                "paused", f"The agent {call.caller.agent} is paused: {why or 'somebody stopped it'}.", {}
            )
        if not shared.recorder.room and not shared.allow_unrecorded:
            raise faces.store_down(shared.recorder.waiting)

    def _check_circling(self, call: Call, served: Served) -> None:
        """Raises: Stopped."""
        if not call.caller.run or call.dialect.name == "count_tokens":
            return
        before, allowed = self._repeats.made(call), served.policy.limits.identical_calls
        if before >= allowed:
            self._repeats.withdrawn(call)
            raise Stopped(
                "loop_identical", f"The run asked the very same {before} times and asked it again.",
                {"run": call.caller.run, "allowed": allowed},
            )  # fmt: skip

    def _errand(self, call: Call, served: Served, record: Record) -> Errand:
        places = served.places_for(call.facts.model)
        pair = (call.raw, call.facts)
        counting = call.dialect.name == "count_tokens"  # Who asks how long it is may ask it of anything.
        return Errand(
            call.dialect, lambda _: pair, places,
            record.started_us + round(served.policy.limits.seconds * US_PER_S),
            caller_key=call.caller.key_id, priority=call.caller.priority, headers=call.headers,
            halted=lambda: self._check_open(call),
            tokens_in_max=None if counting else served.policy.limits.tokens_in,
        )  # fmt: skip
