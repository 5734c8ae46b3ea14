"""Puts the rooms together: a database with its tables, the operations on it, and workers for agents."""

import contextlib
import importlib
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from airworthy import __version__
from airworthy.app.config import Config, person
from airworthy.app.people import load_people
from airworthy.app.witness import Witness, head_file
from airworthy.console.tables import MIGRATIONS as CONSOLE
from airworthy.core.clock import Clock, SystemClock
from airworthy.core.errors import AirworthyError, ConfigError
from airworthy.core.ids import Ids, process_nonce
from airworthy.core.origin import comes_from, origin
from airworthy.core.redact import KNOWN_CHARS_MIN, Redactor
from airworthy.gateway.tables import MIGRATIONS as GATEWAY
from airworthy.policy import Floating, Gap, NotReadyToGoLive, Policy, PolicyError, golive_gaps, pin_of
from airworthy.preflight.tables import MIGRATIONS as PREFLIGHT
from airworthy.recorder import Payloads
from airworthy.recorder.tables import MIGRATIONS as RECORDER
from airworthy.review import People
from airworthy.review.tables import MIGRATIONS as REVIEW
from airworthy.runtime import Operations
from airworthy.runtime.engines import EngineName, engine_of
from airworthy.runtime.reviews import Reviews
from airworthy.runtime.tables import MIGRATIONS as RUNTIME
from airworthy.store import (
    Database,
    PostgresDatabase,
    SQLiteDatabase,
    StoreError,
    Tx,
    check_readable,
    migrate,
)
from airworthy.store.lease import Owner, alive, process_born, this_host
from airworthy.store.migrate import missing
from airworthy.store.tables import MIGRATIONS as STORE
from airworthy.tools.credentials import Flights
from airworthy.tools.tables import MIGRATIONS as TOOLS

# Most commands start no worker, and import neither what works nor what it calls.
if TYPE_CHECKING:
    from airworthy.app.places import Places
    from airworthy.gateway.place import Client
    from airworthy.runtime import Agent, Desk, Worker
    from airworthy.tools import Toolbox
    from airworthy.tools.resource import Resources

MIGRATIONS = (*STORE, *RECORDER, *TOOLS, *GATEWAY, *REVIEW, *RUNTIME, *CONSOLE, *PREFLIGHT)


@dataclass(frozen=True, slots=True)
class App:
    """Everything that shares one database in this process."""

    database: Database
    clock: Clock
    ids: Ids
    payloads: Payloads
    operations: Operations
    reviews: Reviews
    flights: Flights = field(default_factory=Flights)
    engine: EngineName = EngineName.EMBEDDED
    folder: Path | None = None  # where people.toml may be
    head_file: Path | None = None  # how far its audit log was seen to be whole


class NoDatabase(ConfigError):
    """There is nothing to look at."""

    code = "no_database"


@contextlib.contextmanager
def opened(
    config: Config,
    agents: "Sequence[Agent]" = (),
    policies: Sequence[Policy] = (),
    keys: Sequence[str] = (),
    *,
    must_exist: bool = False,
) -> Iterator[App]:
    """The database of `config`, made and migrated if need be; closed at the end.

    `policies`: of agents without code here, whose providers' keys must not be written down either. `keys`: more of
    what must not. A people.toml that cannot be read stops only what needs to know people: see `Reviews.unread`.
    `must_exist`: nothing is made. Raises: NoDatabase then.
    """
    if must_exist and config.file_missing:
        raise _no_database(config, "There is no database")
    if origin().door == "cli" and not origin().who:
        comes_from(replace(origin(), who=person()))
    database = open_database(config)
    try:
        known = (*keys, *_password(database)) if isinstance(database, PostgresDatabase) else keys
        if must_exist and not is_made(database):
            raise _no_database(config, "There are no tables of airworthy in the database")
        people, unread = _people(config.folder)
        made = assembled(database, agents, policies=policies, people=people, keys=known)
        made = woken_by(made, EngineName(config.engine))
        made.reviews.unread = unread
        app = replace(made, folder=config.folder, head_file=head_file(config))
        try:
            yield app
        finally:
            app.flights.settle()  # A refresh token that is answered and not stored would be lost for good.
            with contextlib.suppress(StoreError):  # What went wrong inside is what must be told.
                Witness(head_file(config)).look(database, app.clock.now_us())
    finally:
        database.close()


def is_made(database: Database) -> bool:
    """Whether there are any tables of ours."""
    return len(missing(database, MIGRATIONS)) < len(MIGRATIONS)


def _no_database(config: Config, what: str) -> NoDatabase:
    return NoDatabase(
        f"{what} {config.where} yet.",
        mend="Submit a task first with `airworthy submit`, or name the working folder: -C DIR.",
    )


