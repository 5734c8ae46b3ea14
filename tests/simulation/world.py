"""One world: its tasks, its people, the workers that come and go, and the story until nothing is left to do."""

import asyncio
import contextvars
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airworthy.app.build import assembled, worker
from airworthy.core.errors import AirworthyError
from airworthy.core.ids import Ids
from airworthy.runtime import Operations, State, Submission, TaskRow
from airworthy.runtime.engine import EmbeddedEngine
from airworthy.runtime.machine import OPEN
from airworthy.runtime.reviews import Reviews
from airworthy.store import Database, Fence
from airworthy.store.lease import Owner
from airworthy.tools import EffectRow, EffectState
from tests.database import migrated
from tests.simulation.mortal import (
    LIFE,
    Blow,
    Life,
    MortalDatabase,
    Plan,
    life_here,
    note_births,
)
from tests.simulation.outside import Outside
from tests.simulation.programs import BACK, Program, agents
from tests.virtual import LoopClock, VirtualLoop, run_virtual

LIVES_MAX = 60
REST_S_MAX = 600.0
LOOK_S = 0.5
REOPENED_MAX = 2
UNSENT = (EffectState.HELD, EffectState.APPROVED, EffectState.SCHEDULED)


SCRIPT: contextvars.ContextVar[int] = contextvars.ContextVar("SCRIPT", default=0)


@dataclass(frozen=True)
class Setting:
    """Everything that decides a world."""

    seed: int
    programs: tuple[Program, ...]
    blows: Mapping[int, Blow] = field(default_factory=dict)
    fault_share: float = 0.0
    workers: int = 1
    acts_of_people_s: float = 0.0  # For how long people interfere at random.
    restart_s: tuple[float, ...] = (11.0,)
    second_chance: bool = False  # What ended badly is settled or opened again, once all is over.
    people: "Callable[[World], Awaitable[None]] | None" = None  # Instead of random acts.


