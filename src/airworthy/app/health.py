"""Keeps an eye on every declared dependency: scheduled checks, calls counted, windows learnt; and looks on demand."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from airworthy.app.credentials import auth_of
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import AirworthyError
from airworthy.policy import DependencyRule
from airworthy.recorder.alerts import Alert, Severity, ended, find, raised
from airworthy.resilience import Egress
from airworthy.runtime.chores import Chore
from airworthy.runtime.tool_calls import ends
from airworthy.store import Tx
from airworthy.tools import health_rows
from airworthy.tools.health import Healthy, Unhealthy, probe
from airworthy.tools.health_rows import Counted, Health
from airworthy.tools.outages import in_outage
from airworthy.tools.windows import Window, windows

if TYPE_CHECKING:
    import httpx

    from airworthy.app.build import App
    from airworthy.runtime import Agent

    AuthOf = Callable[[], httpx.Auth | None]

EVERY_S_MIN = 5.0  # Each check makes a connection of its own.
UNWELL_TOLD = 3  # Checks in a row, before a person hears of it.
COUNT_EVERY_S = 300.0
COUNT_LAG_US = 60 * US_PER_S  # A step's end is written a little later than it is dated.
COUNT_SPAN_US = 6 * 3_600 * US_PER_S
LEARN_EVERY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Declared:
    """One dependency of the project, as the first of the agents that declare it says."""

    name: str
    rule: DependencyRule
    agent: "Agent"

    @property
    def zone(self) -> str:
        """In which its windows are looked for: that of those it has, for a system's hours are its own."""
        return self.rule.outages[0].zone if self.rule.outages else "UTC"


def declared(agents: "Sequence[Agent]") -> list[Declared]:
    found: dict[str, Declared] = {}
    for agent in agents:
        for name, rule in agent.policy.dependencies.items():
            found.setdefault(name, Declared(name, rule, agent))
    return list(found.values())


def health_chores(app: "App", agents: "Sequence[Agent]") -> list[Chore]:
    known = declared(agents)
    if not known:
        return []

    def checking(one: Declared) -> Chore:
        assert one.rule.health is not None

        auth = cache(partial(auth_of, one.name, one.agent, app))  # With the token it has, for the next check.

        async def run(_now_us: int) -> None:
            await checked(app, one, auth)

        return Chore(f"health:{one.name}", max(one.rule.health.every_s, EVERY_S_MIN), run)

    async def count(_now_us: int) -> None:
        await count_calls(app, agents)

    async def learn(_now_us: int) -> None:
        for one in known:
            await tell_windows(app, one)

    checks = [checking(one) for one in known if one.rule.health is not None and one.rule.base_url is not None]
    return [
        *checks,
        Chore("health of calls", COUNT_EVERY_S, count),
        Chore("outage windows", LEARN_EVERY_S, learn),
    ]


async def looked(app: "App", one: Declared, auth: "AuthOf | None" = None) -> Healthy | Unhealthy:
    """Asks it now, with the client that tools are handed; keeps nothing. Never raises for what is wrong with it."""
    from airworthy.tools.clients import DependencyClient, Terms

    rule = one.rule
    assert rule.health is not None
    assert rule.base_url is not None
    try:
        shown = auth() if auth is not None else auth_of(one.name, one.agent, app)
    except AirworthyError as error:
        return Unhealthy(str(error), 0.0)
    terms = Terms(one.name, rule.base_url, rule.timeout_s, Egress(internal=rule.internal), shown)
    async with DependencyClient(terms, app.clock) as client:
        return await probe(client, rule.health, app.clock)


