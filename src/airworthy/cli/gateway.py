"""`gateway`: the door to the models, for everything that speaks HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.interrupts import run_fast

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="gateway")
def gateway(
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            dir_okay=False,
            help="Its settings; left out: gateway.toml of the working folder, if there is one.",
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help="Where to listen; port 0 takes any free one. Default: 127.0.0.1:8090.",
        ),
    ] = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Serve models over HTTP, within the policies.

    It speaks the protocols of OpenAI and Anthropic.

    It serves the policies that gateway.toml names, or else the agents of airworthy.toml. Callers need a key: see
    `airworthy key create`. Only this machine can reach it unless --listen or the settings name another address.

    Ctrl-C once, or SIGTERM, lets calls under way end and takes no new ones; twice ends them too. With --json there is
    one line once it listens.

    \b
    Examples:
      airworthy gateway
      airworthy gateway --config gateway.toml --listen 127.0.0.1:0
    """
    from airworthy.app.build import opened
    from airworthy.app.gateway import charges_of, check_charges
    from airworthy.app.gateway_config import database_config, load_gateway_config
    from airworthy.app.project import Project, agents_of
    from airworthy.cli.front import FrontServing, Wanted, alone
    from airworthy.gateway.server import address, bound

    settings = load_gateway_config(folder, config)
    at = address(listen or settings.listen)
    store = database_config(settings, database)
    charges = charges_of(settings, lambda: agents_of(store))
    with opened(store, policies=[charge.policy for charge in charges]) as found:
        check_charges(found, charges)
        project = Project(store, found, ())
        with bound(at) as listener:
            serving = FrontServing(project, settings, Wanted({"gateway"}, charges), listener, as_json=as_json)
            end = run_fast(alone(serving))
    show.note("Stopped.")
    raise typer.Exit(end)
