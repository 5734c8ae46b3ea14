"""`airworthy`, started as a fork of a process that has imported it already: a second of imports less for each call.

A fork is a process of its own, with its own folder, environment and files, and ends as the program ends: the code that
runs is the same, from the entry point on. What it does not show is that the program starts from nothing; so whatever
stays until it is told to stop, and whatever is killed, is the real program.
"""

import atexit
import contextlib
import functools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
END_S_MAX = 10


@dataclass(frozen=True, slots=True)
class Forked:
    """`bin`: a folder with a program `airworthy`, for the front of PATH; and `script`, which runs one of Python's."""

    bin: Path

    @property
    def airworthy(self) -> str:
        return str(self.bin / "airworthy")

    @property
    def script(self) -> str:
        return str(self.bin / "script")


@contextlib.contextmanager
def forking() -> Iterator[Forked]:
    """The parent of all forks, until the end; should the tests be killed, it ends by itself."""
    # Not pytest's folder: the address of a socket has room for a hundred letters.
    folder = Path(tempfile.mkdtemp(prefix="forked-"))
    try:
        with subprocess.Popen(
            [sys.executable, "-W", "error", str(HERE / "server.py"), str(folder / "socket")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as server:  # fmt: skip
            assert server.stdin is not None
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n", "the server of forks does not start"
            for name in ("airworthy", "script"):
                _shim(folder / "bin" / name)
            yield Forked(folder / "bin")
            server.stdin.close()
            server.wait(END_S_MAX)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def forked() -> Forked:
    """The one of this process; its parent starts when the first test asks for it."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(forking())


def _shim(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    # Without site-packages and what comes from the environment, Python starts in a hundredth of a second.
    path.write_text(f"#!{sys.executable} -IS\n{(HERE / 'shim.py').read_text()}")
    path.chmod(0o755)
