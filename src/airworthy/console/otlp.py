"""The OTLP endpoints, /v1/traces and /v1/logs: from bytes to what is stored, and the answer that OTLP asks for.

An ASGI application by itself, without a framework: this is the way of every span of every other program. What is
answered with 200 is stored.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, Final

from airworthy.console.callers import Callers
from airworthy.core.asgi import Receive, Scope, Send
from airworthy.core.clock import Clock
from airworthy.core.errors import AirworthyError, told
from airworthy.recorder.otel import Decoded, OtlpError, Reading, answers, decode_logs, decode_traces
from airworthy.recorder.otel.errors import TooLarge
from airworthy.recorder.traces.gather import Batch, gather
from airworthy.recorder.traces.intake import RETRY_S, Held, Intake, IntakeFull
from airworthy.recorder.traces.span import Score, Span
from airworthy.store import StoreError

PATHS: Final[Mapping[bytes, bool]] = {b"/v1/traces": False, b"/v1/logs": True}
BODY_BYTES_MAX: Final = 32 * 1024 * 1024  # as sent, packed or not
BODY_S_MAX: Final = 60.0
STORE_RETRY_S: Final = 5
_KEY_HEADERS: Final = (b"api-key", b"x-api-key")
_SAFE: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


class Refused(OtlpError):
    """No request of ours, or not from somebody who may."""

    code: ClassVar[str] = "otlp_refused"

    def __init__(self, status: int, message: str, *, mend: str = "") -> None:
        super().__init__(message, mend=mend)
        self.answered = status


class Left(Exception):
    """The sender went away before its request was whole."""


@dataclass(frozen=True, slots=True)
class OtlpRules:
    """`clean`: takes out of spans and scores, in place, what must not be written; called in the reader's thread."""

    body_bytes_max: int = BODY_BYTES_MAX
    body_s_max: float = BODY_S_MAX
    clean: Callable[[Sequence[Span], Sequence[Score]], object] | None = None


