"""One resource, many tasks: they take turns, none waits for ever, and nobody writes over what it has not seen."""

import asyncio
from dataclasses import dataclass, field

import pytest

from airworthy.core.halt import Stop
from airworthy.core.outcome import ReasonCode
from airworthy.policy import Limits, ToolRule
from airworthy.store import lease as leases
from airworthy.tools import EffectState, ResourceChanged, Tool, tool
from airworthy.tools.resource import release_all
from tests.tools.kit import Kit, kit

WIDE = Limits(steps=200, tool_calls=200, seconds=600.0, identical_calls=50, no_progress=100, off_track=100)


@dataclass
class Shelf:
    """Counts per name; a read or a write takes a while, so that two at once would show."""

    counts: dict[str, int] = field(default_factory=dict)
    inside: dict[str, set[str]] = field(default_factory=dict)
    together: list[tuple[str, ...]] = field(default_factory=list)

    async def turn(self, name: str, who: str) -> None:
        here = self.inside.setdefault(name, set())
        here.add(who)
        if len(here) > 1:
            self.together.append((name, *sorted(here)))
        await asyncio.sleep(1)
        here.discard(who)


def tools(shelf: Shelf) -> tuple[Tool, Tool]:
    @tool(resource="shelf:{name}")
    async def look(name: str, who: str) -> int:
        """Looks."""
        await shelf.turn(name, who)
        return shelf.counts.get(name, 0)

    @tool(effect="write", resource="shelf:{name}")
    async def put(name: str, count: int, who: str) -> int:
        """Puts."""
        await shelf.turn(name, who)
        shelf.counts[name] = count
        return count

    return look, put


def ended(k: Kit, task: str) -> None:
    """As the runtime does when the task is parked or closed."""
    k.database.write_now(lambda tx: release_all(tx, task))


async def test_twenty_tasks_that_read_and_write_one_number_lose_no_update() -> None:
    shelf = Shelf()
    look, put = tools(shelf)
    k = kit(look, put, limits=WIDE)

    async def one(task: str) -> None:
        run = k.run(task)
        seen = await k.call(run, look, name="a", who=task)
        await k.call(run, put, name="a", count=seen + 1, who=task)
        ended(k, task)

    await asyncio.gather(*(one(f"tsk_{number:02}") for number in range(20)))

    assert shelf.counts == {"a": 20}
    assert shelf.together == []


async def test_two_tasks_that_want_each_others_resource_both_come_to_their_end() -> None:
    shelf = Shelf()
    look, put = tools(shelf)
    k = kit(look, put, limits=WIDE)

    async def one(task: str, names: str) -> str:
        run = k.run(task)
        for name in names:
            await k.call(run, look, name=name, who=task)
        ended(k, task)
        return task

    done = await asyncio.wait_for(asyncio.gather(one("tsk_1", "ab"), one("tsk_2", "ba")), 60)

    assert list(done) == ["tsk_1", "tsk_2"]
    assert shelf.together == []


async def test_who_gave_way_and_finds_the_resource_changed_must_look_again() -> None:
    shelf = Shelf()
    look, put = tools(shelf)
    k = kit(look, put, limits=WIDE)
    refused: list[str] = []

    async def older() -> None:
        run = k.run("tsk_1")
        await k.call(run, look, name="a", who="older")
        await asyncio.sleep(3)
        await k.call(run, put, name="b", count=100, who="older")
        ended(k, "tsk_1")

    async def younger() -> None:
        run = k.run("tsk_2")
        seen = await k.call(run, look, name="b", who="younger")
        await k.call(run, look, name="a", who="younger")
        try:
            await k.call(run, put, name="b", count=seen + 1, who="younger")
        except ResourceChanged as error:
            refused.append(str(error))
            seen = await k.call(run, look, name="b", who="younger")
            await k.call(run, put, name="b", count=seen + 1, who="younger")
        ended(k, "tsk_2")

    await asyncio.wait_for(asyncio.gather(older(), younger()), 60)

    assert shelf.counts["b"] == 101
    assert len(refused) == 1
    assert "Read it again" in refused[0]
    assert shelf.together == []


async def test_a_resource_under_a_parallel_act_of_the_task_is_not_given_away() -> None:
    """The younger task writes `b` while another of its calls waits for `a`, which the older one holds."""
    shelf = Shelf()
    look, put = tools(shelf)
    k = kit(look, put, limits=WIDE)

    async def older() -> None:
        run = k.run("tsk_1")
        await k.call(run, look, name="a", who="older")
        await k.call(run, look, name="b", who="older")
        ended(k, "tsk_1")

    async def younger() -> None:
        run = k.run("tsk_2")
        await asyncio.gather(
            k.call(run, put, name="b", count=1, who="younger"),
            k.call(run, put, name="c", count=1, who="younger"),
            k.call(run, look, name="a", who="younger"),
        )
        ended(k, "tsk_2")

    await asyncio.wait_for(asyncio.gather(older(), younger()), 60)

    assert shelf.together == []


