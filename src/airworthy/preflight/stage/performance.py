"""One performance: scripts as tasks on one store and one world, played until nothing is left that time would bring."""

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from airworthy.checks import Check
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import AirworthyError
from airworthy.core.ids import Ids
from airworthy.gateway import place_of
from airworthy.gateway.place import Client
from airworthy.preflight.stage.answers import Answers
from airworthy.preflight.stage.company import StageToolbox, StageWorker, next_wake_us
from airworthy.preflight.stage.loop import LoopClock, TrialLoop, agents_function
from airworthy.preflight.stage.models import Chain, Models, StageGateway
from airworthy.preflight.stage.outside import at_home
from airworthy.preflight.stage.part import Part
from airworthy.preflight.stage.people import StandInPeople, asked_until_us
from airworthy.preflight.stage.prefix import begin_with, kept
from airworthy.preflight.stage.purse import Purse
from airworthy.preflight.stage.script import Played
from airworthy.preflight.stage.stand_ins import StandIns
from airworthy.preflight.stage.told import left, played, unplayed
from airworthy.recorder import Payloads
from airworthy.review import People
from airworthy.runtime import Agent, Desk, Operations, Submission, SyncRun
from airworthy.runtime.reviews import Reviews
from airworthy.runtime.verdicts import checks_of
from airworthy.store import MemoryDatabase, Tx
from airworthy.tools import outbox

# What is delayed is tried again for a day, minute by minute; after so many rounds it is left as it is.
ROUNDS_MAX: Final = 200
REFUSED: Final = "refused_at_the_door"


@dataclass(frozen=True)
class Troupe:
    """What all trials of a stage share."""

    agent: Agent
    stand_ins: StandIns
    models: Models
    purse: Purse | None
    answers: Answers | None
    payloads: Payloads
    home: asyncio.AbstractEventLoop
    at_once: int

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        return tuple(replace(each, function=self._at_home(each)) for each in self.agent.checks)

    def _at_home(self, check: Check) -> Callable[..., Any]:
        """Checks that wait for something wait where live tools do, with the same connections, in real time."""
        function: Callable[..., Awaitable[Any]] = check.function  # type: ignore[assignment]  # as is looked at next
        if not inspect.iscoroutinefunction(function):
            return check.function
        home = self.home

        async def awaited(value: Any, context: Any) -> Any:
            return await at_home(home, lambda: function(value, context))

        return awaited

    def cast(self, loop: TrialLoop, tools: Any) -> Agent:
        """The agent with stand-ins for its tools; its own function, and what it begins, are known to the loop."""
        agent = self.agent
        made = Agent(agent.policy, tools=tools, checks=self.checks, credentials=agent.credentials)
        vars(made).update(policy_hash=agent.policy_hash, output_adapter=agent.output_adapter)
        own = agent.handler

        if agent.is_async:

            async def handle(run: Any) -> Any:
                return await agents_function(loop, own, run)

            made._handler = handle
        else:
            made._handler = lambda run: own(_waiting_inside(run, loop))
        return made


def _waiting_inside(run: SyncRun, loop: TrialLoop) -> SyncRun:
    """Its thread is at work for the loop but while a call of ours is under way."""

    def wait(call: Awaitable[Any]) -> Any:
        async def made() -> Any:
            with loop.inside():
                return await call

        return asyncio.run_coroutine_threadsafe(made(), loop).result()

    run._wait = wait  # type: ignore[method-assign]  # of this one run
    return run


