"""What goes on in the background fails as itself: what it was caused by decides the exit code."""

import asyncio

import pytest

from airworthy.app.beside import beside
from airworthy.cli.exits import Exit, exit_of
from airworthy.runtime import WorkerStopped
from airworthy.store import StoreBusy


async def test_a_part_that_the_store_stopped_is_told_as_a_failed_store() -> None:
    async def part() -> None:
        raise WorkerStopped("The worker stopped.") from StoreBusy("It did not answer.")

    with pytest.raises(WorkerStopped) as caught:
        async with beside(part):
            await _for_ever()

    assert exit_of(caught.value) is Exit.STORE


async def _for_ever() -> None:
    await asyncio.Event().wait()
