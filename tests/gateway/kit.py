"""A gateway with a real journal and gate, and a provider that answers as written."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from airworthy.app.build import MIGRATIONS
from airworthy.core.clock import Clock
from airworthy.core.task import TaskRef
from airworthy.gateway import Gateway, ModelClient, ModelReply, ModelRequest
from airworthy.gateway.budget import spent
from airworthy.policy import ModelRule, Policy
from airworthy.recorder import Journal, Payloads, Recorded, read_steps
from airworthy.runtime.gate import RunGate
from airworthy.store import Database, migrate
from airworthy.store import lease as leases
from tests.database import memory
from tests.virtual import LoopClock

FIRST, SECOND = "sim-large-2026-11-01", "sim-small-2026-11-01"
HELLO = ({"role": "user", "content": "hello"},)
PRICED: dict[str, Any] = {
    "input_usd_per_mtok": 1.0, "output_usd_per_mtok": 4.0, "output_tokens_max": 100, "pinned": True,
}  # fmt: skip


def model(name: str = FIRST, **settings: Any) -> ModelRule:
    return ModelRule.model_validate({"name": name, **PRICED, **settings})


def completion(text: str = "hi", tokens: tuple[int, int] | None = (10, 5), **changes: Any) -> bytes:
    body: dict[str, Any] = {
        "model": FIRST,
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        **changes,
    }
    if tokens is not None:
        body["usage"] = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
    return orjson.dumps(body)


@dataclass
class Script:
    """A `ModelClient`: one entry a call, an exception is raised, the last one stays; `delay_s` before each."""

    answers: list[bytes | Exception | Callable[[], bytes]]
    delay_s: float = 0.0
    bodies: list[Any] = field(default_factory=list)

    async def complete(self, body: bytes, timeout_s: float) -> bytes:
        assert timeout_s > 0
        self.bodies.append(orjson.loads(body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(self.delay_s)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, bytes) else answer()

    async def aclose(self) -> None:
        return


def script(*answers: bytes | Exception | Callable[[], bytes], delay_s: float = 0.0) -> Script:
    return Script(list(answers), delay_s)


@dataclass
class Kit:
    database: Database
    clock: Clock
    policy: Policy
    gateway: Gateway
    runs: int = 0

    def run(self, task: str = "tsk_1", *, user: str = "", feature: str = "") -> "Run":
        """A new run of the task, which knows what is recorded."""
        self.runs += 1
        now_us = self.clock.now_us()
        fence = self.database.write_now(lambda tx: leases.take(tx, task, "worker", now_us))
        recorded = self.steps(task)
        gate = RunGate(self.policy, self.clock, b'"the input"', 0)
        gate.recall(recorded)
        ref = TaskRef(task, self.policy.agent, "0" * 32, user=user, feature=feature)
        journal = Journal(self.database, self.clock, Payloads(), ref, fence, self.runs, recorded)
        return Run(self.gateway, journal, gate)

    def steps(self, task: str = "tsk_1") -> list[Recorded]:
        return self.database.read_now(lambda tx: read_steps(tx, task))

    def spent(self, scope: str = "task:tsk_1") -> tuple[int, int]:
        return self.database.read_now(lambda tx: spent(tx, scope))

    def calls(self, scope: str) -> int:
        row = self.database.read_now(lambda tx: tx.row("SELECT calls FROM spend WHERE scope = ?", (scope,)))
        return 0 if row is None else int(row[0])


@dataclass
class Run:
    gateway: Gateway
    journal: Journal
    gate: RunGate

    async def ask(self, *messages: Mapping[str, Any], **options: Any) -> ModelReply:
        request = ModelRequest(messages or HELLO, **options)
        return await self.gateway.complete(self.journal, self.gate, request)


def kit(
    clients: Mapping[str, ModelClient] | ModelClient,
    *models: ModelRule,
    database: Database | None = None,
    clock: Clock | None = None,
    **policy: Any,
) -> Kit:
    """Call it inside a test: the clock is the running loop's."""
    database = database if database is not None else memory()
    migrate(database, MIGRATIONS)
    clock = clock if clock is not None else LoopClock()
    made = Policy(agent="support", purpose="tests of models", models=models or (model(),), **policy)
    served = clients if isinstance(clients, Mapping) else {rule.name: clients for rule in made.models}
    return Kit(database, clock, made, Gateway(made, served, clock))
