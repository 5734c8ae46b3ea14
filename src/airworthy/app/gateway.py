"""Puts the gateway together: policies, places, ledger, recorder, keys and the server's application on one database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from airworthy import __version__
from airworthy.app.beside import beside
from airworthy.app.build import App, this_process
from airworthy.app.gateway_config import GatewayConfig
from airworthy.app.places import Places, shared_places
from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import ConfigError
from airworthy.gateway.budget import Ledger
from airworthy.gateway.cache import ExactCache
from airworthy.gateway.door import Door, Shared
from airworthy.gateway.fetch import Fetcher
from airworthy.gateway.guard import Memory
from airworthy.gateway.keys import KeyRing
from airworthy.gateway.prices import unpriced
from airworthy.gateway.records import Record, Recorder
from airworthy.gateway.served import Served
from airworthy.gateway.server import GatewayApp, Gauge, Metrics, ServerRules, Surroundings
from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.policy import (
    Floating,
    NotReadyToGoLive,
    Policy,
    ToolFact,
    golive_gaps,
    load_policy,
    pin_of,
)
from airworthy.runtime import Agent, switches
from airworthy.store import Database, StoreError, Tx
from airworthy.store.lease import Owner

PAUSES_S: Final = 0.5
READY_S_MAX: Final = 2.0
READY_US: Final = US_PER_S  # So long an answer about the store's health holds.


@dataclass(frozen=True, slots=True)
class Charge:
    """An agent that the gateway serves, and the tools its code has; for a policy alone, those it names itself."""

    policy: Policy
    tools: tuple[ToolFact, ...]


def charges_of(config: GatewayConfig, agents: Callable[[], Sequence[Agent]]) -> list[Charge]:
    """`agents` is asked only where the configuration names no policies. Raises: ConfigError, PolicyError."""
    if config.policies:
        policies = [load_policy(config.folder / path) for path in config.policies]
        found = [Charge(policy, _as_named(policy)) for policy in policies]
    else:
        found = [Charge(agent.policy, tuple(agent.tool_facts)) for agent in agents()]
    names = [charge.policy.agent for charge in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"Two policies are for {name!r}.", mend="Give each agent one policy.")
    return found


def check_charges(app: App, charges: Sequence[Charge]) -> None:
    """A live agent's calls go only by the very policy that was approved. Raises: NotReadyToGoLive, ConfigError."""
    for charge in charges:
        policy = charge.policy
        if not policy.models:
            raise ConfigError(
                f"The policy of {policy.agent!r} names no model.", mend="Add a [[models]] entry to it."
            )
        if policy.live:
            gaps = golive_gaps(policy, app.operations.approval(policy.agent), charge.tools, unpriced=unpriced)
            if gaps:
                raise NotReadyToGoLive(policy.agent, gaps)


def cautions_of(charges: Sequence[Charge]) -> list[str]:
    """What would keep an agent from going live, or only shows once a call is made; a person should read it."""
    found = []
    for charge in charges:
        for rule in charge.policy.models:
            pin = pin_of(rule.name)
            if isinstance(pin, Floating) and not rule.pinned:
                named = f" Name the dated version: {pin.suggestion}." if pin.suggestion else ""
                found.append(f"A model of {charge.policy.agent} can change unnoticed: {pin.reason}{named}")
    return found


@contextlib.asynccontextmanager
async def gateway(
    app: App,
    charges: Sequence[Charge],
    config: GatewayConfig,
    tell: Callable[[str], None],
    *,
    local: bool,
    places: Places | None = None,
) -> AsyncIterator[GatewayApp]:
    """Ready to be served, with all that must run beside it; on leaving, what was done is written and given back.

    `local`: only this machine can reach it. `places`: those of the process; left out, it has its own.
    Raises: StoreError, Unpriced.
    """
    metrics = Metrics()
    ring = KeyRing(app.database, app.clock)
    await ring.refresh()
    owner = this_process(app.clock, "gwy", "gateway")
    async with contextlib.AsyncExitStack() as stack:
        if places is None:
            places = await stack.enter_async_context(shared_places(app.database, app.clock, owner))
        policies = [_recorded(charge.policy, config) for charge in charges]
        served = {policy.agent: Served(policy, places.of(policy)) for policy in policies}
        recorder = CountingRecorder(app, metrics)
        allow = config.on_store_down == "allow"
        door = await stack.enter_async_context(
            opened_door(app, served, recorder, owner, allow_unrecorded=allow)
        )
        health = Health(app.database, app.clock, ring)
        rules = ServerRules(
            config.body_bytes_max, calls_max=config.calls_max, refuse_stale=not allow, metrics_open=local
        )
        around = Surroundings(app.clock, app.ids, health.missing, tell, __version__)
        for gauge in _gauges(recorder, places, ring):
            metrics.watch(gauge)
        made = GatewayApp(door, ring, served, DIALECTS, around, rules, metrics)
        try:
            async with beside(made.run):
                yield made
        finally:
            with contextlib.suppress(StoreError):  # Told already, by every call.
                await ring.refresh()


