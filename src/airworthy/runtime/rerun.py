"""An agent's function called once more, with nothing but its record. Compares nothing, writes nothing, asks nobody."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar

from airworthy.core.canonical import decode, encode
from airworthy.core.clock import US_PER_S
from airworthy.core.gate import Gate
from airworthy.core.halt import Halt, Lost, NeedsMending, Stop, TryLater
from airworthy.core.ids import Ids
from airworthy.core.outcome import Outcome, Reason, ReasonCode
from airworthy.gateway import ModelReply, ModelRequest
from airworthy.gateway.gateway import replayed
from airworthy.gateway.place import Place
from airworthy.recorder import Journal, Payloads, Recorded, StepState
from airworthy.recorder.sealed_journal import Sealed, SealedJournal, Unanswered
from airworthy.resilience import bounded, bounded_in_thread
from airworthy.runtime.agent import Agent
from airworthy.runtime.context import RecordedCuts
from airworthy.runtime.endings import halt_for, serialised
from airworthy.runtime.explained import unexplained
from airworthy.runtime.gate import RunGate, RunOver
from airworthy.runtime.hasty import busy_while
from airworthy.runtime.run import Run
from airworthy.runtime.sync_run import SyncRun
from airworthy.runtime.tasks import TaskRow
from airworthy.tools import RunTools, Toolbox

T = TypeVar("T")

# All in the loop's time, which a replay's own loop does not wait for.
SETTLE_S: Final = 3600.0  # An agent whose patience with a call is shorter goes on without its answer.
SECONDS_MAX: Final = 86_400.0
LATE_S: Final = 0.05

# To these an agent comes by itself; every other end was put to it, at a call or between two.
OWN_ENDS: Final = frozenset({
    ReasonCode.DONE, ReasonCode.AGENT_DECLINED, ReasonCode.AGENT_ESCALATED, ReasonCode.AGENT_ERROR,
    ReasonCode.INVALID_OUTPUT, ReasonCode.BLOCKED_OUTPUT, ReasonCode.BLOCKED_INPUT,
})  # fmt: skip
# These may come while the agent makes no call at all.
AT_ANY_POINT: Final = frozenset({ReasonCode.LIMIT_SECONDS, ReasonCode.CANCELLED, ReasonCode.CRASHED})


@dataclass(frozen=True, slots=True)
class Ran:
    """`halt`: how it ended. `at`: the call at which it could not go on, or what it was told to wait for there; None
    when it came to an end by itself. `answer`: JSON.
    """

    halt: Halt
    answer: bytes | None
    at: Halt | None
    journal: SealedJournal


def stands_for(reason: Reason, parked: Sequence[Halt], *, acts_unmet: bool) -> Halt | None:
    """The one of the calls that wait where the record ends at which the recorded end may have come; None: at none."""
    match reason.code:
        case code if code in OWN_ENDS:
            return None
        case ReasonCode.TOOL_FAILURE | ReasonCode.MODEL_FAILURE:
            return next((each for each in parked if isinstance(each, TryLater | NeedsMending)), None)
        case ReasonCode.IN_DOUBT:
            return next((each for each in parked if _in_doubt(each)), None)
        case ReasonCode.DIVERGENCE if not acts_unmet:
            return None
        case _:
            return next(iter(parked), None)


def _in_doubt(halt: Halt) -> bool:
    recorded = halt.slot.recorded if isinstance(halt, Unanswered) else None
    return recorded is not None and recorded.state in (StepState.IN_DOUBT, StepState.STARTED)


def _acts(halt: Halt) -> bool:
    return isinstance(halt, Unanswered) and halt.slot.effect not in (None, "read")


class _Wall:
    """Where the record ends. A call that gets there waits until no other can be answered any more, for parallel
    branches come in any order; then the run is stopped.
    """

    def __init__(self, journal: SealedJournal, end: Stop, left: Callable[[], bool]) -> None:
        self.at: Halt | None = None
        self._journal = journal
        self._end = end
        self._left = left
        self._parked: list[Halt] = []
        self._since_s: dict[int, float] = {}
        self._halt: Halt | None = None
        self._decided = asyncio.Event()

    async def stand(self, halt: Halt) -> Halt:
        """How the run ends here. A call that its agent gives up waiting for ends nothing."""
        self._parked.append(halt)
        self._since_s[id(halt)] = asyncio.get_running_loop().time()
        try:
            while not self._decided.is_set():
                asked = self._journal.asked
                if self._as_recorded() is not None and not self._left():
                    self._decide()
                    break
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._decided.wait(), SETTLE_S)
                if not self._decided.is_set() and self._journal.asked == asked:
                    self._decide()
        except asyncio.CancelledError:
            self._parked.remove(halt)
            raise
        assert self._halt is not None
        return self._halt

    def returned(self) -> Halt | None:
        """The agent has come to an end beside calls that nobody answers; how its run ends then, if not by itself.

        What ended the run on record came first. An act that it did not wait for would be on record if it had been begun
        in time; one of this very moment came too late then as well.
        """
        late_s = asyncio.get_running_loop().time() - LATE_S
        if self._halt is None and (
            self._as_recorded() is not None
            or any(_acts(each) and self._since_s[id(each)] < late_s for each in self._parked)
        ):
            self._decide()
        self.close()
        return None if self.at is None else self._halt

    def close(self) -> None:
        """Whoever still waits belongs to a run that is over."""
        if self._halt is None:
            self._halt = Lost(RunOver("The replay is over."))
            self._decided.set()

    def _as_recorded(self) -> Halt | None:
        return stands_for(self._end.reason, self._parked, acts_unmet=self._journal.acts_unmet)

    def _decide(self) -> None:
        found = self._as_recorded()
        self.at = found if found is not None else self._parked[0]
        self._halt = self._end if found is not None else self.at
        self._decided.set()


class _RecordedModels:
    """Answers from the journal alone, whatever the policy says of models by now."""

    async def complete(
        self,
        journal: Journal,
        gate: Gate,  # noqa: ARG002
        request: ModelRequest,
        sent: ModelRequest | None = None,  # noqa: ARG002
    ) -> ModelReply:
        return replayed(journal.slot("model", "chat", request.canonical()))

    def first(self, model: str = "") -> Place:  # noqa: ARG002
        raise Sealed


class _SealedToolbox(Toolbox):
    """The last door: nothing gets as far as this in a replay, and if it did, it would end here."""

    async def try_call(self, *_: Any, **__: Any) -> NoReturn:
        raise Sealed


class _RecordedRun(Run):
    """Each call is answered at the moment at which it was in the last run, by the loop's time; what earlier runs left
    is answered at once, as it was then. So parallel branches, and an agent's own patience, take their recorded course.
    """

    def __init__(self, *, wall: _Wall, sealed: SealedJournal, course: "_Course", **parts: Any) -> None:
        super().__init__(journal=sealed, **parts)
        self._sealed = sealed
        self._wall = wall
        self._course = course
        self._context = RecordedCuts(sealed, self._gate, self._gateway, frozenset())

    async def _entered(self, call: Callable[[], Awaitable[T]]) -> T:
        self._sealed.enter()
        try:
            value = await call()
        except Halt as halt:
            raise await self._halted(halt) from None
        except Exception:
            await self._course.reaches(self._sealed.last)
            raise
        else:
            await self._course.reaches(self._sealed.last)
            return value
        finally:
            self._sealed.leave()

    async def _halted(self, halt: Halt) -> Halt:
        stopped = halt if isinstance(halt, Sealed) else await self._wall.stand(halt)
        # That the replay is over is no end of its own.
        return stopped if isinstance(stopped, Lost) else self._gate.stopping(stopped)


class _Course:
    """The time of the last run, told by the running loop. Implements `Clock`."""

    def __init__(self, started_us: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._started_us = started_us
        self._over = asyncio.Event()

    def now_us(self) -> int:
        return self._started_us + round((self._loop.time() - self._began_s) * US_PER_S)

    async def reaches(self, step: Recorded | None) -> None:
        ended_us = 0 if step is None or step.ended_us is None else step.ended_us
        left_us = ended_us - self.now_us()
        if left_us > 0 and ended_us >= self._started_us:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), left_us / US_PER_S)

    def end(self) -> None:
        """Nobody waits any more."""
        self._over.set()


class Rerun:
    """One replay, on the running loop. `end`: how the record says that it ended.

    Raises: ConfigError when the code cannot be used.
    """

    def __init__(
        self,
        agent: Agent,
        task: TaskRow,
        recorded: Sequence[Recorded],
        words: Sequence[str],
        payloads: Payloads,
        end: Stop,
    ) -> None:
        started_us = task.run_started_us or task.created_us
        self._course = clock = _Course(started_us)
        worked_us = max(0, task.active_us - max(0, (task.closed_us or started_us) - started_us))
        self._agent = agent
        self._task = task
        self._gate = RunGate(agent.policy, clock, encode(recorded[0].arguments), worked_us)
        self._journal = SealedJournal(clock, payloads, task.ref, task.run, recorded)
        self._wall = _Wall(self._journal, end, self._left)
        tools = RunTools(self._journal, self._gate)
        tools.recall(recorded)
        self._run = _RecordedRun(
            wall=self._wall, sealed=self._journal, course=clock, value=recorded[0].arguments, gate=self._gate,
            gateway=_RecordedModels(), toolbox=_SealedToolbox(agent.policy, agent.tools, clock), tools=tools, ids=Ids(),
        )  # fmt: skip
        self._run.words = tuple(words)

    async def ran(self) -> Ran:
        """Never raises for what the agent does."""
        answer: bytes | None = None
        try:
            answer = await self._answer()
            halt: Halt = Stop(Outcome.ANSWERED, Reason(code=ReasonCode.DONE, text="Answered."))
        except Halt as raised:
            halt = self._gate.stopping(raised)
        except Exception as error:  # noqa: BLE001  # whatever an agent raises is the end of its run
            halt = self._gate.halt if self._gate.halt is not None else halt_for(self._agent.policy, error)
        finally:
            self._gate.seal()
            self._course.end()
        halt = self._wall.returned() or halt
        await self._run.drained()
        return Ran(halt, answer, self._wall.at, self._journal)

    async def _answer(self) -> bytes:
        agent, loop = self._agent, asyncio.get_running_loop()
        name = f"the agent {agent.name}"
        if agent.is_async:
            value = await bounded(lambda: agent.handler(self._run), SECONDS_MAX, name=name)
        else:
            with busy_while(lambda: self._journal.calls_under_way == 0):
                value = await bounded_in_thread(
                    lambda: agent.handler(SyncRun(self._run, loop)), SECONDS_MAX, name=name
                )
        await self._others()
        self._wall.returned()
        await self._run.drained()  # Raises nothing; who stood at the wall has told the gate.
        if self._gate.halt is not None:  # An agent that swallowed its halt has not answered.
            raise self._gate.halt
        self._journal.check_all_met()
        return serialised(agent, value)

    async def _others(self) -> None:
        """Branches that nobody waits for fetch what they were given while the agent's last answer was being stored."""
        asked = -1
        while self._left() and self._journal.asked != asked:
            asked = self._journal.asked
            await asyncio.sleep(LATE_S)

    def _left(self) -> bool:
        return bool(missed(self._journal, self._task))


def told_words(words: Sequence[str]) -> tuple[str, ...]:
    """What people said, as the run is told it."""
    return tuple(str(decode(word.encode())) for word in words)


def missed(journal: SealedJournal, task: TaskRow) -> list[Recorded]:
    """The recorded calls that a replay has not made, and should have."""
    return unexplained(journal.answering(), journal.met, task.counted_from)
