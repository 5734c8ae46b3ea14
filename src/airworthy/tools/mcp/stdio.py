"""A server as a child process: messages on its stdin and stdout, one a line; what it says on stderr is passed on."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from airworthy.tools.mcp.definition import harmless
from airworthy.tools.mcp.link import Ears, Unanswered
from airworthy.tools.mcp.wire import Garbage, Lines, Message, dump, notification, parse

READ_BYTES: Final = 64 * 1024
CLOSE_S: Final = 2.0  # For the server to end after its stdin has ended, and once more after SIGTERM.
STDERR_LINE_CHARS_MAX: Final = 2_000
STDERR_LINES_PER_S: Final = 100
GARBAGE_TOLD_MAX: Final = 20


class StdioLink:
    """Implements `Link`. The process is a group of its own, so that what it has started ends with it."""

    def __init__(
        self,
        transport: asyncio.SubprocessTransport,
        process: asyncio.subprocess.Process,
        ears: Ears,
        tell: Callable[[str], None],
    ) -> None:
        self._transport = transport
        self._process = process
        self._ears = ears
        self._tell = tell
        self._down = False
        self._closing = False
        self._garbage = 0
        self._writing = asyncio.Lock()
        self._parts = [asyncio.create_task(self._read()), asyncio.create_task(self._complain())]

    @property
    def is_down(self) -> bool:
        return self._down

    async def send(self, message: Message, headers: dict[str, str]) -> None:  # noqa: ARG002
        stdin = self._process.stdin
        assert stdin is not None
        async with self._writing:
            if self._down:
                raise Unanswered("The server has ended.", "no")
            stdin.write(dump(message) + b"\n")
            try:
                await stdin.drain()
            except OSError:
                pass  # Written in part, who knows: the reader notices the end, and says so to all who wait.

    async def cancel(self, out: int, *, listen: bool = False) -> None:  # noqa: ARG002
        said = notification(
            "notifications/cancelled", {"requestId": out, "reason": "Nobody waits for it any more."}
        )
        with contextlib.suppress(Unanswered):
            await self.send(said, {})

    async def close(self) -> None:
        self._closing = True
        stdin = self._process.stdin
        if stdin is not None:
            stdin.close()
        if not await self._ended():
            self._signal(signal.SIGTERM)
            await self._ended()
        self._signal(signal.SIGKILL)  # With what it may have started and left behind.
        await self._process.wait()
        for part in self._parts:
            part.cancel()
        await asyncio.gather(*self._parts, return_exceptions=True)
        self._transport.close()
        self._fall("The server was closed.")

    async def _ended(self) -> bool:
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._process.wait()
        except TimeoutError:
            return False
        return True

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        lines = Lines()
        try:
            while data := await stdout.read(READ_BYTES):
                for line in lines.feed(data):
                    message = line if isinstance(line, Garbage) else parse(line)
                    if isinstance(message, Garbage):
                        self._strange(message)
                    else:
                        await self._ears.heard(message)
        except OSError:
            pass  # An end like any other.
        finally:
            self._fall("The server has ended.")
        if not self._closing:
            ended = await self._ended()
            how = f"exit code {self._process.returncode}" if ended else "its process goes on"
            self._tell(f"The server has ended ({how}).")

    def _strange(self, garbage: Garbage) -> None:
        self._garbage += 1
        if self._garbage <= GARBAGE_TOLD_MAX:
            self._tell(f"The server wrote what is no message: {garbage.why}")

    def _fall(self, why: str) -> None:
        if not self._down:
            self._down = True
            self._ears.down(Unanswered(why, "maybe"))

    async def _complain(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        lines = Lines(4 * STDERR_LINE_CHARS_MAX)
        second, told = 0, 0
        while data := await stderr.read(READ_BYTES):
            now = int(asyncio.get_running_loop().time())
            for line in lines.feed(data):
                if now != second:
                    second, told = now, 0
                told += 1
                if told < STDERR_LINES_PER_S:
                    text = line.why if isinstance(line, Garbage) else line.decode("utf-8", "replace")
                    self._tell(f"server: {harmless(text)[:STDERR_LINE_CHARS_MAX]}")
                elif told == STDERR_LINES_PER_S:
                    self._tell("server: (and more lines than are passed on)")


class StdioDial:
    """Starts the command anew for each link. `environment` is the child's whole one."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], tell: Callable[[str], None]
    ) -> None:
        self._command = tuple(command)
        self._environment = dict(environment)
        self._tell = tell

    async def __call__(self, ears: Ears) -> StdioLink:
        loop = asyncio.get_running_loop()
        try:
            # As asyncio.create_subprocess_exec does it, which keeps the transport, and with it the pipes, to itself.
            transport, protocol = await loop.subprocess_exec(
                lambda: asyncio.subprocess.SubprocessStreamProtocol(READ_BYTES, loop), *self._command,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                env=self._environment, start_new_session=hasattr(os, "setsid"),
            )  # fmt: skip
        except OSError as error:
            raise Unanswered(
                f"{self._command[0]} cannot be started: {error.strerror or error}.", "no", denied=True
            ) from error
        process = asyncio.subprocess.Process(transport, protocol, loop)
        return StdioLink(transport, process, ears, self._tell)
