"""The demo's other processes: started, listened to, killed, and never left behind. Knows not what they do."""

import contextlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from airworthy.core.errors import AirworthyError

STOP_S_MAX: Final = 5.0
LOG_CHARS_SHOWN: Final = 1_500


class ChildFailed(AirworthyError):
    """A process that the demo needs did not start, or ended by itself."""

    code = "child_failed"


class Child:
    """One process. It is told to end by the end of its standard input, so it ends too when this process is killed."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as errors:
            # A session of its own: Ctrl-C then reaches the demo alone, which ends its children in order.
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and modules
                [sys.executable, "-m", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=errors, start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def first_line(self) -> str:
        """What it says once it is ready. Raises: ChildFailed when it ends without a word."""
        line = _pipe(self._process.stdout).readline().decode("utf-8", "replace").strip()
        if not line:
            raise self.failure()
        return line

    def failure(self) -> ChildFailed:
        code = self._process.wait(STOP_S_MAX)
        said = self._log.read_text(encoding="utf-8", errors="replace")[-LOG_CHARS_SHOWN:].strip()
        if "Traceback" in said:
            said = said.splitlines()[-1]
        return ChildFailed(
            f"The {self.name} ended with code {code}: {said.rstrip('.') or 'it said nothing'}.",
            mend=f"Read {self._log}, then run the demo again.",
        )

    def kill(self) -> None:
        """SIGKILL: no handler runs, no file is closed, nothing is said goodbye to."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Asks it to end, and ends it if it does not."""
        with contextlib.suppress(OSError):
            _pipe(self._process.stdin).close()
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
        _pipe(self._process.stdout).close()


class Children:
    """Whatever was started here has ended when the block ends, however it ends."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    def __enter__(self) -> "Children":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._children:
            if kind is not None and child.ended is None:
                child.kill()
        self.stop()

    def stop(self) -> None:
        """Asks all to end, the newest first: a worker must not find its shop closed while it is asked to end."""
        for child in reversed(self._children):
            child.stop()

    def start(self, name: str, arguments: Sequence[str], log: Path) -> Child:
        child = Child(name, arguments, log)
        self._children.append(child)
        return child


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
