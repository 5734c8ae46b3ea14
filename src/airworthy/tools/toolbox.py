"""The one door to the world for one agent: finds the tool, checks scope and schema, replays or calls, records."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from airworthy.core.canonical import NotSerialisable, digest, encode
from airworthy.core.clock import Clock
from airworthy.core.errors import AirworthyError, ConfigError, told
from airworthy.core.gate import CallFact, Gate
from airworthy.core.halt import TryLater
from airworthy.core.outcome import ErrorFact, ReasonCode
from airworthy.policy import Policy, ToolRule
from airworthy.policy.stops import stop
from airworthy.recorder import Journal, Recorded, Slot, StepFacts, StepState
from airworthy.resilience import Abandoned
from airworthy.store import Tx
from airworthy.tools import hearing
from airworthy.tools.errors import ToolError, ToolFailed, ToolResultInvalid, ToolUnavailable, error_from
from airworthy.tools.guard import Guards, ResultTooLarge, Tried, deadline_us
from airworthy.tools.provenance import Ledger
from airworthy.tools.resource import Resources
from airworthy.tools.rules import storable
from airworthy.tools.tool import SchemaBroken, Tool

_NO_RULE = ToolRule()
ARGUMENTS_BYTES_MAX = 4 * 1024 * 1024


@dataclass(slots=True)
class RunTools:
    """What one run knows about its tools: made when the run begins, gone with it."""

    journal: Journal
    gate: Gate
    held: set[str] = field(default_factory=set)
    using: Counter[str] = field(default_factory=Counter)  # Calls under way on each resource.
    seen: dict[str, int] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)  # Effects that this run found waiting for a person.
    ledger: Ledger = field(default_factory=Ledger)
    confidence: float | None = None  # As the agent stated it last.
    dry_run: bool = False  # The whole task is a rehearsal.
    notes: tuple[dict[str, Any], ...] = ()  # What every call of it is recorded with.

    def recall(self, recorded: Sequence[Recorded]) -> None:
        """What earlier runs of the task were told, and the versions of resources they have seen."""
        hearing.recall(self.ledger, recorded)
        for step in recorded:
            if step.facts.resource is not None and step.facts.resource_version is not None:
                self.seen[step.facts.resource] = step.facts.resource_version


@dataclass(frozen=True, slots=True)
class Call:
    """One call on its way through the chain. `values` are what the function gets, `arguments` their JSON."""

    run: RunTools
    tool: Tool
    rule: ToolRule
    values: Mapping[str, Any]
    arguments: Mapping[str, Any]
    slot: Slot
    fact: CallFact
    resource: str | None

    @property
    def effect_id(self) -> str:
        """Also the idempotency key: the same for every try and every run of this very call."""
        return f"eff_{digest(self.run.journal.task.id.encode(), self.slot.key).hex()}"


class Toolbox:
    """One per agent in a process; used from one event loop."""

    def __init__(
        self,
        policy: Policy,
        tools: Iterable[Tool],
        clock: Clock,
        *,
        resources: Resources | None = None,
        on_abandoned: Callable[[Abandoned], None] | None = None,
    ) -> None:
        """Raises: ConfigError for two tools of one name, and for an effect declared otherwise in the policy."""
        self.policy = policy
        self.clock = clock
        self.tools: dict[str, Tool] = {}
        self.guards = Guards(clock, on_abandoned)
        self.resources = resources if resources is not None else Resources()
        for tool in tools:
            if tool.name in self.tools:
                raise ConfigError(f"Two tools are called {tool.name!r}.", mend="Rename one: @tool(name=...).")
            said = policy.tools.get(tool.name, _NO_RULE).effect
            if said is not None and said != tool.effect:
                raise ConfigError(
                    f"Tool {tool.name!r} is {tool.effect} in the code and {said} in the policy.",
                    mend="Make both say what the tool really does.",
                )
            self.tools[tool.name] = tool

    def rule(self, name: str) -> ToolRule:
        return self.policy.tools.get(name, _NO_RULE)

    def allowed(self, name: str) -> bool:
        """A live agent may use only what its policy names; while developing, everything the code offers."""
        return name in self.tools and (name in self.policy.tools or not self.policy.live)

    def offered(self) -> list[Tool]:
        """The tools within scope, as models may be shown them."""
        return [tool for name, tool in self.tools.items() if self.allowed(name)]

    async def call(self, run: RunTools, name: str, arguments: bytes | Mapping[str, Any]) -> Any:
        """The tool's result, read through its schema. Raises: ToolError, Halt."""
        run.ledger.trust = partial(hearing.trust, self.policy)
        raw = arguments if isinstance(arguments, bytes) else encode(arguments)
        if len(raw) > ARGUMENTS_BYTES_MAX:
            raw = encode({"too_large": len(raw)})
        if not self.allowed(name):
            name = run.journal.label(name)
            return await self._refuse(run, name, raw, "ToolRefused", self._out_of_scope(name), off_scope=True)
        tool = self.tools[name]
        try:
            values, canonical = tool.read_arguments(raw)
        except SchemaBroken as error:
            text = f"The arguments for {name} break its schema: {error}."
            return await self._refuse(run, name, raw, "ToolArgumentsInvalid", text)
        slot = run.journal.slot("tool", name, canonical, effect=tool.effect.value)
        fact = CallFact("tool", name, slot.arguments, slot.occurrence, acts=tool.effect.acts)
        plain, clean = orjson.loads(canonical), orjson.loads(slot.arguments)
        resource = storable(tool.resource_of(plain), tool.resource_of(clean))
        rule = self.rule(name)
        if run.dry_run and not rule.dry_run:
            rule = rule.model_copy(update={"dry_run": True})
        call = Call(run, tool, rule, values, plain, slot, fact, resource)
        if tool.effect.acts:
            from airworthy.tools.acting import act

            return await act(self, call)
        return await self._read(call)

    async def _read(self, call: Call) -> Any:
        recorded = call.slot.recorded
        if recorded is not None and (recorded.exact or recorded.state is not StepState.DONE):
            return self.replayed(call, recorded)
        if recorded is None:
            call.run.gate.admit(call.fact)
        async with self.holding(call) as version:
            call.run.gate.check_halted()
            tried = await self.try_call(call, key=None)
        facts = self.facts(call, tried, version)
        if tried.result is not None:
            if version is not None and facts.resource is not None:
                call.run.seen[facts.resource] = version
            call.run.ledger.hear(call.slot.seq, "source", call.tool.name, tried.result)
            await call.run.journal.record(call.slot, StepState.DONE, result=tried.result, facts=facts)
            call.run.gate.observe(call.fact, tried.result)
            return tried.value
        failure = self.failure(call, tried)
        hearing.failed(call.run.ledger, call.slot.seq, call.tool.name, failure)
        call.run.gate.observe(call.fact, None)
        await call.run.journal.record(call.slot, StepState.FAILED, error=failure, facts=facts)
        raise self.raised(call, failure)

    @contextlib.asynccontextmanager
    async def holding(self, call: Call) -> AsyncIterator[int | None]:
        """The version of the call's resource, which is the task's alone for this block; None when it names none."""
        run, resource = call.run, call.resource
        if resource is None:
            yield None
            return
        run.using[resource] += (
            1  # Before it is held: a parallel call of the task must not give it away again.
        )
        try:
            try:
                async with asyncio.timeout(run.gate.seconds_left()):
                    version = await self.resources.hold(run.journal, resource, run.held, run.using)
            except TimeoutError:
                raise stop(
                    self.policy, "limit", ReasonCode.LIMIT_SECONDS,
                    f"The time for this task ran out while it waited for {resource}, which another task is using.",
                    evidence={"resource": resource},
                ) from None  # fmt: skip
            yield version
        finally:
            run.using[resource] -= 1

    async def try_call(self, call: Call, *, key: str | None, again: bool = False) -> Tried:
        """A read is not tried again once its run is over. An act is: its intent is on disk, and giving up between
        two tries would leave it in doubt for no cause.
        """
        until_us = deadline_us(self.clock, call.run.gate.seconds_left())
        before = None if call.tool.effect.acts else call.run.gate.check_halted
        return await self.guards.run(
            call.tool, call.rule, call.values, key=key, deadline_us=until_us, again=again, before=before
        )

    def facts(self, call: Call, tried: Tried, version: int | None) -> StepFacts:
        return StepFacts(
            attempts=tried.attempts,
            resource=call.resource if version is not None else None,
            resource_version=version,
            notes=(*call.run.notes, *tried.notes),
        )

    def failure(self, call: Call, tried: Tried) -> ErrorFact:
        error = tried.error
        assert error is not None
        if isinstance(error, ResultTooLarge | NotSerialisable):
            kind: type[ToolError] = ToolResultInvalid
        else:
            kind = ToolUnavailable if tried.retryable else ToolFailed
        return ErrorFact(
            type=kind.__name__,
            message=f"{call.tool.name}: {type(error).__name__}: {told(error)}"[:2000],
            mend=error.mend if isinstance(error, AirworthyError) else "",
            step=f"tool call {call.slot.seq}",
            dependency=call.tool.dependency,
            attempt=tried.attempts,
            retryable=tried.retryable,
        )

    def raised(self, call: Call, fact: ErrorFact) -> BaseException:
        """A tool the task cannot do without ends the run for now; any other failure is the agent's to handle."""
        if fact.retryable and call.rule.critical:
            return TryLater(fact, call.slot.seq)
        return error_from(fact, call.slot.seq)

    def replayed(self, call: Call, recorded: Recorded) -> Any:
        if recorded.error is not None:
            raise self.raised(call, recorded.error)
        # Not the tool's own result but ours in its place: an acceptance, a rehearsal, a person's word.
        if recorded.result is None or any(note.get("as_is") for note in recorded.facts.notes):
            return recorded.result
        return call.tool.read_result(orjson.dumps(recorded.result))

    async def refuse(
        self, call: Call, text: str, kind: str = "ToolRefused", also: Callable[[Tx], None] | None = None
    ) -> Any:
        """Records a refusal of a call that has its place in the journal, and raises it."""
        fact = ErrorFact(
            type=kind, message=text, step=f"tool call {call.slot.seq}", dependency=call.tool.dependency
        )
        await call.run.journal.record(call.slot, StepState.REFUSED, error=fact, also=also)
        call.run.gate.observe(call.fact, None)
        raise error_from(fact, call.slot.seq)

    async def _refuse(
        self, run: RunTools, name: str, raw: bytes, kind: str, text: str, *, off_scope: bool = False
    ) -> Any:
        slot = run.journal.slot("tool", name, _as_json(raw))
        fact = ErrorFact(type=kind, message=text, step=f"tool call {slot.seq}", dependency=name)
        if slot.recorded is None:
            call = CallFact("refused" if off_scope else "tool", name, slot.arguments, slot.occurrence)
            run.gate.admit(call)
            await run.journal.record(slot, StepState.REFUSED, error=fact)
            run.gate.observe(call, None)
        raise error_from(fact, slot.seq)

    def _out_of_scope(self, name: str) -> str:
        allowed = ", ".join(sorted(tool.name for tool in self.offered())) or "none"
        return f"Tool {name!r} is outside this agent's scope. Tools within it: {allowed}."


def _as_json(raw: bytes) -> bytes:
    """What a model sends as arguments may be no JSON at all; the journal keeps it as text."""
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return orjson.dumps(raw.decode("utf-8", "replace"))
    return raw
