"""The run as an agent's function without async is handed it: the same calls, waited for in a thread of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from airworthy.gateway import ModelReply
from airworthy.runtime.run import Run
from airworthy.tools import Answer, Gap, Tool

T = TypeVar("T")


class SyncRun:
    """The run, for an agent's function that is not async; it runs in a thread of its own."""

    def __init__(self, run: Run, loop: asyncio.AbstractEventLoop) -> None:
        self._run = run
        self._loop = loop
        self.input = run.input
        self.text = run.text
        self.task = run.task
        self.words = run.words

    @property
    def word(self) -> str:
        return self._run.word

    @property
    def seconds_left(self) -> float:
        return self._run.seconds_left

    @property
    def offered_tools(self) -> list[Tool]:
        return self._run.offered_tools

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return self._run.gaps

    def tool(self, tool: Tool | str, /, **arguments: Any) -> Any:
        return self._wait(self._run.tool(tool, **arguments))

    def call(self, name: str, arguments: bytes | Mapping[str, Any]) -> Any:
        return self._wait(self._run.call(name, arguments))

    def answer(self, name: str, arguments: bytes | Mapping[str, Any]) -> Answer:
        return self._wait(self._run.answer(name, arguments))

    def model(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> ModelReply:
        return self._wait(self._run.model(messages, **options))

    def fit(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> list[Mapping[str, Any]]:
        return self._wait(self._run.fit(messages, **options))

    def loop(self, *, instructions: str, **options: Any) -> Any:
        return self._wait(self._run.loop(instructions=instructions, **options))

    def step(self, name: str, function: Callable[..., Any], /, *arguments: Any) -> Any:
        return self._wait(self._run.step(name, function, *arguments))

    def ask(self, question: str, /, **options: Any) -> Any:
        return self._wait(self._run.ask(question, **options))

    def now(self) -> datetime:
        return self._wait(self._run.now())

    def random(self) -> float:
        return self._wait(self._run.random())

    def uuid(self) -> str:
        return self._wait(self._run.uuid())

    def sleep(self, seconds: float) -> None:
        self._wait(self._run.sleep(seconds))

    def confidence(self, value: float) -> None:
        async def state() -> None:
            self._run.confidence(value)

        self._wait(state())

    def decline(self, why: str, **evidence: Any) -> NoReturn:
        self._run.decline(why, **evidence)

    def escalate(self, why: str, *, to: str = "", **evidence: Any) -> NoReturn:
        self._run.escalate(why, to=to, **evidence)

    def _wait(self, call: Awaitable[T]) -> T:
        async def made() -> T:
            return await call

        return asyncio.run_coroutine_threadsafe(made(), self._loop).result()