class World:
    """Runs one setting. Afterwards `outside`, `operations` and the notes below tell what happened."""

    def __init__(self, setting: Setting, outside: Outside | None = None) -> None:
        self.setting = setting
        self.programs = {program.number: program for program in setting.programs}
        self.outside = outside if outside is not None else Outside(setting.seed, setting.fault_share)
        self.plan = Plan(setting.blows)
        self.chance = random.Random(setting.seed)
        self.database: Database = migrated()
        self.lives: list[Life] = []
        self.workers: list[tuple[Life, Any, asyncio.Task[None]]] = []
        self.task_ids: dict[int, str] = {}
        self.heard: dict[str, Any] = {}  # By label: what the agent was told, as it stood last.
        self.epochs: dict[str, int] = {}
        self.scripts = 0  # Runs begun so far.
        self.done: dict[
            str, int
        ] = {}  # Labels whose result an agent was given, and how many runs had begun then.
        self.reopened: Counter[str] = Counter()
        self.again: Counter[str] = Counter()  # Labels a person asked for once more.
        self.violations = self.outside.violations
        self.deaths = 0

    # What tools and agents call.

    def begun(self) -> None:
        self.scripts += 1
        SCRIPT.set(self.scripts)

    def told(self, label: str, value: Any) -> None:
        """The agent got `value` for a step: from now on that is what every run must get."""
        life = LIFE.get()
        if life is None or life.dead or life.frozen:
            return
        if isinstance(value, Exception) and SCRIPT.get() <= self.done.get(label, -1):
            return  # A run that was frozen hears of its failure late; others have tried again since.
        if label in self.done and self.heard[label] != value:
            self.violations.append(f"{label} was {self.heard[label]!r} and is now {value!r}")
        if not isinstance(value, Exception):
            self.done.setdefault(label, self.scripts)
        self.heard[label] = value

    def written(self, fence: Fence) -> None:
        """A write that carried a claim is stored: nobody can have written under a newer one before."""
        newest = self.epochs.setdefault(fence.name, fence.epoch)
        if fence.epoch < newest:
            self.violations.append(f"{fence.name} was written at epoch {fence.epoch} after {newest}")
        self.epochs[fence.name] = max(newest, fence.epoch)

    def whim(self) -> int:
        """Another number in every run."""
        return SCRIPT.get()

    def task_of(self, label: str) -> int:
        return int(label[1:].partition(".")[0])

    def check_not_done(self, label: str) -> None:
        # A run that began earlier may still be at it, and a worker that was frozen begins with what it read before;
        # a replay begins later and knows better.
        if label in self.done and SCRIPT.get() > self.done[label] and not life_here().was_frozen:
            self.violations.append(f"{label} was called again although its result had been given")

    def check_intended(self, label: str, key: str | None) -> None:
        """At the very moment of an act its intent is on disk."""
        not_ = "NOT" if label.endswith(BACK) else ""
        rows = self.database.read_now(
            lambda tx: tx.rows(
                f"SELECT id, state FROM effects WHERE task_id = ? AND arguments LIKE ? AND undo_of IS {not_} NULL",
                (self.task_ids[self.task_of(label)], f'%"label":"{label.removesuffix(BACK)}"%'),
            )
        )
        if not_:  # Asked for again after it came to nothing, it is there more than once.
            rows = [row for row in rows if row[1] in ("started", "in_doubt", "done")]
        if len(rows) != 1 or rows[0][1] not in ("started", "in_doubt", "done"):
            self.violations.append(f"{label} happened without an intent on disk: {rows}")
        elif key is not None and rows[0][0] != key:
            self.violations.append(f"{label} happened under the key {key}, not {rows[0][0]}")

    # The story.

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        note_births(loop)
        self.clock = LoopClock(loop)
        self.ids = Ids(random.Random(self.setting.seed))
        app = assembled(self.database, list(agents().values()), self.clock, self.ids)
        self.operations: Operations = app.operations
        self.reviews: Reviews = app.reviews
        for program in self.setting.programs:
            accepted = self.operations.submit(
                agents()[program.flavour].policy,
                Submission({"program": program.number}, key=f"k{program.number}"),
            )
            self.task_ids[program.number] = accepted.task.id
        people = asyncio.create_task(self._people())
        try:
            await self._until_quiet()
            if self.setting.second_chance:
                self._give_second_chances()
                await self._until_quiet()
            people.cancel()
            await asyncio.gather(people, return_exceptions=True)
            # What a last decision set going comes to its end too.
            await self._until_quiet()
            await self._stop_workers()
        finally:
            people.cancel()
            await asyncio.gather(people, return_exceptions=True)
            for life in self.lives:
                await life.reap()

    async def _until_quiet(self) -> None:
        while len(self.workers) < self.setting.workers:
            self._start()
        started_s = asyncio.get_running_loop().time()
        while not self.quiet():
            if asyncio.get_running_loop().time() - started_s > REST_S_MAX:
                self.violations.append(f"the world does not come to rest: {self._open()}")
                return
            await self._look_after_workers()
            await asyncio.sleep(LOOK_S)

    async def _stop_workers(self) -> None:
        for life, each, running in self.workers:
            each.stop()
            death = asyncio.create_task(life.died.wait())
            await asyncio.wait({running, death}, return_when=asyncio.FIRST_COMPLETED)
            death.cancel()
        self.workers.clear()

    async def _look_after_workers(self) -> None:
        for entry in list(self.workers):
            life, _, running = entry
            if life.died.is_set():
                await life.reap()
                self.workers.remove(entry)
                self.deaths += 1
                await asyncio.sleep(self.chance.choice(self.setting.restart_s))
                self._start()
            elif life.struck.is_set():  # Frozen: somebody else comes to help meanwhile.
                life.struck.clear()
                self._start()
            elif running.done():
                error = running.exception()
                self.violations.append(f"a worker stopped by itself: {error!r}")
                self.workers.remove(entry)
                self._start()

    def _start(self) -> None:
        number = len(self.lives) + 1
        assert number <= LIVES_MAX, "workers die faster than they work"
        life = Life(self, self.plan, number)
        self.lives.append(life)
        token = LIFE.set(life)
        try:
            database = MortalDatabase(self.database, life, random.Random(self.setting.seed * 1009 + number))
            app = assembled(database, list(agents().values()), self.clock, self.ids)
            made = worker(
                app, list(agents().values()), concurrency=8, owner=Owner(f"wkr_{number}", "", number, "")
            )
            self.workers.append((life, made, asyncio.create_task(made.run())))
        finally:
            LIFE.reset(token)

    def quiet(self) -> bool:
        """Nothing left that could happen by itself."""
        marks = ", ".join(f"'{state}'" for state in OPEN)
        row = self.database.read_now(
            lambda tx: tx.row(
                f"SELECT (SELECT COUNT(*) FROM tasks WHERE state IN ({marks})),"
                " (SELECT COUNT(*) FROM effects WHERE state IN ('scheduled', 'started'))"
            )
        )
        return row == (0, 0) and not any(life.frozen for life in self.lives)

    def _open(self) -> list[Any]:
        return self.database.read_now(
            lambda tx: [
                *tx.rows(
                    "SELECT id, state, waiting_for, cancel_asked, pause_asked FROM tasks WHERE closed_us IS NULL"
                ),
                *tx.rows(
                    "SELECT id, tool, state, arguments FROM effects WHERE state IN ('scheduled', 'started')"
                ),
                *tx.rows("SELECT * FROM wakes"),
                *tx.rows("SELECT * FROM claims WHERE owner IS NOT NULL"),
                *tx.rows("SELECT * FROM resources WHERE holder IS NOT NULL"),
            ]
        )

    # People.

    async def _people(self) -> None:
        if self.setting.people is not None:
            await self.setting.people(self)
        until_s = asyncio.get_running_loop().time() + self.setting.acts_of_people_s
        while asyncio.get_running_loop().time() < until_s:
            await asyncio.sleep(self.chance.choice((0.05, 0.3, 0.7, 1.5)))
            self._try(self._interfere)
        while True:
            self._try(self._settle)
            await asyncio.sleep(1.0)

    def _try(self, act: Any) -> None:
        try:
            act()
        except AirworthyError:
            pass  # Somebody or something was faster; people are told so and go on.

    def _interfere(self) -> None:
        operations, chance = self.operations, self.chance
        task_id: str = chance.choice(list(self.task_ids.values()))
        match chance.choice(
            (
                "decide",
                "decide",
                "decide",
                "cancel",
                "pause",
                "resume",
                "off",
                "on",
                "unsend",
                "doubt",
                "submit",
                "wake",
                "reopen",
                "reopen",
                "doubt",
                "take back",
                "take back",
            )
        ):
            case "decide":
                self._decide_held(yes=0.7)
            case "cancel" if chance.random() < 0.3:
                self._cancel(task_id)
            case "pause":
                operations.pause_task(task_id)
            case "resume":
                if operations.task(task_id).state is State.PAUSED:
                    operations.resume_task(task_id)
            case "off":
                operations.pause("agent:plain", "pat", "a look")
            case "on":
                operations.resume("agent:plain")
            case "unsend":
                waiting = operations.outbox(UNSENT, 100)
                if waiting:
                    row = chance.choice(waiting)
                    operations.decide(row.id, EffectState.CANCELLED, "pat")
                    self._forbid(row, "its cancellation")
            case "doubt":
                self._settle_doubt()
            case "take back":
                self.take_back()
            case "wake":  # An engine may wake a task once too often.
                self._wake(operations.task(task_id))
            case "reopen" if self.reopened[task_id] < REOPENED_MAX:
                self._reopen(task_id)
            case "submit":  # The sender lost our answer and sends again.
                program = chance.choice(self.setting.programs)
                known = operations.submit(
                    agents()[program.flavour].policy,
                    Submission({"program": program.number}, key=f"k{program.number}"),
                )
                if not known.repeated or known.task.id != self.task_ids[program.number]:
                    self.violations.append(f"a repeated submission became {known.task.id}")
            case _:
                pass

    def _wake(self, task: TaskRow) -> None:
        if task.state not in (State.QUEUED, State.RUNNING):
            return
        now_us = self.clock.now_us()
        self.database.write_now(
            lambda tx: EmbeddedEngine().schedule(
                tx, task.id, agent=task.agent, priority=task.priority, due_us=now_us, now_us=now_us
            )
        )

    def _settle(self) -> None:
        operations = self.operations
        operations.resume("agent:plain")
        for task_id in self.task_ids.values():
            if operations.task(task_id).state is State.PAUSED:
                operations.resume_task(task_id)
        self._decide_held(yes=0.9)
        if self.chance.random() < 0.4:
            self.take_back()

    def _decide_held(self, yes: float) -> None:
        held = self.operations.outbox((EffectState.HELD,), 100)
        if not held:
            return
        row = self.chance.choice(held)
        approve = self.chance.random() < yes
        self.operations.decide(row.id, EffectState.APPROVED if approve else EffectState.REJECTED, "pat")
        if not approve:
            self._forbid(row, "its rejection")

    def _settle_doubt(self) -> None:
        """A person looks at the other side and says the truth, or asks for it once more when it did not happen."""
        doubtful = self.operations.outbox((EffectState.IN_DOUBT,), 100)
        if not doubtful or any(life.frozen for life in self.lives) or "freeze" in self.plan.blows.values():
            return  # A frozen worker may still act, so that nobody can know the truth yet.
        row = self.chance.choice(doubtful)
        label = label_of(row)
        happened = self.outside.effective[label] > 0
        to = EffectState.DONE if happened else self.chance.choice((EffectState.FAILED, EffectState.APPROVED))
        was = self.operations.task(row.task_id).state
        self.operations.decide(row.id, to, "pat")
        if to is EffectState.FAILED and row.undo_of is None:
            self.done.pop(label, None)
        if was is State.ESCALATED:
            self._note_reopened(row.task_id)

    def take_back(self) -> None:
        done = [row for row in self.operations.outbox((EffectState.DONE,), 1000) if row.undoable]
        if done:
            undo = self.operations.undo(self.chance.choice(done).id, "pat")
            self.outside.forbidden.pop(label_of(undo), None)  # A person changed their mind.

    def _note_reopened(self, task_id: str) -> None:
        if self.operations.task(task_id).state is State.QUEUED:
            self.reopened[task_id] += 1

    def _give_second_chances(self) -> None:
        for _ in self.operations.outbox((EffectState.IN_DOUBT,), 100):
            if self.chance.random() < 0.7:
                self._try(self._settle_doubt)
        for _ in range(3):
            self._try(self.take_back)
        for task_id in self.task_ids.values():
            if self.chance.random() < 0.7:
                self._try(partial(self._reopen, task_id))

    def _reopen(self, task_id: str) -> None:
        """A person sends a closed task back: what was done stands, what failed is tried again."""
        match self.operations.task(task_id).state:
            case State.DEAD_LETTERED:
                self.operations.requeue(task_id)
            case State.ESCALATED:
                self.operations.resume_task(task_id)
            case _:
                return
        self._note_reopened(task_id)

    def _cancel(self, task_id: str) -> None:
        self.operations.cancel(task_id, "pat")
        for row in self.operations.effects(task_id):
            if row.state in (EffectState.CANCELLED, EffectState.REJECTED) and row.undo_of is None:
                self._forbid(row, "the cancellation of its task")
        number = next(n for n, known in self.task_ids.items() if known == task_id)
        begun = {label_of(row) for row in self.operations.effects(task_id) if row.state not in UNSENT}
        for label in labels_of(self.programs[number]):
            if label not in begun:
                self.outside.forbidden.setdefault(label, "the cancellation of its task")

    def _forbid(self, row: EffectRow, why: str) -> None:
        self.outside.forbidden[label_of(row)] = why


def run_world(setting: Setting, outside: Outside | None = None) -> World:
    async def story() -> World:
        world = World(setting, outside)
        await world.run()
        return world

    return run_virtual(story(), loop=VirtualLoop(seconds_max=1e7))


def label_of(row: EffectRow) -> str:
    label = row.arguments.partition('"label":"')[2].partition('"')[0]
    return label + BACK if row.undo_of is not None else label


def labels_of(program: Program) -> list[str]:
    def walk(node: Any) -> list[str]:
        if hasattr(node, "children"):
            return list(itertools.chain.from_iterable(walk(child) for child in node.children))
        if node.kind == "increment":
            return [f"{node.label}w{attempt}" for attempt in range(12)]
        return [node.label]

    return walk(program.root)
