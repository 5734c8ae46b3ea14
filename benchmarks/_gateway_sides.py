"""Who is measured: our gateway, LiteLLM's proxy and the ceiling, each set up in a folder and as one worker."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import _gateway_wire as wire
from benchmarks._environment import ROOT, NotTaken, Peer, last_lines, prepared
from benchmarks._gateway_process import free_port

OURS, LITELLM, CEILING = "ours", "litellm", "ceiling"
PEER = Peer(
    LITELLM,
    "benchmarks._peers.litellm_proxy",
    # The SDK of OpenTelemetry, because without it the proxy looks for it again with each request.
    ("litellm[proxy]==1.108.7", "uvloop==0.23.0", "httptools==0.9.0", "opentelemetry-sdk==1.45.2"),
)
BUDGET_USD = 1_000_000
SETUP_S_MAX = 60.0
AGENT = "bench"
POLICY = f"""
agent = "{AGENT}"
purpose = "Measures what the gateway adds to a call."

[[models]]
name = "{wire.MODEL}"
base_url = "http://127.0.0.1:{{upstream_port}}/v1"
api_key_env = "{{key_variable}}"
input_usd_per_mtok = 0.15
output_usd_per_mtok = 0.60
concurrency = 1000

[budgets]
day_usd = {BUDGET_USD}.0
month_usd = {BUDGET_USD}.0
"""
KEY_VARIABLE = "AIRWORTHY_BENCH_UPSTREAM_KEY"


@dataclass(frozen=True)
class Side:
    """A server that is ready to be started, and the key to ask it with."""

    name: str
    command: Sequence[str]
    port: int
    key: str
    environment: Mapping[str, str] = field(default_factory=dict)


def ours(folder: Path, upstream_port: int, python: Path = Path(sys.executable)) -> Side:
    """With a key, budgets of the key and of the policy, prices, and records in SQLite. Raises: NotTaken."""
    command = python.parent / "airworthy"
    if not command.exists():
        raise NotTaken(f"there is no command at {command}")
    port = free_port()
    config = folder / "gateway.toml"
    config.write_text(f'listen = "127.0.0.1:{port}"\ndatabase = "gateway.db"\npolicies = ["policy.toml"]\n')
    policy = POLICY.format(upstream_port=upstream_port, key_variable=KEY_VARIABLE)
    (folder / "policy.toml").write_text(policy)
    key = _said([
        str(command), "key", "create", "--agent", AGENT, "--day-usd", str(BUDGET_USD), "-C", str(folder),
    ])  # fmt: skip
    serve = [str(command), "gateway", "--config", str(config)]
    return Side(OURS, serve, port, key, {KEY_VARIABLE: "sk-upstream"})


def litellm(folder: Path, upstream_port: int) -> Side:
    """One uvicorn worker with a key, its budget, prices, and records in a file. Raises: NotTaken."""
    python = prepared(PEER)
    port, key = free_port(), "sk-benchmark"
    shutil.copy(ROOT / "benchmarks" / "_peers" / "litellm_proxy.py", folder / "litellm_hooks.py")
    upstream = {
        "model": f"openai/{wire.MODEL}",
        "api_base": f"http://127.0.0.1:{upstream_port}/v1",
        "api_key": "sk-upstream",
    }
    config = {
        "model_list": [{"model_name": wire.MODEL, "litellm_params": upstream}],
        "litellm_settings": {"callbacks": "litellm_hooks.recorder", "num_retries": 0, "telemetry": False},
        "general_settings": {
            "master_key": "sk-master",
            "custom_auth": "litellm_hooks.user_api_key_auth",
            # Without it a key that is not in the database has no budget.
            "custom_auth_run_common_checks": True,
        },
    }
    (folder / "litellm.yaml").write_text(json.dumps(config))  # JSON is YAML.
    environment = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "AIRWORTHY_BENCH_KEY": key,
        "AIRWORTHY_BENCH_BUDGET_USD": str(BUDGET_USD),
        "AIRWORTHY_BENCH_RECORDS": str(folder / "litellm-records.jsonl"),
    }
    command = [
        str(python.parent / "litellm"), "--config", str(folder / "litellm.yaml"), "--host", "127.0.0.1",
        "--port", str(port), "--num_workers", "1",
    ]  # fmt: skip
    return Side(LITELLM, command, port, key, environment)


def ceiling(upstream_port: int) -> Side:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks._gateway_ceiling", str(port), str(upstream_port)]
    return Side(CEILING, command, port, "sk-nobody")


def _said(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ},
            capture_output=True,
            text=True,
            timeout=SETUP_S_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotTaken(f"{Path(command[0]).name} could not be run: {error}") from error
    if done.returncode != 0 or not done.stdout.strip():
        raise NotTaken(f"{' '.join(command[1:3])} failed: {last_lines(done.stderr)}")
    return done.stdout.split()[-1]
