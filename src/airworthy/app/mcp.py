"""Puts an MCP proxy together: one server behind, clients in front, their calls in the agent's chain on one database."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from airworthy import __version__
from airworthy.app.beside import beside
from airworthy.app.build import App, readable, this_process
from airworthy.app.chores import REVIEW_EVERY_S
from airworthy.app.config import Config, environment, secret
from airworthy.app.project import agents_of, named
from airworthy.core.errors import ConfigError
from airworthy.policy import NotReadyToGoLive, Policy, ToolFact, golive_gaps, load_policy
from airworthy.resilience.egress import INTERNET_ONLY, Egress, async_transport
from airworthy.runtime.attached import Attached, Opening
from airworthy.runtime.doorman import Doorman, Duty
from airworthy.runtime.engines import engine_of
from airworthy.runtime.sessions import Park
from airworthy.store import StoreError
from airworthy.tools import Toolbox
from airworthy.tools.mcp.http_front import HttpFront
from airworthy.tools.mcp.http_link import HttpDial
from airworthy.tools.mcp.link import Dial
from airworthy.tools.mcp.own import OwnClient
from airworthy.tools.mcp.server import Channel
from airworthy.tools.mcp.session import Chain, Session
from airworthy.tools.mcp.shelf import Name, Shelf
from airworthy.tools.mcp.stdio import StdioDial

if TYPE_CHECKING:
    import httpx

CONNECT_S: Final = 10.0
WRITE_S: Final = 30.0
OURS: Final = "AIRWORTHY_"


@dataclass(frozen=True, slots=True)
class Behind:
    """The server: a command, or an address. `headers`: by name, the environment variable that holds the value."""

    name: Name
    command: tuple[str, ...] = ()
    url: str = ""
    headers: Mapping[str, str] | None = None
    internal: bool = False

    def __post_init__(self) -> None:
        if bool(self.command) == bool(self.url):
            raise ConfigError(
                "A proxy stands before one server.",
                mend="Give its command after --, or its address with --upstream.",
            )
        parts = urlsplit(self.url)
        if self.url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username):
            raise ConfigError(
                f"{self.url!r} is no address of a server.",
                mend="Write http:// or https://, host and path; a key goes into --header.",
            )
        for header, variable in (self.headers or {}).items():
            if not secret(variable):
                raise ConfigError(
                    f"The header {header} is to hold the variable {variable}, which is not set.",
                    mend="Set it.",
                )


@dataclass(slots=True)
class Proxied:
    """One client's session, with the task that its calls belong to once there was one."""

    session: Session
    close: Callable[[], Any]


def policy_of(config: Config, policy: Path | None, agent: str | None) -> tuple[Policy, tuple[ToolFact, ...]]:
    """The policy, and the facts of what the agent's code has besides. Raises: ConfigError, PolicyError."""
    if policy is not None:
        return load_policy(config.folder / policy), ()
    found = named(agents_of(config), agent)
    return found.policy, found.tool_facts


def check_live(app: App, policy: Policy, facts: Sequence[ToolFact]) -> None:
    """A live agent's tools are used only under the very policy that was approved. Raises: NotReadyToGoLive."""
    if not policy.live:
        return
    gaps = golive_gaps(policy, app.operations.approval(policy.agent), facts)
    # Which models the agent uses, and whether it uses any, is for whoever calls them.
    gaps = tuple(gap for gap in gaps if not gap.subject.startswith("models"))
    if gaps:
        raise NotReadyToGoLive(policy.agent, gaps)


