"""`gateway`: what its settings may say, what keeps it from starting, and how it runs and stops."""

import http.client
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from airworthy.app.gateway_config import GatewayConfig, database_config, load_gateway_config
from airworthy.core.errors import ConfigError
from airworthy.gateway.simulator import Simulator, serving
from tests.cli.conftest import Airworthy, finished, started

MODEL = """
[[models]]
name = "sim-large-2026-11-01"
provider = "compatible"
base_url = "{url}/v1"
api_key_env = ""
pinned = true
input_usd_per_mtok = 1.0
output_usd_per_mtok = 4.0
"""
POLICY = 'agent = "{agent}"\npurpose = "Answers."\n' + MODEL
CHAT = {"model": "sim-large-2026-11-01", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with serving(Simulator()) as url:
        yield url


def write(folder: Path, agent: str = "helper", url: str = "http://127.0.0.1:9", **settings: Any) -> None:
    (folder / f"{agent}.toml").write_text(POLICY.format(agent=agent, url=url))
    lines = [
        f"{key} = {json.dumps(value)}" for key, value in {"policies": [f"{agent}.toml"], **settings}.items()
    ]
    (folder / "gateway.toml").write_text("\n".join(lines))


def test_without_a_file_everything_is_as_by_default(tmp_path: Path) -> None:
    assert load_gateway_config(tmp_path) == GatewayConfig(tmp_path)
    assert GatewayConfig(tmp_path).listen == "127.0.0.1:8090"


@pytest.mark.sqlite("the database it names is a file")
def test_everything_a_file_may_say_is_taken(tmp_path: Path) -> None:
    (tmp_path / "g.toml").write_text(
        'listen = "[::1]:1"\ndatabase = "x.db"\npolicies = ["a.toml", "b.toml"]\nbody_bytes_max = 2048\n'
        'calls_max = 5\ndrain_s = 1.5\non_store_down = "allow"\nrecord = "facts"\n'
    )

    found = load_gateway_config(Path("elsewhere"), tmp_path / "g.toml")

    assert found == GatewayConfig(
        tmp_path, "[::1]:1", "x.db", ("a.toml", "b.toml"), 2048, 5, 1.5, "allow", "facts"
    )
    assert database_config(found).database_path == tmp_path / "x.db"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('listn = "x"', "Did you mean 'listen'?"), ("zzz = 1", "Known keys"), ("listen = 8090", "text"),
        ('policies = "a.toml"', "list"), ("policies = [1]", "Write each as a path"), ('drain_s = "x"', "number"),
        ("drain_s = -1", "between"), ("body_bytes_max = 1", "between"), ("body_bytes_max = true", "whole number"),
        ('on_store_down = "maybe"', '"refuse" or "allow"'), ('record = "all"', "facts"), ("calls_max = 0", "between"),
        ("listen", "cannot be read"),
    ],
)  # fmt: skip
def test_what_a_file_may_not_say_is_told_with_its_mend(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "gateway.toml").write_text(text)

    with pytest.raises(ConfigError) as raised:
        load_gateway_config(tmp_path)

    assert "gateway.toml" in raised.value.message
    assert words in str(raised.value)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file"):
        load_gateway_config(tmp_path, tmp_path / "g.toml")


def test_the_command_line_and_the_environment_win_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = GatewayConfig(tmp_path, database="file.db")
    monkeypatch.setenv("AIRWORTHY_DATABASE", "environment.db")

    assert database_config(found).database == "environment.db"
    assert database_config(found, "line.db").database == "line.db"
    monkeypatch.delenv("AIRWORTHY_DATABASE")
    assert database_config(found).database == "file.db"
    assert database_config(GatewayConfig(tmp_path)).database == "airworthy.db"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"policies": ["missing.toml"]}, "does not exist"),
        ({"policies": ["helper.toml", "helper.toml"]}, "Two policies"),
        ({"listen": "nowhere"}, "no address"),
    ],
)
def test_settings_that_cannot_work_do_not_start(
    airworthy: Airworthy, folder: Path, change: dict[str, Any], words: str
) -> None:
    write(folder, **change)

    said = airworthy("gateway", "--listen", "127.0.0.1:0") if "listen" not in change else airworthy("gateway")

    assert said.code == 2
    assert words in said.err


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ('agent = "helper"\npurpose = "x"\n', "names no model"),
        (
            'stage = "beta"\n' + POLICY.format(agent="helper", url="http://127.0.0.1:9"),
            "not ready to go live",
        ),
        ('agent = "helper"\npurpose = "x"\n[[models]]\nname = "own-model"\n', "no price"),
    ],
)
def test_a_policy_that_cannot_be_served_does_not_start(
    airworthy: Airworthy, folder: Path, policy: str, words: str
) -> None:
    write(folder)
    (folder / "helper.toml").write_text(policy)

    said = airworthy("gateway", "--listen", "127.0.0.1:0")

    assert said.code == 2
    assert words in said.err


