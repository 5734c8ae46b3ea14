"""One model at one address, with all that this process remembers of it: health, pace, retries, prices, token counts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from airworthy.core.clock import US_PER_S, Clock
from airworthy.gateway.errors import ModelNotAllowed
from airworthy.gateway.pacing import Pacer, Pacing
from airworthy.gateway.prices import Price, check_priced, price_list
from airworthy.gateway.tokens import Counter, Estimate
from airworthy.gateway.upstream import ModelClient, OfClient, Upstream
from airworthy.policy import ModelRule
from airworthy.resilience import (
    Breaker,
    Bulkhead,
    Circuit,
    Compartment,
    Permit,
    Result,
    Retrier,
    Retry,
    RetryAccount,
    RetryBudget,
)

QUEUE_MAX: Final = 10_000
US_PER_DAY: Final = 86_400 * US_PER_S
# Which dialect a provider speaks for a caller's dialect; what is not named is spoken as it is.
_AT_ANTHROPIC: Final[Mapping[str, str]] = {"chat": "messages", "responses": "messages", "embeddings": ""}
_AT_OPENAI: Final[Mapping[str, str]] = {"messages": "chat", "count_tokens": ""}
# Of the servers with OpenAI's protocol, those without its newer half.
_CHAT_ONLY: Final = frozenset({"gemini", "mistral", "ollama", "compatible"})


class Switch(Protocol):
    """A breaker as the core sees it."""

    async def admit(self) -> Permit:
        """Raises: CircuitOpen."""
        ...

    def leave(self, permit: Permit, result: Result) -> None: ...


class Place:
    """Shared by all callers in the process, so that what one of them learns holds for all."""

    __slots__ = (
        "_clock",
        "_price",
        "_price_day",
        "account",
        "bulkhead",
        "circuit",
        "estimate",
        "name",
        "pacer",
        "retrier",
        "rule",
        "upstream",
    )

    def __init__(
        self,
        rule: ModelRule,
        upstream: Upstream,
        circuit: Switch,
        clock: Clock,
        counter: Counter | None = None,
    ) -> None:
        """`counter`: counts the tokens of a request exactly; left out, they are estimated."""
        self.rule = rule
        self.name = place_of(rule)
        self.upstream = upstream
        self.circuit = circuit
        self.pacer = Pacer(Pacing(rule.requests_per_min, rule.tokens_per_min), clock, name=self.name)
        self.account = RetryAccount(RetryBudget(), clock)
        self.retrier = Retrier(Retry(attempts=rule.attempts), clock, account=self.account)
        self.bulkhead = Compartment(Bulkhead(rule.concurrency, queue_max=QUEUE_MAX), clock, name=rule.name)
        self.estimate = Estimate(rule.name, counter)
        self._clock = clock
        self._price_day = -1
        self._price = self.price

    @property
    def price(self) -> Price:
        """As of today, because providers change theirs. Raises: Unpriced."""
        now_us = self._clock.now_us()
        if now_us // US_PER_DAY != self._price_day:
            self._price = check_priced(self.rule, price_list(), now_us)
            self._price_day = now_us // US_PER_DAY
        return self._price

    def spoken(self, dialect: str) -> str:
        """The dialect in which this place is asked what a caller asked in `dialect`; empty: it has none for that."""
        if self.rule.served.protocol == "anthropic":
            return _AT_ANTHROPIC.get(dialect, dialect)
        if dialect == "responses" and self.rule.provider in _CHAT_ONLY:
            return "chat"
        return _AT_OPENAI.get(dialect, dialect)


Client = ModelClient | Upstream | Place


def place_of(rule: ModelRule) -> str:
    """The same version may be served at two addresses, the one as the other's fallback."""
    return f"{rule.name} at {rule.base_url or 'its provider'}"


def places_of(
    rules: Sequence[ModelRule],
    clients: Mapping[str, Client],
    clock: Clock,
    circuits: Callable[[str], Switch] | None = None,
) -> dict[str, Place]:
    """By `place_of` the rule. A place among the clients is taken as it is, so that others can share it.

    Raises: Unpriced, ModelNotAllowed for a rule without a client.
    """
    found = {}
    for rule in rules:
        name = place_of(rule)
        client = _client(clients, rule)
        if isinstance(client, Place):
            found[name] = client
            continue
        upstream = client if isinstance(client, Upstream) else OfClient(client)
        circuit = circuits(f"model:{name}") if circuits else Circuit(Breaker(), clock, name=f"model:{name}")
        found[name] = Place(rule, upstream, circuit, clock)
    return found


def _client(clients: Mapping[str, Client], rule: ModelRule) -> Client:
    found = clients.get(place_of(rule)) or clients.get(rule.name)
    if found is None:
        raise ModelNotAllowed(
            f"No client was given for the model {rule.name!r}, which the policy names.",
            mend=f"Add it to Agent(clients=...), which has: {', '.join(clients) or 'none'}.",
        )
    return found
