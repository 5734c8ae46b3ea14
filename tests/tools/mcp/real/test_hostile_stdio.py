"""A real process that dies, floods, lies or hangs: the call says so, the rest goes on, memory stays bounded."""

import asyncio
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from airworthy.policy import ToolRule
from airworthy.tools import EffectState
from airworthy.tools.mcp.stdio import StdioDial
from tests.tools.mcp.kit import Proxy, Talk, proxy

pytestmark = [pytest.mark.process, pytest.mark.slow]

HOSTILE = Path(__file__).parent / "hostile.py"
READ = ToolRule(effect="read", timeout_s=20, attempts=2, critical=False)
RULES = {
    **dict.fromkeys(
        ("read", "die", "garbage", "flood_line", "flood_notes", "huge", "complain", "twice", "child"), READ
    ),
    "hang": ToolRule(effect="read", timeout_s=0.5, attempts=1, critical=False),
    "write": ToolRule(effect="write", timeout_s=20),
}


def _run(test: Callable[[Proxy, Talk], Awaitable[None]]) -> None:
    """In real time, against a real process."""

    async def main() -> None:
        house = proxy(RULES)
        dial = StdioDial([sys.executable, str(HOSTILE)], dict(os.environ), house.told.append)
        house.server = dial  # type: ignore[assignment]  # a real one in place of the scripted one
        async with house:
            talk = house.session()
            await talk.greet()
            await test(house, talk)

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_server_that_dies_in_the_middle_of_a_read_is_begun_anew_and_the_read_made_again(
    tmp_path: Path,
) -> None:
    async def test(house: Proxy, talk: Talk) -> None:
        assert await talk.said("die", unless=str(tmp_path / "died")) == "fine"
        assert await talk.said("read") == "fine"
        assert "The server is begun anew." in house.told
        async with asyncio.timeout(10):
            while "The server has ended (exit code 7)." not in house.told:
                await asyncio.sleep(0.05)

    _run(test)


def test_a_server_that_dies_in_the_middle_of_an_act_leaves_it_in_doubt_and_is_not_asked_again(
    tmp_path: Path,
) -> None:
    async def test(house: Proxy, talk: Talk) -> None:
        text = await talk.said("write", unless=str(tmp_path / "died"))
        read = await talk.said("read")

        assert "may or may not have happened" in text
        assert house.effects()[0].state is EffectState.IN_DOUBT
        assert read == "fine"

    _run(test)


def test_a_server_that_dies_again_and_again_is_left_alone(tmp_path: Path) -> None:
    async def test(house: Proxy, talk: Talk) -> None:
        nowhere = str(tmp_path / "none" / "died")  # Cannot be written, so it dies each time.
        texts = [await talk.said("die", unless=nowhere) for _ in range(4)]

        assert "left alone" in texts[-1]
        assert house.told.count("The server is begun anew.") <= 3

    _run(test)


@pytest.mark.parametrize("tool", ["garbage", "flood_line", "flood_notes", "complain"])
def test_whatever_stands_between_does_not_keep_the_answer_away(tool: str) -> None:
    async def test(house: Proxy, talk: Talk) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        assert await talk.said(tool) == "fine"
        assert await talk.said("read") == "fine"

        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown_kb < 60_000  # 40 MB came on one line, or 20,000 notifications; none of it is kept.
        assert len(house.told) < 300
        assert not any("\x1b" in text or "\n" in text or "\r" in text for text in house.told)

    _run(test)


def test_an_answer_beyond_the_bound_is_none_and_the_next_call_goes_on() -> None:
    async def test(house: Proxy, talk: Talk) -> None:
        rules = house.policy.tools
        assert rules["huge"].timeout_s == 20
        call = asyncio.create_task(talk.said("huge"))
        await asyncio.sleep(1)

        assert await talk.said("read") == "fine"
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert any("longer than" in text for text in house.told)

    _run(test)


def test_a_server_that_hangs_costs_the_policy_s_time() -> None:
    async def test(house: Proxy, talk: Talk) -> None:
        assert "took longer than 0.5 s" in await talk.said("hang")

    _run(test)


def test_the_second_answer_to_one_request_reaches_nobody() -> None:
    async def test(house: Proxy, talk: Talk) -> None:
        assert await talk.said("twice") == "first"
        assert await talk.said("read") == "fine"

    _run(test)


def test_what_a_server_has_started_ends_with_it() -> None:
    async def test(house: Proxy, talk: Talk) -> None:
        pid = int(await talk.said("child"))
        await talk.close()
        async with asyncio.timeout(10):
            while _state(pid) not in ("gone", "Z", "X"):
                await asyncio.sleep(0.05)

    _run(test)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def test_a_command_that_does_not_exist_is_an_error_in_words() -> None:
    async def main() -> None:
        house = proxy(RULES)
        house.server = StdioDial(["/no/such/server"], {}, house.told.append)  # type: ignore[assignment]
        async with house:
            answer = await house.session().ask("initialize", {"protocolVersion": "2025-11-25"})
            assert "/no/such/server cannot be started" in answer["error"]["message"]

    asyncio.run(main())
