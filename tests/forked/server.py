"""Has all of airworthy imported, and forks a process for each program that is asked for; knows no test.

Of the process that asks, a program gets the arguments, the folder, the environment and the three files; not its limits,
its umask and the signals it ignores.
"""

import array
import atexit
import contextlib
import gc
import importlib
import io
import marshal
import os
import pkgutil
import select
import shutil
import signal
import socket
import sys
import threading
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TextIO

PARENT_GONE = 0  # The file that ends when whoever started this is gone.
# What the rooms import late, and what the pages import.
ALSO = (
    "fastapi",
    "httptools",
    "httpx",
    "jinja2",
    "jsonschema",
    "rich.table",
    "uvicorn",
    "uvloop",
    "yaml",
    "zstandard",
)


@dataclass(frozen=True, slots=True)
class Program:
    """`files`: of standard input, output and error."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    files: list[int]


@dataclass(slots=True)
class Server:
    """`running`: who waits for which process."""

    listener: socket.socket
    running: dict[socket.socket, int] = field(default_factory=dict)

    def serve(self) -> Program | None:
        """Returns in every child what it is to be, and in the parent nothing, at the end."""
        woken, waking = os.pipe()
        os.set_blocking(waking, False)
        signal.set_wakeup_fd(waking)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            waited_for: list[int | socket.socket] = [PARENT_GONE, woken, *self.running, self.listener]
            ready = select.select(waited_for, [], [])[0]
            if PARENT_GONE in ready:
                for pid in self.running.values():
                    os.kill(pid, signal.SIGKILL)
                return None
            for asker in [each for each in self.running if each in ready]:
                self._told(asker)
            if woken in ready:
                os.read(woken, select.PIPE_BUF)
                self._reap()
            if self.listener in ready and (program := self._forked()):
                os.close(woken)
                os.close(waking)
                return program

    def _told(self, asker: socket.socket) -> None:
        """By its shim: a signal; or nothing more, when it was killed itself."""
        told = asker.recv(1)
        os.kill(self.running[asker], told[0] if told else signal.SIGKILL)
        if not told:
            asker.close()
            del self.running[asker]

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for asker in [each for each, pid in self.running.items() if pid == ended[0]]:
                    with contextlib.suppress(BrokenPipeError):  # It was killed just now.
                        asker.sendall(str(os.waitstatus_to_exitcode(ended[1])).encode())
                    asker.close()
                    del self.running[asker]

    def _forked(self) -> Program | None:
        """What is asked for, in the child that is to be it."""
        asker, _ = self.listener.accept()
        program = _asked(asker)
        if program is None:
            asker.close()
            return None
        if pid := os.fork():
            self.running[asker] = pid
            for number in program.files:
                os.close(number)
            return None
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for each in (self.listener, asker, *self.running):
            each.close()
        return program


def _asked(asker: socket.socket) -> Program | None:
    """Nothing from one that was killed before it could say it."""
    files = array.array("i")
    size, told, _, _ = asker.recvmsg(8, socket.CMSG_SPACE(3 * files.itemsize))
    for level, kind, numbers in told:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            files.frombytes(numbers)
    with asker.makefile("rb") as said:
        text = said.read(int.from_bytes(size))
    if len(text) < int.from_bytes(size) or len(files) < 3:
        return None
    arguments, folder, environment = marshal.loads(text)
    return Program(arguments, folder, environment, list(files))


def become(program: Program) -> None:
    """The program, in this process. Ends as it does: by returning, or with what it raises."""
    os.chdir(program.folder)
    os.environ.clear()
    os.environ.update(program.environment)
    for number, file in enumerate(program.files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = sys.__stdin__ = _opened(sys.stdin, "r")  # type: ignore[misc,assignment]
    sys.stdout = sys.__stdout__ = _opened(sys.stdout, "w")  # type: ignore[misc,assignment]
    sys.stderr = sys.__stderr__ = _opened(sys.stderr, "w")  # type: ignore[misc,assignment]
    sys.argv = program.arguments
    name = Path(program.arguments[0]).name
    if name == "airworthy":
        from airworthy.cli.main import run

        sys.path[0] = str(Path(program.arguments[0]).parent)
        run()
    else:
        sys.argv = program.arguments[1:]
        script(Path(sys.argv[0]))


def ran(program: Program) -> int:
    """Its exit code, as Python finds it."""
    try:
        become(program)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        return -signal.SIGINT
    except BaseException:  # the last who could tell of it
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def end(code: int) -> NoReturn:
    """As Python ends, but for taking apart all that is imported: for a fork that is a copy of it, and most of its time.

    So what nobody closed is not told.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # what waits for threads that are no daemons
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except OSError:
        code = 120
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)


def _opened(stream: TextIO, mode: str) -> TextIO:
    """Anew, as Python opens its three: whether a file has places, for one, was seen when it was opened."""
    number = stream.fileno()
    unbuffered = mode == "w" and bool(os.environ.get("PYTHONUNBUFFERED"))
    raw = open(number, f"{mode}b", buffering=0 if unbuffered else -1, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(
        raw, stream.encoding, stream.errors, newline="\n" if mode == "w" else None,
        line_buffering=number == 2 or raw.isatty(), write_through=unbuffered,
    )  # fmt: skip


def script(path: Path) -> None:
    """As `python PATH` does."""
    sys.path[0] = str(path.resolve().parent)
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    sys.modules["__main__"] = module
    exec(compile(path.read_text(), path, "exec"), module.__dict__)


def load() -> None:
    import airworthy

    for each in pkgutil.walk_packages(airworthy.__path__, "airworthy."):
        if not each.name.endswith("__main__"):
            importlib.import_module(each.name)
    for name in ALSO:
        importlib.import_module(name)


def main() -> None:
    load()
    # A fork has one thread; what another one held here would be held in it for ever.
    assert len(list(Path("/proc/self/task").iterdir())) == 1 if Path("/proc/self/task").exists() else True
    gc.collect()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(64)
    os.write(1, b"ready\n")
    with listener:
        program = Server(listener).serve()
    if program is not None:
        end(ran(program))
    else:
        shutil.rmtree(Path(sys.argv[1]).parent, ignore_errors=True)  # Of tests that were killed, too.


if __name__ == "__main__":
    main()
