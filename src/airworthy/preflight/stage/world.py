"""What a trial's world remembers: each act by its key, and whatever stand-ins keep there. No act leaves it."""

import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from airworthy.core.canonical import encode
from airworthy.evals import Act
from airworthy.preflight.stage.values import ToolCall


@dataclass(slots=True)
class _Deed:
    call: ToolCall
    at_us: int
    times: int = 1


class World:
    """One for each trial, or for all that run together. `things`: for stand-ins that take a `world`."""

    def __init__(self) -> None:
        self.things: dict[str, Any] = {}
        self._deeds: dict[tuple[str, str, bytes], _Deed] = {}
        self._answered: dict[tuple[str, str], Any] = {}

    async def act(
        self, task_id: str, call: ToolCall, now_us: int, perform: Callable[[], Awaitable[Any]]
    ) -> Any:
        """The same key again is answered as the first time, and nothing more is done; a call without one is done again.

        What raises was not done, as far as the world knows.
        """
        if call.key and (call.name, call.key) in self._answered:
            return copy.deepcopy(self._answered[call.name, call.key])
        result = await perform()
        self.did(task_id, call, now_us)
        if call.key:
            self._answered[call.name, call.key] = copy.deepcopy(result)
        return result

    def did(self, task_id: str, call: ToolCall, now_us: int) -> None:
        deed = self._deeds.get(named := (task_id, call.name, encode(call.arguments)))
        if deed is None:
            self._deeds[named] = _Deed(call, now_us)
        else:
            deed.times += 1

    def remember(self, task_id: str, call: ToolCall, now_us: int, result: Any) -> None:
        """An act of the time before the trial begins."""
        self.did(task_id, call, now_us)
        if call.key:
            self._answered[call.name, call.key] = result

    def acts(self, task_id: str) -> tuple[Act, ...]:
        """In the order in which they were first done."""
        return tuple(
            Act(deed.call.name, deed.call.arguments, deed.call.key, deed.times, deed.at_us)
            for (task, _, _), deed in self._deeds.items()
            if task == task_id
        )