async def test_after_a_suspension_an_effect_on_what_others_changed_is_refused_and_its_approval_withdrawn() -> (
    None
):
    shelf = Shelf()
    look, put = tools(shelf)
    k = kit(look, put, limits=WIDE, rules={"put": ToolRule(approval="always"), "look": ToolRule()})
    run = k.run("tsk_1")
    await k.call(run, look, name="a", who="one")
    with pytest.raises(BaseException, match="a person to decide"):
        await k.call(run, put, name="a", count=1, who="one")
    ended(k, "tsk_1")
    k.database.write_now(lambda tx: tx.execute("UPDATE resources SET version = version + 1"))
    k.decide(k.effect("tsk_1").id, EffectState.APPROVED)

    for _ in range(2):
        run = k.run("tsk_1")
        await k.call(run, look, name="a", who="one")
        with pytest.raises(ResourceChanged):
            await k.call(run, put, name="a", count=1, who="one")

    assert shelf.counts == {}
    assert k.effect("tsk_1").state is EffectState.CANCELLED


async def test_after_a_suspension_in_which_nobody_changed_it_the_effect_goes_on() -> None:
    shelf = Shelf()
    look, put = tools(shelf)
    k = kit(look, put, limits=WIDE, rules={"put": ToolRule(approval="always"), "look": ToolRule()})
    run = k.run("tsk_1")
    await k.call(run, look, name="a", who="one")
    with pytest.raises(BaseException, match="a person to decide"):
        await k.call(run, put, name="a", count=1, who="one")
    ended(k, "tsk_1")
    k.decide(k.effect("tsk_1").id, EffectState.APPROVED)

    run = k.run("tsk_1")
    await k.call(run, look, name="a", who="one")

    assert await k.call(run, put, name="a", count=1, who="one") == 1


async def test_what_is_done_again_after_a_doubt_does_not_take_its_own_try_for_anothers_change() -> None:
    acts: list[int] = []

    @tool(effect="write", resource="shelf:{name}")
    async def put(name: str) -> str:
        """Puts."""
        acts.append(1)
        if len(acts) == 1:
            raise TimeoutError
        return "ok"

    look, _ = tools(Shelf())
    k = kit(look, put)
    run = k.run()
    await k.call(run, look, name="a", who="one")
    with pytest.raises(Stop) as stopped:
        await k.call(run, put, name="a")
    assert stopped.value.reason.code is ReasonCode.IN_DOUBT
    ended(k, "tsk_1")
    k.decide(k.effect().id, EffectState.APPROVED)

    run = k.run()
    await k.call(run, look, name="a", who="one")

    assert await k.call(run, put, name="a") == "ok"
    assert len(acts) == 2


async def test_waiting_for_a_resource_ends_with_the_tasks_own_time_and_says_what_for() -> None:
    look, put = tools(Shelf())
    k = kit(look, put, limits=Limits(seconds=10.0))
    await k.call(k.run("tsk_1"), look, name="a", who="one")

    with pytest.raises(Stop) as stopped:
        await k.call(k.run("tsk_2"), look, name="a", who="two")

    assert stopped.value.reason.code is ReasonCode.LIMIT_SECONDS
    assert stopped.value.reason.evidence == {"resource": "shelf:a"}


async def test_a_release_by_another_process_is_noticed() -> None:
    look, put = tools(Shelf())
    k = kit(look, put)
    await k.call(k.run("tsk_1"), look, name="a", who="one")
    waiting = asyncio.create_task(k.call(k.run("tsk_2"), look, name="a", who="two"))
    await asyncio.sleep(5)
    ended(k, "tsk_1")
    before = asyncio.get_running_loop().time()
    await waiting

    assert asyncio.get_running_loop().time() - before <= 1.3


async def test_a_worker_that_lost_its_claim_takes_no_resource() -> None:
    look, put = tools(Shelf())
    k = kit(look, put)
    frozen = k.run("tsk_1")
    k.database.write_now(lambda tx: leases.take(tx, "tsk_1", "other", k.clock.now_us()))

    with pytest.raises(Exception, match="over"):
        await k.call(frozen, look, name="a", who="one")

    assert k.database.read_now(lambda tx: tx.rows("SELECT * FROM resources")) == []
