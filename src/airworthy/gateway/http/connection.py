"""One connection to a server, one exchange at a time; the parsing is httptools'. Decides nothing about what to send."""

import asyncio
import select
import zlib
from collections.abc import AsyncGenerator
from typing import Final, NoReturn, cast

import httptools

from airworthy.gateway.errors import ModelMalformed, ModelTimeout, ModelUnreachable

HEADER_BYTES_MAX: Final = 64 * 1024
# What may lie here unread before the server is asked to wait.
UNREAD_BYTES_MAX: Final = 256 * 1024
# One piece from the wire may unfold to this much: more is an attack, not an answer.
UNFOLDED_BYTES_MAX: Final = 16 * 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
FIRST_FINAL_STATUS: Final = 200
FIRST_BAD_STATUS: Final = 300


class _Enough(Exception):
    """Ends the parsing: what is known by now is all there will be."""


class Connection(asyncio.Protocol):
    """`take` a free one, `exchange`, read the body, and it is free again; one that was left early is closed."""

    __slots__ = (
        "_begun", "_header_bytes", "_keep", "_late_s", "_loop", "_packed", "_parser", "_parts", "_poll",
        "_problem", "_silent_bytes", "_sized", "_stopped", "_transport", "_turn", "_unfold", "_unread",
        "_waiter", "_whole", "headers", "idle_until_s", "lost", "status", "where",
    )  # fmt: skip

    def __init__(self, where: str) -> None:
        self.where = where
        self.lost = False
        self.idle_until_s = 0.0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._waiter: asyncio.Future[bool] | None = None
        self._turn = 0
        self._late_s = 0.0
        self._stopped = False
        self._problem = ""
        self._fresh()
        self._parser: httptools.HttpResponseParser | None = None

    def _fresh(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._unread = self._header_bytes = self._silent_bytes = 0
        self._begun = self._whole = self._keep = self._sized = self._packed = False
        self._unfold: zlib._Decompress | None = None

    @property
    def reusable(self) -> bool:
        """Whether the answer was read whole, and nothing is left of the request either."""
        transport = self._transport
        return (
            self._whole
            and self._keep
            and not self._parts
            and not self.lost
            and transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        )

    @property
    def _over(self) -> bool:
        return self._whole or bool(self._problem)

    def is_stale(self) -> bool:
        """Whether it is of no use any more: closed, or about to be, by what lies in the socket unread.

        Asks the system and not only the loop, which may not have had a turn since the server's goodbye came.
        """
        transport = self._transport
        if transport is None or self.lost or transport.is_closing():
            return True
        if self._poll is None:
            if not hasattr(select, "poll"):  # Windows; there the loop's word has to do.
                return False
            self._poll = select.poll()
            self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(self._poll.poll(0))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def exchange(self, request: bytes, timeout_s: float, late_s: float) -> None:
        """Sends, and returns when status and headers are there, by `late_s` of the loop's time.

        Raises: ModelUnreachable, ModelTimeout, ModelMalformed.
        """
        assert self._transport is not None
        if self.lost or self._transport.is_closing():
            raise ModelUnreachable(
                f"{self.where} closed the connection before anything was sent.",
                mend="Check its address in the policy (base_url), and that it is well.",
            )
        self._turn += 1
        self._fresh()
        self._parser = httptools.HttpResponseParser(self)
        self._late_s = late_s
        self._transport.write(request)
        while not self._begun:
            self._check()
            await self._wait(timeout_s, late_s)

    async def read(self, bytes_max: int, timeout_s: float) -> bytes:
        """The whole body, within `timeout_s` of the request. Raises: ModelTimeout, ModelMalformed."""
        pieces: list[bytes] = []
        size = 0
        while True:
            if self._parts:
                pieces += self._parts
                size += self._unread
                self._taken()
                if size > bytes_max:
                    raise ModelMalformed(
                        f"The reply of {self.where} is larger than {bytes_max} bytes; the rest was not read.",
                        billed=True,
                    )
            if self._whole:
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._check()
            await self._wait(timeout_s, self._late_s)

    def chunks(self, timeout_s: float) -> AsyncGenerator[bytes, None]:
        """The body as it comes, in pieces as large as what lies here, each within `timeout_s` of being asked for.

        Raises: ModelTimeout, ModelMalformed.
        """
        return self._chunks(timeout_s, self._turn)

    async def _chunks(self, timeout_s: float, turn: int) -> AsyncGenerator[bytes, None]:
        late_s: float | None = None
        while self._turn == turn:  # Else all was read, and the connection has gone to somebody else.
            if self._parts:
                piece = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
                self._taken()
                late_s = None
                yield piece
                continue
            if self._whole:
                return
            self._check()
            if late_s is None:  # Of the whole wait, however often it is woken.
                late_s = self._loop.time() + timeout_s
            await self._wait(timeout_s, late_s)

    def _check(self) -> None:
        if self._problem:
            raise ModelMalformed(f"{self.where} {self._problem}.", billed=True)
        if self.lost:
            when = "before the reply was whole" if self._begun else "without a reply"
            raise ModelTimeout(f"The connection to {self.where} broke {when}.", billed=True)

    def _taken(self) -> None:
        self._parts = []
        self._unread = 0
        if self._stopped:
            self._stopped = False
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()

    async def _wait(self, timeout_s: float, late_s: float) -> None:
        """Until something has come. Raises: ModelTimeout."""
        # A server that has a byte for each turn of the loop would be ahead of the timer for ever.
        if self._loop.time() < late_s:
            waiter = self._waiter = self._loop.create_future()
            timer = self._loop.call_at(late_s, self._late, waiter)
            try:
                if await waiter:
                    return
            finally:
                timer.cancel()
                self._waiter = None
        raise ModelTimeout(
            f"No reply from {self.where} within {timeout_s:g} s.",
            mend="Raise timeout_s of the model, or name a fallback model.",
            billed=True,
        )

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._whole:
            self.close()  # Nobody asked.
            return
        count = len(self._parts)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:  # Also when one of those below has had enough.
            # Bytes after a whole answer do not spoil it, but who knows what they would do to the next one.
            if not self._over:
                self._problem = f"does not speak HTTP ({error})"
            self.close()
        except httptools.HttpParserUpgrade:
            self._problem = "wants to speak another protocol"
            self.close()
        if len(self._parts) != count:
            self._silent_bytes = 0
            if self._unread > UNREAD_BYTES_MAX and not self._stopped:
                self._stop()
        elif not self._whole:
            # Headers, interim answers, what stands around chunks: the parser gathers them, and nobody reads them.
            self._silent_bytes += len(data)
            if self._silent_bytes > HEADER_BYTES_MAX and not self._problem:
                self._problem = f"sent more than {HEADER_BYTES_MAX} bytes that belong to no body"
                self.close()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._parser = None  # It holds us.
        if exc is None and self._begun and not self._sized and not self._problem and not self._whole:
            self._end()  # A body without a length ends with its connection.
        self._wake()

    def _stop(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._stopped = True
            self._transport.pause_reading()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(True)

    def _late(self, waiter: asyncio.Future[bool]) -> None:
        if not waiter.done():
            waiter.set_result(False)

    # httptools calls these.

    def on_message_begin(self) -> None:
        if self._whole:
            raise _Enough

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEADER_BYTES_MAX:
            self._fail(f"sent more than {HEADER_BYTES_MAX} bytes of headers")
        if self._begun:
            return  # A trailer: the headers have been read.
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        # The last one counts; but what was done to a body was all done.
        if key in self.headers and key.endswith("-encoding"):
            text = f"{self.headers[key]}, {text}"
        self.headers[key] = text

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        status = self.status = self._parser.get_status_code()
        if status < FIRST_FINAL_STATUS:
            return
        headers = self.headers
        self._begun = True
        self._sized = "content-length" in headers
        folded = headers.get("transfer-encoding")
        if folded is not None:
            self._sized = True
            if folded.lower() != "chunked":
                self._unreadable(f"transfer encoding {folded!r}")
        packed = headers.get("content-encoding")
        if packed is not None and packed.lower() not in ("", "identity"):
            self._packed = packed.lower() in ("gzip", "x-gzip")
            if not self._packed:
                self._unreadable(f"encoding {packed!r}")

    def on_body(self, body: bytes) -> None:
        if self._packed:
            body = self._unfolded(body)
        if body:
            self._parts.append(body)
            self._unread += len(body)

    def on_message_complete(self) -> None:
        assert self._parser is not None
        if self.status < FIRST_FINAL_STATUS:  # "Continue" and the like: the answer is still to come.
            self.headers = {}
            return
        self._keep = self._parser.should_keep_alive()
        self._end()

    def _end(self) -> None:
        if self._unfold is not None and not self._unfold.eof:
            self._problem = "sent a packed body without its end"
        else:
            self._whole = True

    def _unfolded(self, body: bytes) -> bytes:
        made = []
        room = max(UNFOLDED_BYTES_MAX - self._unread, 1)
        while body:
            if self._unfold is None or self._unfold.eof:  # A body may be several packed ones in a row.
                self._unfold = zlib.decompressobj(_GZIP)
            try:
                piece = self._unfold.decompress(body, room)
            except zlib.error as error:
                self._fail(f"sent a body that cannot be unpacked ({error})")
            made.append(piece)
            room -= len(piece)
            if self._unfold.unconsumed_tail or room <= 0:
                self._fail("sent a body that unpacks to more than it may")
            body = self._unfold.unused_data
        return b"".join(made)

    def _unreadable(self, encoding: str) -> None:
        """A body that cannot be read; but of a refusal, status and headers say the most."""
        if self.status < FIRST_BAD_STATUS:
            self._fail(f"answered in the {encoding}, which was not asked for")
        self._whole = True
        raise _Enough

    def _fail(self, problem: str) -> NoReturn:
        self._problem = problem
        raise _Enough
