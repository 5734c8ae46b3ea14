"""What a dead run began under a key and the next never came to: asked again before the task is put down.

Knows nothing of why the run is over; whoever calls it has seen that its acts may still be made.
"""

import asyncio
from collections.abc import Iterable

from airworthy.core.halt import Halt
from airworthy.core.redact import MARK
from airworthy.recorder import Slot
from airworthy.store import StaleFence, StoreError
from airworthy.tools.acting import act
from airworthy.tools.call import Call, RunTools
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
    except (StaleFence, StoreError):
        raise
    except (Exception, Halt):  # noqa: BLE001  # a fault in the tool's own code must not keep the task from its end
        return  # What came of it is on record; if it was stopped before, its intent stands as it stood.


def _repeatable(box: Toolbox, run: RunTools, slot: Slot) -> Call | None:
    """None for a tool that takes no key, or that this agent has no more, and where it would be another call: the
    arguments are not whole, or the tool reads them otherwise by now.
    """
    tool, recorded = box.tools.get(slot.name), slot.recorded
    if tool is None or not tool.keyed or not box.allowed(slot.name):
        return None
    # A secret was taken out; only the agent could give it again. Older versions called such an intent exact.
    if recorded is None or not recorded.exact or MARK in slot.arguments.decode():
        return None
    try:
        values, canonical = tool.read_arguments(slot.arguments)
        return box.call_at(slot, run, tool, values, canonical) if canonical == slot.arguments else None
    except Exception:  # noqa: BLE001  # as above
        return None
