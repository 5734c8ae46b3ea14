"""A server at an address: each message a POST, its answer as JSON or as a stream of events, resumed where it broke."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Final

from airworthy.core.clock import Clock
from airworthy.core.errors import AirworthyError
from airworthy.resilience import parse_retry_after
from airworthy.tools.errors import Happened, Permanent, http_error
from airworthy.tools.mcp.generation import HTTP_STATUS, version
from airworthy.tools.mcp.link import Ears, Unanswered
from airworthy.tools.mcp.sse import Event, Events
from airworthy.tools.mcp.wire import MESSAGE_BYTES_MAX, Garbage, Message, dump, kind, notification, parse

if TYPE_CHECKING:
    import httpx

RESUMED_MAX: Final = 3
RETRY_S: Final = 1.0
HEAD_S_MAX: Final = 300.0  # The policy's own timeout comes first; this one is for what no policy bounds.
LISTEN_FAILURES_MAX: Final = 5
SESSION_CHARS_MAX: Final = 1024
_ACCEPT: Final = "application/json, text/event-stream"


class HttpLink:
    """Implements `Link`. Keeps the id that the server has given its session, and a stream for what comes unasked."""

    def __init__(
        self, client: "httpx.AsyncClient", url: str, ears: Ears, clock: Clock, tell: Callable[[str], None]
    ) -> None:
        self._client = client
        self._clock = clock
        self._url = url
        self._ears = ears
        self._tell = tell
        self._session = ""
        self._version = ""
        self._down = False
        self._asking: dict[int, asyncio.Task[None]] = {}
        self._stateless: set[int] = set()
        self._listening: asyncio.Task[None] | None = None

    @property
    def is_down(self) -> bool:
        return self._down

    async def send(self, message: Message, headers: dict[str, str]) -> None:
        if self._down:
            raise Unanswered("The connection to the server has ended.", "no")
        if kind(message) == "request":
            out = int(message["id"])
            if version(message):
                self._stateless.add(out)
            task = asyncio.create_task(self._ask(message, headers))
            self._asking[out] = task
            task.add_done_callback(lambda _: self._forget(out))
            return
        await self._say(message, headers)
        if message.get("method") == "notifications/initialized" and self._listening is None:
            self._listening = asyncio.create_task(self._listen())

    async def cancel(self, out: int, *, listen: bool = False) -> None:
        task = self._asking.get(out)
        if out in self._stateless:  # There, the end of its stream is how a request is cancelled.
            if task is not None and not listen:
                task.cancel()
            return
        said = notification(
            "notifications/cancelled", {"requestId": out, "reason": "Nobody waits for it any more."}
        )
        with contextlib.suppress(Unanswered):
            await self._say(said, {})
        if task is not None and not listen:
            task.cancel()

    async def close(self) -> None:
        self._down = True
        parts = [*self._asking.values(), *([self._listening] if self._listening is not None else [])]
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        if self._session:
            import httpx

            with contextlib.suppress(httpx.HTTPError, AirworthyError, TimeoutError):
                async with asyncio.timeout(2.0):
                    await self._client.delete(self._url, headers=self._headers({}))
        await self._client.aclose()
        self._ears.down(Unanswered("The connection to the server was closed.", "maybe"))

    def _forget(self, out: int) -> None:
        self._asking.pop(out, None)
        self._stateless.discard(out)

    async def _say(self, message: Message, headers: dict[str, str]) -> None:
        """A message that has no answer. Raises: Unanswered."""
        async with self._posted(message, headers) as reply:
            if reply.status_code >= 400:
                raise self._refused(reply, b"")

    async def _ask(self, message: Message, headers: dict[str, str]) -> None:
        out = int(message["id"])
        try:
            if message["method"] == "initialize":
                self._session = self._version = ""
            if not await self._asked(message, headers, out):
                self._ears.failed(
                    out, Unanswered("The server ended its answer before it was whole.", "maybe")
                )
        except Unanswered as unanswered:
            if unanswered.expired:
                self._down = True
            self._ears.failed(out, unanswered)
        except Exception as error:  # noqa: BLE001  # whatever the exchange came to, who waits for it must hear of it
            text = f"The exchange with the server failed: {type(error).__name__}: {error}"
            self._ears.failed(out, Unanswered(text, "maybe"))

    async def _asked(self, message: Message, headers: dict[str, str], out: int) -> bool:
        """Whether the answer has come."""
        async with self._posted(message, headers) as reply:
            if reply.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/event-stream":
                return await self._whole(message, reply, out)
            if reply.status_code >= 400:
                raise self._refused(reply, b"")
            self._learnt(message, reply)
            came, last, wait_s = await self._streamed(reply, out, message)
        for _ in range(RESUMED_MAX if last else 0):
            if came:
                break
            await asyncio.sleep(wait_s)
            came, last, wait_s = await self._resumed(last, wait_s, out, message)
        return came

    async def _whole(self, message: Message, reply: "httpx.Response", out: int) -> bool:
        body = await _body(reply)
        found = parse(body) if body else Garbage("The answer is empty.")
        answered = not isinstance(found, Garbage) and kind(found) == "response"
        if reply.status_code >= 400 and not isinstance(found, Garbage) and "error" in found:
            found = {**found, "id": out}  # Some servers do not say which request they refuse.
        if reply.status_code >= 400 and not (answered and _speaks(reply.status_code)):
            raise self._refused(reply, body)
        if isinstance(found, Garbage):
            raise Unanswered(f"The server's answer is no message: {found.why}", "maybe")
        self._learnt(message, reply)
        await self._heard(found, out, message)
        return answered

    async def _streamed(self, reply: "httpx.Response", out: int, message: Message) -> tuple[bool, str, float]:
        """(The answer has come, the id of the last event, how long to wait before going on)."""
        import httpx

        events, last, wait_s = Events(), "", RETRY_S
        try:
            async for data in reply.aiter_bytes():
                for event in events.feed(data):
                    if isinstance(event, Garbage):
                        raise Unanswered(f"The server's stream makes no sense: {event.why}", "maybe")
                    last = event.id if event.id is not None else last
                    wait_s = event.retry_ms / 1000 if event.retry_ms is not None else wait_s
                    if await self._event(event, out, message):
                        return True, last, wait_s
        except (httpx.HTTPError, OSError):
            pass  # Where it broke it is gone on with, if its events had ids.
        return False, last, wait_s

    async def _event(self, event: Event, out: int, message: Message | None) -> bool:
        if not event.data or event.name != "message":
            return False
        found = parse(event.data)
        if isinstance(found, Garbage):
            self._tell(f"The server sent what is no message: {found.why}")
            return False
        return await self._heard(found, out, message)

    async def _heard(self, found: Message, out: int, message: Message | None) -> bool:
        """Whether it is the answer to `out`."""
        result = found.get("result")
        if message is not None and message["method"] == "initialize" and isinstance(result, dict):
            self._version = str(result.get("protocolVersion", ""))[:40]
        await self._ears.heard(found)
        return kind(found) == "response" and str(found.get("id")) == str(out)

    async def _resumed(
        self, last: str, wait_s: float, out: int, message: Message | None
    ) -> tuple[bool, str, float]:
        import httpx

        try:
            async with self._client.stream(
                "GET",
                self._url,
                headers=self._headers({"accept": "text/event-stream", "last-event-id": last}),
            ) as reply:
                if reply.status_code != 200:
                    return False, last, wait_s
                came, newer, wait_s = await self._streamed(reply, out, message or {"method": ""})
                return came, newer or last, wait_s
        except (httpx.HTTPError, OSError):
            return False, last, wait_s

    async def _listen(self) -> None:
        """The server's own stream, for what nobody asked for; not every server has one."""
        import httpx

        last, wait_s, failures = "", RETRY_S, 0
        while failures < LISTEN_FAILURES_MAX and not self._down:
            headers = self._headers(
                {"accept": "text/event-stream"} | ({"last-event-id": last} if last else {})
            )
            try:
                async with self._client.stream("GET", self._url, headers=headers) as reply:
                    if reply.status_code != 200:
                        return
                    _, newer, wait_s = await self._streamed(reply, -1, {"method": ""})
                    failures = 0 if newer != last else failures + 1
                    last = newer or last
            except (httpx.HTTPError, OSError, Unanswered):
                failures += 1
            await asyncio.sleep(wait_s)

    @contextlib.asynccontextmanager
    async def _posted(self, message: Message, headers: dict[str, str]) -> "AsyncIterator[httpx.Response]":
        """Raises: Unanswered."""
        import httpx

        try:
            request = self._client.build_request(
                "POST", self._url, content=dump(message),
                headers=self._headers({"accept": _ACCEPT, "content-type": "application/json", **headers}),
            )  # fmt: skip
            reply = await self._client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unanswered("The server cannot be reached.", "no") from error
        except (httpx.HTTPError, OSError) as error:
            raise Unanswered(
                f"The exchange with the server broke: {type(error).__name__}.", "maybe"
            ) from error
        except AirworthyError as error:  # The guard on addresses.
            raise Unanswered(str(error), "no", denied=True) from error
        try:
            yield reply
        finally:
            await reply.aclose()

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        made = dict(more)
        if self._session:
            made["mcp-session-id"] = self._session
        if self._version and "mcp-protocol-version" not in made:
            made["mcp-protocol-version"] = self._version
        return made

    def _learnt(self, message: Message, reply: "httpx.Response") -> None:
        given = reply.headers.get("mcp-session-id", "")
        if message["method"] == "initialize" and given.isascii() and given.isprintable():
            self._session = given[:SESSION_CHARS_MAX]

    def _refused(self, reply: "httpx.Response", body: bytes) -> Unanswered:
        status = reply.status_code
        if status == 404 and self._session:
            return Unanswered("The server has forgotten this session.", "no", expired=True)
        wait_s = parse_retry_after(reply.headers, self._clock.now_us())
        error = http_error(status, wait_s, body[:200].decode("utf-8", "replace"))
        happened: Happened = "maybe" if error is None else error.happened
        denied = isinstance(error, Permanent)
        text = f"The server answers {error.message if error is not None else f'HTTP {status}'}."
        return Unanswered(text, happened, retry_after_s=wait_s, denied=denied)


async def _body(reply: "httpx.Response") -> bytes:
    import httpx

    whole = bytearray()
    try:
        async for data in reply.aiter_bytes():
            whole += data
            if len(whole) > MESSAGE_BYTES_MAX:
                raise Unanswered(f"The server's answer is longer than {MESSAGE_BYTES_MAX} bytes.", "maybe")
    except (httpx.HTTPError, OSError) as error:
        raise Unanswered("The connection broke before the answer was whole.", "maybe") from error
    return bytes(whole)


def _speaks(status: int) -> bool:
    """Statuses under which the protocol puts an answer of its own."""
    return status in HTTP_STATUS.values()


class HttpDial:
    """`client` makes a new client, with its guard and its fixed headers."""

    def __init__(
        self, url: str, client: "Callable[[], httpx.AsyncClient]", clock: Clock, tell: Callable[[str], None]
    ) -> None:
        self._url = url
        self._client = client
        self._clock = clock
        self._tell = tell

    async def __call__(self, ears: Ears) -> HttpLink:
        return HttpLink(self._client(), self._url, ears, self._clock, self._tell)
