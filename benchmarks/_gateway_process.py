"""Servers under measurement, as processes: started on a processor, ready, paused while others are measured, ended."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks._environment import ROOT, NotTaken, last_lines

READY_S_MAX = 120.0
END_S_MAX = 15.0
POLL_S = 0.05
SETTLE_S, SETTLE_S_MAX = 0.25, 10.0
IDLE_SHARE = 0.1  # Of a processor.
SERVER_CPU, LOAD_CPU = 0, 1
PROCESSES_MAX = 64  # Of one server.
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def on_processor(number: int) -> Iterator[None]:
    """What is started within stays on that processor; on a machine with one, anywhere."""
    before = os.sched_getaffinity(0)
    if number in before and len(before) > 1:
        os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Server:
    """One server in a process group of its own; whoever enters it ends it."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str], processor: int
    ) -> None:
        self.name = name
        self._command = list(command)
        self._log = folder / f"{name}.log"
        self._said = folder / f"{name}.out"  # A file: a pipe that nobody reads stops who writes to it.
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **environment}
        self._processor = processor
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        with on_processor(self._processor), self._log.open("wb") as log, self._said.open("wb") as said:
            try:
                self._process = subprocess.Popen(
                    self._command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL,
                    stdout=said, stderr=log, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise NotTaken(f"{self.name} could not be started: {error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is None:
            return
        for sent in (signal.SIGCONT, signal.SIGTERM):
            self._signal(sent)
        try:
            process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            process.wait()

    def said(self) -> dict[str, Any]:
        """Its first line, a JSON object. Raises: NotTaken."""
        line = self._first_line()
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise NotTaken(f"{self.name} did not come up: {self.complaint()}")
        return found

    def _first_line(self) -> bytes:
        assert self._process is not None
        end = time.monotonic() + READY_S_MAX
        while time.monotonic() < end:
            ended = self._process.poll() is not None
            line, newline, _ = self._said.read_bytes().partition(b"\n")
            if newline or ended:
                return line
            time.sleep(POLL_S)
        return b""

    def ready(self, port: int, request: bytes, seconds_max: float = READY_S_MAX) -> None:
        """Waits until it answers `request` with status 200. Raises: NotTaken."""
        assert self._process is not None
        end, heard = time.monotonic() + seconds_max, b""
        while time.monotonic() < end:
            self._check_running()
            try:
                heard = _exchange(port, request)
            except OSError:
                heard = b""
            if heard[9:12] == b"200":
                return
            time.sleep(0.2)
        raise NotTaken(f"{self.name} did not answer: {heard[:300]!r} {self.complaint()}")

    def complaint(self) -> str:
        return last_lines(self._log.read_text(errors="replace"))

    def pause(self) -> None:
        """What it does when nobody asks it anything is not to fall on whoever is measured meanwhile."""
        self._signal(signal.SIGSTOP)

    @contextmanager
    def awake(self) -> Iterator[None]:
        """For its turn. Raises: NotTaken when it is not there any more, with what it said last."""
        self._signal(signal.SIGCONT)
        self._check_running()
        try:
            yield
            self.settle()
            self._check_running()
        finally:
            self.pause()

    def settle(self) -> None:
        """Until it has done what it puts off, so that this does not fall on its own next turn."""
        end, before = time.monotonic() + SETTLE_S_MAX, cpu_s(self.pid)
        while time.monotonic() < end:
            time.sleep(SETTLE_S)
            now = cpu_s(self.pid)
            if now - before <= SETTLE_S * IDLE_SHARE:
                return
            before = now

    def _check_running(self) -> None:
        assert self._process is not None
        if (code := self._process.poll()) is not None:
            raise NotTaken(f"{self.name} ended with {code}: {self.complaint()}")

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def cpu_s(pid: int) -> float:
    """User and system time of a process and all below it; 0 for a process that is not there."""
    return sum(_stat(each) for each in _family(pid))


def rss_kb(pid: int) -> int:
    """Resident memory of a process and all below it."""
    return sum(_status_kb(each) for each in _family(pid))


def _family(pid: int) -> list[int]:
    found = [pid] if pid else []
    for each in found:  # Grows while it is walked.
        try:
            text = Path(f"/proc/{each}/task/{each}/children").read_text()
        except OSError:
            continue
        found.extend(int(child) for child in text.split()[: PROCESSES_MAX - len(found)])
    return found


def _stat(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _status_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), 0)


def _exchange(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(65_536)
