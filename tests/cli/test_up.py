"""`up`: one process works on tasks and serves models, shares what it learns, and stops as one."""

import contextlib
import json
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from airworthy.app.build import assembled, worker
from airworthy.app.gateway import charges_of, gateway
from airworthy.app.gateway_config import GatewayConfig
from airworthy.app.places import shared_places
from airworthy.gateway.simulator import Simulator, serving
from airworthy.policy import parse_policy
from airworthy.runtime import Agent, Run
from airworthy.store.lease import Owner
from tests.cli.conftest import Airworthy, finished, make_folder, started
from tests.cli.test_gateway import CHAT, POLICY, asked
from tests.database import memory
from tests.gateway.kit import completion

AGENT = '''
"""Asks its model."""
from airworthy import Agent, Run

agent = Agent("FOLDER/policy.toml")

@agent.task
async def handle(run: Run) -> str:
    return (await run.model([{"role": "user", "content": run.text}])).text
'''
ANY_PORT = ("--listen", "127.0.0.1:0")


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with serving(Simulator()) as url:
        yield url


def asking(tmp_path: Path, url: str, more: str = "") -> Path:
    return make_folder(tmp_path / "asking", agent=AGENT, policy=POLICY.format(agent="helper", url=url) + more)


def test_a_port_in_use_is_told_before_anything_starts(airworthy: Airworthy, tmp_path: Path) -> None:
    folder = asking(tmp_path, "http://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = airworthy("up", "-C", str(folder), "--listen", f"127.0.0.1:{taken.getsockname()[1]}")

    assert said.code == 2
    assert "in use" in said.err
    assert "Working for" not in said.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--roles", "worker,desk"), "'desk' is none of api, gateway, worker, monitor, console"),
        (("--roles", ","), "Name one or more of api"),
        (("--listen", "nowhere"), "no address"),
        (("--roles", "worker,gateway"), "names no model"),
    ],
)
def test_what_cannot_be_started_is_told(words: tuple[str, ...], says: str, airworthy: Airworthy) -> None:
    said = airworthy("up", *words)

    assert said.code == 2
    assert says in " ".join(said.err.replace("│", " ").split())


@pytest.mark.parametrize("role", ["worker", "gateway"])
def test_a_live_policy_with_gaps_does_not_start_in_either_role(
    role: str, airworthy: Airworthy, tmp_path: Path
) -> None:
    folder = asking(tmp_path, "http://127.0.0.1:9")
    policy = folder / "policy.toml"
    policy.write_text('stage = "beta"\n' + policy.read_text())

    said = airworthy("up", "--roles", role, "-C", str(folder), *ANY_PORT)

    assert said.code == 2
    assert "not ready to go live" in said.err


def test_a_damaged_gateway_toml_is_told(airworthy: Airworthy, folder: Path) -> None:
    (folder / "gateway.toml").write_text("listn = 1")

    said = airworthy("up", "--roles", "worker")

    assert said.code == 2
    assert "Did you mean 'listen'?" in said.err


async def test_tasks_and_calls_over_http_go_through_one_place() -> None:
    agent = Agent(parse_policy(POLICY.format(agent="helper", url="http://127.0.0.1:9")))

    @agent.task
    async def handle(run: Run) -> str:
        return run.text

    app = assembled(memory())
    config = GatewayConfig(Path())
    charges = charges_of(config, lambda: [agent])
    async with shared_places(app.database, app.clock, Owner("wkr_1", "", 1, "")) as places:
        worker(app, [agent], concurrency=1, owner=places.owner, places=places)
        of_worker = list(places.all)
        async with gateway(app, charges, config, print, local=True, places=places):
            of_both = list(places.all)

    assert len(of_worker) == 1
    assert of_both == of_worker


