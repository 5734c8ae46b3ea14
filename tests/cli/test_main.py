"""The shell around the commands: help, laziness, exit codes, errors in words, completion."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from airworthy import __version__
from airworthy.cli import main
from airworthy.cli.exits import Exit, exit_of
from airworthy.core.errors import AirworthyError, ConfigError, InputError
from airworthy.runtime import WorkerStopped
from airworthy.store import StoreBusy, StoreCorrupt, StoreFull, StoreReadOnly
from tests.cli.conftest import Airworthy, finished

HEAVY = ("pydantic", "sqlalchemy", "rich", "asyncio", "sqlite3", "airworthy.runtime", "airworthy.cli.work")
OURS = [name for name, (module, _) in main.COMMANDS.items() if module.startswith("airworthy.cli.")]


def test_help_imports_nothing_heavy_and_no_command() -> None:
    """What is imported is what `airworthy --help` costs; the clock of a busy machine says less."""
    script = f"""
import sys
from airworthy.cli.main import execute
assert execute(["--help"]) == 0
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
    assert all(name in done.stdout for name in OURS)


WORKS = (
    "airworthy.gateway.gateway", "airworthy.runtime.worker", "airworthy.tools.toolbox", "fastapi", "httpx", "uvicorn",
)  # fmt: skip


def test_looking_imports_nothing_that_works_on_tasks(airworthy: Airworthy, folder: Path) -> None:
    """As above: half of all that is imported is for workers, and so is half of the time it takes."""
    script = f"""
import sys
from airworthy.cli.main import execute
assert execute(["task", "list"]) == 0
print([name for name in {WORKS!r} if name in sys.modules])
"""
    airworthy("submit", "--input", "hello")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", OURS)
def test_the_summary_in_the_root_help_is_the_first_line_of_the_commands_own_help(name: str) -> None:
    root = main.command()
    found = root.get_command(typer.Context(root), name)

    assert found is not None
    assert (found.help or "").splitlines()[0] == main.COMMANDS[name][1]


def _every_command() -> list[tuple[str, ...]]:
    root = main.command()
    paths: list[tuple[str, ...]] = []
    for name in OURS:
        found = root.get_command(typer.Context(root), name)
        paths += _under((name,), found)
    return paths


# What they write is for programs already, in the format that is asked for.
WRITES_DATA = {("trace", "export")}
# They read the file they are given, and no working folder.
NEED_NO_FOLDER = {("judge", "calibrate")}


def _under(path: tuple[str, ...], found: object) -> list[tuple[str, ...]]:
    inner = getattr(found, "commands", None)
    if not inner:
        return [path]
    return [each for name, command in inner.items() for each in _under((*path, name), command)]


@pytest.mark.parametrize("path", _every_command(), ids=" ".join)
def test_every_command_has_help_that_opens_with_a_sentence_and_shows_examples(
    path: tuple[str, ...], airworthy: Airworthy
) -> None:
    said = airworthy(*path, "--help")
    usage, _, first, *_ = said.out.splitlines()

    assert said.code == 0
    assert usage.startswith(f"Usage: airworthy {' '.join(path)} ")
    assert first.strip().endswith((".", ":", "/")) or len(first) > 70
    assert f"    airworthy {' '.join(path)}" in said.out
    assert "--json" in said.out or path in WRITES_DATA
    assert "--folder" in said.out or path in NEED_NO_FOLDER


def test_the_version_is_told(airworthy: Airworthy) -> None:
    assert airworthy("--version") == airworthy("--version")
    assert airworthy("--version").out == f"airworthy {__version__}\n"


def test_the_root_help_lists_every_exit_code(airworthy: Airworthy) -> None:
    text = airworthy("--help").out

    assert all(f"  {code.value:<4} {code.meaning[:40]}" in text for code in Exit)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Usage: airworthy"),
        (("nonsense",), "No such command"),
        (("taks",), "task"),
        (("task", "show"), "ID"),
        (("task", "list", "--state", "asleep"), "asleep"),
        (("run", "--concurrency", "0"), "--concurrency"),
        (("task", "list", "-C", "/nowhere/at/all"), "/nowhere/at/all"),
        (("submit",), "nothing to submit"),
        (("submit", "--input", "a", "--file", "b"), "several inputs"),
        (("pause",), "--agent NAME or --all"),
        (("pause", "--all", "--agent", "x"), "--agent NAME or --all"),
        (("outbox", "settle", "eff_1"), "--happened"),
        (("dead-letter", "requeue"), "--all"),
    ],
)
def test_a_wrong_command_line_exits_with_2_and_says_what_is_wrong(
    arguments: tuple[str, ...], says: str, airworthy: Airworthy
) -> None:
    said = airworthy(*arguments)

    assert said.code in (2, 0 if not arguments else 2)
    assert says in said.out + said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreBusy("x"), 3),
        (StoreFull("x"), 3),
        (StoreReadOnly("x"), 3),
        (StoreCorrupt("x"), 3),
        (ConfigError("x"), 2),
        (InputError("x"), 1),
        (AirworthyError("x"), 1),
        (ValueError("x"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exit_of(error) == code


def test_a_worker_that_stopped_over_its_store_exits_as_the_store_failed() -> None:
    stopped = WorkerStopped("stopped")
    stopped.__cause__ = StoreFull("no room")

    assert exit_of(stopped) == Exit.STORE
    assert exit_of(WorkerStopped("stopped")) == Exit.USAGE


@pytest.mark.sqlite("a file may be missing")
def test_an_error_is_told_in_words_with_its_mend_and_no_traceback(airworthy: Airworthy) -> None:
    said = airworthy("task", "list")

    assert said.code == 2
    assert said.out == ""
    assert "There is no database" in said.err
    assert "airworthy submit" in said.err
    assert "Traceback" not in said.err


def test_debug_shows_the_traceback(airworthy: Airworthy) -> None:
    assert "Traceback" in airworthy("--debug", "task", "show", "tsk_none").err


def test_an_unexpected_error_is_short_and_says_how_to_see_more(
    airworthy: Airworthy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise LookupError("odd \x1b[31m thing")

    monkeypatch.setattr(
        "airworthy.app.project.stored", broken
    )  # a bug of ours, which cannot be had on demand

    said = airworthy("task", "list")

    assert said.code == 1
    assert said.err.startswith("LookupError: odd \\x1b[31m thing\n")
    assert "--debug" in said.err


def test_ctrl_c_before_anything_runs_exits_with_130(
    airworthy: Airworthy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "airworthy.app.project.stored", interrupted
    )  # stands for a key pressed at that moment

    assert airworthy("task", "list").code == 130


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"),
    [("airworthy ", "dead-letter"), ("airworthy task s", "show"), ("airworthy pause --agent ", "shop")],
)
def test_the_shell_completes_commands_and_agents(words: str, expected: str, folder: Path) -> None:
    """A process, as the shell starts one for each completion."""
    count = len(words.split(" ")) - 1
    environment = {
        "COMP_WORDS": words, "COMP_CWORD": str(count), "_AIRWORTHY_COMPLETE": "complete_bash", "PATH": "/usr/bin",
    }  # fmt: skip

    said = finished(folder, env=environment)

    assert expected in said.out.split()


@pytest.mark.process
@pytest.mark.slow
def test_output_into_a_closed_pipe_ends_quietly(folder: Path) -> None:
    """`airworthy task list | head -1` in a real pipe."""
    program = f'{sys.executable} -c "from airworthy.cli.main import run; run()" --help'
    done = subprocess.run(
        ["sh", "-c", f"{program} | head -1"], cwd=folder, capture_output=True, text=True, check=True
    )

    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr
