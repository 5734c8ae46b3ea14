"""Chores beside the tasks: they leave the time to them."""

import asyncio
from typing import Any

import pytest

from airworthy.app import chores
from tests.runtime.kit import bench


async def test_describing_takes_a_third_of_the_time_however_much_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = [20] * 5

    async def takes_a_second(_database: Any) -> int:
        await asyncio.sleep(1.0 if left else 0.0)
        return left.pop() if left else 0

    async def handle(run: Any) -> str:
        return "done"

    monkeypatch.setattr(chores, "describe", takes_a_second)
    (chore,) = [each for each in chores.chores_of(bench(handle).app, ()) if each.name == "describe"]
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await chore.run(0)

    assert loop.time() - began_s == pytest.approx(5 * 3.0)
    assert not left
