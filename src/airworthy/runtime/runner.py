"""One run of one task: input checks, the agent's function, output checks, and the one transaction that ends it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from airworthy.checks import run_checks
from airworthy.core.canonical import decode, encode
from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.halt import Halt, Lost, NeedsMending, Stop, Suspend, TryLater
from airworthy.core.ids import Ids
from airworthy.core.outcome import Outcome, Reason, ReasonCode
from airworthy.gateway import Gateway
from airworthy.policy.stops import stop
from airworthy.recorder import Journal, Payloads, Slot, StepState, read_steps
from airworthy.resilience import TimedOut, bounded, bounded_in_thread
from airworthy.runtime import forked, switches, tasks, verdicts
from airworthy.runtime.agent import Agent
from airworthy.runtime.claimed import Claimed
from airworthy.runtime.endings import dead, halt_for, serialised
from airworthy.runtime.gate import RunGate
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.preconditions import held_up
from airworthy.runtime.run import Run
from airworthy.runtime.sync_run import SyncRun
from airworthy.store import Database, StaleFence, StoreError, Tx
from airworthy.tools import RunTools, Toolbox
from airworthy.tools.finishing import finish

T = TypeVar("T")

OVERTIME_S = 0.5  # A call's own deadline comes first, because it can say what it was waiting for.
RETRY_DELAY_S_MAX = 3600.0


@dataclass(frozen=True, slots=True)
class Desk:
    """What every run of one agent shares in this process."""

    agent: Agent
    gateway: Gateway
    toolbox: Toolbox
    input_checks: tuple[Any, ...]
    output_checks: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a run. `outcome` None: the task is still open. `lost`: this worker may record no more."""

    task_id: str
    agent: str
    outcome: Outcome | None
    text: str
    lost: Exception | None = None


