"""The API over real HTTP in one process: a client of the standard kind on the application itself."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from airworthy.app.build import App, assembled
from airworthy.app.console import created, parts_of
from airworthy.console.api import application
from airworthy.console.door import Door
from airworthy.console.oidc import Provider
from airworthy.console.parts import Parts
from airworthy.console.passwords import Hasher
from airworthy.core.asgi import Application
from airworthy.core.clock import ManualClock
from airworthy.core.ids import Ids
from airworthy.policy import Policy
from airworthy.review.people import People, PersonRule
from airworthy.runtime import Agent, Run
from tests.database import memory

QUICK = Hasher(memory_kib=8, passes=1)  # Of the same kind, and without the wait that is its point.
POLICY = Policy(agent="support", purpose="tests of the API")
PEOPLE = People(
    people={
        "dana": PersonRule(name="Dana Smith", roles=("reviewer",)),
        "vera": PersonRule(name="Vera Look", roles=("viewer",)),
    }
)


@dataclass
class Api:
    """`people` may change while it serves. `keys`: by role, and of the people."""

    app: App
    clock: ManualClock
    agent: Agent
    people: list[People] = field(default_factory=lambda: [PEOPLE])
    keys: dict[str, str] = field(default_factory=dict)
    door: Door = field(default_factory=Door)
    provider: Provider | None = None

    def client(self, who: str = "admin", **more: Any) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.keys[who]}"} if who else {}
        transport = httpx.ASGITransport(application(self.parts, **more), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers)

    @cached_property
    def served(self) -> Application:
        """One application for many clients: to make it takes longer than to ask it."""
        return application(self.parts)

    @property
    def parts(self) -> Parts:
        return parts_of(self.app, [self.agent], lambda: self.people[0], self.door, QUICK, self.provider)

    async def submit(self, value: Any = "hello", **about: Any) -> str:
        async with self.client("submitter") as client:
            found: Mapping[str, Any] = (
                await client.post("/api/v1/tasks", json={"agent": "support", "input": value, **about})
            ).json()
            return str(found["id"])


async def _never(run: Run) -> str:
    raise AssertionError(f"the API works on no task, and {run.task.id} least of all")


def api() -> Api:
    clock = ManualClock()
    agent = Agent(POLICY)
    agent.task(_never)
    made = Api(assembled(memory(), [agent], clock=clock, ids=Ids(random.Random(5))), clock, agent)
    for role in ("viewer", "submitter", "reviewer", "operator", "admin"):
        made.keys[role], _ = created(made.app, PEOPLE, program=f"a-{role}", roles=[role])
    for person in PEOPLE.people:
        made.keys[person], _ = created(made.app, PEOPLE, person=person)
    return made
