"""A working folder with a scripted agent, and `airworthy` called as a person would call it."""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airworthy.cli import main
from tests.database import ON_POSTGRES, for_commands, opened_at
from tests.dump import dumped
from tests.forked import forked

_numbers = itertools.count()
AGENT = '''
"""Does what the input says."""
from airworthy import Agent, Run, Transient, tool

@tool(effect="send")
def pay(to: str, amount: float) -> str:
    """Pays."""
    if to == "lost":
        raise Transient("the line went dead", happened="maybe")
    return f"paid {amount} to {to}"

@tool
def look(what: str) -> str:
    """Looks something up."""
    if what == "missing":
        raise KeyError(what)
    return what.upper()

agent = Agent("FOLDER/policy.toml", tools=[pay, look])

@agent.task
async def handle(run: Run) -> str:
    what, _, rest = run.text.partition(" ")
    match what:
        case "pay":
            return str(await run.tool(pay, to=rest, amount=80.0))
        case "look":
            return str(await run.tool(look, what=rest))
        case "escalate":
            run.escalate(rest)
        case "decline":
            run.decline(rest)
        case "fail":
            raise RuntimeError(rest)
        case "sleep":
            await run.sleep(float(rest))
    return f"echo {run.text}"
'''
POLICY = """
agent = "shop"
purpose = "Does what it is told."
[escalation]
default = "team"
[limits]
off_track = 50
[runtime]
attempts_max = 1
[checks]
input = ["empty"]
output = []
[tools.pay]
amount_arg = "amount"
approval_above = 50
attempts = 1
critical = false
[tools.look]
attempts = 1
critical = false
"""


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def word(self) -> str:
        return self.out.strip()


Airworthy = Callable[..., Said]


def make_folder(folder: Path, *, agent: str = AGENT, policy: str = POLICY) -> Path:
    """Modules stay loaded in a process, so each folder's agent has a name of its own."""
    folder.mkdir(exist_ok=True)
    module = f"scripted_{next(_numbers)}"
    (folder / "airworthy.toml").write_text(f'agents = ["{module}:agent"]\n')
    (folder / "policy.toml").write_text(policy)
    (folder / f"{module}.py").write_text(agent.replace("FOLDER", str(folder)))
    return folder


@pytest.fixture(autouse=True)
def _commands_have_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for_commands(tmp_path / "work", monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "work")


@pytest.fixture
def airworthy(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Airworthy]:
    """In this process, in the folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("AIRWORTHY_USER", "dana")

    def call(*arguments: str) -> Said:
        if "-C" in arguments:  # Another folder, another database.
            for_commands(Path(arguments[arguments.index("-C") + 1]), monkeypatch)
        capsys.readouterr()
        code = main.execute(arguments)
        out, err = capsys.readouterr()
        return Said(int(code), out, err)

    yield call
    for name in [name for name in sys.modules if name.startswith("scripted_")]:
        del sys.modules[name]


def stored(folder: Path) -> str:
    """All that commands in `folder` have written into the database: the bytes of its file, or every cell."""
    if ON_POSTGRES:
        database = opened_at(folder)
        try:
            return dumped(database)
        finally:
            database.close()
    return (folder / "airworthy.db").read_bytes().decode("latin-1")


@pytest.fixture
def ran(airworthy: Airworthy) -> Callable[[str], str]:
    """Hands in one input, works on it, and answers with the task's id."""

    def one(text: str) -> str:
        id_ = airworthy("submit", "--input", text).word
        assert airworthy("run", "--until-idle").code == 0
        return id_

    return one


def started(folder: Path, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
    """A real process that starts from nothing, its lines readable as they come."""
    return _process(
        [sys.executable, "-c", "from airworthy.cli.main import run; run()", *arguments], folder, options
    )


def finished(folder: Path, *arguments: str, **options: Any) -> Said:
    """A process, too, for which nothing is imported anew."""
    with _process([forked().airworthy, *arguments], folder, options) as process:
        out, err = process.communicate(timeout=60)
    return Said(process.returncode, out, err)


def _process(command: list[str], folder: Path, options: dict[str, Any]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        cwd=folder,
        text=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )
