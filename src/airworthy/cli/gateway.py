"""`gateway`: the door to the models, for everything that speaks HTTP."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit
from airworthy.cli.interrupts import ran, run_fast
from airworthy.cli.serving import note_others, served

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from airworthy.app.build import App
    from airworthy.app.gateway import Charge
    from airworthy.app.gateway_config import GatewayConfig
    from airworthy.app.places import Places
    from airworthy.gateway.server import HttpServer

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
    from airworthy.app.project import agents_of
    from airworthy.gateway.server import address, bound

    settings = load_gateway_config(folder, config)
    at = address(listen or settings.listen)
    store = database_config(settings, database)
    charges = charges_of(settings, lambda: agents_of(store))
    with opened(store, policies=[charge.policy for charge in charges]) as found:
        check_charges(found, charges)
        with bound(at) as listener:
            serving = Serving(found, charges, settings, listener, as_json=as_json)
            raise typer.Exit(run_fast(_served(serving)))


async def _served(serving: "Serving") -> Exit:
    async with serving.opened():
        return await ran([serving])


class Serving:
    """One gateway from its first word to its last."""

    def __init__(
        self,
        app: "App",
        charges: "Sequence[Charge]",
        settings: "GatewayConfig",
        listener: "socket.socket",
        *,
        as_json: bool,
        warned: bool = False,
    ) -> None:
        """`warned`: what a person should know of the policies was said already."""
        from airworthy.gateway.server import address_of

        self._app = app
        self._charges = charges
        self._settings = settings
        self._listener = listener
        self._as_json = as_json
        self._warned = warned
        self._at = address_of(listener)
        self._server: HttpServer | None = None

    @contextlib.asynccontextmanager
    async def opened(self, places: "Places | None" = None) -> AsyncIterator[None]:
        """Ready to `run`. `places`: those of the process. Raises: StoreError, Unpriced."""
        from airworthy.app.gateway import gateway
        from airworthy.gateway.server import HttpServer

        local = self._at.loopback
        async with gateway(
            self._app, self._charges, self._settings, show.note, local=local, places=places
        ) as made:
            self._server = HttpServer(made, self._settings.drain_s)
            yield
        show.note("Stopped.")

    async def run(self) -> None:
        assert self._server is not None
        await served(self._server, self._listener, self._announce)

    def stop(self) -> None:
        assert self._server is not None
        show.note(f"Letting calls end for up to {self._settings.drain_s:g} s. Ctrl-C ends them now.")
        self._server.stop()

    def hurry(self) -> None:
        assert self._server is not None
        show.note("Ending the calls under way.")
        self._server.hurry()

    def _announce(self) -> None:
        from airworthy.app.gateway import cautions_of

        for caution in () if self._warned else cautions_of(self._charges):
            show.note(caution)
        agents = [charge.policy.agent for charge in self._charges]
        base = f"{self._at.reachable.url}/v1"
        if self._as_json:
            show.emit({"url": self._at.url, "base_url": base, "agents": agents}, line=True)
        else:
            show.say(f"Gateway for {', '.join(agents)} on {self._at.url}")
            show.say(f"OPENAI_BASE_URL={base} OPENAI_API_KEY=$(airworthy key create --agent {agents[0]})")
        note_others(self._at)
