"""`api`: the door for people's tools and other programs: tasks, reviews, feedback, over HTTP."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.interrupts import ran, run_fast
from airworthy.cli.serving import note_others, served

if TYPE_CHECKING:
    import socket

    from airworthy.app.project import Project

app = typer.Typer(rich_markup_mode=None, add_completion=False)
LISTEN = "127.0.0.1:8091"
DRAIN_S = 10.0


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
    from airworthy.app.project import project

    with project(folder, database) as found, api_bound(found, listen, as_json=as_json) as serving:
        raise typer.Exit(run_fast(ran([serving])))


@contextlib.contextmanager
def api_bound(found: "Project", listen: str, *, as_json: bool) -> "Iterator[ApiServing]":
    """The API with its port, which is taken before anything starts."""
    from airworthy.gateway.server import address, bound

    with bound(address(listen)) as listener:
        yield ApiServing(found, listener, as_json=as_json)


class ApiServing:
    """One API from its first word to its last; `cli.interrupts.Part`."""

    def __init__(self, found: "Project", listener: "socket.socket", *, as_json: bool) -> None:
        from airworthy.app.console import parts_of, provider_of
        from airworthy.app.console_settings import door_of, load_console_settings
        from airworthy.app.people import PeopleFile
        from airworthy.console.api import application
        from airworthy.gateway.server import HttpServer, address_of

        people = PeopleFile(found.config.folder)
        settings = load_console_settings(found.config.folder)
        provider = provider_of(settings.oidc, settings.public_url or "", found.app.clock, people)
        self._parts = parts_of(found.app, found.agents, people, door_of(settings), provider=provider)
        people()  # One that cannot be read is told now, not to each caller.
        self._server: HttpServer = HttpServer(application(self._parts), DRAIN_S)
        self._listener = listener
        self._at = address_of(listener)
        self._as_json = as_json

    async def run(self) -> None:
        try:
            await served(self._server, self._listener, self._announce)
        finally:
            await self._parts.by_hand.aclose()

    def stop(self) -> None:
        show.note(f"Letting requests end for up to {DRAIN_S:g} s.")
        self._server.stop()

    def hurry(self) -> None:
        self._server.hurry()

    def _invite(self) -> None:
        """While nobody has a password, the first admin sets theirs by a link that whoever starts this reads here."""
        from airworthy.app.config import person

        link = self._parts.accounts.first_link(person())
        if link is not None:
            at = self._parts.door.public_url or self._at.url
            show.say(f"First sign-in, as {link.person}, once, within 15 minutes: {at}{link.path}")

    def _announce(self) -> None:
        if self._as_json:
            show.emit({"url": self._at.url}, line=True)
        else:
            show.say(f"API on {self._at.url}, described in {self._at.url}/openapi.json")
            self._invite()
        note_others(self._at)