class Runner:
    """Drives a claimed task to its outcome or its parking place. One object per claimed task."""

    def __init__(
        self,
        database: Database,
        lifecycle: Lifecycle,
        clock: Clock,
        ids: Ids,
        payloads: Payloads,
        desk: Desk,
        claimed: Claimed,
    ) -> None:
        self._database = database
        self._lifecycle = lifecycle
        self._clock = clock
        self._desk = desk
        self._claimed = claimed
        task = claimed.task
        self.gate = RunGate(desk.agent.policy, clock, encode(claimed.input), task.active_us)
        self.gate.recall(claimed.recorded, task.counted_from)
        self.journal = Journal(database, clock, payloads, task.ref, claimed.fence, task.run, claimed.recorded)
        self.journal.confirm = self._confirm
        tools = RunTools(self.journal, self.gate, dry_run=claimed.dry_run)
        tools.recall(claimed.recorded)
        self._tools = tools
        self._work: asyncio.Future[tuple[Halt, bytes | None]] | None = None
        self._interrupted = False
        self._finishing = False
        self._run = Run(
            value=claimed.input, journal=self.journal, gate=self.gate, gateway=desk.gateway, toolbox=desk.toolbox,
            tools=tools, ids=ids,
        )  # fmt: skip
        self._run.overrides = forked.overrides(claimed.recorded)
        self._run.words = tuple(str(decode(word.encode())) for word in claimed.words)

    async def run(self) -> Ended:
        """Never raises for what the agent does. Nobody cancels this: whoever wants the run to end calls `interrupt`."""
        self._work = asyncio.ensure_future(self._worked())
        halt, answer = await self._work
        # Branches that the agent left behind may begin nothing more: nobody would be there to record its result.
        self.gate.seal()
        await self._run.drained()
        try:
            return await self._end(await self._finish_begun(halt), answer)
        except (StaleFence, StoreError) as error:
            return self._ended(None, str(error), lost=error)
        finally:
            self._desk.toolbox.resources.released(self._tools.held)

    def halt(self, halt: Halt) -> None:
        """From outside; takes effect before the next call."""
        self.gate.stopping(halt)

    def interrupt(self, halt: Halt) -> None:
        """From outside; ends what is under way too, except an act, whose result is awaited and recorded."""
        self.gate.stopping(halt)
        if self._finishing and isinstance(halt, Lost):
            # The work has its end already; what is asked again must not begin any more.
            self.gate.halt = halt
        if self._work is not None and not self._interrupted:
            self._interrupted = True
            self._work.cancel()

    async def _worked(self) -> tuple[Halt, bytes | None]:
        """How the work ended, and the answer if there is one."""
        answer: bytes | None = None
        try:
            await self._check_input()
            await self._check_preconditions()
            answer = await self._agent_answer()
            await self._check_output(answer)
            halt: Halt = Stop(Outcome.ANSWERED, Reason(code=ReasonCode.DONE, text="Answered."))
        except asyncio.CancelledError:
            if self.gate.halt is None:
                raise
            halt = self.gate.halt
        except Halt as raised:
            halt = self.gate.stopping(raised)
        except Exception as error:  # noqa: BLE001  # whatever an agent raises becomes the task's outcome
            halt = self.gate.halt if self.gate.halt is not None else self._halt_for(error)
        return halt, answer

    async def _check_input(self) -> None:
        policy, value = self._desk.agent.policy, self._claimed.input
        context = verdicts.context_for(self._desk.agent, self._claimed.task.id, value, "input")
        stopped = verdicts.policy_stop(policy, context.input_text)
        if stopped is not None:
            raise stopped
        slot = self.journal.slot("check", "input", b"[]")
        if slot.recorded is not None:
            return
        report = await run_checks(self._desk.input_checks, value, context)
        self.journal.ride(slot, StepState.DONE, encode(verdicts.report_facts(report)))
        blocked = verdicts.stop_for(policy, report, "blocked_input")
        if blocked is not None:
            raise blocked

    async def _check_preconditions(self) -> None:
        agent = self._desk.agent
        held = await held_up(
            agent.policy, self._desk.toolbox, self.journal, self._claimed.recorded, self._clock
        )
        if agent.policy.preconditions.dependencies:
            self.gate.begin()
        if held is not None:
            raise held

    async def _agent_answer(self) -> bytes:
        agent = self._desk.agent
        loop = asyncio.get_running_loop()
        timeout_s = max(0.0, self.gate.seconds_left()) + OVERTIME_S
        name = f"the agent {agent.name}"
        if agent.is_async:
            value = await bounded(lambda: agent.handler(self._run), timeout_s, name=name)
        else:
            value = await bounded_in_thread(
                lambda: agent.handler(SyncRun(self._run, loop)), timeout_s, name=name
            )
        await self._run.drained()
        self.gate.seal()
        await self._run.drained()
        if self.gate.halt is not None:  # An agent that swallowed its halt has not answered.
            raise self.gate.halt
        self.journal.check_all_met()
        return serialised(agent, value)

    async def _check_output(self, answer: bytes) -> None:
        agent, task = self._desk.agent, self._claimed.task
        recorded = await self._database.read(lambda tx: read_steps(tx, task.id)) if agent.checks else ()
        context = verdicts.context_for(agent, task.id, self._claimed.input, "output", recorded)
        report = await run_checks(self._desk.output_checks, decode(answer), context)
        slot = self.journal.slot("check", "output", b"[]")
        facts = encode(verdicts.report_facts(report))
        if slot.recorded is None:
            self.journal.ride(slot, StepState.DONE, facts)
        else:  # Checked before, in a run that did not get to its end.
            await self._recorded_anew(slot, facts)
        blocked = verdicts.stop_for(agent.policy, report, "blocked_output")
        if blocked is not None:
            raise blocked

    async def _recorded_anew(self, slot: Slot, facts: bytes) -> None:
        try:
            await self.journal.record(slot, StepState.DONE, result=facts)
        except (StaleFence, StoreError) as error:
            raise self.gate.stopping(Lost(error)) from error

    def _halt_for(self, error: Exception) -> Halt:
        halt = halt_for(self._desk.agent.policy, error)
        return self.gate.stopping(halt) if isinstance(error, TimedOut) else halt

    def _confirm(self, tx: Tx) -> None:
        """Inside the transaction that begins an act or a model call: what people have switched off counts from now."""
        task = tasks.find(tx, self._claimed.task.id)
        if task is not None and task.cancel_asked:
            raise cancelled()
        off = switches.paused(tx, self._claimed.task.agent)
        if off is not None or (task is not None and task.pause_asked):
            raise paused(off.reason if off is not None else "")

    async def _finish_begun(self, halt: Halt) -> Halt:
        """Asks again, under its key, for what a dead run began, where this one ended before it came to it. The end of
        the run: `halt`, unless its worker had to let go meanwhile.

        Left alone it would be in doubt once the task is closed, and until then grow older than keys are honoured.
        Not on another path: whether what belongs to the first is still to happen, a person decides.
        """
        left = self.journal.left()
        if not left or isinstance(halt, Lost):
            return halt
        self.gate.stopping(halt)  # Not all that ends an agent's function went through the gate.
        self._finishing = True
        # What is down now is asked by the next run, as the agent's own calls are: an outage alone makes no doubt.
        self._tools.again_soon = isinstance(halt, TryLater)
        await finish(self._desk.toolbox, self._tools, left)
        return self.gate.halt if isinstance(self.gate.halt, Lost) else halt

    async def _end(self, halt: Halt, answer: bytes | None) -> Ended:
        match halt:
            case Lost():
                return self._ended(None, str(halt.error), lost=halt.error)
            case Suspend():
                awaited = frozenset(self._tools.awaited)
                return await self._parked(
                    lambda tx, now_us: self._lifecycle.park(
                        tx, self._claimed, halt, awaited, now_us, self._active()
                    ),
                    f"waits for {halt.waiting_for}",
                )
            case TryLater():
                return await self._later(halt)
            case NeedsMending():
                return await self._parked(
                    lambda tx, now_us: self._lifecycle.hold_agent(
                        tx, self._claimed, halt.fact, halt.seq, now_us, self._active()
                    ),
                    f"and the whole agent are paused: {halt.fact.message} {halt.fact.mend}",
                )
            case Stop():
                return await self._close(halt, answer)
            case _:
                raise AssertionError(f"{type(halt).__name__} is no way to end a run")

    async def _later(self, halt: TryLater) -> Ended:
        policy, failures = self._desk.agent.policy, self._claimed.task.failures + 1
        if failures >= policy.runtime.attempts_max:
            text = f"After {failures} attempts it still fails: {halt.fact.message}"
            if halt.fact.step.startswith("model"):
                return await self._close(dead(ReasonCode.MODEL_FAILURE, text, halt.fact), None)
            return await self._close(
                stop(policy, "tool_failure", ReasonCode.TOOL_FAILURE, text, error=halt.fact), None
            )
        delay_s = min(policy.runtime.retry_delay_s * 2 ** (failures - 1), RETRY_DELAY_S_MAX)
        due_us = self._clock.now_us() + round(delay_s * US_PER_S)
        return await self._parked(
            lambda tx, now_us: self._lifecycle.retry(
                tx, self._claimed, halt.fact, halt.seq, due_us, now_us, self._active()
            ),
            f"is tried again in {delay_s:g} s: {halt.fact.message}",
        )

    async def _parked(self, park: Callable[[Tx, int], None], text: str) -> Ended:
        """Still open, unless somebody cancelled the task while the run was on its way here."""

        def unless_cancelled(tx: Tx, now_us: int) -> Outcome | None:
            if self._lifecycle.cancelled_meanwhile(tx, self._claimed, now_us, self._active()):
                return Outcome.CANCELLED
            park(tx, now_us)
            return None

        closed = await self._write(unless_cancelled)
        return self._ended(closed, text if closed is None else "The task was cancelled while it ran.")

    async def _close(self, halt: Stop, answer: bytes | None) -> Ended:
        kept = answer if halt.outcome is Outcome.ANSWERED else None
        reason = verdicts.with_gaps(halt.reason, self._tools.gaps.left)
        if answer is not None and kept is None:
            # A blocked answer goes to whoever decides, never to the one who asked.
            reason = reason.model_copy(
                update={"evidence": {**reason.evidence, "blocked_answer": decode(answer)}}
            )
        apart = halt.outcome is Outcome.ANSWERED and self._lifecycle.apart(self._claimed.task.agent)
        await self._write(
            lambda tx, now_us: self._lifecycle.close(
                tx, self._claimed, halt.outcome, reason, kept, now_us, self._active()
            ),
            beside=apart,
        )
        return self._ended(halt.outcome, reason.text)

    async def _write(self, op: Callable[[Tx, int], T], *, beside: bool = False) -> T:
        now_us = self._clock.now_us()

        def with_riders(tx: Tx) -> T:
            self.journal.board(tx)
            return op(tx, now_us)

        written = await self._database.write(with_riders, fence=self._claimed.fence, beside=beside)
        self._lifecycle.engine.nudge()
        return written

    def _active(self) -> int:
        return self.gate.active_us()

    def _ended(self, outcome: Outcome | None, text: str, lost: Exception | None = None) -> Ended:
        return Ended(self._claimed.task.id, self._claimed.task.agent, outcome, text, lost)


def cancelled() -> Stop:
    return Stop(
        Outcome.CANCELLED, Reason(code=ReasonCode.CANCELLED, text="The task was cancelled while it ran.")
    )


def paused(reason: str = "") -> Suspend:
    return Suspend("somebody to resume it" + (f" (paused: {reason})" if reason else ""), paused=True)