async def checked(app: "App", one: Declared, auth: "AuthOf | None" = None) -> Health:
    """Asks it now and keeps the answer; being unwell for a while is an alert, and being well again ends it."""
    answer = await looked(app, one, auth)
    now_us = app.clock.now_us()
    reason = app.payloads.redactor.redact_text(answer.reason) if isinstance(answer, Unhealthy) else ""

    def store(tx: Tx) -> Health:
        health = health_rows.checked(tx, one.name, reason, round(answer.took_s * US_PER_S), now_us)
        key = f"health:{one.name}"
        if health.ok:
            ended(tx, key, "airworthy", now_us)
            return health
        standing = find(tx, key)
        expected = in_outage(one.rule.outages, now_us) is not None
        if (
            health.streak >= UNWELL_TOLD
            and not expected
            and (standing is None or standing.ended_us is not None)
        ):
            raised(tx, _unwell(one, health), now_us)
        return health

    return await app.database.write(store)


def _unwell(one: Declared, health: Health) -> Alert:
    text = (
        f"{health.streak} checks in a row say: {health.reason}\nLook closer: airworthy doctor\n"
        f"Cut it off until it is mended: airworthy breaker open dependency:{one.name} --reason TEXT"
    )
    severity: Severity = "critical" if one.rule.critical else "warning"
    return Alert(f"health:{one.name}", "health", "", severity, f"{one.name} is not well", text)


async def count_calls(app: "App", agents: "Sequence[Agent]") -> None:
    """What calls of tools came to since the last time, by dependency. It is read from the journal."""
    names = {(agent.name, tool.name): tool.dependency for agent in agents for tool in agent.tools}
    replaced = {tool.name for agent in agents for tool in agent.tools if _may_be_replaced(agent, tool.name)}
    until_us = app.clock.now_us() - COUNT_LAG_US
    since_us = await app.database.read(lambda tx: health_rows.counted_until(tx, "call"))
    from_us = max(since_us or 0, until_us - COUNT_SPAN_US)
    if from_us >= until_us:
        return
    found = await app.database.read(lambda tx: ends(tx, from_us, until_us, replaced))
    counted = [
        Counted(names[agent, tool], at_us, ok, times)
        for (agent, tool, at_us, ok), times in found.items()
        if (agent, tool) in names
    ]
    await app.database.write(lambda tx: health_rows.count_once(tx, "call", counted, since_us, until_us))


def _may_be_replaced(agent: "Agent", tool: str) -> bool:
    rule = agent.policy.tools.get(tool)
    of = {each.name: each.dependency for each in agent.tools}
    dependency = agent.policy.dependencies.get(of[tool])
    return any(each is not None and each.fallback not in (None, "error") for each in (rule, dependency))


def learnt(tx: Tx, one: Declared, zone: str = "") -> list[Window]:
    """Windows that the last twelve weeks speak for, beside those that are declared."""
    return windows(health_rows.hours(tx, one.name), zone or one.zone, one.rule.outages)


async def tell_windows(app: "App", one: Declared) -> None:
    """One alert for all windows of a dependency; ended by a person, it comes back only with others."""
    now_us = app.clock.now_us()
    found = await app.database.read(lambda tx: learnt(tx, one))
    key = f"outages:{one.name}"

    def store(tx: Tx) -> None:
        standing = find(tx, key)
        if not found:
            ended(tx, key, "airworthy", now_us)
            return
        alert = Alert(key, "outage_window", "", "info", _title(one, found), _text(one, found))
        if standing is None or standing.title != alert.title:
            ended(tx, key, "airworthy", now_us)
            raised(tx, alert, now_us)

    await app.database.write(store)


def _title(one: Declared, found: Sequence[Window]) -> str:
    return f"{one.name} is away again and again: {'; '.join(str(window) for window in found)}"


def _text(one: Declared, found: Sequence[Window]) -> str:
    return "\n".join(_lines(one, found)).rstrip()


def _lines(one: Declared, found: Sequence[Window]) -> Iterator[str]:
    yield "Put this into the policy, and no attempt is wasted on it then:\n"
    for window in found:
        yield window.toml(one.name)
        yield f"# {window}: {window.evidence}\n"
