"""A proxy that is killed in the middle of an act: nothing is done twice, and a person is asked."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airworthy.app.build import opened, worker
from airworthy.app.config import load_config
from airworthy.policy import load_policy
from airworthy.runtime import Agent, TaskQuery
from airworthy.tools import EffectState

pytestmark = [pytest.mark.process, pytest.mark.slow]

SERVER = """
import json, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    result = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
    if asked["method"] == "tools/list":
        result = {"tools": [{"name": "pay", "inputSchema": {"type": "object"}}]}
    if asked["method"] == "tools/call":
        with open("paid", "a") as file:
            file.write("paid\\n")
        time.sleep(3)
        result = {"content": []}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""
POLICY = """
agent = "payer"
purpose = "Pays."
[escalation]
default = "team"
[tools.pay]
effect = "send"
"""
PROXY = [
    sys.executable,
    "-c",
    "from airworthy.cli.main import run; run()",
    "mcp-proxy",
    "--policy",
    "policy.toml",
]


def test_kill_9_in_the_middle_of_an_act_leaves_it_in_doubt_and_nobody_repeats_it(tmp_path: Path) -> None:
    """Slow: real processes, one of which is killed. The agent's own worker sweeps, and must not run the session."""
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "policy.toml").write_text(POLICY)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [*PROXY, "--", sys.executable, "server.py"], cwd=tmp_path, env=environment, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as proxy:  # fmt: skip
        assert proxy.stdin is not None
        assert proxy.stdout is not None
        for number, (method, params) in enumerate(
            (
                ("initialize", {"protocolVersion": "2025-11-25"}),
                ("tools/call", {"name": "pay", "arguments": {}}),
            )
        ):
            message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            print(json.dumps(message), file=proxy.stdin, flush=True)
        proxy.stdout.readline()
        with subprocess.Popen(
            ["tail", "-F", "paid"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as tail:
            assert tail.stdout is not None
            assert tail.stdout.readline() == b"paid\n"
            tail.kill()
        proxy.send_signal(signal.SIGKILL)

    ran: list[str] = []
    agent = Agent(load_policy(tmp_path / "policy.toml"))

    @agent.task
    async def handle(run: object) -> str:
        ran.append("ran")
        return "done"

    with opened(load_config(tmp_path), [agent]) as app:
        import asyncio

        asyncio.run(worker(app, [agent], concurrency=4).run(until_idle=True))
        (task,) = app.operations.tasks(TaskQuery())
        (effect,) = app.operations.effects(task.id)

    assert (task.state.value, task.reason_code, task.escalated_to) == ("escalated", "in_doubt", "team")
    assert effect.state is EffectState.IN_DOUBT
    assert ran == []
    assert (tmp_path / "paid").read_text() == "paid\n"