class OtlpDoor:
    """One per process. Requests are read in a thread of its own, one after another, beside the event loop."""

    def __init__(
        self, intake: Intake, callers: Callers, reading: Reading, clock: Clock, rules: OtlpRules | None = None
    ) -> None:
        self.intake = intake
        self._callers = callers
        self._reading = reading
        self._clock = clock
        self._rules = rules if rules is not None else OtlpRules()
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="otlp-reader")
        self._bodies: set[asyncio.Timeout] = set()
        self._stopped = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        kind = headers.get(b"content-type", b"").decode("latin-1")
        try:
            status, (content_type, body), more = await self._answer(scope, headers, kind, receive)
        except Left:
            return
        await send({
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body)), *_SAFE, *more,
            ],
        })  # fmt: skip
        await send({"type": "http.response.body", "body": body})

    def stop(self) -> None:
        """Waits for no body any longer; what is whole is stored and answered. Call it in the loop that serves."""
        self._stopped = True
        now_s = asyncio.get_running_loop().time()
        for waiting in self._bodies:
            waiting.reschedule(now_s)

    async def aclose(self) -> None:
        """Counts what was not counted yet; a store that takes no more is no reason not to end."""
        with contextlib.suppress(StoreError):
            await self.intake.settle()
        self._reader.shutdown(wait=False)

    async def _answer(
        self, scope: Scope, headers: dict[bytes, bytes], kind: str, receive: Receive
    ) -> tuple[int, tuple[str, bytes], list[tuple[bytes, bytes]]]:
        try:
            return 200, await self._take(scope, headers, kind, receive), []
        except IntakeFull as error:
            self.intake.note("turned_away")
            return 429, answers.busy(kind, str(error)), [_retry(RETRY_S)]
        except StoreError as error:
            self.intake.note("not_stored")
            return 503, answers.busy(kind, str(error)), [_retry(STORE_RETRY_S)]
        except Refused as error:
            more = [(b"allow", b"POST")] if error.answered == 405 else []
            if error.answered == 401:
                more = [(b"www-authenticate", b"Bearer")]
            if error.answered == 503:
                return 503, answers.busy(kind, str(error)), [_retry(RETRY_S)]
            return error.answered, answers.refused(kind, error), more
        except OtlpError as error:
            self.intake.note("too_large" if error.status == 413 else "malformed")
            return error.status, answers.refused(kind, error), []
        except (AirworthyError, ValueError, OverflowError) as error:
            # What no column takes, or a people.toml that cannot be read: this request is lost, and that is counted.
            self.intake.note("failed")
            return 500, answers.busy(kind, told(error)), []

    async def _take(
        self, scope: Scope, headers: dict[bytes, bytes], kind: str, receive: Receive
    ) -> tuple[str, bytes]:
        logs = PATHS.get(scope["path"].encode("latin-1", "replace"))
        if logs is None:
            raise Refused(404, "There is nothing at this path.", mend="Send to /v1/traces or /v1/logs.")
        if scope["method"] != "POST":
            raise Refused(405, f"{scope['method'][:10]} does nothing here.", mend="Use POST.")
        await self._check(headers)
        with self.intake.held(_length(headers)) as held:
            body = await self._body(receive, headers, held)
            encoding = headers.get(b"content-encoding", b"").decode("latin-1")
            loop = asyncio.get_running_loop()
            batch, found = await loop.run_in_executor(self._reader, self._read, body, kind, encoding, logs)
            del body
            held.grow(sum(len(span.payload) for span in found.spans))
            await self.intake.offer(batch)
        return answers.taken(kind, found.rejected, found.reason, logs=logs)

    async def _check(self, headers: dict[bytes, bytes]) -> None:
        caller = await self._callers.of(_secret(headers))
        if caller is None:
            raise Refused(
                401, "No valid key came with the request.",
                mend="Send one made with `airworthy access create` as `Authorization: Bearer` or as `api-key`.",
            )  # fmt: skip
        if not caller.may("record"):
            raise Refused(
                403, f"{caller.name} may not record here.",
                mend="Use a key with the role submitter, operator or admin.",
            )  # fmt: skip

    async def _body(self, receive: Receive, headers: dict[bytes, bytes], held: Held) -> bytes:
        bytes_max = self._rules.body_bytes_max
        if _length(headers) > bytes_max:
            raise _too_large(bytes_max)
        parts, size = [], 0
        try:
            async with self._patience():
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Left
                    part = message.get("body", b"")
                    size += len(part)
                    if size > bytes_max:
                        raise _too_large(bytes_max)
                    held.grow(size)
                    parts.append(part)
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            if self._stopped:
                raise Refused(503, "This server ends.", mend="Send it again.") from None
            raise Refused(
                408,
                f"The body was not there after {self._rules.body_s_max:g} s.",
                mend="Send smaller requests.",
            ) from None

    @contextlib.asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        """Raises: TimeoutError; at once when the server ends."""
        async with asyncio.timeout(0 if self._stopped else self._rules.body_s_max) as waiting:
            self._bodies.add(waiting)
            try:
                yield
            finally:
                self._bodies.discard(waiting)

    def _read(self, body: bytes, kind: str, encoding: str, logs: bool) -> tuple[Batch, Decoded]:  # noqa: FBT001
        """In the reader's thread."""
        now_us = self._clock.now_us()
        found = (decode_logs if logs else decode_traces)(body, kind, encoding, self._reading, now_us)
        if self._rules.clean is not None:
            self._rules.clean(found.spans, found.scores)
        counts = {"rejected": found.rejected, "ignored": found.ignored}
        return gather(found.spans, found.scores, now_us, told=counts), found


def _secret(headers: dict[bytes, bytes]) -> str:
    sent = headers.get(b"authorization", b"")
    if sent[:7].lower() == b"bearer ":
        return sent[7:].strip().decode("latin-1")
    found = next((headers[name] for name in _KEY_HEADERS if name in headers), b"")
    return found.strip().decode("latin-1")


def _length(headers: dict[bytes, bytes]) -> int:
    sent = headers.get(b"content-length", b"")
    return int(sent) if sent.isdigit() and len(sent) < 16 else 0


def _retry(seconds: int) -> tuple[bytes, bytes]:
    return b"retry-after", b"%d" % seconds


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"The body has more than {bytes_max} bytes.", mend="Send fewer spans at once.")
