"""`api`: the door for people's tools and other programs: tasks, reviews, feedback, over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options
from airworthy.cli.interrupts import run_fast

app = typer.Typer(rich_markup_mode=None, add_completion=False)
LISTEN = "127.0.0.1:8091"


@app.command(name="api")
def api(
    *,
    listen: Annotated[
        str,
        typer.Option("--listen", metavar="HOST:PORT", help="Where to listen; port 0 takes any free one."),
    ] = LISTEN,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Serve the HTTP API: tasks, the review queue, feedback.

    Callers need a key: see `airworthy access create`. What it offers stands in /openapi.json. Only this machine can
    reach it unless --listen names another address. It works on no task: `airworthy run` or `airworthy up` does.

    Ctrl-C once, or SIGTERM, lets requests under way end; twice ends them too. With --json there is one line once it
    listens.

    \b
    Examples:
      airworthy api
      airworthy api --listen 127.0.0.1:0 --json
    """
    from airworthy.app.gateway_config import load_gateway_config
    from airworthy.app.project import project
    from airworthy.cli.front import FrontServing, Wanted, alone
    from airworthy.gateway.server import address, bound

    with project(folder, database, agents_needed=False) as found, bound(address(listen)) as listener:
        serving = FrontServing(found, load_gateway_config(folder), Wanted({"api"}), listener, as_json=as_json)
        raise typer.Exit(run_fast(alone(serving)))
