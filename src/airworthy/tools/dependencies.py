"""The systems that tools talk to, one object for each in a process: breaker, places, pace and HTTP clients."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from airworthy.core.clock import Clock
from airworthy.core.errors import ConfigError
from airworthy.policy import BreakerRule, DependencyRule, OutageRule
from airworthy.resilience import (
    Breaker,
    Bulkhead,
    Circuit,
    Compartment,
    Egress,
    Pace,
    Pacer,
    RetryAccount,
    RetryBudget,
)
from airworthy.resilience.circuit import Guarding
from airworthy.tools.outages import Outage, in_outage

if TYPE_CHECKING:
    import httpx

    from airworthy.policy.kinds import Rate
    from airworthy.resilience.shared import Allowance, Rates
    from airworthy.tools.clients import DependencyClient, DependencySyncClient, Terms

QUEUE_MAX = 10_000
CircuitOf = Callable[[str, Breaker], Guarding]


def breaker_of(rule: BreakerRule) -> Breaker:
    return Breaker(rule.failure_share, rule.calls_min, rule.window_s, rule.open_s)


class Dependency:
    """One system as one process sees it. `rule` None: the policy does not declare it. For one event loop."""

    def __init__(
        self,
        name: str,
        rule: DependencyRule | None,
        circuit: Guarding,
        clock: Clock,
        auth: "httpx.Auth | None",
        allowance: "Allowance | None" = None,
    ) -> None:
        self.name = name
        self.rule = rule
        self.circuit = circuit
        self.account = RetryAccount(RetryBudget(), clock)
        self.auth = auth
        self.windows: tuple[OutageRule, ...] = rule.outages if rule is not None else ()
        self.places: Compartment | None = None
        self.pacer: Pacer | None = None
        self._clock = clock
        self._client: DependencyClient | None = None
        self._sync_client: DependencySyncClient | None = None
        self._making = threading.Lock()
        if rule is not None and rule.concurrency is not None:
            self.places = Compartment(Bulkhead(rule.concurrency, QUEUE_MAX), clock, name=name)
        if rule is not None and rule.rate is not None:
            pace = Pace(f"{rule.rate.calls}/{round(rule.rate.per_s)}s")
            self.pacer = Pacer(pace, clock, name=name, shared=allowance)

    def outage(self) -> Outage | None:
        """The window that is open now."""
        return in_outage(self.windows, self._clock.now_us()) if self.windows else None

    def client(self) -> "DependencyClient":
        """With its connections; the same for every call until `aclose`."""
        if self._client is None:
            from airworthy.tools.clients import DependencyClient

            self._client = DependencyClient(self._terms(), self._clock)
        return self._client

    def sync_client(self) -> "DependencySyncClient":
        with self._making:  # Plain tools ask from threads.
            if self._sync_client is None:
                from airworthy.tools.clients import DependencySyncClient

                self._sync_client = DependencySyncClient(self._terms(), self._clock)
            return self._sync_client

    async def aclose(self) -> None:
        """Ends the connections; whoever asks for a client afterwards gets a new one."""
        client, self._client = self._client, None
        sync_client, self._sync_client = self._sync_client, None
        if client is not None:
            await client.aclose()
        if sync_client is not None:
            sync_client.close()

    def _terms(self) -> "Terms":
        from airworthy.tools.clients import Terms

        rule = self.rule
        if rule is None or rule.base_url is None:
            raise ConfigError(
                f"The dependency {self.name!r} has no address.",
                mend=f'Add base_url = "https://..." to [dependencies.{self.name}] of the policy.',
            )
        egress = Egress(internal=rule.internal)
        return Terms(self.name, rule.base_url, rule.timeout_s, egress, self.auth, rule.concurrency)


class Dependencies:
    """All of a process. Agents whose policies say the same of a dependency share it; all that name it share a breaker.

    `circuit_of`: where breakers come from; left out, they are this object's own.
    """

    def __init__(
        self, clock: Clock, circuit_of: CircuitOf | None = None, rates: "Rates | None" = None
    ) -> None:
        """`rates`: of all processes; left out, each process keeps to a rate by itself."""
        self.all: list[Dependency] = []
        self._rates = rates
        self._clock = clock
        self._circuit_of = circuit_of
        self._circuits: dict[str, Guarding] = {}

    def of(
        self, name: str, rule: DependencyRule | None, breaker: Breaker, auth: "httpx.Auth | None" = None
    ) -> Dependency:
        """`name`: as its breaker is known. `breaker`: its bounds, unless somebody named it before. `auth`: what its
        clients show."""
        for known in self.all:
            if known.name == name and known.rule == rule and known.auth is auth:
                return known
        allowance = None if rule is None or rule.rate is None else self.allowance(name, rule.rate)
        made = Dependency(name, rule, self._circuit(name, breaker), self._clock, auth, allowance)
        self.all.append(made)
        return made

    def allowance(self, name: str, rate: "Rate") -> "Allowance | None":
        """What this process may start of a rate that all share; None where it is alone."""
        return None if self._rates is None else self._rates.allowance(name, rate.calls, round(rate.per_s))

    async def aclose(self) -> None:
        for dependency in self.all:
            await dependency.aclose()

    def _circuit(self, name: str, breaker: Breaker) -> Guarding:
        if name not in self._circuits:
            make = self._circuit_of or self._own_circuit
            self._circuits[name] = make(name, breaker)
        return self._circuits[name]

    def _own_circuit(self, name: str, breaker: Breaker) -> Circuit:
        return Circuit(breaker, self._clock, name=name)
