"""The simulator started from a shell."""

import http.client
import subprocess
import sys
from pathlib import Path

import pytest

from airworthy.gateway.simulator.__main__ import application, main, parser


def test_options_become_a_simulator(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "hi"\nreply = "Hi"')
    options = f"--seed 3 --rules {rules} --fault http_500=0.1 --fault slow=0.1:2 --model one --model two --api-key k"

    made = application(parser().parse_args(options.split()))

    assert (made.seed, made.models) == (3, ("one", "two"))
    assert made.rules is not None
    assert [rate.fault.kind for rate in made.faults.rates] == ["http_500", "slow"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fault", "htp_500=1"], "Did you mean 'http_500'?"),
        (["--rules", "nowhere.toml"], "nowhere.toml"),
        (["--port", "99999"], "pass port 0"),
    ],
)
def test_a_mistake_ends_with_a_message_and_no_traceback(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options) == 2
    assert words in capsys.readouterr().err


@pytest.mark.process
@pytest.mark.slow
def test_the_command_prints_its_base_url_and_serves_there() -> None:
    """Slow: a real Python process has to start."""
    command = [sys.executable, "-m", "airworthy.gateway.simulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            connection = http.client.HTTPConnection(
                url.removeprefix("http://").removesuffix("/v1"), timeout=5
            )
            connection.request("GET", "/v1/models")
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
        finally:
            process.terminate()

    assert url.endswith("/v1")
    assert answer.status == 200
    assert b"sim-large-2026-11-01" in body
