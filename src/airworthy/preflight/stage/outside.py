"""What is real in a preflight: live tools, checks and models, on the preflight's own loop and in real time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from airworthy.gateway import Upstream
from airworthy.gateway.upstream import Reply, Sent, WholeReply
from airworthy.preflight.stage.loop import outside_of
from airworthy.resilience import bounded_in_thread
from airworthy.resilience.retry_after import parse_retry_after
from airworthy.tools import Tool, Toolbox
from airworthy.tools.exchange import Exchange, exchanging

T = TypeVar("T")
REPLY_BYTES_MAX: Final = 32 * 1024 * 1024
WAITS_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
WAIT_S_MAX: Final = 30.0
_TOO_MANY: Final = frozenset({429, 529})


async def at_home(home: asyncio.AbstractEventLoop, work: Callable[[], Awaitable[T]]) -> T:
    """Awaits `work` on the loop `home`, for which the loop of the trial does not jump."""
    if asyncio.get_running_loop() is home:
        return await work()

    async def made() -> T:
        return await work()

    if home.is_closed():
        raise RuntimeError("The preflight is over.")
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
    """An upstream that belongs to the preflight's loop, as a trial's loop may ask it. Asks again, in real time, a
    provider that has too many to serve: those many are the preflight's, and not the agent's.
    """

    def __init__(self, inner: Upstream, home: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._home = home

    async def send(self, sent: Sent) -> Reply:
        async def whole() -> Reply:
            for wait_s in (*WAITS_S, None):
                reply = await self._inner.send(sent)
                try:
                    if wait_s is None or reply.status not in _TOO_MANY:
                        raw = await reply.read(REPLY_BYTES_MAX)
                        return WholeReply(raw, reply.status, dict(reply.headers))
                finally:
                    reply.close()
                said_s = parse_retry_after(reply.headers, 0) or 0.0
                await asyncio.sleep(min(max(wait_s, said_s), WAIT_S_MAX))
            raise AssertionError("the last try has returned")

        return await at_home(self._home, whole)

    async def aclose(self) -> None:
        return
