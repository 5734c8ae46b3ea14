"""A working folder as commands see it: its configuration, its database, its agents. Decides nothing."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from airworthy.app.build import App, load_agents, opened
from airworthy.app.config import Config, load_config
from airworthy.app.gateway_config import database_config, load_gateway_config
from airworthy.core.errors import AirworthyError, ConfigError
from airworthy.runtime import Agent


class UnknownAgent(ConfigError):
    """No agent of the folder has this name, or the command must say which one."""

    code = "unknown_agent"


@dataclass(frozen=True, slots=True)
class Project:
    """A folder's agents and the database they share."""

    config: Config
    app: App
    agents: tuple[Agent, ...]


def stored(folder: Path, database: str | None = None) -> contextlib.AbstractContextManager[App]:
    """The database alone, for commands that need no agent's code; it must exist. Raises: NoDatabase."""
    return existing(load_config(folder, database=database))


def gateway_stored(folder: Path, database: str | None = None) -> contextlib.AbstractContextManager[App]:
    """The gateway's database, which may not be that of the tasks. Raises: NoDatabase."""
    return existing(database_config(load_gateway_config(folder), database))


def existing(config: Config, agents: Sequence[Agent] = ()) -> contextlib.AbstractContextManager[App]:
    """Looking never makes a database: a mistyped folder would look like an empty one. Raises: NoDatabase."""
    return opened(config, agents, must_exist=True)


@contextlib.contextmanager
def project(
    folder: Path, database: str | None = None, only: Sequence[str] = (), *, agents_needed: bool = True
) -> Iterator[Project]:
    """With agents: all that the configuration names, or `only` these."""
    config = load_config(folder, database=database)
    agents = agents_of(config) if agents_needed else agents_if_any(config)
    chosen = tuple(named(agents, name) for name in dict.fromkeys(only)) if only else tuple(agents)
    with opened(config, agents) as app:
        yield Project(config, app, chosen)


@contextlib.contextmanager
def stored_with_agents(folder: Path, database: str | None = None) -> Iterator[App]:
    """The database, which must exist, with the agents' code where it can be loaded. Raises: NoDatabase.

    For decisions: the code lets a changed call be checked at once, and most decisions can be taken without it.
    """
    config = load_config(folder, database=database)
    try:
        agents = agents_of(config) if config.agents else []
    except ConfigError:
        agents = []
    with existing(config, agents) as app:
        yield app


def agents_of(config: Config) -> list[Agent]:
    """Raises: ConfigError, whatever the agents' code raises while it is imported."""
    try:
        return load_agents(config)
    except AirworthyError:
        raise
    except Exception as error:  # the user's code may raise anything at all
        raise ConfigError(
            f"The agents of {config.folder.resolve()} cannot be loaded: {type(error).__name__}: {error}",
            mend="Mend the code; `airworthy --debug ...` shows where it failed.",
        ) from error


def agents_if_any(config: Config) -> list[Agent]:
    """For what serves: to record what agents elsewhere do takes no agent here. Raises: ConfigError."""
    return agents_of(config) if config.agents else []


def named(agents: Sequence[Agent], name: str | None) -> Agent:
    """The agent of this name; without a name the only one there is. Raises: UnknownAgent."""
    known = ", ".join(agent.name for agent in agents)
    if name is None:
        if len(agents) == 1:
            return agents[0]
        raise UnknownAgent(f"There are {len(agents)} agents here.", mend=f"Say which one: {known}.")
    for agent in agents:
        if agent.name == name:
            return agent
    raise UnknownAgent(f"There is no agent {name!r} here.", mend=f"Known agents: {known}.")
