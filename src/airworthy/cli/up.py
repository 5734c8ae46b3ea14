"""`up`: worker, gateway and API in one process, for a working folder on one machine."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options
from airworthy.cli.api import LISTEN as API_LISTEN
from airworthy.cli.api import api_bound
from airworthy.cli.exits import Exit
from airworthy.cli.interrupts import Part, ran, run_fast

if TYPE_CHECKING:
    from airworthy.app.gateway_config import GatewayConfig
    from airworthy.app.project import Project
    from airworthy.cli.api import ApiServing
    from airworthy.cli.gateway import Serving

app = typer.Typer(rich_markup_mode=None, add_completion=False)

ROLES = ("worker", "gateway", "api")
ROLES_DEFAULT = ("worker", "gateway")


@app.command(name="up")
def up(
    *,
    roles: Annotated[
        str, typer.Option("--roles", metavar="LIST", help="What to run, of worker, gateway and api.")
    ] = ",".join(ROLES_DEFAULT),
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen", metavar="HOST:PORT", help="Where the gateway listens; as for `airworthy gateway`."
        ),
    ] = None,
    api_listen: Annotated[
        str,
        typer.Option(
            "--api-listen", metavar="HOST:PORT", help="Where the API listens; as for `airworthy api`."
        ),
    ] = API_LISTEN,
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=10_000, metavar="N", help="Tasks under way at once.")
    ] = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Work on tasks and serve over HTTP, in one process.

    It is `airworthy run`, `airworthy gateway` and, with --roles, `airworthy api` in one. All use the working folder's
    airworthy.toml, its gateway.toml if there is one, and the same database; calls of tasks and calls over HTTP share
    pace and breakers.

    Ctrl-C once, or SIGTERM, takes no new tasks and no new calls, and lets those under way end; twice ends them at once,
    and tasks go on from their record at the next start. With --json there is one line once a server listens, and one
    for each run of a task that ended.

    \b
    Examples:
      airworthy up --listen 127.0.0.1:0 --concurrency 4
      airworthy up --roles worker,api
    """
    from airworthy.app.build import opened
    from airworthy.app.gateway import charges_of
    from airworthy.app.gateway_config import database_config, load_gateway_config
    from airworthy.app.project import Project, agents_of

    wanted = _roles(roles)
    settings = load_gateway_config(folder)
    config = database_config(settings, database)
    # A gateway with policies of its own needs no agent's code.
    agents = agents_of(config) if {"worker", "api"} & set(wanted) or not settings.policies else []
    served = charges_of(settings, lambda: ()) if "gateway" in wanted and settings.policies else []
    with opened(config, agents, [each.policy for each in served]) as found, contextlib.ExitStack() as stack:
        project = Project(config, found, tuple(agents))
        tasks = (concurrency or config.concurrency) if "worker" in wanted else 0
        serving = api = None
        if "gateway" in wanted:
            gateway = _bound(project, settings, listen, warned=bool(tasks), as_json=as_json)
            serving = stack.enter_context(gateway)
        if "api" in wanted:
            api = stack.enter_context(api_bound(project, api_listen, as_json=as_json))
        raise typer.Exit(run_fast(_up(project, tasks, serving, api, as_json=as_json)))


@contextlib.contextmanager
def _bound(
    project: "Project", settings: "GatewayConfig", listen: str | None, *, warned: bool, as_json: bool
) -> "Iterator[Serving]":
    """The gateway with its port, which is taken before anything starts."""
    from airworthy.app.gateway import charges_of, check_charges
    from airworthy.cli.gateway import Serving
    from airworthy.gateway.server import address, bound

    at = address(listen or settings.listen)
    charges = charges_of(settings, lambda: project.agents)
    check_charges(project.app, charges)
    # Of an agent that is served and worked for, the worker tells what there is to tell.
    warned = warned and not settings.policies
    with bound(at) as listener:
        yield Serving(project.app, charges, settings, listener, as_json=as_json, warned=warned)


async def _up(
    project: "Project", tasks: int, serving: "Serving | None", api: "ApiServing | None", *, as_json: bool
) -> Exit:
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
        if api is not None:
            parts.append(api)
        return await ran(parts)


def _roles(text: str) -> Sequence[str]:
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    for role in wanted:
        if role not in ROLES:
            raise typer.BadParameter(f"{role!r} is none of {', '.join(ROLES)}.", param_hint="--roles")
    if not wanted:
        raise typer.BadParameter(f"Name {' or '.join(ROLES)}.", param_hint="--roles")
    return wanted
