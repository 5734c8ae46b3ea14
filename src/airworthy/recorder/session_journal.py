"""The journal of a session: nothing is replayed; a call is a new one unless the very same one waits for a person."""

from collections.abc import Iterable

from airworthy.core.clock import Clock
from airworthy.core.outcome import ErrorFact
from airworthy.core.task import TaskRef
from airworthy.recorder.journal import Also, Journal, Slot, parted
from airworthy.recorder.payload import Payloads
from airworthy.recorder.steps import NO_FACTS, Recorded, StepFacts, StepState
from airworthy.store import Database, Fence

_WAITING = frozenset({StepState.HELD, StepState.IN_DOUBT})


class SessionJournal(Journal):
    """One per session; used from one event loop. Identical calls that act must come one after the other."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        payloads: Payloads,
        task: TaskRef,
        fence: Fence,
        run: int,
        recorded: Iterable[Recorded] = (),
    ) -> None:
        super().__init__(database, clock, payloads, task, fence, run)
        self._waiting: dict[bytes, Recorded] = {}
        for step in recorded:
            self._next_seq = max(self._next_seq, step.seq + 1)
            if step.key is None:
                continue
            base, occurrence = parted(step.key)
            self._occurrences[base] = max(self._occurrences.get(base, 0), occurrence + 1)
            if step.state in _WAITING:
                self._waiting[base] = step

    def waits(self, base: bytes) -> bool:
        """Whether the same call is one that a person decides on."""
        return base in self._waiting

    @property
    def doubtful(self) -> bool:
        """Whether a call of the session was left in doubt; a person may have settled it since."""
        return any(step.state is StepState.IN_DOUBT for step in self._waiting.values())

    def slot(self, kind: str, name: str, arguments: bytes, *, effect: str | None = None) -> Slot:
        if not self._waiting:
            return super().slot(kind, name, arguments, effect=effect)
        base, clean = self.base(kind, name, arguments)
        step = self._waiting.get(base)
        if step is None or step.key is None:
            return super().slot(kind, name, arguments, effect=effect)
        occurrence = parted(step.key)[1]
        now_us = self.clock.now_us()
        return Slot(step.seq, kind, name, step.key, clean, occurrence, effect, step, now_us)

    async def open(
        self, slot: Slot, state: StepState, *, facts: StepFacts = NO_FACTS, also: Also | None = None
    ) -> None:
        await super().open(slot, state, facts=facts, also=also)
        self._note(slot, state, facts)

    async def close(
        self,
        slot: Slot,
        state: StepState,
        *,
        result: bytes | None = None,
        error: ErrorFact | None = None,
        facts: StepFacts = NO_FACTS,
        also: Also | None = None,
    ) -> None:
        await super().close(slot, state, result=result, error=error, facts=facts, also=also)
        self._note(slot, state, facts)

    def _note(self, slot: Slot, state: StepState, facts: StepFacts) -> None:
        base = parted(slot.key)[0]
        if state in _WAITING:
            self._waiting[base] = Recorded(
                seq=slot.seq, run=self.run, kind=slot.kind, name=slot.name, key=slot.key, state=state,
                effect=slot.effect, exact=True, started_us=slot.started_us, ended_us=None, error_type=None,
                arguments=None, result=None, error=None, facts=facts,
            )  # fmt: skip
        elif state is not StepState.STARTED:  # A held one that begins waits until it has ended.
            self._waiting.pop(base, None)
