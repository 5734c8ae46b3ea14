"""Effects of the outbox that a process carries out beside its tasks. How one is carried out, and which, it is told."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from airworthy.runtime import switches, tasks
from airworthy.runtime.machine import State
from airworthy.store import StoreError, Tx
from airworthy.tools import EffectRow


def may_send(tx: Tx, row: EffectRow) -> bool:
    """Whether nobody has paused the effect's task, or its agent."""
    task = tasks.find(tx, row.task_id)
    paused_alone = task is not None and (task.pause_asked or task.state is State.PAUSED)
    return not paused_alone and switches.paused(tx, row.agent) is None


class Sending:
    """Used from one event loop. `broke` hears of a store that fails."""

    def __init__(
        self, carry_out: Callable[[EffectRow], Awaitable[None]], broke: Callable[[StoreError], None]
    ) -> None:
        self._carry_out = carry_out
        self._broke = broke
        self._under_way: dict[str, asyncio.Task[None]] = {}

    @property
    def busy(self) -> bool:
        return bool(self._under_way)

    def begin(self, rows: Iterable[EffectRow]) -> None:
        """Those that are not under way already."""
        for row in rows:
            if row.id not in self._under_way:
                self._under_way[row.id] = asyncio.create_task(self._one(row))

    async def end(self) -> None:
        """Waits for what is under way."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _one(self, row: EffectRow) -> None:
        try:
            await self._carry_out(row)
        except StoreError as error:
            self._broke(error)
        finally:
            del self._under_way[row.id]
