"""A bounded queue, a switch that hands tasks over, people who decide, call by hand and take back, workers that die."""

import asyncio
import contextlib
import random
from collections import Counter

import pytest

from airworthy.app.by_hand import by_hand_of
from airworthy.core.errors import AirworthyError
from airworthy.core.outcome import Outcome
from airworthy.policy import AdmissionRule, ToolRule
from airworthy.review import Act, ItemQuery, Kind
from airworthy.runtime import Run, State, TaskQuery, switches
from airworthy.store import lease as leases
from airworthy.tools import EffectState, tool
from tests.runtime.kit import Bench, bench

AGENT = switches.of_agent("support")
PLACES, TASKS, ROUNDS = 2, 10, 30


class World:
    """`did`: each act with the key it came with; one that is done again under its key is the same act."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.did: Counter[tuple[str, str]] = Counter()
        self.keys: dict[tuple[str, str], set[str]] = {}
        self.running: Counter[str] = Counter()
        self.most = 0
        self.calls: set[asyncio.Task[object]] = set()
        self.made = self._made()
        self.workers: list[asyncio.Task[None]] = []

    def _made(self) -> Bench:
        async def unmail(arguments: dict[str, str], result: str, *, idempotency_key: str) -> str:
            self.note("back", arguments["to"], idempotency_key)
            return result

        @tool(effect="send", keyed=True, undo=unmail)
        async def mail(to: str, *, idempotency_key: str) -> str:
            """Sends."""
            await asyncio.sleep(self.chance.random() * 2)
            self.note("sent", to, idempotency_key)
            return f"sent to {to}"

        async def handle(run: Run) -> str:
            self.running[run.task.id] += 1
            self.most = max(self.most, len(+self.running))
            try:
                await asyncio.sleep(self.chance.random() * 3)
                return str(await run.tool("mail", to=run.text))
            finally:
                self.running[run.task.id] -= 1

        return bench(
            handle, mail, tools={"mail": ToolRule(approval="always", per_day=100, critical=False)},
            admission=AdmissionRule(concurrency=PLACES, queue_max=100),
        )  # fmt: skip

    def note(self, what: str, to: str, key: str) -> None:
        self.did[what, to] += 1
        self.keys.setdefault((what, to), set()).add(key)

    async def live(self) -> None:
        ids = [self.made.submit(str(number)) for number in range(TASKS)]
        for _ in range(ROUNDS):
            await asyncio.sleep(self.chance.random() * 5)
            # Two people at once, or one who is too late: the other is told, and nothing else happens.
            with contextlib.suppress(AirworthyError):
                self.chance.choice(
                    (self.hire, self.kill, self.switch, self.decide, self.decide, self.by_hand, self.undo)
                )(self.chance.choice(ids))
        await self.rest(ids)

    async def rest(self, ids: list[str]) -> None:
        """All go on, and people decide until nothing waits for them that they would decide."""
        self.made.app.operations.resume(AGENT)
        self.hire("")
        for _ in range(6 * TASKS):
            await asyncio.sleep(6)
            for line in self.made.app.reviews.listing(ItemQuery()):
                with contextlib.suppress(AirworthyError):
                    self._decided(line.item.id, line.seal, line.item.kind)
        await asyncio.gather(*self.calls, return_exceptions=True)
        for worker in self.workers:
            worker.cancel()
        await asyncio.gather(*self.workers, return_exceptions=True)

    def hire(self, _: str) -> None:
        if len(self.workers) < 6:
            self.workers.append(asyncio.create_task(self.made.worker(concurrency=4).run()))

    def kill(self, _: str) -> None:
        """Its calls are broken off where they are, and its claims are free at once."""
        if len(self.workers) > 1:
            number = self.made.workers - len(self.workers) + 1
            self.workers.pop(0).cancel()
            self.made.app.database.write_now(lambda tx: leases.leave(tx, f"wkr_{number}"))

    def switch(self, _: str) -> None:
        if self.chance.random() < 0.5:
            manual = self.chance.random() < 0.6
            self.made.app.operations.pause(AGENT, "dana", "", manual=manual)
        else:
            self.made.app.operations.resume(AGENT)

    def decide(self, _: str) -> None:
        lines = self.made.app.reviews.listing(ItemQuery())
        if lines:
            line = self.chance.choice(lines)
            self._decided(line.item.id, line.seal, line.item.kind)

    def _decided(self, item: str, seal: str, kind: Kind) -> None:
        queue = self.made.app.reviews
        if kind is Kind.IN_DOUBT:
            queue.settle(item, "dana", Act.HAPPENED, seen=seal, value="sent")
        elif kind is Kind.ESCALATION and self.chance.random() < 0.4:
            queue.answer(item, "dana", "done by hand", seen=seal)
        elif kind is Kind.ESCALATION or self.chance.random() < 0.7:
            queue.approve(item, "dana", seen=seal)
        else:
            queue.reject(item, "dana", seen=seal, note="no")

    def by_hand(self, task: str) -> None:
        hands = by_hand_of(self.made.app, [self.made.agent])
        to = self.made.steps(task)[0].arguments
        self.calls.add(asyncio.create_task(hands.call(task, "mail", {"to": to}, "lee")))

    def undo(self, task: str) -> None:
        for row in self.made.app.operations.effects(task):
            if row.state is EffectState.DONE:
                self.made.app.operations.undo(row.id, "dana")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
async def test_each_task_ends_once_and_nothing_is_done_twice_or_past_a_bound(seed: int) -> None:
    world = World(seed)

    await world.live()

    made = world.made
    for task in made.app.operations.tasks(TaskQuery(limit=100)):
        outcomes = [step for step in made.steps(task.id) if step.kind == "outcome"]
        assert task.outcome in (Outcome.ANSWERED, Outcome.ESCALATED), (task.state, task.waiting_for)
        assert outcomes
        states = [row.state for row in made.app.operations.effects(task.id)]
        assert EffectState.STARTED not in states, "begun, and on no list"
        assert states.count(EffectState.DONE) + states.count(EffectState.UNDONE) <= 2
    assert all(len(keys) == 1 for keys in world.keys.values()), world.keys
    assert world.most <= PLACES
    for what, to in world.did:
        assert what == "sent" or ("sent", to) in world.did, "taken back without having been done"
    assert made.app.database.read_now(lambda tx: tx.rows("SELECT COUNT(*) FROM waiting")) == [(0,)]
    assert made.app.operations.counts().get(State.RUNNING, 0) == 0


@pytest.mark.slow
async def test_the_worlds_are_worlds() -> None:
    """Where nothing is bounded, handed over, done by hand or taken back, nothing is proved."""
    worlds = [World(seed) for seed in range(6)]
    for world in worlds:
        await world.live()

    steps = [
        step
        for world in worlds
        for task in world.made.app.operations.tasks(TaskQuery(limit=100))
        for step in world.made.steps(task.id)
    ]
    assert any(step.by_hand for step in steps)
    assert any(what == "back" for world in worlds for what, _ in world.did)
    assert any(world.most == PLACES for world in worlds)
    assert sum(step.kind == "outcome" and step.name == "escalated" for step in steps) > 10
    assert sum(world.made.workers > len(world.workers) for world in worlds) > 2
