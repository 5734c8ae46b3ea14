"""How long a person waits: for `import airworthy`, and for `airworthy --help`."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks._environment import ROOT, NotTaken, last_lines

TIMES = 5
WAIT_S_MAX = 60.0


def import_ms() -> float:
    """The best of five fresh interpreters, less the best start of a bare one: what the import itself adds."""
    bare, whole = [], []
    for _ in range(TIMES):  # In turn, so that a busy moment falls on both.
        bare.append(_wall_ms([sys.executable, "-c", "pass"]))
        whole.append(_wall_ms([sys.executable, "-c", "import airworthy"]))
    return min(whole) - min(bare)


def cli_help_ms() -> float:
    """The median of five, as a person would wait for it. Raises: NotTaken when the command is not installed."""
    command = Path(sys.executable).parent / "airworthy"
    if not command.exists():
        raise NotTaken(f"there is no command at {command}")
    return median(_wall_ms([str(command), "--help"]) for _ in range(TIMES))


def _wall_ms(command: Sequence[str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S_MAX, check=False)
    took_ms = (time.perf_counter() - began) * 1000
    if done.returncode != 0:
        raise NotTaken(f"{' '.join(command[-2:])} failed: {last_lines(done.stderr)}")
    return took_ms
