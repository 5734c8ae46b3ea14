"""Whether dependencies are well enough to begin with: looked at together, once for many tasks, within a bound."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import told
from airworthy.policy import Preconditions
from airworthy.tools.credential import Obtainable
from airworthy.tools.dependencies import Dependency
from airworthy.tools.health import REASON_CHARS_MAX, Unhealthy, probe


@dataclass(frozen=True, slots=True)
class Unready:
    """`until_us`: when it may be worth another look, where that is known."""

    name: str
    reason: str
    critical: bool
    until_us: int | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(slots=True)
class _Look:
    """One look at one dependency. It is its own task, so that no caller's end takes it from the others."""

    task: "asyncio.Task[str]"
    ended_us: int | None = None


class Readiness:
    """Belongs to one toolbox; `dependency_of` by the name in the policy."""

    def __init__(self, clock: Clock, dependency_of: Callable[[str], Dependency]) -> None:
        self._clock = clock
        self._dependency_of = dependency_of
        self._looks: dict[str, _Look] = {}

    async def look(self, rule: Preconditions) -> list[Unready]:
        """Those that are not well. Takes at most `rule.timeout_s`."""
        found = await asyncio.gather(*(self._one(name, rule) for name in rule.dependencies))
        return [each for each in found if each is not None]

    async def _one(self, name: str, rule: Preconditions) -> Unready | None:
        dependency = self._dependency_of(name)
        critical = dependency.rule is None or dependency.rule.critical
        outage = dependency.outage()
        if outage is not None:
            return Unready(name, f"it is {outage}", critical, outage.until_us)
        now_us = self._clock.now_us()
        refused = dependency.circuit.closed_to(now_us)
        if refused is not None:
            until_us = now_us + round(refused.retry_after_s * US_PER_S)
            return Unready(name, refused.message, critical, until_us)
        reason = await asyncio.shield(self._looked(name, dependency, rule))
        return Unready(name, reason, critical) if reason else None

    def _looked(self, name: str, dependency: Dependency, rule: Preconditions) -> "asyncio.Task[str]":
        known = self._looks.get(name)
        if known is not None and (
            known.ended_us is None or self._clock.now_us() - known.ended_us < rule.cache_s * US_PER_S
        ):
            return known.task
        look = _Look(asyncio.create_task(_reason(dependency, rule.timeout_s, self._clock)))
        look.task.add_done_callback(lambda _: setattr(look, "ended_us", self._clock.now_us()))
        self._looks[name] = look
        return look.task


def named(unready: Iterable[Unready]) -> str:
    return "; ".join(str(each) for each in unready)


async def _reason(dependency: Dependency, timeout_s: float, clock: Clock) -> str:
    """Why it is not well, empty when it is."""
    try:
        async with asyncio.timeout(timeout_s):
            auth: object = dependency.auth
            if isinstance(auth, Obtainable):
                await auth.obtain()
            rule = dependency.rule
            if rule is None or rule.health is None:
                return ""
            found = await probe(dependency.client(), rule.health, clock)
    except TimeoutError:
        return f"it did not answer within {timeout_s:g} s"
    except Exception as error:  # noqa: BLE001  # whatever keeps us from it keeps the task from it
        return told(error)[:REASON_CHARS_MAX]
    return found.reason if isinstance(found, Unhealthy) else ""
