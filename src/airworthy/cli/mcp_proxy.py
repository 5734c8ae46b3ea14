"""`mcp-proxy`: stands before an MCP server, so that its tools are used within an agent's policy."""

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit
from airworthy.cli.interrupts import Part, ran, run_fast
from airworthy.cli.serving import served

if TYPE_CHECKING:
    import socket

    from airworthy.app.build import App
    from airworthy.app.mcp import Behind, Proxied, Proxy
    from airworthy.policy import Policy

app = typer.Typer(rich_markup_mode=None, add_completion=False)
DRAIN_S = 10.0


Command = Annotated[
    list[str] | None,
    typer.Argument(metavar="[-- COMMAND...]", help="The command that starts the server, on stdio."),
]
Upstream = Annotated[
    str | None, typer.Option("--upstream", metavar="URL", help="The server's address, in place of a command.")
]
Header = Annotated[
    list[str] | None,
    typer.Option(
        "--header", metavar="NAME=VARIABLE",
        help="A header for --upstream, whose value this environment variable holds; repeatable.",
    ),
]  # fmt: skip
Internal = Annotated[
    bool, typer.Option("--internal", help="--upstream may be inside this network, or this machine.")
]
Listen = Annotated[
    str | None,
    typer.Option(
        "--listen", metavar="HOST:PORT",
        help="Serve clients over HTTP there, on this machine alone; left out: one client, on stdin and stdout.",
    ),
]  # fmt: skip
AgentName = Annotated[
    str | None,
    typer.Option(
        "--agent", "-a", metavar="NAME", help="Whose policy holds.", autocompletion=options.agent_names
    ),
]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", "-p", metavar="FILE", help="The policy itself, for an agent without code here."),
]
ServerName = Annotated[
    str,
    typer.Option(
        "--server", "-s", metavar="NAME",
        help="What the server is called; its tools are then NAME.tool in the policy and in every record.",
    ),
]  # fmt: skip
TaskToGoOnWith = Annotated[
    str, typer.Option("--task", "-t", metavar="ID", help="Go on with a session that waits.")
]


@app.command(name="mcp-proxy")
def mcp_proxy(
    command: Command = None,
    *,
    upstream: Upstream = None,
    header: Header = None,
    internal: Internal = False,
    listen: Listen = None,
    agent: AgentName = None,
    policy: PolicyFile = None,
    server: ServerName = "",
    task: TaskToGoOnWith = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Stand before an MCP server and guard its tools.

    Put it where the client starts the server: the client talks to the proxy, and the proxy to the server. Tool calls go
    through the agent's chain of guards and are recorded as a task, one for each session. Everything else passes.

    What the policy says a tool does counts, never the server's own word. While developing, a tool that the policy does
    not name may be used and is taken for one that acts; a live agent has only the tools that its policy names.

    \b
    Examples:
      airworthy mcp-proxy --agent support -- npx some-mcp-server /srv/files
      airworthy mcp-proxy --policy support.toml --server files --listen 127.0.0.1:8765 -- files-server
      airworthy mcp-proxy --agent support --upstream https://mcp.example.com/mcp --header Authorization=MCP_TOKEN
    """
    from airworthy.app.build import opened
    from airworthy.app.config import load_config, secrets
    from airworthy.app.lookup import task_id
    from airworthy.app.mcp import Behind, check_live, policy_of
    from airworthy.tools.mcp.shelf import Name

    headers = _headers(header or ())
    behind = Behind(Name(server or "mcp", server), tuple(command or ()), upstream or "", headers, internal)
    config = load_config(folder, database=database)
    found, facts = policy_of(config, policy, agent)
    _known_name(server)
    with opened(config, policies=[found], keys=secrets(list(headers.values()))) as store:
        check_live(store, found, facts)
        chosen = task_id(store, task) if task else ""
        if listen is None:
            raise typer.Exit(run_fast(_on_stdio(store, found, behind, chosen)))
        raise typer.Exit(run_fast(_on_http(store, found, behind, (listen, chosen), as_json=as_json)))


def _headers(given: "list[str] | tuple[()]") -> dict[str, str]:
    made = {}
    for each in given:
        name, equals, variable = each.partition("=")
        if not equals or not name.strip() or not variable.strip():
            raise typer.BadParameter(f"{each!r} is not NAME=VARIABLE.", param_hint="--header")
        made[name.strip()] = variable.strip()
    return made


def _known_name(server: str) -> None:
    import re

    if server and not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", server):
        raise typer.BadParameter("Use small letters, digits, - and _.", param_hint="--server")


async def _on_stdio(store: "App", policy: "Policy", behind: "Behind", task: str) -> Exit:
    from airworthy.app.mcp import opened, stdio

    async with opened(store, policy, behind, show.note, task=task) as proxy:
        reader, writer = await stdio()
        return await ran([OnStdio(proxy, reader, writer)])


class OnStdio(Part):
    """One client, on stdin and stdout."""

    def __init__(self, proxy: "Proxy", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from airworthy.tools.mcp.stdio_front import StdioFront, Stdout

        stdout = Stdout(writer)
        self._proxied: Proxied = proxy.session(stdout)
        self._front = StdioFront(self._proxied.session, reader, stdout, show.note)
        proxy.doorman.on_broken = self._front.stop

    async def run(self) -> None:
        try:
            await self._front.run()
        finally:
            await self._proxied.close()

    def stop(self) -> None:
        self._front.stop()

    def hurry(self) -> None:
        self._closing = asyncio.ensure_future(self._proxied.session.close())


async def _on_http(
    store: "App", policy: "Policy", behind: "Behind", where: tuple[str, str], *, as_json: bool
) -> Exit:
    from airworthy.app.mcp import opened
    from airworthy.core.errors import ConfigError
    from airworthy.gateway.server import address, bound

    at = address(where[0])
    if not at.loopback:
        raise ConfigError(
            f"{at} can be reached from other machines, and this server asks nobody for a key.",
            mend="Listen on 127.0.0.1.",
        )
    async with opened(store, policy, behind, show.note, task=where[1]) as proxy:
        with bound(at) as listener:
            return await ran([OnHttp(proxy, at.host, listener, as_json=as_json)])


class OnHttp(Part):
    """Any number of clients, over HTTP."""

    def __init__(self, proxy: "Proxy", host: str, listener: "socket.socket", *, as_json: bool) -> None:
        from airworthy.gateway.server import HttpServer

        self._front = proxy.front(host)
        self._listener = listener
        self._as_json = as_json
        self._server: HttpServer = HttpServer(self._front, DRAIN_S)
        proxy.doorman.on_broken = self._server.hurry

    async def run(self) -> None:
        watching = asyncio.create_task(self._front.run())
        try:
            await served(self._server, self._listener, self._announce)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            with contextlib.suppress(asyncio.CancelledError):
                await self._front.close()

    def stop(self) -> None:
        show.note(f"Letting calls end for up to {DRAIN_S:g} s. Ctrl-C ends them now.")
        self._front.stop()
        self._server.stop()

    def hurry(self) -> None:
        self._server.hurry()

    def _announce(self) -> None:
        from airworthy.gateway.server import address_of

        url = f"{address_of(self._listener).url}/mcp"
        if self._as_json:
            show.emit({"url": url}, line=True)
        else:
            show.say(f"MCP proxy on {url}")
