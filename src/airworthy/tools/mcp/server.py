"""The conversation with one server: requests under ids of ours; a dead link is replaced a few times."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from airworthy.tools.mcp.generation import INTERNAL_ERROR
from airworthy.tools.mcp.link import Dial, Link, Unanswered
from airworthy.tools.mcp.peer import Pending, Table
from airworthy.tools.mcp.wire import Message, error, kind, notification, request

RESTARTS_MAX: Final = 3
RESTART_WINDOW_S: Final = 60.0
HANDSHAKE_S_MAX: Final = 30.0
TELL_S_MAX: Final = 30.0  # For a server that does not read, which would else hold up everything behind it.
ABANDON_S_MAX: Final = 5.0
ABANDONING_MAX: Final = 256


class Channel(Protocol):
    """Where messages for a client go. Sending waits until the client takes them."""

    async def send(self, message: Message) -> None: ...


class Server:
    """Implements `Ears`. One for each session, or one for all clients of the stateless generation."""

    def __init__(
        self,
        dial: Dial,
        *,
        on_notification: Callable[[Message, Channel | None], Awaitable[None]],
        on_request: Callable[[Message], Awaitable[None]],
        tell: Callable[[str], None],
    ) -> None:
        self.table: Table[Channel | None] = Table()
        self.handshake: Message | None = None  # The parameters with which the client began.
        self.agreed = ""  # The version that came of it.
        self._dial = dial
        self._on_notification = on_notification
        self._on_request = on_request
        self._tell = tell
        self._link: Link | None = None
        self._dialing = asyncio.Lock()
        self._dialled: deque[float] = deque(maxlen=RESTARTS_MAX + 1)
        self._failed: dict[int, Callable[[Unanswered], None]] = {}
        self._abandoning: set[asyncio.Task[None]] = set()
        self._closed = False

    async def ask(
        self,
        message: Message,
        channel: Channel | None,
        *,
        own: bool = False,
        headers: dict[str, str] | None = None,
        sent: Callable[[int], None] | None = None,
    ) -> Message:
        """The answer, under the id of the request. `sent` hears the id it went out with.

        Raises: Unanswered, Full. Cancelled, the server is told that nobody waits any more.
        """
        try:
            return await self._ask(await self._linked(), message, channel, headers or {}, sent, own=own)
        except Unanswered as unanswered:
            if not unanswered.expired:
                raise
        # The server did not look at it, because it had forgotten the session.
        return await self._ask(await self._linked(), message, channel, headers or {}, sent, own=own)

    async def tell(self, message: Message) -> None:
        """A notification, or an answer to the server. Lost when there is no server: nobody waits for it."""
        try:
            async with asyncio.timeout(TELL_S_MAX):
                link = await self._linked()
                await link.send(message, {})
        except (Unanswered, TimeoutError) as unanswered:
            self._tell(f"{message.get('method', 'An answer')} did not reach the server: {unanswered}")

    async def cancel(self, out: int) -> None:
        """The client does not want it any more; what came of it is to be known all the same."""
        if self._link is not None and not self._link.is_down:
            await self._link.cancel(out, listen=True)

    async def close(self) -> None:
        self._closed = True
        for task in self._abandoning:
            task.cancel()
        await asyncio.gather(*self._abandoning, return_exceptions=True)
        if self._link is not None:
            await self._link.close()
        self.down(Unanswered("The session has ended.", "maybe"))

    async def heard(self, message: Message) -> None:
        match kind(message):
            case "response":
                if not self.table.answer(message) and self.table.strange in (1, 10, 100, 1000):
                    self._tell(f"The server has sent {self.table.strange} answers to nothing.")
            case "notification":
                routed = self.table.routed(message)
                if routed is not None:
                    about = routed[1]
                    await self._on_notification(routed[0], about.route if about is not None else None)
            case "request":
                await self._on_request(message)

    def failed(self, out: int, unanswered: Unanswered) -> None:
        self.table.end(out)
        tell = self._failed.pop(out, None)
        if tell is not None:
            tell(unanswered)

    def down(self, unanswered: Unanswered) -> None:
        for pending in self.table.lost():
            tell = self._failed.pop(pending.out, None)
            if tell is not None:
                tell(unanswered)

    async def _ask(
        self,
        link: Link,
        message: Message,
        channel: Channel | None,
        headers: dict[str, str],
        sent: Callable[[int], None] | None = None,
        *,
        own: bool,
    ) -> Message:
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

        def answered(came: Message) -> None:
            if not answer.done():
                answer.set_result(came)

        def failed(unanswered: Unanswered) -> None:
            if not answer.done():
                answer.set_exception(unanswered)

        pending, out = self.table.begin(message, channel, answered, own=own)
        self._failed[pending.out] = failed
        if sent is not None:
            sent(pending.out)
        try:
            await link.send(out, headers)
            return await answer
        except asyncio.CancelledError:
            self._abandoned(link, pending)
            raise
        finally:
            self._failed.pop(pending.out, None)
            self.table.end(pending.out)
            if answer.done() and not answer.cancelled():
                answer.exception()  # Looked at: its link may have failed while nobody waited any more.

    def _abandoned(self, link: Link, pending: "Pending[Channel | None]") -> None:
        """Beside whoever has stopped waiting: a server that does not read would hold that up too."""
        self.table.end(pending.out)
        if pending.method != "initialize" and not link.is_down and len(self._abandoning) < ABANDONING_MAX:
            task = asyncio.create_task(_told(link, pending.out))
            self._abandoning.add(task)
            task.add_done_callback(self._abandoning.discard)

    async def _linked(self) -> Link:
        """Raises: Unanswered, nothing having happened."""
        if self._link is not None and not self._link.is_down:
            return self._link
        async with self._dialing:
            if self._link is not None and not self._link.is_down:
                return self._link
            if self._closed:
                raise Unanswered("The session has ended.", "no")
            again = self._link is not None
            now = asyncio.get_running_loop().time()
            if len(self._dialled) > RESTARTS_MAX and now - self._dialled[0] < RESTART_WINDOW_S:
                raise Unanswered(
                    f"The server has ended {RESTARTS_MAX + 1} times within {RESTART_WINDOW_S:g} s; it is left alone "
                    "for now.",
                    "no",
                )
            self._dialled.append(now)
            if self._link is not None:
                await self._link.close()
            self._link = link = await self._dial(self)
            if again and self.handshake is not None:
                self._tell("The server is begun anew.")
                await self._greeted(link, self.handshake)
            return link

    async def _greeted(self, link: Link, handshake: Message) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_S_MAX):
                answer = await self._ask(link, request(0, "initialize", handshake), None, {}, own=True)
        except (TimeoutError, Unanswered) as unanswered:
            await link.close()
            raise Unanswered(f"The server does not begin anew: {unanswered}", "no") from unanswered
        result = answer.get("result")
        version = result.get("protocolVersion") if isinstance(result, dict) else None
        if version != self.agreed:
            await link.close()
            raise Unanswered(f"The server came back with another version of the protocol: {version!r}.", "no")
        await link.send(notification("notifications/initialized"), {})


async def _told(link: Link, out: int) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ABANDON_S_MAX):
            await link.cancel(out)


def refusal(message: Message, text: str) -> Message:
    """The answer to a request that nobody can be asked."""
    return error(message.get("id"), INTERNAL_ERROR, text)
