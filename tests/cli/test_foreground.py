"""`run` as a process among others: what Ctrl-C, SIGTERM and a second worker do to it."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Airworthy, Said, make_folder, started

pytestmark = [pytest.mark.process, pytest.mark.slow]

# Each task says that it began, and then works until the file `go` is there.
SLOW_AGENT = '''
"""Begins at once, and ends when it is told to."""
import asyncio
import sys
from pathlib import Path
from airworthy import Agent, Run

agent = Agent("FOLDER/policy.toml")

@agent.task
async def handle(run: Run) -> str:
    await run.now()
    print("began", run.text, file=sys.stderr, flush=True)
    while not Path("FOLDER/go").exists():
        await asyncio.sleep(0.01)
    return f"echo {run.text}"
'''


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "slow", agent=SLOW_AGENT)


@pytest.fixture
def there(airworthy: Airworthy, slow: Path) -> Airworthy:
    """A person in another terminal, in the same folder."""
    return lambda *arguments: airworthy(*arguments, "-C", str(slow))


def _submit(there: Airworthy, *texts: str) -> list[str]:
    return [there("submit", "--input", text).word for text in texts]


def _until(process: "subprocess.Popen[str]", text: str) -> str:
    """Reads stderr up to the line that holds `text`; the end of the process is an end too."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"the process ended without saying {text!r}")


def _end(process: "subprocess.Popen[str]") -> Said:
    out, err = process.communicate(timeout=60)
    return Said(process.returncode, out, err)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["Ctrl-C", "SIGTERM"]
)
def test_one_signal_finishes_what_is_under_way_and_takes_nothing_new(
    slow: Path, there: Airworthy, number: int, code: int
) -> None:
    first, second = _submit(there, "one", "two")

    with started(slow, "run", "--concurrency", "1") as process:
        _until(process, "began one")
        process.send_signal(number)
        _until(process, "Finishing 1 task under way")
        (slow / "go").touch()
        said = _end(process)

    assert said.code == code
    assert first in said.out
    assert second not in said.out
    assert there("task", "show", second, "--json").json["state"] == "queued"


def test_ctrl_c_twice_lets_go_at_once_and_the_next_worker_goes_on(slow: Path, there: Airworthy) -> None:
    (id_,) = _submit(there, "one")

    with started(slow, "run") as process:
        _until(process, "began one")
        process.send_signal(signal.SIGINT)
        _until(process, "Finishing")
        process.send_signal(signal.SIGINT)
        told = _until(process, "Letting go of 1 task")
        said = _end(process)
    (slow / "go").touch()
    again = there("run", "--until-idle")

    assert said.code == 130
    assert "Nothing is lost" in told
    assert "Traceback" not in said.err
    assert "answered" in again.out
    assert there("task", "show", id_, "--json").json["runs"] == 2


def test_two_workers_share_a_database_and_each_task_runs_once(slow: Path, there: Airworthy) -> None:
    ids = _submit(there, "one", "two")

    with (
        started(slow, "run", "--concurrency", "1") as left,
        started(slow, "run", "--concurrency", "1") as right,
    ):
        _until(left, "began")
        _until(right, "began")
        status = there("status", "--json").json
        left.send_signal(signal.SIGTERM)
        right.send_signal(signal.SIGTERM)
        (slow / "go").touch()
        ends = [_end(left), _end(right)]

    assert {row["pid"] for row in status["workers"]} == {left.pid, right.pid}
    assert [end.code for end in ends] == [0, 0]
    assert sorted(id_ for end in ends for id_ in ids if id_ in end.out) == sorted(ids)
    assert all(there("task", "show", id_, "--json").json["runs"] == 1 for id_ in ids)


def test_a_running_task_is_cancelled_from_another_terminal(slow: Path, there: Airworthy) -> None:
    (id_,) = _submit(there, "one")

    with started(slow, "run", "--until-idle") as process:
        _until(process, "began one")
        asked = there("task", "cancel", id_)
        said = _end(process)

    assert "stops before its next step" in asked.out
    assert "cancelled" in said.out
