"""SIGKILL in the middle of a stream: no handler runs, and still no cent of the budget is forgotten or spent twice.

Slow, because two gateways are started as processes of their own.
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from airworthy.app.config import DATABASE_VARIABLE
from airworthy.gateway.budget import Standing, standing
from airworthy.gateway.simulator import FaultPlan, Simulator, serving
from tests.database import for_commands, opened
from tests.gateway.server.whole import LARGE, PRICES

pytestmark = [pytest.mark.process, pytest.mark.slow]
PROGRAM = (sys.executable, "-c", "from airworthy.cli.main import run; run()")
CAP_NANO = 20_000_000
POLICY = """
agent = "support"
purpose = "Answers."
[budgets]
day_usd = 0.02
[[models]]
name = "{large}"
provider = "openai"
api_key_env = ""
base_url = "{url}/v1"
output_tokens_max = 500
{prices}
"""


@contextlib.contextmanager
def gateway(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A process of its own, and where it listens."""
    process = subprocess.Popen(
        [*PROGRAM, "gateway", "--listen", "127.0.0.1:0", "--json"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process, urlsplit(json.loads(process.stdout.readline())["url"]).netloc
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def key(folder: Path) -> str:
    made = subprocess.run(
        [*PROGRAM, "key", "create", "--agent", "support", "--json"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return str(json.loads(made.stdout)["key"])


@contextlib.contextmanager
def asking(netloc: str, secret: str, **fields: Any) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(netloc, timeout=20)
    body = {"model": LARGE, "messages": [{"role": "user", "content": "hello"}], **fields}
    try:
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(body), {"authorization": f"Bearer {secret}"}
        )
        with connection.getresponse() as response:
            yield response
    finally:
        connection.close()


def spend(folder: Path) -> Standing:
    database = opened(os.environ.get(DATABASE_VARIABLE) or str(folder / "gateway.db"))
    try:
        row = database.read_now(
            lambda tx: tx.row("SELECT scope FROM spend WHERE scope LIKE 'agent:support:day:%'")
        )
        assert row is not None
        return database.read_now(lambda tx: standing(tx, str(row[0])))
    finally:
        database.close()


def test_what_a_killed_gateway_had_reserved_counts_and_the_rest_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for_commands(tmp_path, monkeypatch)
    simulator = Simulator(faults=FaultPlan.of({"stream_trickle:0.5": 1.0}))
    with serving(simulator) as provider:
        (tmp_path / "support.toml").write_text(POLICY.format(url=provider, large=LARGE, prices=PRICES))
        (tmp_path / "gateway.toml").write_text('policies = ["support.toml"]\ndatabase = "gateway.db"\n')
        secret = key(tmp_path)
        with gateway(tmp_path) as (process, netloc):
            for _ in range(3):
                with asking(netloc, secret) as response:
                    assert response.status == 200
            with asking(netloc, secret, stream=True) as response:
                assert response.read(60)
                process.kill()
                process.wait()
        killed = spend(tmp_path)
        costs: list[float] = []
        stop = None
        with gateway(tmp_path) as (_, netloc):
            while stop is None and len(costs) < 2_000:
                with asking(netloc, secret) as response:
                    stop = response.getheader("x-airworthy-stop")
                    costs.append(float(response.getheader("x-airworthy-cost-usd") or 0))
        after = spend(tmp_path)

    assert stop == "budget"
    assert killed.reserved_nano + killed.settled_nano <= CAP_NANO
    assert killed.reserved_nano >= 2_000_000  # At least what the stream may have cost.
    assert after.lost_nano >= 2_000_000
    assert len(costs) > 5
    assert round(sum(costs) * 1e9) + after.lost_nano <= after.reserved_nano + after.settled_nano <= CAP_NANO
