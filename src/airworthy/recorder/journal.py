"""The journal of one run: finds what was recorded, writes what happens, and refuses to act on another path.

A step's key is the digest of its kind, its name and its canonical arguments, followed by its occurrence: how many
identical calls the run made before. Order plays no part, so parallel calls replay in any order.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from airworthy.core.canonical import digest, encode
from airworthy.core.clock import Clock
from airworthy.core.errors import AirworthyError, storable_text
from airworthy.core.outcome import ErrorFact
from airworthy.core.task import TaskRef
from airworthy.recorder.payload import Payloads
from airworthy.recorder.steps import (
    INSERT_PAYLOAD,
    INSERT_PLAIN_STEP,
    INSERT_STEP,
    NO_FACTS,
    RIDE_PAYLOAD,
    RIDE_STEP,
    UPDATE_PAYLOAD,
    UPDATE_STEP,
    Recorded,
    StepFacts,
    StepState,
    body,
)
from airworthy.recorder.traces import own_text
from airworthy.store import Database, Fence, Tx

# How long a new effect waits for parallel calls to meet what was recorded, once nothing else is under way.
SETTLE_S = 1.0
LABEL_CHARS_MAX = 128
_OCCURRENCE_BYTES = 4

Also = Callable[[Tx], None]


def _nothing_to_confirm(_: Tx) -> None:
    return None


def key_of(base: bytes, occurrence: int) -> bytes:
    return base + occurrence.to_bytes(_OCCURRENCE_BYTES, "big")


def parted(key: bytes) -> tuple[bytes, int]:
    """What identical calls have in common, and which of them it is."""
    return key[:-_OCCURRENCE_BYTES], int.from_bytes(key[-_OCCURRENCE_BYTES:], "big")


class Diverged(AirworthyError):
    """On replay the run took another path than the one on which it had already acted."""

    code = "divergence"

    def __init__(self, message: str, unmet: tuple[str, ...]) -> None:
        super().__init__(
            message,
            mend="Take time, chance and ids from the run (run.now, run.random, run.uuid) and call in an order that "
            "depends on nothing else; then decide in the review queue what is left to do.",
        )
        self.unmet = unmet


@dataclass(slots=True)
class Slot:
    """The place of one call in the journal. `recorded` is what an earlier run left there; `whole`: no secret was taken
    out of the `arguments`.
    """

    seq: int
    kind: str
    name: str
    key: bytes
    arguments: bytes
    occurrence: int
    effect: str | None
    recorded: Recorded | None
    started_us: int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class _Rider:
    step: tuple[Any, ...]
    payload: tuple[Any, ...]


class Journal:
    """One per run; used from one event loop. Every write carries the run's fence."""

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
        self.database = database
        self.clock = clock
        self.task = task
        self.fence = fence
        self.run = run
        # Called inside the transaction that begins a call which acts or costs; may raise a Halt. Set by the runtime.
        self.confirm: Also = _nothing_to_confirm
        self.payloads = payloads
        self._by_key: dict[bytes, Recorded] = {}
        self._occurrences: dict[bytes, int] = {}
        self._unmet: dict[bytes, Recorded] = {}
        self._other_path = False
        self._met = asyncio.Event()
        self._executing = 0
        self._riders: list[_Rider] = []
        self._next_seq = 1  # Seq 0 is the input.
        for step in recorded:
            self._next_seq = max(self._next_seq, step.seq + 1)
            if step.key is None:
                continue
            self._by_key[step.key] = step
            if step.acted:
                self._unmet[step.key] = step

    def base(self, kind: str, name: str, arguments: bytes) -> tuple[bytes, bytes]:
        """What identical calls have in common, and the arguments (canonical JSON) without their secrets."""
        clean, _ = self.payloads.redactor.redact_bytes(arguments)
        return digest(kind.encode(), name.encode(), clean), clean

    def slot(self, kind: str, name: str, arguments: bytes, *, effect: str | None = None) -> Slot:
        """Finds or makes the place of a call; counts the call's occurrence, so ask once per call."""
        base, clean = self.base(kind, name, arguments)
        occurrence = self._occurrences.get(base, 0)
        self._occurrences[base] = occurrence + 1
        key = key_of(base, occurrence)
        recorded = self._by_key.get(key)
        if recorded is not None and self._unmet.pop(key, None) is not None and not self._unmet:
            self._met.set()
        if recorded is not None:
            seq = recorded.seq
        else:
            seq = self._next_seq
            self._next_seq += 1
        whole = clean == arguments
        return Slot(seq, kind, name, key, clean, occurrence, effect, recorded, self.clock.now_us(), whole)

    def made(self, kind: str, name: str, arguments: bytes) -> list[Recorded]:
        """What is recorded of this very call, each time it was made."""
        base, _ = self.base(kind, name, arguments)
        found: list[Recorded] = []
        while (step := self._by_key.get(key_of(base, len(found)))) is not None:
            found.append(step)
        return found

    def recorded(self, kind: str) -> list[Recorded]:
        """The steps of a kind that earlier runs left, in their order."""
        return [step for step in self._by_key.values() if step.kind == kind]

    def by_hand(self) -> None:
        """A person goes on in the run's place: nobody need meet again what the run has done."""
        self._unmet.clear()

    def left(self) -> list[Slot]:
        """The places of acts that an earlier run began, whose result was lost, and that this run has not met. None on
        another path, whatever the agent made of hearing so.
        """
        if self._other_path:
            return []
        return [
            Slot(
                step.seq, step.kind, step.name, key, encode(step.arguments), parted(key)[1], step.effect, step,
                self.clock.now_us(),
            )
            for key, step in self._unmet.items()
            if step.state is StepState.STARTED
        ]  # fmt: skip

    def label(self, name: str) -> str:
        """A name that a model or a stranger chose, fit to stand in a column: short, printable, without a secret."""
        clean = self.payloads.redactor.redact_text(storable_text(name[: 4 * LABEL_CHARS_MAX]))
        return "".join(char if char.isprintable() else "?" for char in clean)[:LABEL_CHARS_MAX]

    def clean(self, text: bytes) -> bytes:
        """JSON or text for a column, without its secrets."""
        return self.payloads.redactor.redact_bytes(text)[0]

    async def record(
        self,
        slot: Slot,
        state: StepState,
        *,
        result: bytes | None = None,
        error: ErrorFact | None = None,
        facts: StepFacts = NO_FACTS,
        also: Also | None = None,
    ) -> None:
        """Writes a whole step at once: for whatever may be repeated when a crash loses it."""
        if slot.recorded is not None:  # Done again, because its recorded result had a secret taken out.
            await self.close(slot, state, result=result, error=error, facts=facts, also=also)
            return
        packed, exact = self._pack(slot, result, error, facts)
        task_id, now_us = self.task.id, self.clock.now_us()
        row: tuple[Any, ...] = (
            task_id, slot.seq, self.run, slot.kind, slot.name, slot.key, state.value, slot.effect, exact,
            slot.started_us, now_us, facts.attempts,
        )  # fmt: skip
        insert = INSERT_PLAIN_STEP
        if error is not None or facts is not NO_FACTS:
            insert = INSERT_STEP
            row += (
                error.type if error else None, facts.model, facts.tokens_in, facts.tokens_out, facts.cost_nano,
                facts.resource, facts.resource_version,
            )  # fmt: skip

        def op(tx: Tx) -> None:
            tx.put(insert, row)
            tx.put(INSERT_PAYLOAD, (task_id, slot.seq, packed))
            if also is not None:
                also(tx)

        # Rows of its own task alone need no turn.
        await self._write(op, beside=also is None)

    def ride(self, slot: Slot, state: StepState, result: bytes) -> None:
        """Records a new step with the run's next write instead of one of its own.

        For what costs nothing to do again when a crash loses it. Whoever ends the run calls `board` in its last
        transaction.
        """
        packed, exact = self._pack(slot, result, None, NO_FACTS)
        row = (
            self.task.id, slot.seq, self.run, slot.kind, slot.name, slot.key, state.value, slot.effect, exact,
            slot.started_us, self.clock.now_us(), 1,
        )  # fmt: skip
        self._riders.append(_Rider(row, (self.task.id, slot.seq, packed)))

    def board(self, tx: Tx) -> None:
        """Writes the riders. Twice is once."""
        for rider in self._riders:
            tx.put(RIDE_STEP, rider.step)
            tx.put(RIDE_PAYLOAD, rider.payload)

    async def _write(self, op: Also, *, beside: bool = False) -> None:
        if not self._riders:
            await self.database.write(op, fence=self.fence, beside=beside)
            return

        def op_with_riders(tx: Tx) -> None:
            self.board(tx)
            op(tx)

        riding = list(self._riders)
        await self.database.write(op_with_riders, fence=self.fence, beside=beside)
        # Only now: a write that failed took nobody along.
        self._riders = [rider for rider in self._riders if rider not in riding]

    async def open(
        self, slot: Slot, state: StepState, *, facts: StepFacts = NO_FACTS, also: Also | None = None
    ) -> None:
        """Writes an effect's intent before the effect: `started`, or `held` while a person decides.

        A slot that is in the journal already (it was held before) changes its state instead. `also` runs in the
        same transaction and may raise: then nothing is stored.
        """
        packed, exact = self._pack(slot, None, None, facts)
        if not slot.whole:
            # Until its result is known, whoever goes on has nothing but what is stored of the call.
            exact = 0
        task_id, known = self.task.id, slot.recorded is not None
        row = (
            task_id, slot.seq, self.run, slot.kind, slot.name, slot.key, state.value, slot.effect, exact,
            slot.started_us, None, 0, None, None, None, None, None, facts.resource, facts.resource_version,
        )  # fmt: skip

        def op(tx: Tx) -> None:
            if state is StepState.STARTED:
                self.confirm(tx)
            if also is not None:
                also(tx)
            if known:
                tx.execute(
                    "UPDATE steps SET state = ?, resource = ?, resource_version = ? WHERE task_id = ? AND seq = ?",
                    (state.value, facts.resource, facts.resource_version, task_id, slot.seq),
                )
                return
            tx.execute(INSERT_STEP, row)
            tx.execute(INSERT_PAYLOAD, (task_id, slot.seq, packed))

        await self._write(op)

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
        """Writes what became of an opened step."""
        packed, exact = self._pack(slot, result, error, facts)
        task_id = self.task.id
        row = (
            state.value, exact, self.clock.now_us(), facts.attempts, error.type if error else None, facts.model,
            facts.tokens_in, facts.tokens_out, facts.cost_nano, facts.resource, facts.resource_version,
            task_id, slot.seq,
        )  # fmt: skip

        def op(tx: Tx) -> None:
            if slot.recorded is not None:  # The task may have ended since, and been indexed.
                own_text.changes(tx, task_id)
            tx.execute(UPDATE_STEP, row)
            tx.execute(UPDATE_PAYLOAD, (packed, task_id, slot.seq))
            if also is not None:
                also(tx)

        await self._write(op)

    def _pack(
        self, slot: Slot, result: bytes | None, error: ErrorFact | None, facts: StepFacts
    ) -> tuple[bytes, int]:
        raw = body(slot.arguments, result, error, facts.notes)
        clean, hidden = self.payloads.redactor.redact_bytes(raw)
        return self.payloads.pack(clean), 0 if hidden else 1

    # What keeps a resumed run on the path on which it acted.

    def enter(self) -> None:
        """A call of this run began; paired with `leave`."""
        self._executing += 1

    def leave(self) -> None:
        self._executing -= 1

    async def may_act(self) -> None:
        """Waits until every effect recorded before has been met again. Raises: Diverged when that cannot be.

        Parallel branches may reach a new effect before a recorded one; so the refusal comes only after nothing
        else has been under way for SETTLE_S.
        """
        if not self._unmet:
            return
        self._executing -= (
            1  # While it waits it is not under way, or two waiting calls would wait for each other.
        )
        try:
            while self._unmet:
                try:
                    await asyncio.wait_for(self._met.wait(), SETTLE_S)
                except TimeoutError:
                    if self._executing <= 0 and self._unmet:
                        raise self._diverged("is about to act anew") from None
        finally:
            self._executing += 1

    def check_all_met(self) -> None:
        """Asked when the agent has returned. Raises: Diverged when it got there without an effect it had made."""
        if self._unmet:
            raise self._diverged("came to its end")

    def _diverged(self, how: str) -> Diverged:
        self._other_path = True
        unmet = tuple(f"{step.name} (step {step.seq})" for step in self._unmet.values())
        return Diverged(
            f"The resumed run of {self.task.id} {how} without meeting what it had done before: {', '.join(unmet)}.",
            unmet,
        )
