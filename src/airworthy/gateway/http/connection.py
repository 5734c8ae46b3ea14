"""One connection to a server, one exchange at a time; the parsing is httptools'. Decides nothing about what to send."""

import asyncio
import zlib
from collections.abc import AsyncGenerator
from typing import Final, cast

import httptools

from airworthy.gateway.errors import ModelMalformed, ModelTimeout

HEADER_BYTES_MAX: Final = 64 * 1024
# What may lie here unread before the server is asked to wait.
UNREAD_BYTES_MAX: Final = 256 * 1024
# One piece from the wire may unfold to this much: more is an attack, not an answer.
UNFOLDED_BYTES_MAX: Final = 16 * 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
FIRST_FINAL_STATUS: Final = 200


class Connection(asyncio.Protocol):
    """`take` a free one, `exchange`, read the body, and it is free again; one that was left early is closed."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.status = 0
        self.headers: dict[str, str] = {}
        self.lost = False
        self.idle_since_s = 0.0
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._parser: httptools.HttpResponseParser | None = None
        self._parts: list[bytes] = []
        self._unread = 0
        self._late_s = 0.0
        self._header_bytes = 0
        self._begun = self._whole = self._keep = self._sized = self._stopped = False
        self._problem = ""
        self._unfold: zlib._Decompress | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def reusable(self) -> bool:
        return self._whole and self._keep and not self.lost and not self._parts

    def is_closing(self) -> bool:
        return self.lost or self._transport is None or self._transport.is_closing()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def exchange(self, request: bytes, timeout_s: float) -> None:
        """Sends, and returns when status and headers are there. Raises: ModelTimeout."""
        assert self._transport is not None
        self._parser = httptools.HttpResponseParser(self)
        self._parts, self._unread, self._header_bytes = [], 0, 0
        self._begun = self._whole = self._keep = self._sized = False
        self._unfold = None
        self.status, self.headers = 0, {}
        self._transport.write(request)
        self._late_s = self._loop.time() + timeout_s
        while not self._begun:
            self._check()
            await self._wait(timeout_s)

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

    async def chunks(self, timeout_s: float) -> AsyncGenerator[bytes, None]:
        """The body as it comes, in pieces as large as what lies here. Raises: ModelTimeout, ModelMalformed."""
        while True:
            if self._parts:
                piece = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
                self._taken()
                yield piece
                continue
            if self._whole:
                return
            self._check()
            await self._wait(timeout_s)

    def _check(self) -> None:
        if self._problem:
            raise ModelMalformed(f"{self.where} {self._problem}.", billed=True)
        if self.lost:
            raise ModelTimeout(
                f"The connection to {self.where} broke before the reply was whole.", billed=True
            )

    def _taken(self) -> None:
        self._parts = []
        self._unread = 0
        if self._stopped:
            self._stopped = False
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()

    async def _wait(self, timeout_s: float, late_s: float | None = None) -> None:
        waiter = self._waiter = self._loop.create_future()
        timer = self._loop.call_at(late_s or self._loop.time() + timeout_s, _late, waiter)
        try:
            await waiter
        except TimeoutError:
            raise ModelTimeout(
                f"No reply from {self.where} within {timeout_s:g} s.",
                mend="Raise timeout_s of the model, or name a fallback model.",
                billed=True,
            ) from None
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._whole:
            self.close()  # Nobody asked.
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail("wants to speak another protocol")
        except httptools.HttpParserError as error:
            self._fail(f"does not speak HTTP ({error})")
        if self._unread > UNREAD_BYTES_MAX and not self._stopped and self._transport is not None:
            self._stopped = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if exc is None and self._begun and not self._sized and not self._problem:
            self._whole = True  # A body without a length ends with its connection.
        self._wake()

    # httptools calls these.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEADER_BYTES_MAX:
            self._fail(f"sent more than {HEADER_BYTES_MAX} bytes of headers")
            return
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        self.status = self._parser.get_status_code()
        if self.status < FIRST_FINAL_STATUS:
            return
        headers = self.headers
        self._sized = "content-length" in headers or "chunked" in headers.get("transfer-encoding", "")
        encoding = headers.get("content-encoding", "identity").lower()
        if encoding in ("gzip", "x-gzip"):
            self._unfold = zlib.decompressobj(_GZIP)
        elif encoding not in ("", "identity"):
            self._fail(f"answered in the encoding {encoding!r}, which was not asked for")
        self._begun = True

    def on_body(self, body: bytes) -> None:
        if self._unfold is not None:
            try:
                body = self._unfold.decompress(body, UNFOLDED_BYTES_MAX)
            except zlib.error as error:
                self._fail(f"sent a body that cannot be unpacked ({error})")
                return
            if self._unfold.unconsumed_tail:
                self._fail("sent a body that unpacks to more than it may")
                return
        if body:
            self._parts.append(body)
            self._unread += len(body)

    def on_message_complete(self) -> None:
        assert self._parser is not None
        if self.status < FIRST_FINAL_STATUS:  # "Continue" and the like: the answer is still to come.
            self.headers = {}
            return
        self._whole = True
        self._keep = self._parser.should_keep_alive()

    def _fail(self, problem: str) -> None:
        self._problem = self._problem or problem
        self._begun = True
        self.close()


def _late(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
