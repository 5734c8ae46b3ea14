"""Where a benchmark runs: the machine in words, an environment of its own for each peer, and children that answer in
one JSON line. Knows no benchmark.
"""

import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ENVIRONMENTS = ROOT / ".venvs"
INSTALL_S_MAX = 600.0
LINES_OF_TROUBLE = 3


class NotTaken(Exception):
    """A figure that could not be taken, and why."""


@dataclass(frozen=True)
class Peer:
    """Somebody else's package, pinned, and the module of ours that drives it."""

    name: str
    module: str
    requirements: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Named by the Python too, because an environment serves one."""
        return ENVIRONMENTS / f"{self.name}-py{sys.version_info.major}{sys.version_info.minor}"


def prepared(peer: Peer) -> Path:
    """The Python of the peer's environment, which is made unless it is there with just these requirements.

    Raises: NotTaken when it cannot be made.
    """
    python = peer.folder / "bin" / "python"
    stamp = peer.folder / "installed.txt"
    wanted = "\n".join(peer.requirements)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(peer.folder, ignore_errors=True)
    _installed([sys.executable, "-m", "venv", str(peer.folder)])
    _installed([str(python), "-m", "pip", "install", "--quiet", *peer.requirements])
    stamp.write_text(wanted)  # Last, so that a half-made environment is made again.
    return python


def _installed(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotTaken(f"its environment could not be made: {error}") from error
    if done.returncode != 0:
        raise NotTaken(f"its environment could not be made: {last_lines(done.stderr)}")


def answer(python: Path, module: str, arguments: Sequence[str], timeout_s: float) -> dict[str, Any]:
    """What `python -m module` printed as its last line. Raises: NotTaken, with the end of its complaint."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "LANGSMITH_TRACING": "false",
    }
    try:
        done = subprocess.run(
            [str(python), "-m", module, *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotTaken(f"{module} took longer than {timeout_s:g} s") from error
    except OSError as error:
        raise NotTaken(f"{module} could not be started: {error}") from error
    if done.returncode != 0:
        raise NotTaken(f"{module} failed: {last_lines(done.stderr)}")
    return last_json(done.stdout, module)


def last_json(text: str, module: str) -> dict[str, Any]:
    """Raises: NotTaken when the last line is not one JSON object."""
    lines = text.strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotTaken(f"{module} did not answer with one JSON object")
    return found


def last_lines(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return " | ".join(lines[-LINES_OF_TROUBLE:]) or "it said nothing"


def machine(folder: Path) -> dict[str, str | int | float]:
    """What a reader needs to compare: processor, memory, disk, versions, and how busy it was at the start."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "file_system": file_system(folder, _mounts()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load_1m": round(os.getloadavg()[0], 2),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _mounts() -> dict[str, str]:
    try:
        rows = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return {}
    return {row[1]: row[2] for row in rows}


def file_system(folder: Path, mounts: Mapping[str, str]) -> str:
    """Of the nearest mount above the folder; "unknown" where the kernel does not say."""
    for place in (folder.resolve(), *folder.resolve().parents):
        if str(place) in mounts:
            return mounts[str(place)]
    return "unknown"