class Proxy:
    """One per process, for one agent and one server. Made by `opened`."""

    def __init__(
        self, app: App, policy: Policy, behind: Behind, tell: Callable[[str], None], task: str
    ) -> None:
        self._app = app
        self._policy = policy
        self._behind = behind
        self._tell = tell
        self._task = task
        self.box = Toolbox(policy, (), app.clock)
        self.shelf = Shelf(self.box, app.database, app.clock, behind.name, tell)
        self._dial = _dial(app, policy, behind, tell)
        self.own = OwnClient(self._dial, self.shelf, __version__, tell)
        duty = Duty(this_process(app.clock, "mcp", "mcp-proxy"), behind.name.server, self.own)
        engine = engine_of(app.database, app.engine)
        self.doorman = Doorman(app.database, app.clock, app.ids, app.payloads, self.box, duty, engine)
        self.doorman.presence.readable = readable(app)

    def session(self, general: Channel) -> Proxied:
        held: list[Attached] = []

        async def begin(about: Mapping[str, Any]) -> Chain:
            task, self._task = self._task, ""  # The first session goes on with it.
            made = await (self.doorman.resumed(task) if task else self.doorman.opened(self._opening(about)))
            held.append(made)
            return made

        session = Session(self.shelf, self._dial, begin, general, self._tell)

        async def close() -> None:
            session.give_up()
            for each in held:
                became = await each.end()
                self.doorman.forget(each)
                if isinstance(became, Park):
                    self._tell(
                        f"Session {each.task.id} waits for {became.waiting_for}: --task {each.task.id}"
                    )
            await session.close()

        return Proxied(session, close)

    def front(self, host: str) -> HttpFront:
        return HttpFront(self.session, self._app.ids, _hosts(host), self._tell)

    def _opening(self, about: Mapping[str, Any]) -> Opening:
        server = self._behind.name.server
        return Opening(self._policy, {"mcp": {"server": server, **about}}, source="mcp")


@contextlib.asynccontextmanager
async def opened(
    app: App, policy: Policy, behind: Behind, tell: Callable[[str], None], *, task: str = ""
) -> AsyncIterator[Proxy]:
    """With its lease and its watch beside it; on leaving, every session is parked or closed. Raises: StoreError."""
    if task:
        app.operations.task(task)
    proxy = Proxy(app, policy, behind, tell, task)
    await proxy.doorman.join()
    try:
        async with beside(proxy.doorman.run, partial(_keep_reviews, app, policy)):
            yield proxy
    finally:
        await proxy.doorman.leave()
        await proxy.own.close()
        await proxy.box.aclose()
    if proxy.doorman.broken is not None:
        raise proxy.doorman.broken


async def _keep_reviews(app: App, policy: Policy) -> None:
    """Whom held calls of sessions are for, and until when, stands in the policy, which no worker here may have."""
    queue = app.reviews.with_policy(policy)
    while True:
        with contextlib.suppress(StoreError):  # The doorman meets it as well, and ends the sessions.
            await queue.keep(app.clock.now_us())
        await asyncio.sleep(REVIEW_EVERY_S)


def _dial(app: App, policy: Policy, behind: Behind, tell: Callable[[str], None]) -> Dial:
    if behind.command:
        return StdioDial(behind.command, _environment(policy, app.database.dialect), tell)
    return HttpDial(behind.url, lambda: _client(behind), app.clock, tell)


def _client(behind: Behind) -> "httpx.AsyncClient":
    import httpx

    headers = {name: secret(variable) for name, variable in (behind.headers or {}).items()}
    egress = Egress(internal=True) if behind.internal else INTERNET_ONLY
    return httpx.AsyncClient(
        transport=async_transport(egress),
        headers={"user-agent": f"airworthy/{__version__}", **headers},
        # A stream may be silent for as long as its server likes; a call's own time is the policy's.
        timeout=httpx.Timeout(CONNECT_S, read=None, write=WRITE_S),
        follow_redirects=False,
        trust_env=False,
    )


def _environment(policy: Policy, dialect: str) -> dict[str, str]:
    """The server gets what this process was given, but for what is ours: the keys to models and to the database, and
    our settings.
    """
    ours = {rule.key_variable for rule in policy.models}
    if dialect == "postgresql":
        ours |= {"PGPASSWORD", "PGPASSFILE"}
    return {
        name: value for name, value in environment().items() if name not in ours and not name.startswith(OURS)
    }


def _hosts(host: str) -> frozenset[str]:
    return frozenset({"localhost", "127.0.0.1", "::1", host.strip("[]").lower()})


async def stdio() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """This process's stdin and stdout as streams. Raises: ConfigError."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    try:
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, sys.stdout.buffer
        )
    except (ValueError, OSError) as error:
        raise ConfigError(
            f"Stdin and stdout cannot be used: {error}.",
            mend="Let an MCP client start this command; for a file, write `cat FILE | airworthy mcp-proxy ...`.",
        ) from error
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)
