"""What serves over HTTP on one port, from its first word to its last: gateway, API and console, each or all."""

import contextlib
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airworthy.cli import show
from airworthy.cli.exits import Exit
from airworthy.cli.interrupts import ran
from airworthy.cli.serving import note_others, served

if TYPE_CHECKING:
    import socket

    from airworthy.app.console import Served
    from airworthy.app.gateway import Charge
    from airworthy.app.gateway_config import GatewayConfig
    from airworthy.app.places import Places
    from airworthy.app.project import Project
    from airworthy.cli.attending import Attending
    from airworthy.console.otlp import OtlpDoor
    from airworthy.gateway.server import HttpServer


@dataclass(frozen=True, slots=True)
class Wanted:
    """`roles`: of gateway, api and console. `charges`: what the gateway serves; none without that role.

    `warned`: what a person should know of the policies was said already.
    """

    roles: Collection[str]
    charges: "Sequence[Charge]" = ()
    warned: bool = False


class FrontServing:
    """`cli.interrupts.Part`; `opened` goes around `run`."""

    def __init__(
        self,
        project: "Project",
        settings: "GatewayConfig",
        wanted: Wanted,
        listener: "socket.socket",
        *,
        as_json: bool,
    ) -> None:
        from airworthy.gateway.server import address_of

        self._project = project
        self._settings = settings
        self._wanted = wanted
        self._listener = listener
        self._at = address_of(listener)
        self._as_json = as_json
        self._server: HttpServer | None = None
        self._rest: Served | None = None
        self._traces: OtlpDoor | None = None

    @contextlib.asynccontextmanager
    async def opened(self, places: "Places | None" = None) -> AsyncIterator[None]:
        """Ready to `run`. `places`: those of the process. Raises: StoreError, Unpriced, PolicyError."""
        from airworthy.app.console import served_of
        from airworthy.app.front import Front
        from airworthy.app.gateway import gateway
        from airworthy.app.otlp import taking
        from airworthy.gateway.server import HttpServer

        async with contextlib.AsyncExitStack() as stack:
            models = rest = None
            if "gateway" in self._wanted.roles:
                models = await stack.enter_async_context(
                    gateway(
                        self._project.app, self._wanted.charges, self._settings, show.note,
                        local=self._at.loopback, places=places,
                    )
                )  # fmt: skip
            if {"api", "console"} & set(self._wanted.roles):
                app, agents, folder = self._project.app, self._project.agents, self._project.config.folder
                pages = "console" in self._wanted.roles
                self._rest = await stack.enter_async_context(served_of(app, agents, folder, pages=pages))
                rest = self._rest.application
            if "api" in self._wanted.roles:
                self._traces = taking(self._project)
                if self._traces is not None:
                    stack.push_async_callback(self._traces.aclose)
            self._server = HttpServer(Front(rest, models, self._traces), self._settings.drain_s)
            yield

    async def run(self) -> None:
        assert self._server is not None
        await served(self._server, self._listener, self._announce)

    def here(self) -> "Attending":
        """What makes a process known to the others that does nothing else."""
        from airworthy.app.build import this_process
        from airworthy.cli.attending import Attending

        # The gateway tells of itself: it has a lease of its own for the money that it lends.
        roles = ",".join(sorted(set(self._wanted.roles) - {"gateway"}))
        owner = this_process(self._project.app.clock, "srv", roles)
        return Attending(self._project, owner, monitor=False)

    def stop(self) -> None:
        assert self._server is not None
        show.note(f"Letting calls end for up to {self._settings.drain_s:g} s. Ctrl-C ends them now.")
        if self._rest is not None:
            self._rest.stop()
        if self._traces is not None:
            self._traces.stop()
        self._server.stop()

    def hurry(self) -> None:
        assert self._server is not None
        show.note("Ending the calls under way.")
        self._server.hurry()

    def _announce(self) -> None:
        from airworthy.app.gateway import cautions_of

        wanted = self._wanted
        for caution in () if wanted.warned else cautions_of(wanted.charges):
            show.note(caution)
        line: dict[str, Any] = {"url": self._at.url}
        agents = [charge.policy.agent for charge in wanted.charges]
        base = f"{self._at.reachable.url}/v1"
        if "gateway" in wanted.roles:
            line |= {"base_url": base, "agents": agents}
            self._say(f"Gateway for {', '.join(agents)} on {self._at.url}")
            self._say(f"OPENAI_BASE_URL={base} OPENAI_API_KEY=$(airworthy key create --agent {agents[0]})")
        if "api" in wanted.roles:
            self._say(f"API on {self._at.url}, described in {self._at.url}/openapi.json")
        if "console" in wanted.roles:
            line |= self._console()
        if self._as_json:
            show.emit(line, line=True)
        note_others(self._at)

    def _console(self) -> dict[str, Any]:
        """Where it is, and how the first person gets in; the link is shown here alone."""
        assert self._rest is not None
        url = self._rest.public_url or self._at.reachable.url
        self._say(f"Console on {url}")
        first = self._rest.first
        if first is None:
            return {"console": url}
        self._say(f"First sign-in, as {first.person}, once, within 15 minutes: {url}{first.path}")
        return {"console": url, "first_sign_in": f"{url}{first.path}"}

    def _say(self, text: str) -> None:
        if not self._as_json:
            show.say(text)


async def alone(serving: FrontServing) -> Exit:
    """The whole of a command that serves and does nothing else."""
    async with serving.opened():
        return await ran([serving.here(), serving])
