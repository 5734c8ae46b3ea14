"""The journal of a replay: it answers from the record and refuses whatever the record has no answer for."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NoReturn

from airworthy.core.clock import Clock
from airworthy.core.halt import Halt
from airworthy.core.task import TaskRef
from airworthy.recorder.journal import Journal, Slot
from airworthy.recorder.payload import Payloads
from airworthy.recorder.steps import Recorded, StepState
from airworthy.store import Fence

# Their end is not on record: what came of them was decided elsewhere, or never known.
UNENDED = frozenset({StepState.HELD, StepState.STARTED, StepState.IN_DOUBT})


class Unanswered(Halt):
    """The record has no answer for this call. `slot.recorded`: that it was begun, if it was, and nothing more."""

    def __init__(self, slot: Slot) -> None:
        super().__init__(f"The record has no answer for {slot.kind} {slot.name}.")
        self.slot = slot


class Sealed(Halt):
    """Something tried to read or write around the record. No call of an agent can get here; a fault of ours could."""

    def __init__(self) -> None:
        super().__init__("A replay reads and writes nothing but its record.")


class SealedDatabase:
    """Implements `Database` by refusing."""

    dialect = "sealed"
    where = "nowhere"

    def clock(self, own: Clock) -> Clock:
        return own

    def listen(self, topics: Any, heard: Any) -> NoReturn:  # noqa: ARG002
        raise Sealed

    async def write(self, op: Any, *, fence: Fence | None = None, beside: bool = False) -> NoReturn:  # noqa: ARG002
        raise Sealed

    async def read(self, query: Any) -> NoReturn:  # noqa: ARG002
        raise Sealed

    def write_now(self, op: Any) -> NoReturn:  # noqa: ARG002
        raise Sealed

    def read_now(self, query: Any) -> NoReturn:  # noqa: ARG002
        raise Sealed

    def close(self) -> None:
        """There is nothing to close."""


class SealedJournal(Journal):
    """One per replay; used from one event loop. `asked` counts the calls so far, `last` is the step that answered the
    latest of them, `met` are the numbers of the steps that were asked for.
    """

    def __init__(
        self, clock: Clock, payloads: Payloads, task: TaskRef, run: int, recorded: Iterable[Recorded]
    ) -> None:
        super().__init__(SealedDatabase(), clock, payloads, task, Fence(task.id, 0), run, recorded)
        self.asked = 0
        self.last: Recorded | None = None
        self.met: set[int] = set()

    def slot(self, kind: str, name: str, arguments: bytes, *, effect: str | None = None) -> Slot:
        """Raises: Unanswered."""
        slot = super().slot(kind, name, arguments, effect=effect)
        self.asked += 1
        recorded = slot.recorded
        if recorded is not None:
            self.met.add(recorded.seq)
        if recorded is None or recorded.state in UNENDED:
            raise Unanswered(slot)
        self.last = recorded
        # With what was kept of it: a secret that was taken out is no reason to ask the world again.
        return replace(slot, recorded=replace(recorded, exact=True))

    def recorded(self, kind: str) -> list[Recorded]:
        return [replace(step, exact=True) for step in super().recorded(kind)]

    @property
    def calls_under_way(self) -> int:
        return self._executing

    @property
    def acts_unmet(self) -> bool:
        """What the run had done, as far as it was recorded, has not been asked for again."""
        return bool(self._unmet)

    def answering(self) -> list[Recorded]:
        """The steps that answer a call, in their order."""
        return sorted(self._by_key.values(), key=lambda step: step.seq)

    async def _write(self, op: Any, *, beside: bool = False) -> NoReturn:  # noqa: ARG002
        raise Sealed

    def ride(self, slot: Slot, state: StepState, result: bytes) -> NoReturn:  # noqa: ARG002
        raise Sealed
