"""/metrics: what Prometheus reads, taken from rows and rollups at the moment it asks. Names agents, no user."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from airworthy.console.parts import Given, Identified, Parts, allowed
from airworthy.console.problems import NoKey
from airworthy.core.clock import US_PER_S
from airworthy.core.money import NANO_PER_USD
from airworthy.recorder import events
from airworthy.store import Tx

if TYPE_CHECKING:
    from prometheus_client.core import Metric

router = APIRouter(tags=["health"])
AGENTS_MAX: Final = 200  # What is of more of them is told as `other`.
OTHER: Final = "other"
OUTCOMES: Final = ("answered", "declined", "escalated", "dead_lettered", "cancelled", "failed")
_SUMMED: Final = (
    ("steps", "airworthy_steps", "Steps of tasks."),
    ("model_calls", "airworthy_model_calls", "Calls of models."),
    ("tool_calls", "airworthy_tool_calls", "Calls of tools."),
    ("errors", "airworthy_errors", "Steps that failed."),
    ("retries", "airworthy_retries", "Steps that were tried again."),
    ("tokens_in", "airworthy_tokens_in", "Tokens sent to models."),
    ("tokens_out", "airworthy_tokens_out", "Tokens that models answered."),
    ("unpriced", "airworthy_unpriced_calls", "Calls whose price is not known; they are in no sum of money."),
)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request, given: Given, found: Identified) -> Response:
    """With a key that may look; or for everybody who reaches the port: `metrics_open` of console.toml."""
    if not given.door.metrics_open:
        if found is None or found.session:
            raise NoKey
        allowed(given, found.caller, "look")
    agents = found.caller.agents if found is not None else frozenset[str]()
    body, kind = await run_in_threadpool(exposition, given, request.headers.get("accept", ""), agents)
    return Response(body, media_type=kind)


def exposition(given: Parts, accept: str = "", agents: Collection[str] = ()) -> tuple[bytes, str]:
    """The text, in the form that the scraper takes, and its content type. `agents`: theirs alone; none: all."""
    from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import CollectorRegistry

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Stored(given, sorted(agents)))
    encode, kind = choose_encoder(accept)
    return encode(registry), kind


class _Stored:
    """One reading of the store, in one transaction, so that the numbers belong together."""

    def __init__(self, given: Parts, agents: Sequence[str]) -> None:
        self._given = given
        self._agents = agents

    def collect(self) -> "Iterable[Metric]":
        now_us = self._given.clock.now_us()
        agents = self._agents

        def read(tx: Tx) -> "list[Metric]":
            # What other programs send is of no agent until it is read, and what they are told is of several.
            of_all = () if agents else (*_intake(tx), *_events(tx))
            return [*_tasks(tx, agents), *_waiting(tx, agents, now_us), *of_all]

        return self._given.database.read_now(read)


def _only(agents: Sequence[str], column: str = "agent") -> str:
    return f" AND {column} IN ({', '.join('?' for _ in agents)})" if agents else ""


def _tasks(tx: Tx, agents: Sequence[str]) -> "Iterable[Metric]":
    from prometheus_client.core import CounterMetricFamily

    names = [*OUTCOMES, "opened", "cost_nano", *(column for column, _, _ in _SUMMED)]
    sums = ", ".join(f"SUM(r.{name})" for name in names)
    rows = tx.rows(
        f"SELECT s.agent, {sums} FROM rollups r JOIN series s ON s.id = r.series_id WHERE r.width_s = 3600"
        f"{_only(agents, 's.agent')} GROUP BY s.agent ORDER BY s.agent",
        agents,
    )
    by_agent = _bounded({agent: [int(value or 0) for value in values] for agent, *values in rows})
    ended = CounterMetricFamily(
        "airworthy_tasks", "Tasks that ended, by outcome.", labels=("agent", "outcome")
    )
    opened = CounterMetricFamily("airworthy_tasks_opened", "Tasks handed in.", labels=("agent",))
    cost = CounterMetricFamily(
        "airworthy_cost_usd", "Money spent, as far as prices are known.", labels=("agent",)
    )
    others = [CounterMetricFamily(name, text, labels=("agent",)) for _, name, text in _SUMMED]
    for agent, values in by_agent.items():
        for outcome, value in zip(OUTCOMES, values, strict=False):
            ended.add_metric((agent, outcome), max(0, value))
        count, nano, *rest = values[len(OUTCOMES) :]
        opened.add_metric((agent,), max(0, count))
        cost.add_metric((agent,), max(0, nano) / NANO_PER_USD)
        for family, value in zip(others, rest, strict=True):
            family.add_metric((agent,), max(0, value))
    return [ended, opened, cost, *others]


def _waiting(tx: Tx, agents: Sequence[str], now_us: int) -> "Iterable[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    queue = GaugeMetricFamily("airworthy_queue_tasks", "Tasks that wait to be worked on.", labels=("agent",))
    rows = tx.rows(
        f"SELECT agent, COUNT(*) FROM tasks WHERE state = 'queued'{_only(agents)} GROUP BY agent ORDER BY agent",
        agents,
    )
    for agent, [count] in _bounded({agent: [count] for agent, count in rows}).items():
        queue.add_metric((agent,), count)
    items = GaugeMetricFamily("airworthy_review_items", "Items that wait for a person.", labels=("kind",))
    oldest = GaugeMetricFamily(
        "airworthy_review_oldest_seconds", "How long the oldest of them waits.", labels=("kind",)
    )
    for kind, count, since_us in tx.rows(
        "SELECT kind, COUNT(*), MIN(created_us) FROM review_items WHERE status = 'open'"
        f"{_only(agents)} GROUP BY kind ORDER BY kind",
        agents,
    ):
        items.add_metric((kind,), count)
        oldest.add_metric((kind,), max(0, now_us - since_us) / US_PER_S)
    alerts = GaugeMetricFamily("airworthy_alerts", "Alerts that stand.", labels=("severity",))
    for severity, count in tx.rows(
        f"SELECT severity, COUNT(*) FROM alerts WHERE ended_us IS NULL{_only(agents)}"
        " GROUP BY severity ORDER BY severity",
        agents,
    ):
        alerts.add_metric((severity,), count)
    return [queue, items, oldest, alerts]


def _intake(tx: Tx) -> "Iterable[Metric]":
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(
        "airworthy_intake", "What became of traces that other programs sent.", labels=("what",)
    )
    for what, count in tx.rows("SELECT what, SUM(count) FROM intake GROUP BY what ORDER BY what LIMIT 100"):
        family.add_metric((what,), count)
    return [family]


def _events(tx: Tx) -> "Iterable[Metric]":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    told = CounterMetricFamily(
        "airworthy_events", "Events for other programs, by [events.<name>].", labels=("events", "what")
    )
    left = GaugeMetricFamily(
        "airworthy_events_left",
        "Of them those that wait, or failed and stay listed.",
        labels=("events", "state"),
    )
    for standing in events.standings(tx):
        told.add_metric([standing.name, "sent"], standing.sent)
        told.add_metric([standing.name, "dropped"], standing.dropped)
        left.add_metric([standing.name, "pending"], standing.waiting)
        left.add_metric([standing.name, "failed"], standing.failed)
    return [told, left]


def _bounded(by_agent: Mapping[str, list[int]]) -> dict[str, list[int]]:
    """Names come from outside too, and each would be series of its own for ever."""
    ranked = sorted(by_agent, key=lambda agent: sum(by_agent[agent]), reverse=True)
    found = {agent or OTHER: by_agent[agent] for agent in ranked[:AGENTS_MAX]}
    for agent in ranked[AGENTS_MAX:]:
        before = found.get(OTHER, [0] * len(by_agent[agent]))
        found[OTHER] = [one + more for one, more in zip(before, by_agent[agent], strict=True)]
    return dict(sorted(found.items()))
