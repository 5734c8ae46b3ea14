"""A process that works on no task, in the foreground: the monitor, and whatever only serves."""

from airworthy.app.build import readable
from airworthy.app.chores import chores_of
from airworthy.app.project import Project
from airworthy.cli import show
from airworthy.runtime.attending import Attendant
from airworthy.store.lease import Owner


class Attending:
    """`cli.interrupts.Part`. `monitor`: whether it does the chores; another may have them at the moment."""

    def __init__(self, project: Project, owner: Owner, *, monitor: bool) -> None:
        """Raises: PolicyError while people.toml or recorder.toml cannot be read, for a monitor."""
        app = project.app
        chores = chores_of(app, project.agents) if monitor else ()
        self._monitor = monitor
        self._attendant = Attendant(app.database, app.clock, owner, chores)
        self._attendant.presence.readable = readable(app)

    async def run(self) -> None:
        if self._monitor:
            show.note("Monitoring: reviews, notices, health checks, events, exports, retention.")
        await self._attendant.run()

    def missing(self) -> list[str]:
        return self._attendant.presence.missing()

    def stop(self) -> None:
        self._attendant.stop()

    def hurry(self) -> None:
        self._attendant.stop()
