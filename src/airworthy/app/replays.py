"""Replays and forks of the tasks of those agents whose code is in this process."""

from collections.abc import Sequence

from airworthy.app.build import App
from airworthy.runtime import Agent
from airworthy.runtime.engines import engine_of
from airworthy.runtime.forking import Forks
from airworthy.runtime.replaying import Replays


def replays_of(app: App, agents: Sequence[Agent]) -> Replays:
    return Replays(app.database, app.payloads, {agent.name: agent for agent in agents})


def forks_of(app: App, agents: Sequence[Agent]) -> Forks:
    engine = engine_of(app.database, app.engine)
    known = {agent.name: agent for agent in agents}
    return Forks(app.database, app.clock, app.ids, app.payloads, known, engine)