@contextlib.asynccontextmanager
async def opened_door(
    app: App,
    served: Mapping[str, Served],
    recorder: Recorder,
    owner: Owner,
    *,
    allow_unrecorded: bool = False,
) -> AsyncIterator[Door]:
    """The door for calls over HTTP, without its server. Raises: StoreError."""
    ledger = Ledger(app.database, app.clock, owner)
    pauses = Pauses(app.database)
    await pauses.refresh()
    door = Door(
        served,
        Shared(
            ledger,
            recorder,
            app.clock,
            app.ids,
            Fetcher(app.clock),
            pauses.why,
            ExactCache(app.database, app.clock, recorder.later),
            allow_unrecorded=allow_unrecorded,
            withheld=Memory(app.database, app.clock, app.payloads.redactor),
        ),
    )
    await ledger.open()
    try:
        async with beside(door.run, pauses.run):
            yield door
    finally:
        with contextlib.suppress(StoreError):  # The leases run out by themselves.
            await door.aclose()
            await ledger.close()


class CountingRecorder(Recorder):
    """Every call ends here, so here it is counted."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        super().__init__(app.clock, app.payloads)
        self._metrics = metrics

    def add(self, record: Record) -> None:
        super().add(record)
        good = record.ended_as in ("answered", "cached")
        self._metrics.called(
            record.call.caller.agent, record.model, record.ended_as if good else record.code,
            record.facts.usage if record.facts is not None else None, record.cost_nano,
        )  # fmt: skip


class Pauses:
    """Which agents people have switched off, a moment behind the store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._off: dict[str, str] = {}

    def why(self, agent: str) -> str | None:
        off = self._off
        if not off:
            return None
        found = off.get(switches.ALL)
        return found if found is not None else off.get(switches.of_agent(agent))

    async def refresh(self) -> None:
        found = await self._database.read(switches.listing)
        self._off = {switch.scope: switch.reason for switch in found}

    async def run(self) -> None:
        """Until cancelled. What was paused stays so while the store cannot be read."""
        while True:
            await asyncio.sleep(PAUSES_S)
            with contextlib.suppress(StoreError):
                await self.refresh()


class Health:
    """Whether calls can be taken; asks the store at most once a second, however often it is asked itself."""

    def __init__(self, database: Database, clock: Clock, ring: KeyRing) -> None:
        self._database = database
        self._clock = clock
        self._ring = ring
        self._checked_us = 0
        self._missing: list[str] = []

    async def missing(self) -> list[str]:
        if self._clock.now_us() - self._checked_us > READY_US:
            self._checked_us = self._clock.now_us()
            self._missing = await self._look()
        return self._missing

    async def _look(self) -> list[str]:
        found = []
        try:
            async with asyncio.timeout(READY_S_MAX):
                await self._database.write(_touch)
        except TimeoutError:
            found.append(f"The store took no write within {READY_S_MAX:g} s.")
        except StoreError as error:
            found.append(f"The store cannot be written ({error.code}).")
        if self._ring.stale(self._clock.now_us()):
            found.append("The keys cannot be refreshed.")
        return found


def _gauges(recorder: Recorder, places: Places, ring: KeyRing) -> tuple[Gauge, ...]:
    def waiting() -> dict[tuple[str, ...], float]:
        return {(place.name,): place.pacer.view().waiting for place in places.all}

    def modes() -> dict[tuple[str, ...], float]:
        names = {place.name for place in places.all}
        return {(name, places.circuits.circuit(f"model:{name}").state.mode.value): 1 for name in names}

    return (
        Gauge("waiting_calls", "Calls that wait for their turn at a model.", ("place",), waiting),
        Gauge("breaker", "Breakers, by their mode; 1 for the mode it is in.", ("place", "mode"), modes),
        Gauge("unwritten_records", "Records that wait to be written.", (), lambda: {(): recorder.waiting}),
        Gauge("dropped_records", "Records that could not be kept.", (), lambda: {(): recorder.dropped}),
        Gauge("keys", "Keys known, revoked ones included.", (), lambda: {(): len(ring)}),
    )


def _as_named(policy: Policy) -> tuple[ToolFact, ...]:
    """The tools run elsewhere, so the policy's own word is all there is to go by."""
    return tuple(
        ToolFact(name, "", rule.effect or "read", keyed=False) for name, rule in policy.tools.items()
    )


def _recorded(policy: Policy, config: GatewayConfig) -> Policy:
    """Beside what was approved, since it changes nothing of what the agent may do."""
    if config.record is None:
        return policy
    rules = policy.gateway.model_copy(update={"record": config.record})
    return policy.model_copy(update={"gateway": rules})


def _touch(tx: Tx) -> None:
    """Takes the write lock and changes nothing."""
    tx.execute("UPDATE migrations SET name = name WHERE number < 0")