def test_a_live_policy_with_a_floating_model_does_not_start(airworthy: Airworthy, folder: Path) -> None:
    write(folder)
    (folder / "helper.toml").write_text(
        'agent = "helper"\npurpose = "x"\nstage = "general"\n[[models]]\nname = "gpt-4o"\n'
        "input_usd_per_mtok = 1.0\noutput_usd_per_mtok = 1.0\n"
    )

    said = airworthy("gateway", "--listen", "127.0.0.1:0")

    assert said.code == 2
    assert "models[1].name" in said.err


def test_a_port_in_use_is_told(airworthy: Airworthy, folder: Path) -> None:
    write(folder)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = airworthy("gateway", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")

    assert said.code == 2
    assert "in use" in said.err
    assert "--listen" in said.err


def asked(url: str, path: str, key: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request(
            "POST" if body else "GET",
            path,
            json.dumps(body) if body else None,
            {"authorization": f"Bearer {key}"},
        )
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_says_where_it_listens_answers_and_stops_when_told(
    folder: Path, provider: str, number: signal.Signals, code: int
) -> None:
    """Starts the real command."""
    write(folder, url=provider)
    key = finished(folder, "key", "create", "--agent", "helper").word
    with started(folder, "gateway", "--listen", "127.0.0.1:0", "--json") as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        status, answer = asked(line["url"], "/v1/chat/completions", key, CHAT)
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=30)

    assert line["agents"] == ["helper"]
    assert line["base_url"] == f"{line['url']}/v1"
    assert (status, answer["object"]) == (200, "chat.completion")
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
    used = json.loads(finished(folder, "key", "list", "--json").out)[0]["used_day"]
    assert used is not None


@pytest.mark.process
@pytest.mark.slow
def test_without_settings_it_serves_the_agents_of_the_folder(folder: Path, provider: str) -> None:
    """Starts the real command."""
    policy = folder / "policy.toml"
    policy.write_text(policy.read_text() + MODEL.format(url=provider))
    with started(folder, "gateway", "--listen", "127.0.0.1:0") as process:
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        key = finished(folder, "key", "create", "--agent", "shop").word
        url = first.rsplit(" ", 1)[1].strip()
        status, models = asked(url, "/v1/models", key)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)

    assert first.startswith("Gateway for shop on http://127.0.0.1:")
    assert second == f"OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY=$(airworthy key create --agent shop)\n"
    assert (status, [model["id"] for model in models["data"]]) == (200, ["sim-large-2026-11-01"])


@pytest.mark.process
@pytest.mark.slow
def test_a_second_ctrl_c_ends_the_calls_under_way(folder: Path) -> None:
    """Starts the real command."""
    with socket.create_server(("127.0.0.1", 0)) as silent:  # A provider that takes calls and never answers.
        write(folder, url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        key = finished(folder, "key", "create", "--agent", "helper").word
        with started(
            folder, "gateway", "--listen", "127.0.0.1:0", "--json", stdin=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
            connection.request(
                "POST", "/v1/chat/completions", json.dumps(CHAT), {"authorization": f"Bearer {key}"}
            )
            silent.settimeout(20)
            taken, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            first = process.stderr.readline()
            process.send_signal(signal.SIGINT)
            response = connection.getresponse()
            body = json.loads(response.read())
            connection.close()
            taken.close()
            process.communicate(timeout=30)

    assert "Letting calls end" in first
    assert (response.status, body["error"]["code"]) == (503, "gateway_stopping")
    assert process.returncode == 130
