"""Every code block of the README and the docs runs: what a page shows is what a reader gets.

`python` blocks of a page run one after the other in one namespace; `sh` blocks in one shell, in an empty folder.
`text` blocks are output and are only read by people. `make` lines must name targets that exist; `.ci/run` runs them.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.database import fresh
from tests.forked import forked

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KINDS = {"python", "sh", "text", "toml", "json", "mermaid"}
SHELL_S_MAX = 300  # A page may start the program forty times, on a machine that is busy.

# page -> the test that runs its blocks in its own way.
ELSEWHERE = {
    "docs/reference/resilience.md": "tests/resilience/test_docs.py",
    "docs/reference/simulator.md": "tests/gateway/simulator",
    "docs/how-to/add-a-check.md": "tests/checks/test_docs.py",
    "docs/reference/policy.md": "tests/policy/test_policy_reference.py",
}
pytestmark = pytest.mark.sqlite("the pages begin with a new folder, whose database is a file in it")


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _blocks(page: Path, kind: str) -> list[str]:
    return [code for found, code in FENCE.findall(page.read_text()) if found == kind]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_says_what_it_is(page: Path) -> None:
    if _name(page) in ELSEWHERE:
        assert (ROOT / ELSEWHERE[_name(page)]).exists()
        return
    kinds = {kind for kind, _ in FENCE.findall(page.read_text())}

    assert kinds <= KINDS


@pytest.mark.parametrize("page", [p for p in PAGES if _name(p) not in ELSEWHERE], ids=_name)
def test_python_blocks_run(page: Path, tmp_path: Path) -> None:
    code = "\n".join(_blocks(page, "python"))
    if not code:
        return
    (tmp_path / "page.py").write_text(code)

    command = [forked().script, "page.py"]  # There, warnings are errors.
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=SHELL_S_MAX, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", [p for p in PAGES if _name(p) not in ELSEWHERE], ids=_name)
@pytest.mark.process
def test_shell_blocks_run(page: Path, tmp_path: Path) -> None:
    lines = "\n".join(_blocks(page, "sh")).splitlines()
    made = [line.split()[1] for line in lines if line.startswith("make ")]
    rest = [line for line in lines if not line.startswith("make ")]
    makefile = (ROOT / "Makefile").read_text()
    for target in made:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make has no target {target}"
    if not any(line.strip() for line in rest):
        return
    script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + "\n".join(rest)
    path = f"{forked().bin}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    env = {**os.environ, "PATH": path, "COLUMNS": "100"}
    if "$NEW_DATABASE" in script:
        env["NEW_DATABASE"] = fresh(migrated=True)  # As if the reader had made one.

    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=env,
        capture_output=True, text=True, timeout=SHELL_S_MAX, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip

    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
