"""`mcp`: the tools of MCP servers as they were accepted, what has changed since, and a person's word on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.tools.mcp.pins import Pin

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Look at the tools of MCP servers; accept changes.",
)  # fmt: skip
Server = Annotated[str, typer.Option("--server", "-s", metavar="NAME", help="Only this server's.")]


@app.command(name="list")
def list_(
    *,
    agent: options.AgentFilter = "",
    server: Server = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List the tools that MCP servers have shown, and what is otherwise than it was accepted.

    A server's first list is taken as it is. A tool that is new or changed later is told as an alert. If it acts, or the
    agent is live, nobody can use it until a person has accepted it.

    \b
    Examples:
      airworthy mcp list
      airworthy mcp list --agent support --server files --json
    """
    from airworthy.app.project import stored
    from airworthy.tools.mcp import pins

    with stored(folder, database) as found:
        rows = found.database.read_now(lambda tx: pins.listing(tx, agent, server))
    if as_json:
        show.emit([_document(pin) for pin in rows])
        return
    show.table(
        ("Agent", "Server", "Tool", "State", "Accepted by", "Changed"),
        [(p.agent, p.server, p.tool, p.state, p.accepted_by or "-", show.when(p.changed_us)) for p in rows],
    )
    for pin in rows:
        if pin.state in ("new", "changed"):
            show.say()
            show.say(f"{pin.tool} is {pin.state}:")
            for line in pins.difference(pin):
                show.say(f"  {line}")


@app.command(name="accept")
def accept(
    tools: Annotated[
        list[str] | None,
        typer.Argument(metavar="TOOL...", help="Which tools; left out: all that have changed."),
    ] = None,
    *,
    agent: Annotated[
        str, typer.Option("--agent", metavar="NAME", help="Whose.", autocompletion=options.agent_names)
    ],
    server: Annotated[str, typer.Option("--server", "-s", metavar="NAME", help="Which server's.")] = "mcp",
    yes: options.Yes = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Take what a server says of its tools now as right, after a look at the difference.

    Running proxies go by it within a few minutes, or as soon as their client lists the tools.

    \b
    Examples:
      airworthy mcp accept --agent support --server files files.write_file
      airworthy mcp accept --agent support --yes
    """
    from airworthy.app.config import person
    from airworthy.app.project import stored
    from airworthy.recorder import audit
    from airworthy.recorder.audit import Entry
    from airworthy.review import Command
    from airworthy.tools.mcp import pins

    with stored(folder, database) as found:
        found.reviews.check_command(person(), Command.LET_OUT)
        chosen = tuple(tools or ())
        rows = found.database.read_now(lambda tx: pins.listing(tx, agent, server))
        for pin in rows:
            if pin.state != "accepted" and (not chosen or pin.tool in chosen) and not as_json:
                show.say(f"{pin.tool} is {pin.state}:")
                for line in pins.difference(pin):
                    show.say(f"  {line}")
        options.confirmed("Accept this?", yes=yes)
        now_us = found.clock.now_us()

        def told(taken: "list[Pin]") -> Entry:
            return Entry(
                "mcp.accept", f"{agent}/{server}", person(), detail={"tools": [pin.tool for pin in taken]}
            )

        taken = found.database.write_now(
            audit.noted(lambda tx: pins.accept(tx, agent, server, chosen, person(), now_us), told, now_us)
        )
    if as_json:
        show.emit([_document(pin) for pin in taken])
        return
    show.say(f"Accepted: {', '.join(pin.tool for pin in taken) or 'nothing, for nothing has changed'}.")


def _document(pin: "Pin") -> dict[str, Any]:
    from airworthy.tools.mcp import pins

    return {
        "agent": pin.agent, "server": pin.server, "tool": pin.tool, "state": pin.state, "digest": pin.digest,
        "seen_digest": pin.seen_digest, "policy_hash": pin.policy_hash, "accepted_by": pin.accepted_by or None,
        "first": show.iso(pin.first_us), "changed": show.iso(pin.changed_us), "difference": pins.difference(pin),
    }  # fmt: skip
