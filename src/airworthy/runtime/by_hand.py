"""A person does a task in the agent's place, with the same tools: each call goes through the same chain and record."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from airworthy.core.canonical import encode
from airworthy.core.clock import Clock
from airworthy.core.errors import AirworthyError, InputError
from airworthy.core.gate import CallFact
from airworthy.core.halt import Halt, Suspend
from airworthy.recorder import Journal, Payloads, Recorded, StepState, audit, read_steps
from airworthy.recorder.audit import Entry
from airworthy.runtime import tasks
from airworthy.runtime.claimed import is_rehearsal
from airworthy.runtime.machine import IllegalTransition, State
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Database, Fence, StoreError, Tx
from airworthy.store import lease as leases
from airworthy.store.lease import Owner
from airworthy.tools import RunTools, Tool, Toolbox, ToolError
from airworthy.tools.gaps import Gap
from airworthy.tools.resource import release_all
from airworthy.tools.tool import SchemaBroken

CALLS_MAX = 32  # At once, in one process; each holds a connection and a place in the store.
SECONDS_MAX = 300.0  # Of one call; the policy's own timeouts are shorter.
_HAPPENED = (StepState.STARTED, StepState.DONE, StepState.IN_DOUBT)


class DoneBefore(AirworthyError):
    """This very call was made in this task, and took effect or may have; nothing was done."""

    code = "done_before"


class InOtherHands(AirworthyError):
    """Somebody else has just called a tool for this task, and is not done; nothing was done."""

    code = "in_other_hands"


class HandsFull(AirworthyError):
    """As many calls as may be are under way; nothing was done."""

    code = "hands_full"
    retry_after_s = 1.0


@dataclass(frozen=True, slots=True)
class Called:
    """What became of a call. `waiting`: what it waits for, where a person must say yes first; call it again then.
    `gaps`: what did not answer, and what took its place.
    """

    result: Any = None
    error: str = ""
    mend: str = ""
    waiting: str = ""
    gaps: Sequence[Gap] = ()

    def document(self) -> dict[str, Any]:
        error = {"message": self.error, "mend": self.mend} if self.error else None
        gaps = [gap.plain() for gap in self.gaps]
        return {"result": self.result, "error": error, "waiting_for": self.waiting or None, "gaps": gaps}


class _Open:
    """A gate that bounds nothing but time: the limits of a task bound the agent, not the person who helps."""

    def admit(self, call: CallFact) -> None:
        """Always."""

    def check_halted(self) -> None:
        """Never."""

    def observe(self, call: CallFact, result: bytes | None, tokens: int = 0) -> None:
        """Nothing is counted."""

    def seconds_left(self) -> float:
        return SECONDS_MAX


class ByHand:
    """`boxes`: by agent's name, of those whose code is here. `may`: raises NotAllowed for a person who may not."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        payloads: Payloads,
        boxes: Mapping[str, Toolbox],
        owner: Owner,
        may: Callable[[Tx, TaskRow, str], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._payloads = payloads
        self._boxes = boxes
        self._owner = owner
        self._may = may
        self._under_way = 0

    async def aclose(self) -> None:
        """Ends the connections of the tools; they are made anew by the next call."""
        for box in self._boxes.values():
            await box.aclose()

    def tools(self, task_id: str) -> Sequence[Tool]:
        """Those within the agent's scope. Raises: NoSuchTask, InputError when its code is not here."""
        task = self._database.read_now(lambda tx: tasks.get(tx, task_id))
        return self._box(task).offered()

    async def call(
        self, task_id: str, name: str, arguments: Mapping[str, Any], by: str, *, again: bool = False
    ) -> Called:
        """Makes one call for a task that is in people's hands. A read is always made; an act that this task has made
        before only with `again`. Delays do not hold a person's own call; approvals, bounds and caps do.

        Raises: NoSuchTask, NotAllowed, IllegalTransition, DoneBefore, InOtherHands, HandsFull, InputError.
        """
        if self._under_way >= CALLS_MAX:
            raise HandsFull(
                f"{self._under_way} calls by hand are under way here; at most {CALLS_MAX} may be.",
                mend="Send it again in a moment.",
            )
        self._under_way += 1
        try:
            return await self._one(task_id, name, arguments, by, again=again)
        finally:
            self._under_way -= 1

    async def _one(
        self, task_id: str, name: str, arguments: Mapping[str, Any], by: str, *, again: bool
    ) -> Called:
        task = await self._database.read(lambda tx: self._checked(tx, task_id))
        box = self._box(task)
        tool = box.tools.get(name)
        if tool is None or not box.allowed(name):
            known = ", ".join(sorted(each.name for each in box.offered())) or "none"
            raise InputError(f"{task.agent} has no tool {name!r}.", mend=f"Its tools: {known}.")
        try:
            canonical = tool.read_arguments(encode(arguments))[1]
        except SchemaBroken as error:
            raise InputError(
                f"The arguments break the schema of {name}: {error}.", mend="Mend them."
            ) from error
        told = Entry("hand.call", task_id, by, detail={"tool": name})
        fence = await self._database.write(
            audit.noted(partial(self._begin, task_id=task_id, by=by), told, self._clock.now_us())
        )
        held: set[str] = set()
        try:
            recorded = await self._database.read(lambda tx: read_steps(tx, task_id))
            run = self._run(task, fence, recorded, by)
            held = run.held
            self._go_past(run.journal, tool, canonical, again=again)
            async with self._beating():
                return await self._called(box, run, name, canonical)
        finally:
            await self._database.write(partial(self._end, fence=fence, task_id=task_id))
            box.resources.released(held)

    @contextlib.asynccontextmanager
    async def _beating(self) -> AsyncIterator[None]:
        """A call may take longer than a lease; its caller must not be taken for dead meanwhile, and lose its result."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(leases.HEARTBEAT_S)
                with contextlib.suppress(StoreError):  # The call's own record meets it as well, and says so.
                    await self._database.write(
                        lambda tx: leases.beat(tx, self._owner.id, self._clock.now_us())
                    )

        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _called(self, box: Toolbox, run: RunTools, name: str, canonical: bytes) -> Called:
        run.journal.enter()
        try:
            result = await box.call(run, name, canonical)
            return Called(result, gaps=run.gaps.left)
        except ToolError as error:
            return Called(error=error.message, mend=error.mend, gaps=run.gaps.left)
        except Suspend as halt:
            return Called(waiting=halt.waiting_for)
        except Halt as halt:  # In doubt, or given up for now: recorded, and told in its own words.
            return Called(error=str(halt))
        finally:
            run.journal.leave()

    def _run(self, task: TaskRow, fence: Fence, recorded: Sequence[Recorded], by: str) -> RunTools:
        journal = Journal(self._database, self._clock, self._payloads, task.ref, fence, task.run, recorded)
        journal.by_hand()
        notes = ({"by_hand": self._payloads.redactor.redact_text(by)},)
        run = RunTools(journal, _Open(), dry_run=is_rehearsal(task, recorded), notes=notes)
        run.recall(recorded)
        return run

    @staticmethod
    def _go_past(journal: Journal, tool: Tool, canonical: bytes, *, again: bool) -> None:
        """To the place of a new call, but for one that waits for a yes, and one whose caller died or was told to come
        back: these go on, under their own key or into doubt. Raises: DoneBefore.
        """
        made = journal.made("tool", tool.name, canonical)
        if made and made[-1].state in (StepState.HELD, StepState.STARTED):
            made = made[:-1]
        elif tool.effect.acts and not again:
            before = next((step for step in made if step.state in _HAPPENED), None)
            if before is not None:
                who = before.by_hand or "the agent"
                raise DoneBefore(
                    f"{who} called {tool.name} with the same arguments in step {before.seq}: {before.state.value}.",
                    mend="If it is meant to happen once more, say so: --again.",
                )
        for _ in made:
            journal.slot("tool", tool.name, canonical, effect=tool.effect.value)

    @staticmethod
    def _checked(tx: Tx, task_id: str) -> TaskRow:
        task = tasks.get(tx, task_id)
        if task.kind is tasks.Kind.SESSION:
            raise IllegalTransition(
                f"Task {task_id} is a session of an agent that runs elsewhere; nobody here can go on with it.",
                mend=f"Say what became of its calls: airworthy review list --task {task_id}",
            )
        if task.state is not State.ESCALATED:
            raise IllegalTransition(
                f"Task {task_id} is {task.state.value}, not in people's hands.",
                mend=f"Hand its agent's tasks to people: airworthy pause --agent {task.agent} --to-people",
            )
        return task

    def _begin(self, tx: Tx, task_id: str, by: str) -> Fence:
        self._may(tx, self._checked(tx, task_id), by)
        now_us = self._clock.now_us()
        holder = leases.holder(tx, task_id)
        if holder is not None:
            raise InOtherHands(
                f"Somebody is calling a tool for {task_id} at this moment.",
                mend="Look at it again in a moment.",
            )
        if not leases.beat(tx, self._owner.id, now_us):
            leases.join(tx, self._owner, now_us)
        return leases.take(tx, task_id, self._owner.id, now_us)

    def _end(self, tx: Tx, fence: Fence, task_id: str) -> None:
        release_all(tx, task_id)
        leases.release(tx, fence)

    def _box(self, task: TaskRow) -> Toolbox:
        box = self._boxes.get(task.agent)
        if box is None:
            raise InputError(
                f"The code of agent {task.agent} is not here, so its tools are not either.",
                mend="Do it in the agent's working folder.",
            )
        return box