def _password(database: PostgresDatabase) -> tuple[str, ...]:
    """Of the server, to be taken out of what is recorded. Raises: ConfigError for one that is too short for that."""
    for value in database.secrets:
        if len(value) < KNOWN_CHARS_MIN:
            raise ConfigError(
                f"The password of {database.where} has {len(value)} characters, too few to be taken out of what is"
                " recorded.",
                mend=f"Give its user one of at least {KNOWN_CHARS_MIN}: ALTER ROLE name PASSWORD '...'",
            )
    return database.secrets


def open_database(config: Config) -> Database:
    """Whichever `config` names; nothing is migrated. Raises: StoreError and its children; ConfigError."""
    if config.database_url is not None:
        return PostgresDatabase(config.database_url)
    return SQLiteDatabase(config.database_path)


def assembled(
    database: Database,
    agents: "Sequence[Agent]" = (),
    clock: Clock | None = None,
    ids: Ids | None = None,
    *,
    policies: Sequence[Policy] = (),
    people: People | None = None,
    keys: Sequence[str] = (),
) -> App:
    """The same on any database; for tests with a clock and ids of their own."""
    clock = clock if clock is not None else database.clock(SystemClock())
    brought_up(database, clock)
    ids = ids if ids is not None else Ids()
    policies = [*(agent.policy for agent in agents), *policies]
    payloads = Payloads(Redactor((*_unwritten(policies), *keys)))
    operations = Operations(database, clock, ids, payloads)
    known = {agent.name: agent for agent in agents}
    reviews = Reviews(database, clock, payloads, people if people is not None else People(), known)
    return App(database, clock, ids, payloads, operations, reviews)


def brought_up(database: Database, clock: Clock) -> tuple[str, ...]:
    """Made, or brought to this version; answers with what was applied. Raises: StoreError, ConfigError."""
    applied = migrate(database, MIGRATIONS, at_work(clock))
    if applied and isinstance(database, PostgresDatabase):
        database.check_turns()  # Once, by whoever makes it: it takes a turn.
    return applied


def woken_by(app: App, name: EngineName) -> App:
    """The same, where that engine wakes the tasks. Raises: ConfigError when it cannot."""
    if name is app.engine:
        return app
    engine = engine_of(app.database, name)
    engine.prepare(app.database)
    operations = Operations(app.database, app.clock, app.ids, app.payloads, engine)
    return replace(app, engine=name, operations=operations, reviews=app.reviews.with_engine(engine))


def _unwritten(policies: Sequence[Policy]) -> tuple[str, ...]:
    """The keys and secrets that the policies name, as they are now."""
    if not policies:
        return ()
    from airworthy.app.credentials import secrets_of
    from airworthy.app.providers import known_keys

    rules = [rule for policy in policies for rule in policy.models]
    return (*known_keys(rules), *secrets_of(list(policies)))


def at_work(clock: Clock) -> Callable[[Tx], list[str]]:
    """Who would go on with a database that they misread."""
    return lambda tx: [
        f"{row.roles or row.id} (pid {row.pid} on {row.machine or 'unknown'}, version {row.version or 'unknown'})"
        for row in alive(tx, this_host(), clock.now_us())
    ]


def _people(folder: Path) -> tuple[People, AirworthyError | None]:
    try:
        return load_people(folder), None
    except PolicyError as error:
        return People(), error


def worker(
    app: App,
    agents: "Sequence[Agent]",
    *,
    concurrency: int,
    owner: Owner | None = None,
    places: "Places | None" = None,
    chores: bool = True,
) -> "Worker":
    """`places`: those of the process; left out, each agent has its own, with breakers that nobody else sees.
    `chores`: whether it does those too, which some worker or monitor has to.

    Raises: ConfigError when an agent cannot run as it is; NotReadyToGoLive for a live one with gaps.
    """
    from airworthy.runtime import Worker
    from airworthy.runtime.releases import noted, release_of
    from airworthy.tools.resource import Resources

    for agent in agents:
        check_live(app, agent)
        if app.folder is not None:
            noted(app.database, release_of(agent, app.folder), app.clock.now_us())
    resources = Resources()
    desks = [desk(app, agent, resources, places) for agent in agents]
    owner = replace(owner or this_process(app.clock), agents=", ".join(agent.name for agent in agents))
    made = Worker(
        app.database, desks, app.clock, app.ids, owner=owner, payloads=app.payloads, concurrency=concurrency
    )
    made.presence.readable = readable(app)
    made.engine = engine_of(app.database, app.engine)
    if chores:
        # Late: chores know half of the house, and most commands start no worker.
        from airworthy.app.chores import chores_of

        made.chores = chores_of(app, agents)
    return made


def readable(app: App) -> Callable[[Tx], None]:
    """Raises: StoreNewer, once somebody has brought the database to a shape that this version would misread."""
    return lambda tx: check_readable(tx, app.database.dialect, MIGRATIONS)


