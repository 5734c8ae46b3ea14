"""What the MCP proxy adds to a call, on stdio, beside the same server without it; prints one JSON line last.

Run `python -m benchmarks.mcp`. The two take turns within each round. A read is recorded with full sync to disk before
it is answered, an act twice: its intent before, its result after.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._environment import machine
from benchmarks._figures import median_of, rounded

SERVER = [sys.executable, str(Path(__file__).parent / "_mcp_server.py")]
PROXY = [
    sys.executable,
    "-c",
    "from airworthy.cli.main import run; run()",
    "mcp-proxy",
    "--policy",
    "policy.toml",
    "--",
]
POLICY = """
agent = "bench"
purpose = "Measures."
[limits]
steps = 1000000
tool_calls = 1000000
seconds = 86400
identical_calls = 1000000
no_progress = 1000000
off_track = 1000000
cycle_repeats = 1000000
[tools.read]
effect = "read"
[tools.write]
effect = "write"
"""
KINDS = ("ping", "read", "write")
WARM = 20


class Talk:
    """A client that asks one thing after the other."""

    def __init__(self, command: list[str], folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._number = 0
        about = {"name": "bench", "version": "1"}
        self.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": about})
        self.ask("tools/list", {})

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        while True:
            came = json.loads(self._process.stdout.readline())
            if came.get("id") == self._number:
                result = came["result"]
                assert not result.get("isError"), result
                return dict(result)

    def timed_us(self, kind: str, calls: int, begin: int) -> list[float]:
        taken = []
        for number in range(begin, begin + calls):
            params = (
                {} if kind == "ping" else {"name": kind, "arguments": {"path": f"p{number}", "n": number}}
            )
            begun = time.perf_counter_ns()
            self.ask("ping" if kind == "ping" else "tools/call", params)
            taken.append((time.perf_counter_ns() - begun) / 1000)
        return taken

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def measured(rounds: int, calls: int, folder: Path) -> dict[str, Any]:
    """Medians in microseconds over the rounds; `added`: of the differences within a round."""
    (folder / "policy.toml").write_text(POLICY)
    sides = {"direct": Talk(SERVER, folder), "proxied": Talk([*PROXY, *SERVER], folder)}
    figures: dict[str, Any] = {}
    try:
        for kind in KINDS:
            series: dict[str, list[list[float]]] = {name: [] for name in sides}
            for each in range(-1, rounds):
                for name, talk in sides.items():
                    taken = talk.timed_us(kind, WARM if each < 0 else calls, (each + 1) * calls)
                    if each >= 0:
                        series[name].append(sorted(taken))
            for name, at in (("p50", 0.5), ("p99", 0.99)):
                direct, proxied = ([each[int(at * len(each))] for each in series[side]] for side in sides)
                added = median_of([b - a for a, b in zip(direct, proxied, strict=True)])
                figures[f"{kind}_direct_{name}_us"] = rounded(median_of(direct), 1)
                figures[f"{kind}_added_{name}_us"] = rounded(added, 1)
    finally:
        for talk in sides.values():
            talk.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(options.rounds, options.calls, Path(folder))
        here = machine(Path(folder))
    for name, value in figures.items():
        print(f"{name:<24} {value}")
    print(json.dumps({"name": "mcp", **figures, "machine": here, "notes": []}))


if __name__ == "__main__":
    main()
