"""A cancel that races with the send: cancelled and never sent, or sent and the cancel says so. Nothing in between."""

import asyncio
import contextlib
import random
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.core.clock import SystemClock
from airworthy.policy import Policy, ToolRule
from airworthy.store import SQLiteDatabase, migrate
from airworthy.tools import EffectState, Tool, Toolbox, TransitionRefused, tool
from airworthy.tools.resource import Resources
from tests.tools.kit import Kit, kit

TRIALS = 10_000
TOGETHER = 100  # So many at a time in one database.
REAL_TRIALS = 240
DELAY_S = 10.0
LATER = ToolRule(delay_s=DELAY_S)
STARTED, DONE, CANCELLED = EffectState.STARTED, EffectState.DONE, EffectState.CANCELLED


def mailing(sent: Counter[str], chance: random.Random, took_s: float) -> Tool:
    @tool(effect="send", keyed=True)
    async def mail(to: str, *, idempotency_key: str) -> str:
        """Sends."""
        await asyncio.sleep(chance.choice((0.0, took_s * chance.random())))
        sent[to] += 1
        await asyncio.sleep(chance.choice((0.0, took_s * chance.random())))
        return "ok"

    return mail


class Race:
    """What was heard by whoever cancelled, and what really left."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.heard: dict[str, str] = {}

    def broken(self, k: Kit, tasks: list[str]) -> list[str]:
        """The trials that broke the promise, in words."""
        found = []
        for task in tasks:
            state, times, heard = k.effect(task).state, self.sent[task], self.heard[task]
            if heard == "cancelled" and (times, state) != (0, CANCELLED):
                found.append(f"{task} was cancelled, is {state} and was sent {times} times")
            elif heard != "cancelled" and (times, state) != (1, DONE):
                found.append(f"{task}: {heard!r}, and it is {state} and was sent {times} times")
            elif heard != "cancelled" and not ("is started" in heard or "is done" in heard):
                found.append(f"{task} was sent and the cancel said {heard!r}")
        return found


async def one(k: Kit, race: Race, chance: random.Random, task: str) -> None:
    await k.call(k.run(task), "mail", to=task)
    effect = k.effect(task).id

    async def cancel() -> None:
        await asyncio.sleep(DELAY_S + chance.choice((-0.001, 0.0, 0.0, 0.0005, 0.001, 0.002, 0.003)))
        try:
            k.decide(effect, CANCELLED)
            race.heard[task] = "cancelled"
        except TransitionRefused as refused:
            race.heard[task] = refused.message

    async def work(owner: str) -> None:
        dispatcher = k.dispatcher(owner)
        await asyncio.sleep(DELAY_S + chance.choice((0.0, 0.0, 0.0005, 0.001)))
        rows = [row for row in await dispatcher.due([k.policy.agent]) if row.id == effect]
        await asyncio.sleep(chance.choice((0.0, 0.0, 0.0005)))  # Looked at, and not begun yet.
        await asyncio.gather(*(dispatcher.carry_out(row) for row in rows))

    parts = [cancel(), work("one"), work("two")]
    chance.shuffle(parts)
    await asyncio.gather(*parts)
    for row in await k.dispatcher().due([k.policy.agent]):  # Who came too early looks again.
        if row.id == effect:
            await k.dispatcher("late").carry_out(row)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
async def test_ten_thousand_cancels_against_two_workers_each_have_one_truth(seed: int) -> None:
    """So many, because the moment in which both could win is short; each seed has a tenth of them."""
    chance, race = random.Random(seed), Race()
    for batch in range(TRIALS // 10 // TOGETHER):
        k = kit(mailing(race.sent, chance, 0.002), rules={"mail": LATER})
        tasks = [f"tsk_{seed}_{batch}_{number:03}" for number in range(TOGETHER)]
        await asyncio.gather(*(one(k, race, chance, task) for task in tasks))
        assert race.broken(k, tasks) == [], f"seed {seed}, batch {batch}"
        k.database.close()

    outcomes = Counter(
        "cancelled" if heard == "cancelled" else heard.split(" is ")[1][:4] for heard in race.heard.values()
    )
    assert len(race.heard) == TRIALS // 10
    assert min(outcomes[each] for each in ("cancelled", "star", "done")) > 50, (
        f"one side always wins: {outcomes}"
    )


@contextlib.asynccontextmanager
async def on_disk(path: Path, race: Race, chance: random.Random) -> AsyncIterator[Kit]:
    database, clock = SQLiteDatabase(path), SystemClock()
    migrate(database, MIGRATIONS)
    mail = mailing(race.sent, chance, 0.004)
    policy = Policy(agent="support", purpose="races", tools={"mail": ToolRule(delay_s=0.01)})
    resources = Resources()
    box = Toolbox(policy, [mail], clock, resources=resources)
    yield Kit(database, clock, policy, box, resources)  # type: ignore[arg-type]
    database.close()


@pytest.mark.slow
@pytest.mark.process
def test_two_processes_on_one_file_agree_on_who_was_first(tmp_path: Path) -> None:
    """Real time, real locks: a worker here, whoever cancels in a process of their own."""
    chance, race = random.Random(1), Race()
    path = tmp_path / "race.db"

    async def story() -> list[str]:
        async with on_disk(path, race, chance) as k:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.tools.canceller", str(path),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
            tasks = [f"tsk_{number:03}" for number in range(REAL_TRIALS)]
            dispatcher = k.dispatcher()
            for task in tasks:
                await k.call(k.run(task), "mail", to=task)
                effect = k.effect(task).id
                await asyncio.sleep(0.01)

                async def work(
                    effect: str = effect, late_s: float = 1.0 if task == tasks[1] else 0.0
                ) -> None:
                    await asyncio.sleep(chance.random() * 0.004 + late_s)
                    for row in await dispatcher.due([k.policy.agent]):
                        if row.id == effect:
                            await dispatcher.carry_out(row)

                working = asyncio.create_task(work())
                if task == tasks[0]:
                    await working  # Once for sure, however busy the machine is.
                process.stdin.write(f"{effect}\n".encode())
                race.heard[task] = (await process.stdout.readline()).decode().strip()
                await working
                for row in await dispatcher.due([k.policy.agent]):
                    await dispatcher.carry_out(row)
            process.stdin.close()
            await process.wait()
            return race.broken(k, tasks)

    assert asyncio.run(story()) == []
    assert 0 < sum(heard == "cancelled" for heard in race.heard.values()) < REAL_TRIALS