class Performance:
    """Made in the preflight's thread, played in its own."""

    def __init__(
        self, troupe: Troupe, parts: Sequence[Part], arrivals_s: Sequence[float], database: MemoryDatabase,
        start_us: int, seed: int,
    ) -> None:  # fmt: skip
        self.parts = parts
        self._troupe = troupe
        self._arrivals_s = arrivals_s
        self._database = database
        self._start_us = start_us
        self._seed = seed
        self._cast: dict[str, Part] = {}
        self._refused: dict[int, Played] = {}
        self._course: asyncio.Task[None] | None = None
        self._stopped = ""
        self._crash = ""
        self.forced = False  # Its thread was broken into.

    def stop(self, why: str) -> None:
        """From its own loop; what there is is told."""
        self._stopped = why
        if self._course is not None:
            self._course.cancel()

    async def play(self, loop: TrialLoop) -> list[Played]:
        self._course = asyncio.create_task(self._played(loop))
        await asyncio.wait({self._course})
        if not self._course.cancelled() and (error := self._course.exception()) is not None:
            raise error
        found = [self._told(part, number) for number, part in enumerate(self.parts)]
        self._database.close()
        return found

    async def _played(self, loop: TrialLoop) -> None:
        clock = LoopClock(loop, self._start_us)
        ids = Ids(random.Random(self._seed))  # noqa: S311  # a repeatable trial, nothing secret
        worker, operations, reviews = self._house(loop, clock, ids)
        people = StandInPeople(operations, worker.lifecycle)
        order = sorted(range(len(self.parts)), key=lambda number: self._arrivals_s[number])
        late = [number for number in order if self._arrivals_s[number] > 0]
        for number in order[: len(order) - len(late)]:
            self._submit(number, operations)
        feeding = asyncio.create_task(self._feed(late, operations, clock, worker))
        try:
            for _ in range(ROUNDS_MAX):
                await worker.run(until_idle=True)
                for ended in worker.lost:
                    self._crash = ended
                decided = [people.decide(part) for part in self._cast.values()]  # Each is asked.
                if any(decided):
                    continue
                if not await self._later(clock, feeding, people, reviews):
                    return
            self._stopped = f"After {ROUNDS_MAX} waits it still had not come to an end."
        finally:
            feeding.cancel()

    def _house(self, loop: TrialLoop, clock: LoopClock, ids: Ids) -> tuple[StageWorker, Operations, Reviews]:
        troupe = self._troupe
        tools = troupe.stand_ins.made
        agent = troupe.cast(loop, tools)
        clients: dict[str, Client] = {
            place_of(rule): Chain(
                rule, troupe.models.of(rule, clock, self._seed), troupe.purse, troupe.answers, clock
            )
            for rule in agent.policy.models
        }
        gateway = StageGateway(agent.policy, clients, clock)
        gateway.cast = self._cast
        toolbox = StageToolbox(agent.policy, tools, clock, self._cast)
        desk = Desk(agent, gateway, toolbox, *checks_of(agent))
        worker = StageWorker(self._database, desk, clock, ids, troupe.payloads, self._cast, troupe.at_once)
        operations = Operations(self._database, clock, ids, troupe.payloads)
        reviews = Reviews(self._database, clock, troupe.payloads, People(), {agent.name: agent})
        return worker, operations, reviews

    async def _feed(
        self, order: Sequence[int], operations: Operations, clock: LoopClock, worker: StageWorker
    ) -> None:
        for number in order:
            wait_s = self._arrivals_s[number] - (clock.now_us() - self._start_us) / US_PER_S
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self._submit(number, operations)
            worker.nudge()

    def _submit(self, number: int, operations: Operations) -> None:
        part = self.parts[number]
        case = part.script.case
        policy = self._troupe.agent.policy
        submission = Submission(
            case.input, session=case.session, user=case.user, feature=case.feature, source=case.source
        )
        try:
            part.task_id = operations.submit(policy, submission).task.id
        except AirworthyError as error:
            self._refused[number] = unplayed(part, REFUSED, error.message)
            return
        self._cast[part.task_id] = part
        part.now_us = operations.clock.now_us
        prefix = part.script.prefix
        if prefix is not None and part.script.at > 0:
            steps = kept(prefix.steps, part.script.at)
            known = self._troupe.stand_ins.tools
            self._database.write_now(
                lambda tx: begin_with(tx, part, steps, known, self._troupe.payloads, policy)
            )
            for step in steps:
                if step.kind == "tool":
                    part.passed(step.name, step.arguments)

    async def _later(
        self, clock: LoopClock, feeding: "asyncio.Task[None]", people: StandInPeople, reviews: Reviews
    ) -> bool:
        """Waits for what time alone brings next; False when that is nothing."""
        names = [self._troupe.agent.name]

        def due(tx: Tx) -> list[int | None]:
            return [next_wake_us(tx), outbox.next_due_us(tx, names)]

        if people.left_one:
            await reviews.keep(clock.now_us())  # The clock of a question begins when it is on the list.
        times = [each for each in self._database.read_now(due) if each is not None]
        if not feeding.done():
            times.append(self._start_us + round(min(self._coming(), default=0.0) * US_PER_S))
        until_us = self._database.read_now(asked_until_us)
        next_us = min(times + ([] if until_us is None else [until_us]), default=None)
        if next_us is None:
            return False
        await asyncio.sleep(max(0.0, (next_us - clock.now_us()) / US_PER_S))
        if until_us is not None:
            await reviews.keep(clock.now_us())
        return bool(times) or self._database.read_now(asked_until_us) != until_us

    def _coming(self) -> list[float]:
        """When those come who have not come yet."""
        return [
            at_s
            for number, at_s in enumerate(self._arrivals_s)
            if not self.parts[number].task_id and number not in self._refused
        ]

    def _told(self, part: Part, number: int) -> Played:
        if number in self._refused:
            return self._refused[number]
        if not part.task_id:
            return unplayed(part, "hangs", self._stopped or "It never began.")
        found = self._database.read_now(lambda tx: left(tx, part.task_id))
        crash = "" if part.lost is not None or self.forced else self._crash
        return played(
            part, found, self._troupe.stand_ins.tools, crash=crash, hangs=self._stopped, forced=self.forced
        )