@contextlib.contextmanager
def up(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """The real command; killed if a test fails, since nobody else would end it."""
    with started(folder, "up", *arguments) as process:
        try:
            yield process
        finally:
            process.kill()


class Lines:
    """What a process says on stderr, as it comes."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        self._stream = process.stderr
        self.all: list[str] = []

    def until(self, text: str) -> None:
        for line in self._stream:
            self.all.append(line)
            if text in line:
                return
        raise AssertionError(f"the process ended without saying {text!r}: {self.all}")


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_works_on_tasks_answers_calls_and_stops_when_told(
    tmp_path: Path, provider: str, number: signal.Signals, code: int
) -> None:
    """Starts the real command."""
    folder = asking(tmp_path, provider)
    key = finished(folder, "key", "create", "--agent", "helper").word
    with up(folder, *ANY_PORT) as process:
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        task = finished(folder, "submit", "--input", "hello", "--wait", "--timeout", "30")
        status, answer = asked(first.rsplit(" ", 1)[1].strip(), "/v1/chat/completions", key, CHAT)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)

    assert first.startswith("Gateway for helper on http://127.0.0.1:")
    assert second.startswith("OPENAI_BASE_URL=http://127.0.0.1:")
    assert task.code == 0
    assert (status, answer["object"]) == (200, "chat.completion")
    assert "answered" in out
    assert "Working for helper" in err
    assert "Stopping; nothing is under way." in err
    assert err.rstrip().endswith("Stopped.")
    assert (process.returncode, "Traceback" in err) == (code, False)


class Held(ThreadingHTTPServer):
    """A provider that answers once it may: `asked` counts the calls that came, `go` lets them be answered."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.asked = threading.Semaphore(0)
        self.go = threading.Event()


class _Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # the library's name
        assert isinstance(self.server, Held)
        self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.release()
        self.server.go.wait(30)
        body = completion("at last")
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.mark.process
@pytest.mark.slow
def test_one_ctrl_c_lets_calls_and_tasks_under_way_end(tmp_path: Path) -> None:
    """Starts the real command."""
    answers: list[tuple[int, Any]] = []
    with Held() as provider:
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        folder = asking(tmp_path, f"http://127.0.0.1:{provider.server_port}")
        key = finished(folder, "key", "create", "--agent", "helper").word
        finished(folder, "submit", "--input", "hello")
        with up(folder, *ANY_PORT, "--json") as process:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            caller = threading.Thread(
                target=lambda: answers.append(asked(url, "/v1/chat/completions", key, CHAT))
            )
            caller.start()
            assert provider.asked.acquire(timeout=20)
            assert provider.asked.acquire(timeout=20)
            lines = Lines(process)
            process.send_signal(signal.SIGINT)
            lines.until("Letting calls end")
            provider.go.set()
            caller.join(20)
            out, _ = process.communicate(timeout=30)
        provider.shutdown()

    assert any("Finishing 1 task under way" in line for line in lines.all)
    assert [status for status, _ in answers] == [200]
    assert [line["outcome"] for line in map(json.loads, out.splitlines())] == ["answered"]
    assert process.returncode == 130


@pytest.mark.process
@pytest.mark.slow
def test_a_second_ctrl_c_ends_both_at_once_and_the_task_stays_open(tmp_path: Path) -> None:
    """Starts the real command."""
    with socket.create_server(("127.0.0.1", 0)) as silent:  # A provider that takes calls and never answers.
        folder = asking(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
        id_ = finished(folder, "submit", "--input", "hello").word
        with up(folder, *ANY_PORT) as process:
            silent.settimeout(20)
            taken, _ = silent.accept()
            lines = Lines(process)
            process.send_signal(signal.SIGINT)
            lines.until("Letting calls end")
            process.send_signal(signal.SIGINT)
            lines.until("Letting go of 1 task")
            process.communicate(timeout=30)
            taken.close()

    assert process.returncode == 130
    assert json.loads(finished(folder, "task", "show", id_, "--json").out)["outcome"] is None


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.sqlite("a file that gateway.toml names")
def test_the_gateway_alone_needs_no_agent(tmp_path: Path, provider: str) -> None:
    """Starts the real command."""
    (tmp_path / "helper.toml").write_text(POLICY.format(agent="helper", url=provider))
    (tmp_path / "gateway.toml").write_text('policies = ["helper.toml"]\ndatabase = "own.db"\n')
    with up(tmp_path, "--roles", "gateway", *ANY_PORT) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)

    assert first.startswith("Gateway for helper on ")
    assert "Working for" not in err
    assert (tmp_path / "own.db").exists()


@pytest.mark.process
@pytest.mark.slow
def test_to_serve_what_agents_elsewhere_do_takes_no_agent_here(tmp_path: Path) -> None:
    """Starts the real command."""
    with up(tmp_path, "--roles", "api,console", *ANY_PORT, "--json") as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        with urllib.request.urlopen(f"{line['url']}/readyz", timeout=20) as ready:
            answer = json.load(ready)
        with urllib.request.urlopen(line["first_sign_in"], timeout=20) as page:
            text = page.read().decode()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)

    assert line["console"] == line["url"]
    assert answer == {"ok": True}
    assert "password" in text
    assert process.returncode == 0


@pytest.mark.process
@pytest.mark.slow
def test_an_agent_without_models_has_everything_but_a_gateway(folder: Path) -> None:
    """Starts the real command."""
    with up(folder, *ANY_PORT, "--json") as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)

    assert "base_url" not in line
    assert line["console"] == line["url"]
    assert "Working for" in err
