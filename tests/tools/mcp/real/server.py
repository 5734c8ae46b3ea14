"""A server made with the official SDK: `python server.py stdio`, or `http`, which prints the port it listens on."""

import socket
import sys
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

server: MCPServer[Any] = MCPServer("files", instructions="Read before you write.")


@server.tool()
def read_file(path: str) -> str:
    """Reads a file."""
    return f"contents of {path}"


@server.tool()
def write_file(path: str, text: str) -> dict[str, int]:
    """Writes a file."""
    return {"bytes": len(text)}


@server.tool()
def drop_all() -> str:
    """Deletes everything."""
    raise AssertionError("nobody may call this")


@server.tool()
async def count(upto: int, ctx: Context[Any, Any]) -> int:
    """Counts, and says how far it is."""
    for number in range(upto):
        await ctx.report_progress(number + 1, upto)
    return upto


class Answer(BaseModel):
    sure: bool


@server.tool()
async def confirm(ctx: Context[Any, Any]) -> str:
    """Asks whoever sits before the client."""
    asked = await ctx.elicit("Are you sure?", Answer)
    return f"{asked.action}: {asked.data.sure if asked.action == 'accept' else None}"


@server.resource("note://one")
def note() -> str:
    """A note."""
    return "a note"


@server.prompt()
def review(code: str) -> str:
    """Reviews code."""
    return f"Please review {code}"


def main() -> None:
    if sys.argv[1] == "stdio":
        print("\x1b[31mstarting\x07", file=sys.stderr, flush=True)
        server.run("stdio")
        return
    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="critical")).run(sockets=[listener])


if __name__ == "__main__":
    main()
