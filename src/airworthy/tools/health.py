"""Asks a dependency once whether it is well. Never raises, and always ends."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import told
from airworthy.policy import HealthRule
from airworthy.tools.exchange import Exchange, exchanging

if TYPE_CHECKING:
    import httpx

REASON_CHARS_MAX = 300


@dataclass(frozen=True, slots=True)
class Healthy:
    took_s: float


@dataclass(frozen=True, slots=True)
class Unhealthy:
    """`reason` is fit for people."""

    reason: str
    took_s: float


async def probe(client: "httpx.AsyncClient", rule: HealthRule, clock: Clock) -> Healthy | Unhealthy:
    """`client`: the dependency's own, so that its address, credential and guard are probed too."""
    began_us = clock.now_us()
    reason = ""
    try:
        async with asyncio.timeout(rule.timeout_s):
            with exchanging(Exchange(accepts=None)):
                async with client.stream("GET", rule.path) as response:
                    status = response.status_code
        if status != rule.status:
            reason = f"it answered {status} instead of {rule.status}"
    except TimeoutError:
        reason = f"it did not answer within {rule.timeout_s:g} s"
    except Exception as error:  # noqa: BLE001  # whatever goes wrong with it is what was asked for
        reason = told(error)[:REASON_CHARS_MAX]
    took_s = (clock.now_us() - began_us) / US_PER_S
    return Unhealthy(reason, took_s) if reason else Healthy(took_s)
