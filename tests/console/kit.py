"""The API over real HTTP in one process: a client of the standard kind on the application itself."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from airworthy.app.afterwards import afterwards_of
from airworthy.app.build import App, assembled
from airworthy.app.console import created
from airworthy.console.api import application
from airworthy.console.parts import Parts
from airworthy.core.clock import ManualClock
from airworthy.core.ids import Ids
from airworthy.policy import Policy
from airworthy.review.people import People, PersonRule
from airworthy.store import MemoryDatabase

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
    people: list[People] = field(default_factory=lambda: [PEOPLE])
    keys: dict[str, str] = field(default_factory=dict)

    def client(self, who: str = "admin", **more: Any) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.keys[who]}"} if who else {}
        transport = httpx.ASGITransport(application(self.parts, **more), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers)

    @property
    def parts(self) -> Parts:
        app = self.app
        return Parts(
            app.database,
            self.clock,
            app.operations,
            afterwards_of(app),
            {"support": POLICY},
            lambda: self.people[0],
        )

    async def submit(self, value: Any = "hello", **about: Any) -> str:
        async with self.client("submitter") as client:
            found: Mapping[str, Any] = (
                await client.post("/api/v1/tasks", json={"agent": "support", "input": value, **about})
            ).json()
            return str(found["id"])


def api() -> Api:
    clock = ManualClock()
    made = Api(assembled(MemoryDatabase(), clock=clock, ids=Ids(random.Random(5))), clock)
    for role in ("viewer", "submitter", "reviewer", "operator", "admin"):
        made.keys[role], _ = created(made.app, PEOPLE, program=f"a-{role}", roles=[role])
    for person in PEOPLE.people:
        made.keys[person], _ = created(made.app, PEOPLE, person=person)
    return made
