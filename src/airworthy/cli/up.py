"""`up`: worker, gateway, API and console in one process, for a working folder on one machine."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit
from airworthy.cli.interrupts import Part, ran, run_fast

if TYPE_CHECKING:
    from airworthy.app.config import Config
    from airworthy.app.gateway_config import GatewayConfig
    from airworthy.app.project import Project
    from airworthy.cli.front import FrontServing
    from airworthy.runtime import Agent

app = typer.Typer(rich_markup_mode=None, add_completion=False)

ROLES = ("worker", "gateway", "api", "console")
SERVING = frozenset({"gateway", "api", "console"})


@app.command(name="up")
def up(
    *,
    roles: Annotated[
        str | None,
        typer.Option(
            "--roles", metavar="LIST", help="What to run, of worker, gateway, api and console; default: all."
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help="Where all of them listen. Default: what gateway.toml says, or 127.0.0.1:8090.",
        ),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=10_000, metavar="N", help="Tasks under way at once.")
    ] = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Work on tasks and serve everything over HTTP, in one process on one port.

    It is a worker (`airworthy run`), the gateway, the API and the console in one; --roles names fewer of them, so that
    each may run in a process of its own on the same database. All use the working folder's airworthy.toml, its
    gateway.toml and its people.toml if there are any; calls of tasks and calls over HTTP share pace and breakers. Where
    no policy names a model, there is no gateway, unless --roles asks for it.

    Ctrl-C once, or SIGTERM, takes no new tasks and no new calls, and lets those under way end; twice ends them at once,
    and tasks go on from their record at the next start. With --json there is one line once it listens, and one for each
    run of a task that ended.

    \b
    Examples:
      airworthy up
      airworthy up --listen 127.0.0.1:0 --concurrency 4
      airworthy up --roles api,console
    """
    from airworthy.app.build import opened
    from airworthy.app.gateway import charges_of
    from airworthy.app.gateway_config import database_config, load_gateway_config
    from airworthy.app.project import Project

    wanted = _roles(roles)
    settings = load_gateway_config(folder)
    config = database_config(settings, database)
    agents = _agents(wanted, settings, config)
    if roles is None and not settings.policies and not any(agent.policy.models for agent in agents):
        wanted = [role for role in wanted if role != "gateway"]
    served = charges_of(settings, lambda: ()) if "gateway" in wanted and settings.policies else []
    with opened(config, agents, [each.policy for each in served]) as found, contextlib.ExitStack() as stack:
        project = Project(config, found, tuple(agents))
        tasks = (concurrency or config.concurrency) if "worker" in wanted else 0
        serving = None
        if SERVING & set(wanted):
            serving = stack.enter_context(_bound(project, settings, listen, wanted, as_json=as_json))
        raise typer.Exit(run_fast(_up(project, tasks, serving, as_json=as_json)))


def _agents(wanted: Sequence[str], settings: "GatewayConfig", config: "Config") -> "list[Agent]":
    """Who only serves does without; a worker, or a gateway without policies of its own, cannot."""
    from airworthy.app.project import agents_if_any, agents_of

    if "worker" in wanted or ("gateway" in wanted and not settings.policies):
        return agents_of(config)
    return agents_if_any(config)


@contextlib.contextmanager
def _bound(
    project: "Project", settings: "GatewayConfig", listen: str | None, roles: Sequence[str], *, as_json: bool
) -> "Iterator[FrontServing]":
    """With its port, which is taken before anything starts."""
    from airworthy.app.gateway import charges_of, check_charges
    from airworthy.cli.front import FrontServing, Wanted
    from airworthy.gateway.server import address, bound

    at = address(listen or settings.listen)
    charges = charges_of(settings, lambda: project.agents) if "gateway" in roles else []
    check_charges(project.app, charges)
    # Of an agent that is served and worked for, the worker tells what there is to tell.
    warned = "worker" in roles and not settings.policies
    with bound(at) as listener:
        yield FrontServing(project, settings, Wanted(roles, charges, warned), listener, as_json=as_json)


async def _up(project: "Project", tasks: int, serving: "FrontServing | None", *, as_json: bool) -> Exit:
    """`tasks`: how many at once; 0: no worker."""
    from airworthy.app.build import this_process
    from airworthy.app.places import shared_places
    from airworthy.cli.foreground import Working

    app = project.app
    async with contextlib.AsyncExitStack() as stack:
        places = await stack.enter_async_context(
            shared_places(app.database, app.clock, this_process(app.clock))
        )
        parts: list[Part] = [Working(project, places, tasks, as_json=as_json)] if tasks else []
        if serving is not None:
            await stack.enter_async_context(serving.opened(places))
            parts.append(serving)
        end = await ran(parts)
    show.note("Stopped.")
    return end


def _roles(text: str | None) -> Sequence[str]:
    wanted = list(ROLES) if text is None else [part.strip() for part in text.split(",") if part.strip()]
    for role in wanted:
        if role not in ROLES:
            raise typer.BadParameter(f"{role!r} is none of {', '.join(ROLES)}.", param_hint="--roles")
    if not wanted:
        raise typer.BadParameter(f"Name one or more of {', '.join(ROLES)}.", param_hint="--roles")
    return wanted
