"""`up`: worker, monitor, gateway, API and console in one process, or some of them on each of many machines."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit
from airworthy.cli.interrupts import Part, ran, run_fast

if TYPE_CHECKING:
    import socket

    from airworthy.app.config import Config
    from airworthy.app.gateway_config import GatewayConfig
    from airworthy.app.places import Places
    from airworthy.app.project import Project
    from airworthy.cli.attending import Attending
    from airworthy.cli.foreground import Working
    from airworthy.cli.front import FrontServing
    from airworthy.runtime import Agent

app = typer.Typer(rich_markup_mode=None, add_completion=False)

ROLES = ("api", "gateway", "worker", "monitor", "console")
SERVING = frozenset({"gateway", "api", "console"})
# How the ids of those who work on no task begin.
MONITOR, SERVER = "mon", "srv"
PROBES_DRAIN_S: Final = 1.0

Roles = Annotated[
    str | None,
    typer.Option(
        "--roles",
        metavar="LIST",
        help="What to run, of api, gateway, worker, monitor and console; default: all.",
    ),
]


@app.command(name="up")
def up(
    *,
    roles: Roles = None,
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

    It is a worker, the gateway, the API, the console, and the monitor, which looks after reviews, notices, health
    checks, events, exports and retention. --roles names fewer of them, for processes of their own, on many machines, on
    one database; somewhere there must be a monitor. All use the folder's airworthy.toml, and its gateway.toml and
    people.toml if there are any. Without a policy that names a model there is no gateway, unless --roles asks for it.

    Probes ask /livez and /readyz; workers and monitors that serve nothing answer them where --listen says.

    Ctrl-C once, or SIGTERM, takes no new tasks and no new calls, and lets those under way end. A task that is not over
    after drain_s of airworthy.toml (60 s) is handed over before its next call; calls have drain_s of gateway.toml.
    Twice ends all at once, and tasks go on from their record. With --json there is one line once it listens, and one
    for each run of a task that ended.

    \b
    Examples:
      airworthy up
      airworthy up --listen 127.0.0.1:0 --concurrency 4
      airworthy up --roles api,console
      airworthy up --roles worker --listen 0.0.0.0:8090
    """
    from airworthy.app.build import opened
    from airworthy.app.gateway import charges_of
    from airworthy.app.gateway_config import database_config, load_gateway_config
    from airworthy.app.project import Project

    wanted, settings = _roles(roles), load_gateway_config(folder)
    config = database_config(settings, database)
    agents = _agents(wanted, settings, config)
    if roles is None and not settings.policies and not any(agent.policy.models for agent in agents):
        wanted = [role for role in wanted if role != "gateway"]
    served = charges_of(settings, lambda: ()) if "gateway" in wanted and settings.policies else []
    with opened(config, agents, [each.policy for each in served]) as found:
        project = Project(config, found, tuple(agents))
        tasks = (concurrency or config.concurrency) if "worker" in wanted else 0
        with _listening(project, settings, listen, wanted, as_json=as_json) as (serving, probes):
            raise typer.Exit(run_fast(_up(project, wanted, tasks, serving, probes, as_json=as_json)))


@contextlib.contextmanager
def _listening(
    project: "Project", settings: "GatewayConfig", listen: str | None, roles: Sequence[str], *, as_json: bool
) -> "Iterator[tuple[FrontServing | None, socket.socket | None]]":
    """What is served, or else the socket for probes, where one is asked for."""
    if SERVING & set(roles):
        with _bound(project, settings, listen, roles, as_json=as_json) as serving:
            yield serving, None
    elif listen is not None:
        with _bound_for_probes(listen, as_json=as_json) as probes:
            yield None, probes
    else:
        yield None, None


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


@contextlib.contextmanager
def _bound_for_probes(listen: str, *, as_json: bool) -> "Iterator[socket.socket]":
    from airworthy.gateway.server import address, address_of, bound

    with bound(address(listen)) as listener:
        url = address_of(listener).url
        if as_json:
            show.emit({"url": url}, line=True)
        else:
            show.say(f"Probes on {url}: /livez and /readyz")
        yield listener


async def _up(
    project: "Project", roles: Sequence[str], tasks: int, serving: "FrontServing | None",
    probes: "socket.socket | None", *, as_json: bool,
) -> Exit:  # fmt: skip
    """`tasks`: how many at once; 0: no worker."""
    from airworthy.app.build import this_process
    from airworthy.app.places import shared_places

    app = project.app
    prefix = "wkr" if tasks else MONITOR if "monitor" in roles else SERVER
    async with contextlib.AsyncExitStack() as stack:
        # The gateway tells of itself: it has a lease of its own for the money that it lends.
        owner = this_process(app.clock, prefix, ",".join(role for role in roles if role != "gateway"))
        places = await stack.enter_async_context(shared_places(app.database, app.clock, owner))
        here = _here(project, places, tasks, monitor="monitor" in roles, as_json=as_json)
        parts: list[Part] = [here]
        if serving is not None:
            await stack.enter_async_context(serving.opened(places))
            parts.append(serving)
        if probes is not None:
            await stack.enter_async_context(_answering(probes, here))
        end = await ran(parts)
    show.note("Stopped.")
    return end


def _here(
    project: "Project", places: "Places", tasks: int, *, monitor: bool, as_json: bool
) -> "Working | Attending":
    """What makes this process known to the others."""
    if tasks:
        from airworthy.cli.foreground import Working

        return Working(project, places, tasks, chores=monitor, as_json=as_json)
    from airworthy.cli.attending import Attending

    return Attending(project, places.owner, monitor=monitor)


@contextlib.asynccontextmanager
async def _answering(listener: "socket.socket", here: "Working | Attending") -> AsyncIterator[None]:
    """To the end: a task that is being finished is no reason to kill the process."""
    import asyncio

    from airworthy.app.pulse import Pulse
    from airworthy.gateway.server import HttpServer

    server = HttpServer(Pulse(here.missing), PROBES_DRAIN_S)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.hurry()
        await asyncio.gather(serving, return_exceptions=True)


def _roles(text: str | None) -> Sequence[str]:
    wanted = list(ROLES) if text is None else [part.strip() for part in text.split(",") if part.strip()]
    for role in wanted:
        if role not in ROLES:
            raise typer.BadParameter(f"{role!r} is none of {', '.join(ROLES)}.", param_hint="--roles")
    if not wanted:
        raise typer.BadParameter(f"Name one or more of {', '.join(ROLES)}.", param_hint="--roles")
    return wanted
