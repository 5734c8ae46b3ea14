"""A toolbox with a real journal on a database in memory, in virtual time, without a worker around it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from airworthy.app.build import MIGRATIONS
from airworthy.core.redact import Redactor
from airworthy.core.task import TaskRef
from airworthy.policy import Policy, ToolRule
from airworthy.recorder import Journal, Payloads, Recorded, read_steps
from airworthy.runtime.gate import RunGate
from airworthy.store import Database, Tx, migrate
from airworthy.store import lease as leases
from airworthy.tools import EffectRow, EffectState, RunTools, Tool, Toolbox, outbox, tool
from airworthy.tools.dispatch import Dispatcher
from airworthy.tools.resource import Resources
from tests.database import memory
from tests.virtual import LoopClock


@dataclass
class Kit:
    database: Database
    clock: LoopClock
    policy: Policy
    box: Toolbox
    resources: Resources
    runs: int = 0

    def run(self, task: str = "tsk_1", seconds_used: float = 0.0, user: str = "") -> RunTools:
        """A new run of the task, after a crash, a decision or at first: it knows what is recorded."""
        self.runs += 1
        now_us = self.clock.now_us()
        fence = self.database.write_now(lambda tx: leases.take(tx, task, "worker", now_us))
        recorded = self.steps(task)
        gate = RunGate(self.policy, self.clock, b'"the input"', round(seconds_used * 1e6))
        journal = Journal(
            self.database,
            self.clock,
            Payloads(Redactor()),
            TaskRef(task, self.policy.agent, "0" * 32, user=user),
            fence,
            self.runs,
            recorded,
        )
        tools = RunTools(journal, gate)
        tools.recall(recorded)
        return tools

    async def call(self, run: RunTools, tool: Tool | str, /, **arguments: Any) -> Any:
        run.journal.enter()
        try:
            return await self.box.call(run, tool if isinstance(tool, str) else tool.name, arguments)
        finally:
            run.journal.leave()

    def steps(self, task: str = "tsk_1") -> list[Recorded]:
        return self.database.read_now(lambda tx: read_steps(tx, task))

    def effects(self, task: str = "tsk_1") -> list[EffectRow]:
        return self.database.read_now(lambda tx: outbox.of_task(tx, task))

    def effect(self, task: str = "tsk_1") -> EffectRow:
        (row,) = self.effects(task)
        return row

    def decide(
        self,
        effect_id: str,
        to: EffectState,
        note: str | None = None,
        by: str = "dana",
        result: str | None = None,
    ) -> None:
        sets: list[tuple[str, Any]] = [("decided_by", by)]
        sets += [(name, value) for name, value in (("note", note), ("result", result)) if value is not None]
        self.database.write_now(lambda tx: outbox.decide(tx, effect_id, to, sets=sets))

    def dispatcher(
        self, owner: str = "worker", may_send: Callable[[Tx, EffectRow], bool] = lambda _tx, _row: True
    ) -> Dispatcher:
        return Dispatcher(
            self.database, self.clock, {self.policy.agent: self.box}, owner, Redactor(), may_send
        )

    def restarted(self, tools: list[Tool]) -> "Kit":
        """The same database in a new process: nothing in memory is known any more."""
        box = Toolbox(self.policy, tools, self.clock)
        return Kit(self.database, self.clock, self.policy, box, Resources(), self.runs)


def kit(
    *tools: Tool,
    rules: Mapping[str, ToolRule] | None = None,
    credentials: Mapping[str, httpx.Auth] | None = None,
    **policy: Any,
) -> Kit:
    """Call it inside a test: the clock is the running loop's."""
    database = memory()
    migrate(database, MIGRATIONS)
    asyncio.get_running_loop()
    clock = LoopClock()
    made = Policy(agent="support", purpose="tests of tools", tools=dict(rules or {}), **policy)
    resources = Resources()
    box = Toolbox(made, tools, clock, resources=resources, credentials=credentials)
    return Kit(database, clock, made, box, resources)


class Script:
    """A dependency that answers as written, one entry a call; an exception is raised, the last one stays."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[float] = []

    def next(self) -> Any:
        self.calls.append(asyncio.get_running_loop().time())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def reading(script: Script) -> Tool:
    @tool
    async def look(order: str = "7") -> int:
        """Looks."""
        return script.next()  # type: ignore[no-any-return]

    return look
