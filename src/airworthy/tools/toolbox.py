"""The one door to the world for one agent: finds the tool, checks scope and schema, replays or calls, records."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import orjson

from airworthy.core.canonical import NotSerialisable, encode
from airworthy.core.clock import Clock
from airworthy.core.errors import AirworthyError, ConfigError, told
from airworthy.core.gate import CallFact
from airworthy.core.halt import NeedsMending, TryLater
from airworthy.core.outcome import ErrorFact, ReasonCode
from airworthy.policy import Policy, ToolRule
from airworthy.policy.stops import stop
from airworthy.recorder import Recorded, Slot, StepFacts, StepState
from airworthy.resilience import Abandoned
from airworthy.store import Tx
from airworthy.tools import degrade, hearing
from airworthy.tools.call import Answer, Call, RunTools
from airworthy.tools.dependencies import Dependencies, Dependency, breaker_of
from airworthy.tools.errors import (
    LockedOut,
    ToolError,
    ToolFailed,
    ToolNotAuthorised,
    ToolResultInvalid,
    ToolUnavailable,
    error_from,
)
from airworthy.tools.gaps import noted
from airworthy.tools.guard import Guards, ResultTooLarge, Tried, deadline_us
from airworthy.tools.readiness import Readiness
from airworthy.tools.resource import Resources
from airworthy.tools.rules import ARGUMENTS_BYTES_MAX, storable
from airworthy.tools.shape.watch import ShapeWatch
from airworthy.tools.terms import NO_RULE, check, terms_of
from airworthy.tools.tool import SchemaBroken, Tool

if TYPE_CHECKING:
    import httpx


class Toolbox:
    """One per agent in a process; used from one event loop.

    `dependencies`: those of the process, closed by whoever made them; left out: its own. `credentials`: what calls to a
    dependency show, by its name.
    """

    def __init__(
        self,
        policy: Policy,
        tools: Iterable[Tool],
        clock: Clock,
        *,
        resources: Resources | None = None,
        on_abandoned: Callable[[Abandoned], None] | None = None,
        dependencies: Dependencies | None = None,
        credentials: "Mapping[str, httpx.Auth] | None" = None,
    ) -> None:
        """Raises: ConfigError for two tools of one name, for an effect declared otherwise in the policy, for a fallback
        that cannot be, and for a client without an address.
        """
        self.policy = policy
        self.clock = clock
        self.tools: dict[str, Tool] = {}
        self._rules: dict[str, ToolRule] = {}
        self._dependencies = dependencies if dependencies is not None else Dependencies(clock)
        self.guards = Guards(
            clock, self.dependency, on_abandoned,
            lambda tool, rate: self._dependencies.allowance(f"tool:{policy.agent}/{tool}", rate),
        )  # fmt: skip
        self._owns_dependencies = dependencies is None
        self._credentials = credentials or {}
        self._by_tool: dict[str, Dependency] = {}
        self.readiness = Readiness(clock, self.named_dependency)
        self.shapes = ShapeWatch(policy, clock)
        self.resources = resources if resources is not None else Resources()
        for tool in tools:
            if tool.name in self.tools:
                raise ConfigError(f"Two tools are called {tool.name!r}.", mend="Rename one: @tool(name=...).")
            said = policy.tools.get(tool.name, NO_RULE).effect
            if said is not None and said != tool.effect:
                raise ConfigError(
                    f"Tool {tool.name!r} is {tool.effect} in the code and {said} in the policy.",
                    mend="Make both say what the tool really does.",
                )
            self.tools[tool.name] = tool
            self._rules[tool.name] = terms_of(tool, policy)
        check(self.tools, self._rules, policy)
        self.shapes.watch((tool, self.rule(name)) for name, tool in self.tools.items())
        for name in self.tools:
            self.dependency(name)  # Now, so that people see its breaker, and what others know of it counts.

    def replace(self, tools: Iterable[Tool]) -> None:
        """In place of those it has: what an MCP server offers changes while it runs. What is known of what they talk to
        stays. Raises: ConfigError; then it has none.
        """
        self.tools, self._rules = {}, {}
        made = {tool.name: tool for tool in tools}
        rules = {name: terms_of(tool, self.policy) for name, tool in made.items()}
        check(made, rules, self.policy)
        self.shapes.watch((tool, rules[name]) for name, tool in made.items())
        self.tools, self._rules = made, rules

    def rule(self, name: str) -> ToolRule:
        """The tool's own, with what its dependency's adds."""
        return self._rules.get(name) or self.policy.tools.get(name, NO_RULE)

    def dependency(self, tool_name: str) -> Dependency:
        """What the tool talks to, as this process sees it."""
        found = self._by_tool.get(tool_name)
        if found is None:
            found = self._by_tool[tool_name] = self._dependency_of(self.tools[tool_name])
        return found

    def named_dependency(self, name: str) -> Dependency:
        """One that the policy declares, whether or not a tool names it."""
        rule = self.policy.dependencies[name]
        return self._dependencies.of(
            f"dependency:{name}", rule, breaker_of(rule.breaker), self._credentials.get(name)
        )

    def _dependency_of(self, tool: Tool) -> Dependency:
        if tool.dependency in self.policy.dependencies:
            return self.named_dependency(tool.dependency)
        # A tool that names none stands for itself, and for no other agent's tool of the same name.
        name = (
            f"tool:{self.policy.agent}/{tool.name}"
            if tool.own_dependency
            else f"dependency:{tool.dependency}"
        )
        return self._dependencies.of(name, None, breaker_of(self.rule(tool.name).breaker))

    async def aclose(self) -> None:
        """Ends the connections that are its own; they are made anew when a tool is called again."""
        if self._owns_dependencies:
            await self._dependencies.aclose()

    def allowed(self, name: str) -> bool:
        """A live agent may use only what its policy names; while developing, everything the code offers."""
        return name in self.tools and (name in self.policy.tools or not self.policy.live)

    def offered(self) -> list[Tool]:
        """The tools within scope, as models may be shown them."""
        return [tool for name, tool in self.tools.items() if self.allowed(name)]

    async def call(self, run: RunTools, name: str, arguments: bytes | Mapping[str, Any]) -> Any:
        """The tool's result, read through its schema, or what took its place. Raises: ToolError, Halt."""
        return (await self.answer(run, name, arguments)).value

    async def answer(self, run: RunTools, name: str, arguments: bytes | Mapping[str, Any]) -> Answer:
        """As `call`, and says whether something took the result's place."""
        run.ledger.trust = partial(hearing.trust, self.policy)
        raw = arguments if isinstance(arguments, bytes) else encode(arguments)
        if len(raw) > ARGUMENTS_BYTES_MAX:
            raw = encode({"too_large": len(raw)})
        if not self.allowed(name):
            name = run.journal.label(name)
            await self._refuse(run, name, raw, "ToolRefused", self._out_of_scope(name), off_scope=True)
        tool = self.tools[name]
        try:
            values, canonical = tool.read_arguments(raw)
        except SchemaBroken as error:
            text = f"The arguments for {name} break its schema: {error}."
            await self._refuse(run, name, raw, "ToolArgumentsInvalid", text)
        slot = run.journal.slot("tool", name, canonical, effect=tool.effect.value)
        call = self.call_at(slot, run, tool, values, canonical)
        if tool.effect.acts:
            from airworthy.tools.acting import act

            value = await act(self, call)
        else:
            value = await self._read(call)
        gap = run.gaps.of_step(slot.seq)
        if gap is None:
            run.gaps.fill(slot)
        return Answer(value, gap)

    def call_at(
        self, slot: Slot, run: RunTools, tool: Tool, values: Mapping[str, Any], canonical: bytes
    ) -> Call:
        """The call whose place is `slot`. `values` and `canonical`: its arguments, as the tool has read them."""
        fact = CallFact("tool", tool.name, slot.arguments, slot.occurrence, acts=tool.effect.acts)
        plain = orjson.loads(canonical)
        stored = plain if slot.arguments == canonical else orjson.loads(slot.arguments)
        resource = storable(tool.resource_of(plain), tool.resource_of(stored))
        rule = self.rule(tool.name)
        if run.dry_run and not rule.dry_run:
            rule = rule.model_copy(update={"dry_run": True})
        return Call(run, tool, rule, values, plain, stored, slot, fact, resource)

    async def _read(self, call: Call) -> Any:
        recorded = call.slot.recorded
        if recorded is not None and (recorded.exact or recorded.state is not StepState.DONE):
            return self.replayed(call, recorded)
        if recorded is None:
            call.run.gate.admit(call.fact)
        outage = self.dependency(call.tool.name).outage()
        if outage is not None:
            tried = Tried(error=degrade.away(call, outage), attempts=0)
            facts = self.facts(call, tried, None)
            return await degrade.without(self, call, self.failure(call, tried), facts)
        async with self.holding(call) as version:
            call.run.gate.check_halted()
            tried = await self.try_call(call, key=None)
        facts = self.facts(call, tried, version)
        if tried.result is not None:
            if version is not None and facts.resource is not None:
                call.run.seen[facts.resource] = version
            call.run.ledger.hear(call.slot.seq, "source", call.tool.name, tried.result)
            also = degrade.keeping(self, call, tried.result)
            await call.run.journal.record(
                call.slot, StepState.DONE, result=tried.result, facts=facts, also=also
            )
            call.run.gate.observe(call.fact, tried.result)
            return tried.value
        failure = self.failure(call, tried)
        hearing.failed(call.run.ledger, call.slot.seq, call.tool.name, failure)
        if tried.unavailable and not call.rule.critical:
            return await degrade.without(self, call, failure, facts)
        call.run.gate.observe(call.fact, None)
        await call.run.journal.record(call.slot, StepState.FAILED, error=failure, facts=facts)
        raise self.raised(call, failure)

    async def turn_away(self, run: RunTools, name: str, arguments: bytes, text: str) -> Any:
        """Records the refusal of a call that is not to reach the chain. Raises: ToolRefused, Halt."""
        return await self._refuse(run, run.journal.label(name), arguments, "ToolRefused", text)

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
                    version = await self.resources.hold(run.journal, resource, run.held, run.using, run.turn)
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
        tried = await self.guards.run(
            call.tool, call.rule, call.values, key=key, deadline_us=until_us, again=again, before=before
        )
        self.shapes.saw(call.tool, call.run.journal.task.id, tried)
        return tried

    def facts(self, call: Call, tried: Tried, version: int | None) -> StepFacts:
        return StepFacts(
            attempts=tried.attempts,
            resource=call.resource if version is not None else None,
            resource_version=version,
            notes=(*call.run.notes, *tried.notes, *call.notes),
        )

    def failure(self, call: Call, tried: Tried) -> ErrorFact:
        error = tried.error
        assert error is not None
        if isinstance(error, ResultTooLarge | NotSerialisable):
            kind: type[ToolError] = ToolResultInvalid
        elif isinstance(error, LockedOut):
            kind = ToolNotAuthorised
        else:
            kind = ToolUnavailable if tried.retryable or isinstance(error, degrade.Away) else ToolFailed
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
        if fact.type == ToolNotAuthorised.__name__ and call.rule.critical:
            return NeedsMending(fact, call.slot.seq)
        return error_from(fact, call.slot.seq)

    def replayed(self, call: Call, recorded: Recorded) -> Any:
        gap = noted(recorded.facts.notes)
        if gap is not None:
            call.run.gaps.note(call.slot, gap)
        if recorded.error is not None:
            raise self.raised(call, recorded.error)
        if gap is not None:
            return degrade.read(self, call, gap, orjson.dumps(recorded.result))
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
    ) -> NoReturn:
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
