"""What a dead run began under a key and the next never came to: asked again before the task is put down.

Knows nothing of why the run is over; whoever calls it has seen that its acts may still be made.
"""

import asyncio
from collections.abc import Iterable

from airworthy.core.canonical import encode
from airworthy.core.halt import Halt
from airworthy.recorder import Slot
from airworthy.tools.acting import act
from airworthy.tools.call import Call, RunTools
from airworthy.tools.errors import ToolError
from airworthy.tools.tool import SchemaBroken
from airworthy.tools.toolbox import Toolbox


async def finish(box: Toolbox, run: RunTools, left: Iterable[Slot]) -> None:
    """Once each, all at the same time, as parallel branches would. What cannot be asked again stays as it is.

    Raises: StaleFence, StoreError.
    """
    calls = [call for slot in left if (call := _repeatable(box, run, slot)) is not None]
    ended = await asyncio.gather(*(_finished(box, call) for call in calls), return_exceptions=True)
    for error in ended:
        if error is not None:
            raise error


async def _finished(box: Toolbox, call: Call) -> None:
    try:
        await act(box, call)
    except (ToolError, Halt):
        pass  # What came of it is on record; if it was stopped before, its intent stands as it stood.


def _repeatable(box: Toolbox, run: RunTools, slot: Slot) -> Call | None:
    """None for a tool that takes no key, or that this agent has no more, and where the arguments are not whole."""
    tool, recorded = box.tools.get(slot.name), slot.recorded
    if tool is None or not tool.keyed or not box.allowed(slot.name):
        return None
    if recorded is None or not recorded.exact:  # A secret was taken out; only the agent could give it again.
        return None
    try:
        values, canonical = tool.read_arguments(encode(recorded.arguments))
    except SchemaBroken:
        return None
    return box.call_at(slot, run, tool, values, canonical)
