"""Which tasks begin when: bounds that hold over all workers, a pace instead of failures, turns, and a full queue."""

import asyncio
import contextlib
import itertools
from collections import Counter
from functools import partial
from typing import Any

import pytest

from airworthy.app.build import worker
from airworthy.core.clock import US_PER_S
from airworthy.core.outcome import Outcome
from airworthy.policy import AdmissionRule, Policy
from airworthy.policy.kinds import Rate
from airworthy.policy.units import rate_from
from airworthy.runtime import QueueFull, Run, State, Submission, TaskQuery, tasks
from airworthy.store import Tx
from tests.runtime.kit import Bench, bench
from tests.virtual import LoopClock


def per(text: str) -> Rate:
    calls, per_s = rate_from(text)
    return Rate(calls=calls, per_s=per_s)


class Watch:
    """An agent whose tasks take a second, and what was seen of them: most at once, and when each began."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.began: list[tuple[float, str]] = []

    async def handle(self, run: Run) -> str:
        task = run.task
        scopes = ("all", f"user {task.user}", f"feature {task.feature}")
        self.began.append((asyncio.get_running_loop().time(), str(run.input)))
        for scope in scopes:
            self.now[scope] += 1
            self.most[scope] = max(self.most[scope], self.now[scope])
        try:
            await asyncio.sleep(1)
        finally:
            for scope in scopes:
                self.now[scope] -= 1
        return "done"

    @property
    def order(self) -> list[str]:
        return [name for _, name in self.began]

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.began]


def watched(**rule: Any) -> tuple[Watch, Bench]:
    watch = Watch()
    return watch, bench(watch.handle, admission=AdmissionRule(**rule))


def answered(b: Bench) -> int:
    return b.app.operations.counts().get(State.ANSWERED, 0)


async def test_no_more_are_under_way_than_the_policy_allows_over_all_workers() -> None:
    watch, b = watched(concurrency=3)
    for number in range(12):
        b.submit(f"task {number}")
    await asyncio.gather(*(b.worker().run(until_idle=True) for _ in range(3)))

    assert watch.most["all"] == 3
    assert answered(b) == 12


async def test_a_place_that_comes_free_is_taken_at_once() -> None:
    watch, b = watched(concurrency=1)
    for number in range(10):
        b.submit(f"task {number}")
    await b.work()

    assert watch.times[-1] < 9.5


@pytest.mark.parametrize(("rate", "gap_s"), [("2/s", 1.0), ("5/min", 60.0)])
async def test_what_is_beyond_the_rate_begins_as_soon_as_the_rate_lets_it(rate: str, gap_s: float) -> None:
    """Not at the next poll: the worker wakes at the very moment."""
    watch, b = watched(rate=per(rate))
    calls = per(rate).calls
    for number in range(3 * calls):
        b.submit(f"task {number}")
    await b.work()

    for earlier, later in zip(watch.times, watch.times[calls:], strict=False):
        assert gap_s <= later - earlier + 1e-6
        assert later - earlier < gap_s + 0.05
    assert answered(b) == 3 * calls


async def test_a_rate_by_the_hour_is_remembered_while_nobody_works() -> None:
    class Leaping(LoopClock):
        """Hours of looking for work cost minutes, so they are left out."""

        ahead_us = 0

        def now_us(self) -> int:
            return super().now_us() + self.ahead_us

    watch, clock = Watch(), Leaping()
    b = bench(watch.handle, clock=clock, admission=AdmissionRule(rate=per("1/h")))
    await submitted(b, "first", "second")

    async def shift() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await b.work()

    await shift()
    assert watch.order == ["first"]
    clock.ahead_us = 3580 * US_PER_S
    await shift()
    assert watch.order == ["first"]
    await shift()
    assert watch.order == ["first", "second"]
    assert watch.times[1] - watch.times[0] == pytest.approx(20.0, abs=0.05)


async def test_a_user_at_the_bound_waits_and_others_go_on() -> None:
    watch, b = watched(user_concurrency=1)
    for number in range(4):
        b.submit(f"ann {number}", user="ann")
    b.submit("bob 0", user="bob")
    await b.work()

    assert watch.most["user ann"] == 1
    assert {name: at for at, name in watch.began}["bob 0"] < 0.5
    assert answered(b) == 5


async def test_a_users_rate_is_the_users_alone() -> None:
    watch, b = watched(user_rate=per("1/min"))
    for number in range(3):
        b.submit(f"ann {number}", user="ann")
        b.submit(f"bob {number}", user="bob")
    await b.work()

    ann = [at for at, name in watch.began if name.startswith("ann")]
    assert [round(later - earlier) for earlier, later in itertools.pairwise(ann)] == [60, 60]
    assert answered(b) == 6


async def test_a_feature_at_its_bound_waits_and_others_go_on() -> None:
    watch, b = watched(feature_concurrency=2, feature_rate=per("4/min"))
    for number in range(6):
        b.submit(f"mail {number}", feature="mail", user=f"u{number}")
    for number in range(3):
        b.submit(f"chat {number}", feature="chat", user="z")
    await b.work()

    mail = [at for at, name in watch.began if name.startswith("mail")]
    assert watch.most["feature mail"] == 2
    assert mail[4] - mail[0] >= 60.0
    assert [at for at, name in watch.began if name.startswith("chat")][-1] < 5.0
    assert answered(b) == 9


async def submitted(b: Bench, *names: str, **about: Any) -> None:
    for name in names:
        b.submit(name, **about)
        await asyncio.sleep(0.001)


async def test_users_take_turns_and_each_keeps_its_order() -> None:
    watch, b = watched(concurrency=1)
    for number in range(6):
        await submitted(b, f"ann {number}", user="ann", feature="ab"[number % 2])
    await submitted(b, "bob 0", "bob 1", user="bob")
    await submitted(b, "cat 0", user="cat")
    await b.work()

    assert watch.order == [
        "ann 0", "bob 0", "cat 0", "ann 1", "bob 1", "ann 2", "ann 3", "ann 4", "ann 5",
    ]  # fmt: skip


async def test_the_higher_priority_goes_first_and_every_tenth_start_is_spared_for_the_rest() -> None:
    watch, b = watched(concurrency=1, priorities={"urgent": 5})
    urgent = [f"urgent {number}" for number in range(30)]
    await submitted(b, *urgent, feature="urgent")
    await submitted(b, "idle 0", "idle 1", feature="chores", priority=-5)
    await submitted(b, "plain 0", "plain 1")
    await b.work()

    assert watch.order[:30] == [*urgent[:9], "plain 0", *urgent[9:18], "idle 0", *urgent[18:27], "plain 1"]


async def test_the_senders_priority_goes_before_the_policys() -> None:
    _, b = watched(priorities={"mail": 7})
    said, unsaid = b.submit("a", feature="mail", priority=0), b.submit("b", feature="mail")

    assert (b.task(said).priority, b.task(unsaid).priority) == (0, 7)


async def test_a_full_queue_stores_nothing_and_says_when_to_come_back() -> None:
    _, b = watched(queue_max=3, concurrency=1)
    for number in range(3):
        b.submit(f"task {number}")

    with pytest.raises(QueueFull, match="3 tasks wait, and at most 3 may") as told:
        b.submit("one too many")
    assert told.value.retry_after_s == 60.0  # Nothing has begun of late, so nobody knows.
    assert len(b.app.operations.tasks(TaskQuery())) == 3
    await b.work()
    assert answered(b) == 3
    b.submit("now there is room")


async def test_a_place_is_promised_for_when_one_is_to_be_expected() -> None:
    _, b = watched(queue_max=5, concurrency=1)
    working = asyncio.create_task(b.worker().run())
    promised: list[float] = []
    for number in range(200):
        try:
            b.submit(f"task {number}")
        except QueueFull as told:
            promised.append(told.retry_after_s)
        await asyncio.sleep(0.25)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert len(promised) > 100
    assert all(0.9 < seconds < 1.5 for seconds in promised[50:]), promised  # One begins each second.


@pytest.mark.parametrize("rate", ["1/min", "1/h", "1/day"])
async def test_a_promise_is_never_earlier_than_the_rate_nor_later_than_an_hour(rate: str) -> None:
    _, b = watched(queue_max=1, rate=per(rate))
    b.submit("begins")
    await _for_a_while(b)
    b.submit("waits")

    with pytest.raises(QueueFull) as told:
        b.submit("one too many")
    assert 50.0 <= told.value.retry_after_s <= 3600.0


async def _for_a_while(b: Bench) -> None:
    working = asyncio.create_task(b.worker().run())
    await asyncio.sleep(2)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_one_users_queue_may_be_full_while_anothers_has_room() -> None:
    _, b = watched(user_queue_max=2)
    b.submit("1", user="ann")
    b.submit("2", user="ann", feature="mail")

    with pytest.raises(QueueFull, match="User ann has 2 tasks waiting"):
        b.submit("3", user="ann")
    b.submit("1", user="bob")


async def test_a_known_key_is_never_refused() -> None:
    _, b = watched(queue_max=1)
    first = b.submit("same", key="k")

    assert b.submit("same", key="k") == first


async def test_a_refusal_undoes_nothing_of_the_neighbours_in_one_commit() -> None:
    _, b = watched(queue_max=5)
    submit = b.app.operations.submit_in_loop
    answers = await asyncio.gather(
        *(submit(b.agent.policy, Submission(f"task {number}")) for number in range(50)),
        return_exceptions=True,
    )

    assert Counter(type(each).__name__ for each in answers) == {"Accepted": 5, "QueueFull": 45}
    assert len(b.app.operations.tasks(TaskQuery())) == 5


async def test_what_is_declined_at_the_door_takes_no_place_in_the_queue() -> None:
    watch = Watch()
    b = bench(watch.handle, admission=AdmissionRule(queue_max=1), input={"bytes_max": 20})
    b.submit("short")

    assert b.task(b.submit("much too long for this agent")).outcome is Outcome.DECLINED


async def test_who_waits_for_a_time_holds_no_place_and_goes_on_before_new_ones() -> None:
    order: list[str] = []

    async def handle(run: Run) -> None:
        if run.input == "sleeper":
            order.append("sleeper begins")
            await run.sleep(30)
        order.append(str(run.input))
        await asyncio.sleep(1)

    b = bench(handle, admission=AdmissionRule(concurrency=1))
    b.submit("sleeper")
    await asyncio.sleep(0.01)
    for number in range(60):
        b.submit(f"task {number}", user=f"u{number}")
    await b.work()

    assert order[:2] == ["sleeper begins", "task 0"]
    assert 28 <= order.index("sleeper") <= 33
    assert answered(b) == 61


async def test_a_task_that_comes_back_counts_against_no_rate_and_is_not_refused() -> None:
    async def handle(run: Run) -> str:
        await run.sleep(5)
        return "done"

    b = bench(handle, admission=AdmissionRule(rate=per("1/h"), queue_max=1))
    first = b.submit("first")
    working = asyncio.create_task(b.worker().run())
    await asyncio.sleep(1)
    b.submit("second")
    await asyncio.sleep(10)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert b.task(first).outcome is Outcome.ANSWERED


async def test_a_paused_agents_queue_stands_still_and_a_cancelled_task_leaves_it() -> None:
    watch, b = watched(concurrency=1)
    ids = [b.submit(f"task {number}") for number in range(4)]
    b.app.operations.pause("agent:support", "pat", "a look")
    working = asyncio.create_task(b.worker().run())
    await asyncio.sleep(5)
    assert watch.began == []
    b.app.operations.cancel(ids[0], "pat")
    b.app.operations.pause_task(ids[1])
    assert {row[0] for row in rows(b, "waiting")} == set(ids[2:])
    b.app.operations.resume("agent:support")
    await asyncio.sleep(5)
    assert watch.order == ["task 2", "task 3"]
    b.app.operations.resume_task(ids[1])
    await asyncio.sleep(5)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert watch.order == ["task 2", "task 3", "task 1"]
    assert b.app.operations.counts() == {State.ANSWERED: 3, State.CANCELLED: 1}
    assert rows(b, "waiting") == rows(b, "lanes") == rows(b, "under_way") == []


async def test_a_worker_that_stops_when_idle_does_not_wait_for_a_paused_agents_queue() -> None:
    watch, b = watched(concurrency=1)
    other = bench(watch.handle, agent="other", database=b.app.database)
    b.submit("task")
    b.app.operations.pause("agent:support", "pat", "a look")
    async with asyncio.timeout(60):
        await worker(b.app, [b.agent, other.agent], concurrency=1).run(until_idle=True)

    assert watch.began == []


async def test_a_dead_workers_places_come_free_though_its_tasks_do_not_go_on() -> None:
    watch, b = watched(concurrency=2, user_concurrency=2)
    ids = [b.submit(f"task {number}") for number in range(4)]
    working = asyncio.create_task(b.worker().run())
    await asyncio.sleep(0.5)
    for task_id in ids:
        if b.task(task_id).state is State.RUNNING:
            b.app.database.write_now(partial(tasks.update, task_id=task_id, pause_asked=1))
    working.cancel()  # Lets go of all it had, as a death does.
    await asyncio.gather(working, return_exceptions=True)
    working = asyncio.create_task(b.worker().run())
    await asyncio.sleep(10)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert b.app.operations.counts() == {State.PAUSED: 2, State.ANSWERED: 2}
    assert rows(b, "under_way") == []
    assert watch.most["all"] == 2


def rows(b: Bench, table: str) -> list[Any]:
    def read(tx: Tx) -> list[Any]:
        return tx.rows(f"SELECT * FROM {table}")

    return b.app.database.read_now(read)


async def test_a_policy_may_take_admission_up_and_drop_it_while_tasks_wait() -> None:
    watch = Watch()
    plain = bench(watch.handle)
    for number in range(40):
        plain.submit(f"old {number}")
    ruled = bench(watch.handle, database=plain.app.database, admission=AdmissionRule(concurrency=2))
    await asyncio.sleep(0.01)  # The two draw ids from one seed.
    for number in range(4):
        ruled.submit(f"new {number}")
    working = asyncio.create_task(ruled.worker().run())
    await asyncio.sleep(10)
    assert watch.most["all"] == 2
    assert 16 <= len(watch.began) <= 20
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    dropped = bench(watch.handle, database=plain.app.database)
    dropped.workers = 10
    await dropped.work()

    assert watch.most["all"] > 2
    assert answered(plain) == 44
    assert rows(plain, "waiting") == rows(plain, "lanes") == rows(plain, "under_way") == []


async def test_without_the_section_nothing_of_admission_is_written() -> None:
    watch = Watch()
    b = bench(watch.handle)
    for number in range(5):
        b.submit(f"task {number}", user="ann", priority=number)
    await b.work()

    assert answered(b) == 5
    assert [rows(b, name) for name in ("queues", "lanes", "waiting", "under_way", "starts")] == [[]] * 5


def test_bounds_that_contradict_each_other_are_told() -> None:
    with pytest.raises(ValueError, match="can never be reached with concurrency = 2"):
        AdmissionRule(concurrency=2, user_concurrency=3)
    with pytest.raises(ValueError, match="can never be reached with queue_max = 5"):
        AdmissionRule(queue_max=5, user_queue_max=6)
    with pytest.raises(ValueError, match="allows more"):
        AdmissionRule(rate=per("1/min"), feature_rate=per("2/min"))


def test_a_policy_without_the_section_keeps_its_hash() -> None:
    from airworthy.policy import policy_hash

    one = Policy(agent="a", purpose="b")
    assert "admission" not in one.model_dump(exclude_none=True)
    assert policy_hash(one) != policy_hash(Policy(agent="a", purpose="b", admission=AdmissionRule()))
