"""A look at dependencies before a task begins: it always ends, serves many, and says why somebody is not well."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from airworthy.policy import DependencyRule, HealthRule, OutageRule, Preconditions
from airworthy.tools import Permanent, Transient
from airworthy.tools.health import Healthy, Unhealthy, probe
from tests.gateway.http.kit import Peer, answering, serving
from tests.tools.kit import Kit, kit
from tests.tools.test_clients import garbage, half, hangs, http, resets

LOOK = Preconditions(dependencies=("crm",), timeout_s=10.0)


def asking(port: int, *, credential: httpx.Auth | None = None, **about: Any) -> Kit:
    health = {"health": HealthRule(path="/health", timeout_s=3.0), **about}
    rule = DependencyRule(base_url=f"http://127.0.0.1:{port}", internal=True, **health)
    return kit(dependencies={"crm": rule}, credentials={"crm": credential} if credential else {})


async def reasons(k: Kit, rule: Preconditions = LOOK) -> list[str]:
    return [each.reason for each in await k.box.readiness.look(rule)]


async def headers_only(peer: Peer) -> None:
    await peer.request()
    peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    await peer.gone()


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (answering(http()), None),
        (headers_only, None),  # The body is not read.
        (answering(http("503 Service Unavailable")), "it answered 503 instead of 200"),
        (answering(http("302 Found", b"", "location: /login")), "it answered 302 instead of 200"),
        (hangs, "it did not answer within 3 s"),
        (resets, "The answer was broken"),
        (garbage, "The answer was broken"),
    ],
    ids=["well", "headers", "503", "302", "hangs", "resets", "garbage"],
)
async def test_a_probe_always_ends_and_says_why(
    handler: Callable[[Peer], Awaitable[None]], reason: str | None
) -> None:
    async with serving(handler) as site:
        k = asking(site.port)
        found = await probe(
            k.box.named_dependency("crm").client(), HealthRule(path="/health", timeout_s=3.0), k.clock
        )
        await k.box.aclose()

    if reason is None:
        assert isinstance(found, Healthy)
    else:
        assert isinstance(found, Unhealthy)
        assert found.reason.startswith(reason)
    assert asyncio.get_running_loop().time() <= 3.1


async def test_half_an_answer_that_begins_well_is_well() -> None:
    async with serving(half) as site:
        k = asking(site.port)
        assert await reasons(k) == []
        await k.box.aclose()


async def test_nobody_at_the_address_is_not_well() -> None:
    async with serving(hangs) as site:
        pass
    k = asking(site.port)
    (reason,) = await reasons(k)
    await k.box.aclose()

    assert reason.startswith("The other side cannot be reached")


async def test_a_look_serves_all_tasks_for_a_while_and_those_that_come_meanwhile() -> None:
    async with serving(answering(http())) as site:
        k = asking(site.port)
        await asyncio.gather(*(reasons(k) for _ in range(50)))
        await asyncio.sleep(9.9)
        await reasons(k)
        asked = len(site.requests)
        await asyncio.sleep(0.2)
        await reasons(k)
        await k.box.aclose()

    assert (asked, len(site.requests)) == (1, 2)


async def test_the_whole_look_is_bounded_and_looks_at_all_at_once() -> None:
    async with serving(hangs) as site:
        rule = DependencyRule(
            base_url=f"http://127.0.0.1:{site.port}",
            internal=True,
            health=HealthRule(timeout_s=60.0),
            timeout_s=60.0,
        )
        names = [f"d{number}" for number in range(8)]
        k = kit(dependencies=dict.fromkeys(names, rule))
        found = await reasons(k, Preconditions(dependencies=tuple(names), timeout_s=2.0))
        await k.box.aclose()

    assert found == ["it did not answer within 2 s"] * 8
    assert asyncio.get_running_loop().time() == pytest.approx(2.0, abs=0.1)


async def test_a_caller_that_leaves_does_not_end_the_look_of_others() -> None:
    async def slow(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(1.0)
        peer.write(http())

    async with serving(slow) as site:
        k = asking(site.port)
        leaver, stayer = asyncio.create_task(reasons(k)), asyncio.create_task(reasons(k))
        await asyncio.sleep(0.5)
        leaver.cancel()
        assert await stayer == []
        await k.box.aclose()


class Asked(httpx.Auth):
    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    async def obtain(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


@pytest.mark.parametrize(
    "failure", [Transient("the token endpoint is down"), Permanent("revoked"), OSError("no file")]
)
async def test_a_credential_that_cannot_be_had_is_told(failure: Exception) -> None:
    async with serving(answering(http())) as site:
        k = asking(site.port, credential=Asked(failure))
        assert await reasons(k) == [str(failure)]
        await asyncio.sleep(11)
        assert await reasons(k) == []
        await k.box.aclose()


async def test_a_declared_outage_and_an_open_breaker_are_told_without_asking() -> None:
    k = kit(dependencies={"crm": DependencyRule(outages=(OutageRule(begin="15:30", end="16:20"),))})
    (away,) = await k.box.readiness.look(LOOK)
    assert (away.reason, away.until_us) == (
        "it is away until 2025-11-24 16:20 UTC", k.clock.now_us() + 20 * 60 * 1_000_000,
    )  # fmt: skip

    k = kit(dependencies={"crm": DependencyRule()})
    circuit = k.box.named_dependency("crm").circuit
    circuit.force_open("moved")  # type: ignore[attr-defined]  # The breaker of a toolbox of its own is one that can.
    (cut_off,) = await k.box.readiness.look(LOOK)
    assert "opened by hand: moved" in cut_off.reason
