"""The processes under chaos: workers with a wire each, started again when they end; and what is done to them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks._chaos_audit import named
from benchmarks._chaos_worker import Spec
from benchmarks._wire import Fate, Wire

ROOT = Path(__file__).parent.parent
RESTART_S = 1.0


@dataclass(frozen=True, slots=True)
class Happened:
    """`owner`: whom it hit; "" for all. Times are the wall clock's, which the server shares."""

    kind: str
    owner: str
    from_s: float
    to_s: float


class Maker:
    """Makes worker processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._chaos_worker"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        )  # fmt: skip

    def made(self, spec: Spec) -> int:
        """Its process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            print(spec.written(), file=self._process.stdin, flush=True)
            return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@dataclass(eq=False)
class Place:
    """A machine, as it were: one worker at a time, its wire, and its own network where that is possible."""

    spec: Spec
    wire: Wire
    maker: Maker
    pid: int = 0
    hit: bool = False  # Something is being done to it.
    stopping: bool = False
    exits: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)

    def start(self) -> None:
        owner = f"wkr_{self.spec.name}_{len(self.owners) + 1}"
        self.pid = self.maker.made(replace(self.spec, owner=owner, url=named(self.wire.url, owner)))
        self.owners.append(owner)

    @property
    def owner(self) -> str:
        return self.owners[-1]

    @property
    def alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def look(self) -> None:
        """Starts it again when it ended by itself, as a supervisor does."""
        if self.stopping or self.hit or self.alive:
            return
        lines = (Path(self.spec.folder) / f"{self.owner}.err").read_text().strip().splitlines()
        self.exits.append(f"{self.owner}: {lines[-1] if lines else 'without a word'}")
        time.sleep(RESTART_S)
        self.start()

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self) -> None:
        self.stopping = True
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)


# --- what can be done to one of them; each answers with how long it lasted for others ---


def kill(place: Place, pause_s: float) -> None:
    place.signal(signal.SIGKILL)
    time.sleep(pause_s)
    place.start()


def freeze(place: Place, pause_s: float) -> None:
    place.signal(signal.SIGSTOP)
    time.sleep(pause_s)
    place.signal(signal.SIGCONT)


def part(place: Place, pause_s: float) -> None:
    """Nothing passes, and then the connections turn out to be dead."""
    place.wire.hold()
    time.sleep(pause_s)
    place.wire.cut()
    place.wire.go()


def stall(place: Place, pause_s: float) -> None:
    place.wire.hold()
    time.sleep(pause_s)
    place.wire.go()


def cut(place: Place, pause_s: float) -> None:
    place.wire.cut()


def unanswered(place: Place, pause_s: float) -> None:
    """For a while, the answer to every third commit is lost with its connection."""
    seen = 0

    def judge(answer: bytes) -> Fate:
        nonlocal seen
        seen += b"COMMIT\0" in answer
        return Fate.CUT if b"COMMIT\0" in answer and seen % 3 == 0 else Fate.PASS

    place.wire.hear = judge
    time.sleep(pause_s)
    place.wire.hear = lambda _: Fate.PASS


def unplug(place: Place, pause_s: float) -> None:
    """Its network is parted by the kernel."""
    _ip("link", "set", f"cv{place.spec.name}", "down")
    time.sleep(pause_s)
    _ip("link", "set", f"cv{place.spec.name}", "up")


# --- networks of their own ---


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextlib.contextmanager
def network(name: str, number: int) -> Iterator[tuple[str, str]]:
    """A namespace and the address at which it reaches this one; empty where the machine does not allow it."""
    space, ours, theirs = f"chaos{os.getpid()}{name}", f"cv{name}", f"cw{name}"
    host = f"10.213.{number}.1"
    try:
        _ip("netns", "add", space)
        _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", space)
        _ip("addr", "add", f"{host}/30", "dev", ours)
        _ip("link", "set", ours, "up")
        _ip("-n", space, "addr", "add", f"10.213.{number}.2/30", "dev", theirs)
        _ip("-n", space, "link", "set", theirs, "up")
        _ip("-n", space, "link", "set", "lo", "up")
    except (OSError, subprocess.CalledProcessError):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            _ip("netns", "del", space)
        yield "", ""
        return
    try:
        yield space, host
    finally:
        for words in (("link", "del", ours), ("netns", "del", space)):
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                _ip(*words)


@dataclass
class Fleet:
    """All places, watched by a thread that starts again whoever ended by itself."""

    places: list[Place]
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Fleet":
        for place in self.places:
            place.start()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            for place in self.places:
                place.look()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for place in self.places:
            place.end()
