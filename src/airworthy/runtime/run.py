"""What an agent's function is handed: every call it makes to models, tools, time and chance goes through the run."""

import asyncio
import builtins
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar, overload

from airworthy.core.canonical import decode, encode
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import InputError, told
from airworthy.core.gate import CallFact
from airworthy.core.halt import Halt, Lost, Stop, Suspend
from airworthy.core.ids import Ids
from airworthy.core.outcome import ErrorFact, Outcome, Reason, ReasonCode
from airworthy.core.task import TaskRef
from airworthy.gateway import ModelReply, ModelRequest
from airworthy.gateway.overflow.history import sendable
from airworthy.recorder import Journal, StepState
from airworthy.runtime.asking import NO_DEFAULT, ask, asking
from airworthy.runtime.context import Context, Models
from airworthy.runtime.forked import Overrides
from airworthy.runtime.gate import RunGate
from airworthy.runtime.loop import AgentLoop
from airworthy.store import StaleFence, StoreError
from airworthy.tools import Answer, Gap, RunTools, Tool, Toolbox, hearing

T = TypeVar("T")

SLEEP_IN_PLACE_S = 1.0  # Longer sleeps park the task, so that they cost a row and survive a crash.


class StepFailed(InputError):
    """A `run.step` failed in an earlier run of the task; it is not tried again."""

    code = "step_failed"


