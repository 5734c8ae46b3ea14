"""What answers for the models of a trial: faults, then recorded answers, then meter and cap, then the model."""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from airworthy.core.canonical import digest
from airworthy.core.clock import Clock
from airworthy.core.gate import Gate
from airworthy.core.halt import Lost
from airworthy.gateway import Gateway, ModelReply, ModelRequest, Upstream, place_of
from airworthy.gateway.errand import longest_output
from airworthy.gateway.errors import ModelError, ModelUnreachable
from airworthy.gateway.prices import Price, bound_nano, check_priced, cost_nano, price_list
from airworthy.gateway.simulator import SimulatedModel, Simulator
from airworthy.gateway.simulator.faults import FaultPlan
from airworthy.gateway.simulator.rules import Rules
from airworthy.gateway.upstream import ModelClient, OfClient, Reply, Sent, WholeReply
from airworthy.gateway.wire.dialect import DIALECTS, Dialect
from airworthy.policy import ModelRule
from airworthy.preflight.stage.answers import Answers, answer_key
from airworthy.preflight.stage.outside import REPLY_BYTES_MAX, AtHome
from airworthy.preflight.stage.part import Now, Part, now
from airworthy.preflight.stage.purse import CapReached, Purse
from airworthy.recorder import Journal

OK: Final = 200
_BY_PATH: Final[Mapping[str, Dialect]] = {dialect.path: dialect for dialect in DIALECTS.values()}


class Models(Protocol):
    """Where answers come from in the end. `kept`: whether they are worth keeping for the next preflight."""

    kept: bool

    def of(self, rule: ModelRule, clock: Clock, seed: int) -> Upstream: ...


class RealModels:
    """`upstreams` by `place_of` their rule, or by the model's name; they belong to the preflight's own loop. That so
    many trials ask at once is no fault of the agent: who says "too many" is asked again.
    """

    kept = True

    def __init__(self, upstreams: Mapping[str, Upstream | ModelClient]) -> None:
        self._upstreams = {
            name: each if isinstance(each, Upstream) else OfClient(each) for name, each in upstreams.items()
        }
        self.home: asyncio.AbstractEventLoop | None = None  # Set by the stage.

    def of(self, rule: ModelRule, clock: Clock, seed: int) -> Upstream:  # noqa: ARG002
        assert self.home is not None
        return AtHome(self._upstreams.get(place_of(rule)) or self._upstreams[rule.name], self.home)


class SimulatedModels:
    """The simulator, anew for each trial, in its time; costs what the policy says, which nobody pays."""

    kept = False

    def __init__(
        self,
        rules: Rules | None = None,
        faults: FaultPlan | None = None,
        windows: Mapping[str, int] | None = None,
    ) -> None:
        self._rules = rules
        self._faults = faults
        self._windows = windows

    def of(self, rule: ModelRule, clock: Clock, seed: int) -> Upstream:
        windows = {rule.name: (self._windows or {}).get(rule.name, rule.window)}
        simulator = Simulator(seed, self._rules, self._faults, (rule.name,), windows=windows)
        return SimulatedModel(simulator, clock=clock)


class StageGateway(Gateway):
    """The real one, which lets the upstreams below know whose call they carry."""

    cast: Mapping[str, Part]

    async def complete(
        self, journal: Journal, gate: Gate, request: ModelRequest, sent: ModelRequest | None = None
    ) -> ModelReply:
        part = self.cast[journal.task.id]
        asked = digest(request.canonical())
        token = now.set(Now(part, asked=asked))
        try:
            reply = await super().complete(journal, gate, request, sent)
        finally:
            now.reset(token)
        if asked in part.model_calls:
            part.model_calls[asked].done = True
        return reply


class Chain:
    """Implements `Upstream` for one pin in one trial's loop."""

    def __init__(
        self, rule: ModelRule, inner: Upstream, purse: Purse | None, answers: Answers | None, clock: Clock
    ) -> None:
        """`purse`, `answers` None: nothing is paid, nothing kept."""
        self._rule = rule
        self._inner = inner
        self._purse = purse
        self._answers = answers
        self._clock = clock
        self._price: Price | None = None

    async def send(self, sent: Sent) -> Reply:
        about = now.get()
        assert about is not None, "a model was asked from nowhere"
        part = about.part
        call = part.model_call(about.asked)
        call.tries += 1
        fault = part.fault("model", self._rule.name, call)
        below: Upstream = _Below(self, part)
        if fault is not None:
            from airworthy.preflight.faults.models import faulty

            below = faulty(fault, below, part.chance)
        return await below.send(sent)

    async def answered(self, part: Part, sent: Sent) -> Reply:
        if part.over:
            raise ModelUnreachable("The trial is over.")
        key = b""
        if self._answers is not None:
            key = answer_key(self._rule, sent, part.script.repeat)
            found = self._answers.find(key)
            if found is not None:
                return WholeReply(found)
        reply = await self._paid(part, sent)
        if self._answers is not None and reply.status == OK:
            raw = await reply.read(REPLY_BYTES_MAX)
            if _readable(sent, raw):  # Else every later try would be given the same again.
                self._answers.keep(key, raw, part.script.case.user, self._clock.now_us())
        return reply

    async def _paid(self, part: Part, sent: Sent) -> Reply:
        """Raises: Lost when the cap is reached, which ends the run whatever its agent catches."""
        if self._purse is None:
            part.model_calls_made += 1
            return await self._inner.send(sent)
        bound = self._bound(sent)
        try:
            self._purse.reserve(bound)
        except CapReached as error:
            part.lost = error
            raise Lost(error) from error
        part.model_calls_made += 1
        try:
            reply = await self._inner.send(sent)
            raw = await reply.read(REPLY_BYTES_MAX)
        except ModelError as error:
            self._purse.settle(bound, None if error.billed else 0)
            raise
        except BaseException:
            self._purse.settle(bound, None)
            raise
        self._purse.settle(bound, self._bill(sent, reply.status, raw))
        return WholeReply(raw, reply.status, reply.headers)

    def _bound(self, sent: Sent) -> int:
        facts = _BY_PATH[sent.path].read_request(sent.body)
        longest = longest_output(self._rule, facts)
        return bound_nano(self._priced(), len(sent.body), longest, facts.choices, _tier(facts.body))

    def _bill(self, sent: Sent, status: int, raw: bytes) -> int | None:
        if status != OK:
            return 0
        try:
            usage = _BY_PATH[sent.path].read_reply(raw).usage
        except ModelError:
            return None
        if not usage.known:
            return None
        tier = _tier(_BY_PATH[sent.path].read_request(sent.body).body)
        return cost_nano(self._priced(), usage, tier)

    def _priced(self) -> Price:
        if self._price is None:
            self._price = check_priced(self._rule, price_list(), self._clock.now_us())
        return self._price

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Below:
    """What stands below the faults: implements `Upstream` for one call."""

    def __init__(self, chain: Chain, part: Part) -> None:
        self._chain = chain
        self._part = part

    async def send(self, sent: Sent) -> Reply:
        return await self._chain.answered(self._part, sent)

    async def aclose(self) -> None:
        return


def _readable(sent: Sent, raw: bytes) -> bool:
    dialect = _BY_PATH[sent.path]
    if dialect.read_request(sent.body).stream:
        return True
    try:
        dialect.read_reply(raw)
    except ModelError:
        return False
    return True


def _tier(body: Mapping[str, object]) -> str:
    return str(body.get("service_tier") or "")
