"""The small built-in agent loop: ask the model, make the calls it proposes, until it answers. Knows no provider."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from airworthy.core.canonical import encode
from airworthy.core.errors import AirworthyError
from airworthy.gateway import ModelReply, ModelToolCall
from airworthy.tools import Tool, ToolError

if TYPE_CHECKING:
    from airworthy.runtime.run import Run

PROBLEM_CHARS_MAX = 600
CALLS_PER_TURN_MAX = 32


class NoAnswer(AirworthyError):
    """The model gave no usable answer within the loop's bounds."""

    code = "no_answer"


class AgentLoop:
    """One conversation of one run. Every model and tool call is journaled, so a resumed run replays it."""

    def __init__(
        self,
        run: "Run",
        instructions: str,
        prompt: str,
        output: type[Any] | None,
        tools: Sequence[Tool],
        model: str,
    ) -> None:
        self._run = run
        self._model = model
        self._adapter: TypeAdapter[Any] | None = None if output in (None, str) else TypeAdapter(output)
        self._tools = [tool.specification() for tool in tools]
        self._format = None if self._adapter is None else _format(self._adapter, output)
        self._messages: list[Mapping[str, Any]] = [
            {"role": "system", "content": instructions},
            {"role": "user", "content": prompt},
        ]

    async def answer(self, turns_max: int, repairs_max: int) -> Any:
        """Raises: NoAnswer, ModelError, Halt. A refusal declines the task, a filter hands it to a person."""
        repairs = 0
        for _ in range(turns_max):
            self._messages = await self._run.fit(
                self._messages, tools=self._tools, response_format=self._format, model=self._model
            )
            reply = await self._run.model(
                self._messages, tools=self._tools, response_format=self._format, model=self._model
            )
            self._messages.append(reply.message())
            if reply.finish == "refusal":
                self._run.decline(reply.refusal or "The model declined to answer.")
            if reply.finish == "content_filter":
                self._run.escalate("The provider's content filter stopped the answer.")
            if reply.tool_calls and reply.finish != "length":
                self._messages += await self._results(reply.tool_calls)
                continue
            problem = self._problem(reply)
            if problem is None:
                return reply.text if self._adapter is None else self._adapter.validate_json(reply.text)
            repairs += 1
            if repairs > repairs_max:
                raise NoAnswer(
                    f"The model's answer is not usable after {repairs_max} repairs: {problem}",
                    mend="Simplify the answer's type, say the form in the instructions, or raise output_tokens_max.",
                )
            self._ask_again(reply, problem)
        raise NoAnswer(
            f"The model had not answered after {turns_max} turns.",
            mend="Raise turns_max, or say in the instructions when to stop looking.",
        )

    async def _results(self, calls: Sequence[ModelToolCall]) -> list[dict[str, Any]]:
        """In the order asked, made together. A tool's error is told to the model, which may find another way."""
        results = await asyncio.gather(*(self._result(call) for call in calls[:CALLS_PER_TURN_MAX]))
        results += [_error("Too many calls at once; this one was not made.")] * (len(calls) - len(results))
        return [
            {"role": "tool", "tool_call_id": call.id, "content": content}
            for call, content in zip(calls, results, strict=True)
        ]

    async def _result(self, call: ModelToolCall) -> str:
        try:
            answer = await self._run.answer(call.name, call.arguments.encode("utf-8", "replace"))
            # The model is told what it works with, so that its own answer can say so.
            shown = answer.value if answer.gap is None else {"note": f"{answer.gap}.", "result": answer.value}
            return encode(shown).decode()
        except ToolError as error:
            return _error(error.message, error.mend)

    def _problem(self, reply: ModelReply) -> str | None:
        """What is wrong with a final answer; None when it can be used."""
        if reply.finish == "length":
            return "it was cut off at the length limit"
        if self._adapter is None:
            return None
        try:
            self._adapter.validate_json(reply.text)
        except ValidationError as error:
            return str(error)[:PROBLEM_CHARS_MAX]
        return None

    def _ask_again(self, reply: ModelReply, problem: str) -> None:
        if reply.tool_calls:
            # Half a call cannot stay in the history: providers refuse calls without results.
            self._messages[-1] = {"role": "assistant", "content": reply.text or "(cut off)"}
        text = f"This answer cannot be used: {problem}. Answer again, complete and in the required form only."
        self._messages.append({"role": "user", "content": text})


def _format(adapter: TypeAdapter[Any], output: type[Any] | None) -> dict[str, Any]:
    name = getattr(output, "__name__", "answer")
    return {"type": "json_schema", "json_schema": {"name": name, "schema": adapter.json_schema()}}


def _error(message: str, mend: str = "") -> str:
    return encode({"error": f"{message} {mend}".strip()}).decode()
