"""Models and dependencies with their breakers: one set for a process, whoever in it calls them."""

import contextlib
from collections.abc import AsyncIterator, Mapping

from airworthy.app.beside import beside
from airworthy.app.providers import upstream_of
from airworthy.core.clock import Clock
from airworthy.gateway import ModelClient, Upstream, place_of
from airworthy.gateway.place import Place, places_of
from airworthy.policy import ModelRule, Policy
from airworthy.resilience.shared import Circuits, Rates
from airworthy.store import Database
from airworthy.store.lease import Owner
from airworthy.tools import Dependencies


class Places:
    """Two agents with the same rule share what is learnt of it. Belongs to one event loop.

    `owner`: this process in the store, by which its breakers are known.
    """

    def __init__(self, owner: Owner, clock: Clock, circuits: Circuits, rates: Rates | None = None) -> None:
        self.owner = owner
        self.circuits = circuits
        self.all: list[Place] = []
        self.dependencies = Dependencies(clock, circuits.circuit, rates)
        self._rates = rates
        self._clock = clock

    def of(
        self, policy: Policy, clients: Mapping[str, ModelClient | Upstream] | None = None
    ) -> dict[str, Place]:
        """By `place_of` the rule. An agent's own `clients` are its own: only their breakers are shared, by name.

        Raises: Unpriced, ModelNotAllowed, ConfigError.
        """
        if clients is not None:
            return places_of(policy.models, clients, self._clock, self.circuits.circuit)
        return {place_of(rule): self._place(rule) for rule in policy.models}

    def _place(self, rule: ModelRule) -> Place:
        for place in self.all:
            if place.rule == rule:
                return place
        name = place_of(rule)
        made = places_of([rule], {name: upstream_of(rule)}, self._clock, self.circuits.circuit)[name]
        if self._rates is not None:
            made.pacer.share(self._rates)
        self.all.append(made)
        return made


@contextlib.asynccontextmanager
async def shared_places(database: Database, clock: Clock, owner: Owner) -> AsyncIterator[Places]:
    """With their breakers and rates kept in step with those of every other process. Whoever calls models must end
    before it.
    """
    circuits, rates = Circuits(database, clock, owner.id), Rates(database, clock)
    places = Places(owner, clock, circuits, rates)
    try:
        async with beside(circuits.run, rates.run):
            yield places
    finally:
        await circuits.tick()
        for place in places.all:
            await place.upstream.aclose()
        await places.dependencies.aclose()