class Run:
    """One run of one task. After a crash or a decision the agent's function is simply called again, and every call
    it makes is answered from the journal until it reaches the point where it stopped.
    """

    def __init__(
        self,
        *,
        value: Any,
        journal: Journal,
        gate: RunGate,
        gateway: Models,
        toolbox: Toolbox,
        tools: RunTools,
        ids: Ids,
    ) -> None:
        self.input = value
        self._journal = journal
        self._gate = gate
        self._gateway = gateway
        self._toolbox = toolbox
        self._tools = tools
        self._ids = ids
        acts = frozenset(name for name, known in toolbox.tools.items() if known.effect.acts)
        self._context = Context(journal, gate, gateway, acts)
        self._under_way: set[asyncio.Task[Any]] = set()
        self.words: tuple[str, ...] = ()  # Set by the runner, as is what follows.
        self.overrides: Overrides | None = None

    @property
    def task(self) -> TaskRef:
        return self._journal.task

    @property
    def text(self) -> str:
        """The input as text: itself if it is text, else its JSON."""
        return self.input if isinstance(self.input, str) else encode(self.input).decode()

    @property
    def seconds_left(self) -> float:
        return self._gate.seconds_left()

    @property
    def offered_tools(self) -> list[Tool]:
        """The tools within this agent's scope."""
        return self._toolbox.offered()

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What the run went without so far; the task's outcome names what is left of it."""
        return self._tools.gaps.left

    async def tool(self, tool: Tool | str, /, **arguments: Any) -> Any:
        """Calls a tool through its chain of guards. Raises: ToolError when it gave no result."""
        return await self.call(tool if isinstance(tool, str) else tool.name, encode(arguments))

    async def call(self, name: str, arguments: bytes | Mapping[str, Any]) -> Any:
        """`tool`, for arguments that come as JSON, as models propose them."""
        return (await self.answer(name, arguments)).value

    async def answer(self, name: str, arguments: bytes | Mapping[str, Any]) -> Answer:
        """As `call`, and says what the value stands in for, if the tool itself did not give it."""
        known = self._toolbox.tools.get(name)
        # What has been started must be recorded, even if the agent gives up waiting for it.
        shield = known is not None and known.effect.acts
        return await self._guarded(lambda: self._toolbox.answer(self._tools, name, arguments), shield=shield)

    async def model(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        response_format: Mapping[str, Any] | None = None,
        model: str = "",
        tokens_out_max: int | None = None,
    ) -> ModelReply:
        """One chat completion by the policy's models. Raises: ModelError when none of them answered."""
        request = ModelRequest(messages, tools, response_format, model, tokens_out_max)
        return await self._guarded(lambda: self._asked(request))

    async def fit(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        response_format: Mapping[str, Any] | None = None,
        model: str = "",
    ) -> list[Mapping[str, Any]]:
        """The conversation under its share of the model's window, as `[context]` says: go on with what this returns.

        `model` and the built-in loop do the same by themselves; a loop that keeps the result makes each cut once.
        Raises: ContextOverflow when what must stay is too long.
        """
        request = ModelRequest(messages, tools, response_format, model)
        return list((await self._guarded(lambda: self._context.fit(request))).messages)

    @overload
    async def loop(
        self,
        *,
        instructions: str,
        prompt: str | None = ...,
        output: None = ...,
        tools: Sequence[Tool | str] | None = ...,
        model: str = ...,
        turns_max: int = ...,
        repairs_max: int = ...,
    ) -> str: ...
    @overload
    async def loop(
        self,
        *,
        instructions: str,
        prompt: str | None = ...,
        output: type[T],
        tools: Sequence[Tool | str] | None = ...,
        model: str = ...,
        turns_max: int = ...,
        repairs_max: int = ...,
    ) -> T: ...
    async def loop(
        self,
        *,
        instructions: str,
        prompt: str | None = None,
        output: type[Any] | None = None,
        tools: Sequence[Tool | str] | None = None,
        model: str = "",
        turns_max: int = 12,
        repairs_max: int = 2,
    ) -> Any:
        """The built-in loop: the model, its tool calls (parallel ones together), until it answers.

        `prompt`: the task's input when left out. `output`: the answer's type, asked of the model and checked, with
        repairs; text when left out. `tools`: all within scope when left out. Raises: NoAnswer, ModelError.
        """
        chosen = self.offered_tools if tools is None else [self._offered(tool) for tool in tools]
        loop = AgentLoop(self, instructions, self.text if prompt is None else prompt, output, chosen, model)
        return await loop.answer(turns_max, repairs_max)

    async def step(self, name: str, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """Runs `function(*arguments)` once and records its result; a replay gets the recorded one.

        For what has no effect on the world (reading, computing); what acts belongs into a tool. Lost in a crash, it is
        run again. An exception is recorded too and raised as StepFailed on replay.
        """
        return await self._guarded(
            lambda: self._step("step", name, encode(arguments), lambda: function(*arguments))
        )

    @overload
    async def ask(
        self, question: str, /, *, to: str = ..., choices: Sequence[str] = ..., output: None = ...,
        deadline_s: float | None = ..., default: Any = ...,
    ) -> str: ...  # fmt: skip
    @overload
    async def ask(
        self, question: str, /, *, to: str = ..., choices: Sequence[str] = ..., output: type[T],
        deadline_s: float | None = ..., default: Any = ...,
    ) -> T: ...  # fmt: skip
    async def ask(
        self, question: str, /, *, to: str = "", choices: Sequence[str] = (), output: type[Any] | None = None,
        deadline_s: float | None = None, default: Any = NO_DEFAULT,
    ) -> Any:  # fmt: skip
        """Asks people and waits, as a row, until somebody answers in the review queue.

        `to`: a team; left out, the policy says whom. `output`: the answer's type; text when left out. `default`: the
        answer once the deadline has passed; without one the policy says what happens then. Raises: InputError.
        """
        asked = asking(question, to, choices, output, deadline_s, default)
        return await self._guarded(lambda: ask(self._journal, self._gate, self._tools, asked), shield=True)

    @property
    def word(self) -> str:
        """What a person said when they opened this task again, the last of them; empty if nobody did."""
        return self.words[-1] if self.words else ""

    async def now(self) -> datetime:
        """The time (UTC), the same on every replay."""
        at_us = await self._free("now", self._journal.clock.now_us)
        return datetime.fromtimestamp(at_us / US_PER_S, UTC)

    async def random(self) -> float:
        """Uniform in [0, 1), the same on every replay."""
        return float(await self._free("random", self._ids.random))

    async def uuid(self) -> str:
        """A random UUID, the same on every replay."""
        return str(await self._free("uuid", self._ids.uuid))

    async def sleep(self, seconds: float) -> None:
        """Longer sleeps park the task; the agent's function is then called again when it is time."""
        clock = self._journal.clock
        until_us = await self._free(
            "sleep", lambda: clock.now_us() + round(seconds * US_PER_S), encode(seconds)
        )
        left_s = (until_us - clock.now_us()) / US_PER_S
        if left_s > SLEEP_IN_PLACE_S:
            raise await self._halted(Suspend("its time", until_us))
        if left_s > 0:
            await asyncio.sleep(left_s)

    async def _halted(self, halt: Halt) -> Halt:
        return self._gate.stopping(halt)

    def confidence(self, value: float) -> None:
        """How sure the agent is, 0 to 1, of the calls it makes from now on; see `approval_below_confidence`.

        Say it again before each call that needs another. Raises: InputError.
        """
        if not 0 <= value <= 1:
            raise InputError(f"A confidence of {value!r} means nothing.", mend="Give a number from 0 to 1.")
        slot = self._journal.slot("confidence", "confidence", encode(value))
        if slot.recorded is None:
            try:
                self._gate.admit(CallFact("confidence", "confidence", slot.arguments, slot.occurrence))
            except Halt as halt:
                raise self._gate.stopping(halt) from None
            self._journal.ride(slot, StepState.DONE, slot.arguments)
        self._tools.confidence = float(value)

    def decline(self, why: str, **evidence: Any) -> NoReturn:
        """Ends the task as declined; `why` is told to whoever asked."""
        raise self._gate.stopping(
            Stop(Outcome.DECLINED, Reason(code=ReasonCode.AGENT_DECLINED, text=why, evidence=evidence))
        )

    def escalate(self, why: str, *, to: str = "", **evidence: Any) -> NoReturn:
        """Ends the task as a question to people. `to`: a team; empty: the policy's default."""
        place = to or self._gate.policy.escalation.default or ""
        raise self._gate.stopping(
            Stop(
                Outcome.ESCALATED,
                Reason(code=ReasonCode.AGENT_ESCALATED, text=why, to=place, evidence=evidence),
            )
        )

    def _offered(self, tool: Tool | str) -> Tool:
        name = tool if isinstance(tool, str) else tool.name
        for offered in self.offered_tools:
            if offered.name == name:
                return offered
        raise InputError(
            f"Tool {name!r} is not within this agent's scope.",
            mend="Hand it to the Agent, and name it in the policy.",
        )

    async def _asked(self, request: ModelRequest) -> ModelReply:
        fitted = await self._context.fit(request)
        sent = replace(fitted, messages=sendable(fitted.messages))
        changed = self.overrides.of(sent) if self.overrides is not None else None
        return await self._gateway.complete(self._journal, self._gate, sent, changed)

    async def drained(self) -> None:
        """Until every act that was started has its result on record."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _free(self, kind: str, read: Callable[[], Any], arguments: bytes = b"[]") -> Any:
        return await self._guarded(lambda: self._step(kind, kind, arguments, read))

    async def _step(self, kind: str, name: str, arguments: bytes, perform: Callable[[], Any]) -> Any:
        slot = self._journal.slot(kind, name, arguments)
        if slot.recorded is not None and slot.recorded.exact:
            if slot.recorded.error is not None:
                raise _failed_again(slot.recorded.error)
            return slot.recorded.result
        if slot.recorded is None:
            self._gate.admit(CallFact(kind, name, slot.arguments, slot.occurrence))
        try:
            value = perform()
            if isinstance(value, Awaitable):
                value = await value
            result = encode(value)
        except Exception as error:
            text = f"{name}: {type(error).__name__}: {told(error)}"
            fact = ErrorFact(
                type=type(error).__name__, message=text, step=f"step {slot.seq}", dependency=name, attempt=1
            )
            hearing.failed(self._tools.ledger, slot.seq, name, fact)
            await self._journal.record(slot, StepState.FAILED, error=fact)
            raise
        if kind == "step":
            self._tools.ledger.hear(slot.seq, "source", name, result)
        await self._journal.record(slot, StepState.DONE, result=result)
        return decode(result)

    async def _guarded(self, call: Callable[[], Awaitable[T]], *, shield: bool = False) -> T:
        self._gate.check_halted()
        if not shield:
            return await self._entered(call)
        inner = asyncio.ensure_future(self._entered(call))
        self._under_way.add(inner)
        inner.add_done_callback(self._ended)
        return await asyncio.shield(inner)

    async def _entered(self, call: Callable[[], Awaitable[T]]) -> T:
        self._journal.enter()
        try:
            return await call()
        except Halt as halt:
            raise await self._halted(halt) from None
        except (StaleFence, StoreError) as error:
            raise self._gate.stopping(Lost(error)) from error
        finally:
            self._journal.leave()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # Looked at, so that a call nobody waits for any more makes no noise.


def _failed_again(fact: ErrorFact) -> StepFailed:
    """Also of the built-in type that was raised the first time, so that an agent that catches that one still does."""
    first = getattr(builtins, fact.type, None)
    if isinstance(first, type) and issubclass(first, Exception):
        try:
            found: StepFailed = type(fact.type, (StepFailed, first), {})(fact.message)
        except TypeError:  # One that is made from more than its words.
            return StepFailed(fact.message)
        return found
    return StepFailed(fact.message)
