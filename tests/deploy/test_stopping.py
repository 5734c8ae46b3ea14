"""Real processes, started and stopped as the manifests say: probes are answered to the end, tasks are handed over."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from airworthy.app.config import load_config
from airworthy.app.project import existing
from airworthy.store.lease import Alive, alive
from tests.cli.conftest import Airworthy, make_folder, started
from tests.deploy.test_files import container, deployments

pytestmark = [pytest.mark.process, pytest.mark.slow]

# Goes on for as long as it is let, with a call every moment.
AGENT = '''
"""Looks again and again."""
import asyncio
import sys
from pathlib import Path
from airworthy import Agent, Run

agent = Agent("FOLDER/policy.toml")

@agent.task
async def handle(run: Run) -> str:
    await run.now()
    print("began", file=sys.stderr, flush=True)
    while not Path("FOLDER/go").exists():
        await asyncio.sleep(0.1)
        await run.now()
    return "done"
'''


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    folder = make_folder(tmp_path / "patient", agent=AGENT)
    settings = folder / "airworthy.toml"
    settings.write_text(f"drain_s = 0.5\n{settings.read_text()}")
    return folder


def as_deployed(folder: Path, name: str) -> "subprocess.Popen[str]":
    """With the words of its manifest, on a port of its own."""
    words = list(container(deployments()[name])["args"])
    words[words.index("--listen") + 1] = "127.0.0.1:0"
    return started(folder, *words, "--json")


def probe(url: str, name: str, kind: str) -> int:
    path = container(deployments()[name])[kind]["httpGet"]["path"]
    try:
        with urllib.request.urlopen(url + path, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def until(true: Callable[[], bool], what: str) -> None:
    for _ in range(200):
        if true():
            return
        signal.sigtimedwait([], 0.05)
    raise AssertionError(f"it never came to this: {what}")


def test_stopped_as_deployed_a_worker_hands_its_task_over_and_probes_hear_it_to_the_end(
    patient: Path, airworthy: Airworthy
) -> None:
    """Starts the real command, twice: the worker, and the monitor beside it."""
    there = ("-C", str(patient))
    task = airworthy("submit", "--input", "look", *there).word
    with as_deployed(patient, "worker") as worker, as_deployed(patient, "monitor") as monitor:
        try:
            assert worker.stdout is not None
            assert monitor.stdout is not None
            assert worker.stderr is not None
            urls = {"worker": json.loads(worker.stdout.readline())["url"]}
            urls["monitor"] = json.loads(monitor.stdout.readline())["url"]
            for name, url in urls.items():
                until(lambda: probe(url, name, "readinessProbe") == 200, f"{name} is ready")  # noqa: B023
            while "began" not in worker.stderr.readline():
                continue
            at_work = {row.roles for row in _alive(patient)}
            began_s = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            while "Finishing" not in worker.stderr.readline():
                continue
            during = probe(urls["worker"], "worker", "livenessProbe")
            _, said = worker.communicate(timeout=30)
            took_s = time.monotonic() - began_s
            monitor.send_signal(signal.SIGTERM)
            monitor.communicate(timeout=30)
        finally:
            worker.kill()
            monitor.kill()
    (patient / "go").touch()
    assert airworthy("run", "--until-idle", *there).code == 0
    whole = airworthy("task", "show", task, "--json", *there).json

    assert at_work == {"worker", "monitor"}
    assert during == 200
    assert (worker.returncode, monitor.returncode) == (0, 0)
    assert "Handing over 1 task" in said
    assert 0.5 <= took_s < 10
    assert (whole["state"], whole["runs"]) == ("answered", 2)


def _alive(folder: Path) -> list[Alive]:
    with existing(load_config(folder)) as app:
        return app.database.read_now(lambda tx: alive(tx, "", app.clock.now_us()))
