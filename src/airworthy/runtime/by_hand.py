"""A person does a task in the agent's place, with the same tools: each call goes through the same chain and record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from airworthy.core.canonical import encode
from airworthy.core.clock import Clock
from airworthy.core.errors import AirworthyError, InputError
from airworthy.core.gate import CallFact
from airworthy.core.halt import Halt, Suspend
from airworthy.recorder import Journal, Payloads, Recorded, StepState, read_steps
from airworthy.runtime import tasks
from airworthy.runtime.lifecycle import is_rehearsal
from airworthy.runtime.machine import IllegalTransition, State
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Database, Fence, Tx
from airworthy.store import lease as leases
from airworthy.store.lease import Owner
from airworthy.tools import RunTools, Tool, Toolbox, ToolError
from airworthy.tools.resource import release_all
from airworthy.tools.tool import SchemaBroken

SECONDS_MAX = 300.0  # Of one call; the policy's own timeouts are shorter.
_HAPPENED = (StepState.STARTED, StepState.DONE, StepState.IN_DOUBT)


class DoneBefore(AirworthyError):
    """This very call was made in this task, and took effect or may have; nothing was done."""

    code = "done_before"


class InOtherHands(AirworthyError):
    """Somebody else has just called a tool for this task, and is not done; nothing was done."""

    code = "in_other_hands"


@dataclass(frozen=True, slots=True)
class Called:
    """What became of a call. `waiting`: what it waits for, where a person must say yes first; call it again then."""

    result: Any = None
    error: str = ""
    mend: str = ""
    waiting: str = ""

    def document(self) -> dict[str, Any]:
        error = {"message": self.error, "mend": self.mend} if self.error else None
        return {"result": self.result, "error": error, "waiting_for": self.waiting or None}


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

    def tools(self, task_id: str) -> Sequence[Tool]:
        """Those within the agent's scope. Raises: NoSuchTask, InputError when its code is not here."""
        task = self._database.read_now(lambda tx: tasks.get(tx, task_id))
        return self._box(task).offered()

    async def call(
        self, task_id: str, name: str, arguments: Mapping[str, Any], by: str, *, again: bool = False
    ) -> Called:
        """Makes one call for a task that is in people's hands. A read is always made; an act that this task has made
        before only with `again`. Delays do not hold a person's own call; approvals, bounds and caps do.

        Raises: NoSuchTask, NotAllowed, IllegalTransition, DoneBefore, InOtherHands, InputError.
        """
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
        fence = await self._database.write(partial(self._begin, task_id=task_id, by=by))
        held: set[str] = set()
        try:
            recorded = await self._database.read(lambda tx: read_steps(tx, task_id))
            run = self._run(task, fence, recorded, by)
            held = run.held
            self._go_past(run.journal, tool, canonical, again=again)
            return await self._called(box, run, name, canonical)
        finally:
            await self._database.write(partial(self._end, fence=fence, task_id=task_id))
            box.resources.released(held)

    async def _called(self, box: Toolbox, run: RunTools, name: str, canonical: bytes) -> Called:
        run.journal.enter()
        try:
            return Called(await box.call(run, name, canonical))
        except ToolError as error:
            return Called(error=error.message, mend=error.mend)
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
        run = RunTools(journal, _Open(), dry_run=is_rehearsal(recorded), notes=notes)
        run.recall(recorded)
        return run

    @staticmethod
    def _go_past(journal: Journal, tool: Tool, canonical: bytes, *, again: bool) -> None:
        """To the place of a new call, but for one that waits for a yes, which goes on. Raises: DoneBefore."""
        made = journal.made("tool", tool.name, canonical)
        if made and made[-1].state is StepState.HELD:
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
