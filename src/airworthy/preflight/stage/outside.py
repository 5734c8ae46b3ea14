"""What is real in a preflight: live tools, checks and models, on the preflight's own loop and in real time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from airworthy.gateway import Upstream
from airworthy.gateway.upstream import Reply, Sent, WholeReply
from airworthy.preflight.stage.loop import outside_of
from airworthy.resilience import bounded_in_thread
from airworthy.tools import Tool, Toolbox
from airworthy.tools.exchange import Exchange, exchanging

T = TypeVar("T")
REPLY_BYTES_MAX = 32 * 1024 * 1024


async def at_home(home: asyncio.AbstractEventLoop, work: Callable[[], Awaitable[T]]) -> T:
    """Awaits `work` on the loop `home`, for which the loop of the trial does not jump."""
    if asyncio.get_running_loop() is home:
        return await work()

    async def made() -> T:
        return await work()

    with outside_of(asyncio.get_running_loop())():
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(made(), home))


class LiveTools:
    """The agent's own functions, as its real toolbox would call them: for reads alone, where that is allowed."""

    def __init__(self, box: Toolbox) -> None:
        self._box = box

    async def call(self, home: asyncio.AbstractEventLoop, tool: Tool, values: Mapping[str, Any]) -> Any:
        assert not tool.effect.acts, f"{tool.name} acts: a preflight never calls it"
        arguments = dict(values)

        async def perform() -> Any:
            if tool.client_parameter is not None:
                dependency = self._box.dependency(tool.name)
                arguments[tool.client_parameter] = (
                    dependency.client() if tool.is_async else dependency.sync_client()
                )
            with exchanging(Exchange("", tool.accepts)):
                if tool.is_async:
                    return await tool.function(**arguments)
                return await bounded_in_thread(
                    lambda: tool.function(**arguments), None, name=f"tool {tool.name}"
                )

        return await at_home(home, perform)

    async def aclose(self) -> None:
        await self._box.aclose()


class AtHome:
    """An upstream that belongs to the preflight's loop, as a trial's loop may ask it."""

    def __init__(self, inner: Upstream, home: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._home = home

    async def send(self, sent: Sent) -> Reply:
        async def whole() -> Reply:
            reply = await self._inner.send(sent)
            try:
                return WholeReply(await reply.read(REPLY_BYTES_MAX), reply.status, dict(reply.headers))
            finally:
                reply.close()

        return await at_home(self._home, whole)

    async def aclose(self) -> None:
        return
