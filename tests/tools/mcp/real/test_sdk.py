"""The official SDK as client and as server with the proxy between them: both transports, both generations."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from airworthy.app.build import opened
from airworthy.app.config import Config
from airworthy.runtime import Operations, TaskQuery
from airworthy.tools import EffectState

pytestmark = [pytest.mark.process, pytest.mark.slow]

SERVER = Path(__file__).parent / "server.py"
PROXY = "from airworthy.cli.main import run; run()"
POLICY = """
agent = "support"
purpose = "Looks after files."
[escalation]
default = "team"
[limits]
steps = 100
tool_calls = 100
identical_calls = 20
[tools."files.read_file"]
server = "files"
effect = "read"
[tools."files.count"]
server = "files"
effect = "read"
[tools."files.confirm"]
server = "files"
effect = "read"
[tools."files.write_file"]
server = "files"
effect = "write"
approval = "always"
"""
START_S = 60


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The SDK's server over HTTP."""
    process = subprocess.Popen([sys.executable, str(SERVER), "http"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy.toml").write_text(POLICY)
    return tmp_path


def _command(behind: str, address: str) -> list[str]:
    server = (
        ["--", sys.executable, str(SERVER), "stdio"]
        if behind == "stdio"
        else ["--internal", "--upstream", address]
    )
    return ["-c", PROXY, "mcp-proxy", "--policy", "policy.toml", "--server", "files", *server]


@contextlib.asynccontextmanager
async def _transport(front: str, behind: str, address: str, folder: Path, log: Any) -> AsyncIterator[Any]:
    from mcp.client.stdio import StdioServerParameters, stdio_client
    from mcp.client.streamable_http import streamable_http_client

    arguments = _command(behind, address)
    if front == "stdio":
        environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
        started = StdioServerParameters(
            command=sys.executable, args=arguments, env=environment, cwd=str(folder)
        )
        yield stdio_client(started, errlog=log)
        return
    at = arguments.index("mcp-proxy") + 1
    arguments[at:at] = ["--listen", "127.0.0.1:0", "--json"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=folder, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE, stderr=log,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_S)
        yield streamable_http_client(json.loads(line)["url"])
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), START_S)


@contextlib.contextmanager
def _operations(folder: Path) -> Iterator[Operations]:
    with opened(Config(folder)) as app:
        yield app.operations


def _approve(folder: Path) -> None:
    with _operations(folder) as operations:
        (held,) = operations.outbox((EffectState.HELD,), 10)
        operations.decide(held.id, EffectState.APPROVED, "dana")


MATRIX = [
    (front, behind, mode)
    for front in ("stdio", "http")
    for behind in ("stdio", "http")
    for mode in ("legacy", "auto")
]


@pytest.mark.parametrize(("front", "behind", "mode"), MATRIX)
def test_the_sdk_s_client_and_server_agree_through_the_proxy(
    front: str, behind: str, mode: Any, address: str, folder: Path
) -> None:
    """Slow: two or three processes, each of which imports the SDK."""

    async def talk(log: Any) -> None:
        from mcp.client.client import Client
        from mcp_types import ElicitResult

        done_so_far: list[float] = []

        async def sure(context: Any, params: Any) -> Any:
            return ElicitResult(action="accept", content={"sure": True})

        async def heard(progress: float, total: float | None, message: str | None) -> None:
            done_so_far.append(progress)

        async with (
            _transport(front, behind, address, folder, log) as transport,
            Client(transport, mode=mode, elicitation_callback=sure) as client,
        ):
            listed = await client.list_tools()
            assert sorted(tool.name for tool in listed.tools) == sorted(
                ["read_file", "write_file", "count", "confirm", "drop_all"]
            )
            read = await client.call_tool("read_file", {"path": "a"})
            assert read.structured_content == {"result": "contents of a"}
            counted = await client.call_tool("count", {"upto": 3}, progress_callback=heard)
            assert counted.structured_content == {"result": 3}
            assert done_so_far == [1, 2, 3]
            if mode == "legacy":  # In the other generation a server asks by answering.
                confirmed = await client.call_tool("confirm", {})
                assert confirmed.structured_content == {"result": "accept: True"}
            bad = await client.call_tool("read_file", {"path": 7})
            assert bad.is_error
            held = await client.call_tool("write_file", {"path": "a", "text": "xyz"})
            assert held.is_error
            assert held.meta is not None
            await asyncio.to_thread(_approve, folder)
            done = await client.call_tool("write_file", {"path": "a", "text": "xyz"})
            assert done.structured_content == {"bytes": 3}
            assert (await client.list_resources()).resources[0].uri == "note://one"
            assert (await client.read_resource("note://one")).contents[0].text == "a note"  # type: ignore[union-attr]
            assert (await client.get_prompt("review", {"code": "x"})).messages
            several = await asyncio.gather(
                *(client.call_tool("read_file", {"path": f"p{n}"}) for n in range(8))
            )
            assert [each.structured_content for each in several] == [
                {"result": f"contents of p{n}"} for n in range(8)
            ]

    with (folder / "log").open("w") as log:
        asyncio.run(asyncio.wait_for(talk(log), 3 * START_S))

    with _operations(folder) as operations:
        (task,) = operations.tasks(TaskQuery())
        names = [step.name for step in operations.steps(task.id) if step.kind == "tool"]
        assert names.count("files.read_file") == 10
        assert [effect.state for effect in operations.effects(task.id)] == [EffectState.DONE]
        assert task.state.value == "answered"
    told = (folder / "log").read_text()
    assert "\x1b" not in told
    assert "\x07" not in told
    if behind == "stdio":
        assert "starting" in told


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_several_clients_at_once_over_http_have_sessions_of_their_own(mode: Any, folder: Path) -> None:
    """Slow: five processes."""

    async def talk(log: Any) -> None:
        from mcp.client.client import Client
        from mcp.client.streamable_http import streamable_http_client

        async with _transport("http", "stdio", "", folder, log) as first:
            url = _url_of(first)

            async def one(number: int) -> None:
                async with Client(streamable_http_client(url), mode=mode) as client:
                    for turn in range(3):
                        path = f"{number}-{turn}"
                        came = await client.call_tool("read_file", {"path": path})
                        assert came.structured_content == {"result": f"contents of {path}"}

            await asyncio.gather(*(one(number) for number in range(4)))

    with (folder / "log").open("w") as log:
        asyncio.run(asyncio.wait_for(talk(log), 3 * START_S))

    with _operations(folder) as operations:
        tasks = operations.tasks(TaskQuery())
        assert len(tasks) == (4 if mode == "legacy" else 1)
        assert {task.state.value for task in tasks} == {"answered"}


def _url_of(transport: Any) -> str:
    return str(transport.args[0])