def cautions(agent: "Agent") -> list[str]:
    """What is not an error while developing, and would be one live; a person should read it at the start."""
    found = []
    for rule in agent.policy.models:
        pin = pin_of(rule.name)
        if isinstance(pin, Floating) and not rule.pinned:
            named = (
                f" Name the dated version: {pin.suggestion}." if pin.suggestion else " Name a dated version."
            )
            found.append(f"The model of {agent.name} can change unnoticed: {pin.reason}{named}")
    found += [
        f"The policy of {agent.name} has rules for {name!r}, and the code has no such tool."
        for name, rule in agent.policy.tools.items()
        if rule.server is None and name not in {tool.name for tool in agent.tools}
    ]
    found += [
        f"The policy of {agent.name} declares the dependency {name!r}, and no tool names it."
        for name in agent.policy.dependencies
        if name not in {tool.dependency for tool in agent.tools}
    ]
    return found


def check_live(app: App, agent: "Agent") -> None:
    """A live agent runs only under the very policy that was approved."""
    if agent.policy.live:
        from airworthy.gateway.prices import unpriced

        gaps = golive_gaps(
            agent.policy, app.operations.approval(agent.name), agent.tool_facts, unpriced=unpriced
        )
        gaps = (*gaps, *readiness_gaps(app, agent))
        if gaps:
            raise NotReadyToGoLive(agent.name, gaps)


def readiness_gaps(app: App, agent: "Agent") -> tuple[Gap, ...]:
    """What of the readiness checklist keeps the agent from going live; nothing where its policy goes without."""
    if not agent.policy.readiness.required or app.folder is None:
        return ()
    # Late: it knows preflights and cases, which most starts do not need.
    from airworthy.app.readiness import checklist_of
    from airworthy.preflight.readiness import gaps_of

    return gaps_of(checklist_of(app, agent, app.folder))


def desk(
    app: App, agent: "Agent", resources: "Resources | None" = None, places: "Places | None" = None
) -> "Desk":
    from airworthy.app.providers import upstream_of
    from airworthy.gateway import Gateway, place_of
    from airworthy.runtime import Desk
    from airworthy.runtime.verdicts import checks_of

    _ = agent.handler
    clients: Mapping[str, Client] | None = agent.clients
    if places is not None:
        clients = places.of(agent.policy, agent.clients)
    elif clients is None:
        clients = {place_of(rule): upstream_of(rule) for rule in agent.policy.models}
    gateway = Gateway(agent.policy, clients, app.clock)
    toolbox = toolbox_of(app, agent, agent.policy, resources, places)
    input_checks, output_checks = checks_of(agent)
    return Desk(agent, gateway, toolbox, input_checks, output_checks)


def toolbox_of(
    app: App,
    agent: "Agent",
    policy: Policy,
    resources: "Resources | None" = None,
    places: "Places | None" = None,
) -> "Toolbox":
    """`policy`: the agent's, or one for calls that somebody else makes with its tools."""
    from airworthy.app.credentials import credentials_of
    from airworthy.tools import Toolbox

    dependencies = places.dependencies if places is not None else None
    return Toolbox(
        policy, agent.tools, app.clock, resources=resources, dependencies=dependencies,
        credentials=credentials_of(agent, app),
    )  # fmt: skip


def this_process(clock: Clock, prefix: str = "wkr", roles: str = "worker") -> Owner:
    """`prefix`: which part of it, because each is given up for dead by itself. `roles`: what that part does."""
    pid = os.getpid()
    return Owner(
        f"{prefix}_{clock.now_us()}_{process_nonce()}", this_host(), pid, process_born(pid) or "", roles,
        socket.gethostname(), __version__,
    )  # fmt: skip


def load_agents(config: Config) -> "list[Agent]":
    """Imports what `airworthy.toml` names. Raises: ConfigError, with the import's own error as its cause."""
    if not config.agents:
        raise ConfigError(
            f"No agent is named in {config.folder / 'airworthy.toml'}.",
            mend='Make a working folder with `airworthy init support`, or add agents = ["agent:agent"].',
        )
    from airworthy.runtime import Agent

    folder = str(config.folder.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    found: dict[str, Agent] = {}
    for spec in config.agents:
        module_name, _, attribute = spec.partition(":")
        try:
            agent = getattr(importlib.import_module(module_name), attribute)
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"Agent {spec!r} cannot be loaded from {folder}: {error}.",
                mend="Check the module and the name.",
            ) from error
        if not isinstance(agent, Agent):
            raise ConfigError(
                f"{spec!r} is a {type(agent).__name__}, not an Agent.", mend="Name the Agent object."
            )
        if agent.name in found:
            raise ConfigError(
                f"Two agents are called {agent.name!r}.", mend="Give each policy its own agent name."
            )
        _ = agent.handler
        found[agent.name] = agent
    return list(found.values())
