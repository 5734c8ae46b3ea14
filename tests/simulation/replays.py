"""Replays the tasks of a world that has come to rest, in a world where nothing outside may be touched."""

import asyncio
from typing import Any, NoReturn

from airworthy.recorder import Payloads
from airworthy.runtime.machine import OPEN
from airworthy.runtime.replayed import Replayed, Verdict
from airworthy.runtime.replaying import Replays
from airworthy.store import Database
from tests.dump import everything
from tests.simulation.mortal import LIFE, Life, Plan, note_births
from tests.simulation.programs import Choice, Group, Leaf, Program, Whim, agents
from tests.simulation.world import World
from tests.virtual import VirtualLoop, run_virtual


class Touched(BaseException):
    """Nothing may get here; a `BaseException`, so that no agent can hide it."""


class Nowhere:
    """In the place of the world outside."""

    def __init__(self) -> None:
        self.touched: list[str] = []

    def __getattr__(self, name: str) -> NoReturn:
        self.touched.append(name)
        raise Touched(name)


class Again:
    """What agents find where their world was. Chance that is not on record, as in a `Whim`, is that of the last run."""

    def __init__(self, world: World) -> None:
        self.programs = world.programs
        self.outside = Nowhere()
        self.heard: list[tuple[str, Any]] = []

    def begun(self) -> None:
        """It counts for nothing."""

    def told(self, label: str, value: Any) -> None:
        self.heard.append((label, value))

    def whim(self) -> int:
        return 0

    def check_not_done(self, label: str) -> NoReturn:
        self.outside.touched.append(f"step {label}")
        raise Touched(label)


def replayed(world: World) -> dict[int, tuple[Replayed, Again]]:
    """By the number of the program."""
    found = {}
    replays = Replays(world.database, Payloads(), agents())
    for number, task_id in world.task_ids.items():
        again = Again(world)

        async def story(task_id: str = task_id, again: Again = again) -> Replayed:
            note_births(asyncio.get_running_loop())
            life = Life(again, Plan(), 99)
            token = LIFE.set(life)
            try:
                return await replays.replay(task_id)
            finally:
                LIFE.reset(token)
                life.tasks[:] = [task for task in life.tasks if task is not asyncio.current_task()]
                await life.reap()  # What the agent left behind.

        found[number] = run_virtual(story(), loop=VirtualLoop(seconds_max=1e7)), again
    return found


def unlike(world: World) -> list[str]:
    """Empty when each closed task's record explains it."""
    before = [world.operations.steps(each) for each in world.task_ids.values()]
    stored = _everything(world.database)
    found = []
    for number, (report, again) in replayed(world).items():
        task = world.operations.task(world.task_ids[number])
        if again.outside.touched:
            found.append(f"t{number} touched {again.outside.touched}")
        if task.state in OPEN or whimsical(world.programs[number]):
            continue
        if report.verdict is not Verdict.SAME and not _only_in_another_order(world.programs[number], report):
            found.append(
                f"t{number} ({task.state}, {task.reason_code}, {world.programs[number].flavour}): {report.verdict} "
                f"{report.differs} {report.text} {report.diff}"
            )
    assert before == [world.operations.steps(each) for each in world.task_ids.values()]
    if _everything(world.database) != stored:
        found.append("a replay wrote something")
    return found


def _only_in_another_order(program: Program, report: Replayed) -> bool:
    """Such an agent answers in the order in which its branches were told; of two that were told within the same few
    milliseconds the record does not say which was the first.
    """
    if report.differs != ("answer",) or not (_parallel(program.root) or _impatient(program.root)):
        return False
    if _impatient(program.root):
        return True  # Nor whether an answer was still in time, where that was a matter of milliseconds.
    assert report.recorded is not None
    assert report.replayed is not None
    return sorted(map(repr, report.recorded.answer)) == sorted(map(repr, report.replayed.answer))


def _parallel(node: Any) -> bool:
    if isinstance(node, Group | Choice | Whim):
        return getattr(node, "how", "seq") != "seq" or any(_parallel(child) for child in node.children)
    return False


def _impatient(node: Any) -> bool:
    if isinstance(node, Leaf):
        return node.patience_s is not None
    return any(_impatient(child) for child in node.children)


def whimsical(program: Program) -> bool:
    """What such an agent did in one run is no account of what it does in the next."""

    def walk(node: Any) -> bool:
        if isinstance(node, Whim):
            return True
        return isinstance(node, Group | Choice) and any(walk(child) for child in node.children)

    return walk(program.root)


def _everything(database: Database) -> dict[str, list[Any]]:
    return {name: rows for name, rows in everything(database).items() if "texts" not in name}
