"""Races between people and workers, one by one: each of these once left a task stuck, or a record untrue."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from airworthy.core.errors import AirworthyError
from airworthy.core.outcome import ReasonCode
from airworthy.recorder import StepState
from airworthy.runtime import State
from airworthy.store import lease as leases
from airworthy.store.lease import Owner
from airworthy.tools import EffectState
from tests.database import migrated
from tests.simulation.invariants import broken
from tests.simulation.mortal import Blow
from tests.simulation.outside import Outside
from tests.simulation.programs import Group, How, Leaf, Node, Program, Whim
from tests.simulation.world import Setting, World, run_world

MOMENT_S = 0.001
LONG_S = 0.45  # Twice in an act: longer than people and workers need to notice, shorter than its timeout.


def leaf(kind: str, number: int, counter: str = "", task: int = 1) -> Leaf:
    return Leaf(kind, f"t{task}.{number}", counter=counter)


def group(how: How, *children: Node) -> Group:
    return Group(how, children)


def lived(
    *roots: Node,
    people: Callable[[World], Awaitable[None]] | None = None,
    faults: dict[str, list[str]] | None = None,
    slow: tuple[str, ...] = (),
    blows: dict[int, Blow] | None = None,
    workers: int = 1,
    seed: int = 1,
) -> World:
    """A world whose services do exactly as told: `faults` by label and try, a long time for each `slow` label."""
    programs = tuple(Program(number, root) for number, root in enumerate(roots, start=1))
    setting = Setting(seed=seed, programs=programs, people=people, blows=blows or {}, workers=workers)
    return run_world(setting, outside=Told(seed=1, fault_share=0.0, told=faults or {}, slow=slow))


class Told(Outside):
    def __init__(
        self, seed: int, fault_share: float, told: dict[str, list[str]], slow: tuple[str, ...]
    ) -> None:
        super().__init__(seed, fault_share)
        self.told = told
        self.slow = slow

    def fault(self, label: str, faults: tuple[str, ...]) -> str:
        self.calls[label] += 1
        planned = self.told.get(label, [])
        return planned[self.calls[label] - 1] if self.calls[label] <= len(planned) else ""

    def pace_s(self, label: str, *around: float) -> float:
        return LONG_S if label in self.slow else 0.0


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(MOMENT_S)


def only_task(world: World) -> str:
    return world.task_ids[1]


def states(world: World) -> dict[str, EffectState]:
    return {row.tool: row.state for row in world.operations.effects(only_task(world))}


def step_of(world: World, tool: str) -> StepState:
    return next(step.state for step in world.operations.steps(only_task(world)) if step.name == tool)


def test_a_decision_that_comes_before_the_run_is_parked_is_not_lost() -> None:
    async def people(world: World) -> None:
        await until(lambda: states(world).get("ask_send") is EffectState.HELD)
        held = world.operations.outbox((EffectState.HELD,), 1)[0]
        world.operations.decide(held.id, EffectState.APPROVED, "pat")
        assert world.operations.task(only_task(world)).state is State.RUNNING

    world = lived(group("gather", leaf("send", 1), leaf("ask_send", 2)), people=people, slow=("t1.1",))

    assert not broken(world)
    assert world.operations.task(only_task(world)).state is State.ANSWERED
    assert world.outside.effective["t1.2"] == 1


def test_a_cancellation_that_comes_before_the_run_is_parked_is_not_lost() -> None:
    async def people(world: World) -> None:
        await until(lambda: states(world).get("ask_send") is EffectState.HELD)
        assert not world.operations.cancel(only_task(world), "pat")

    world = lived(group("gather", leaf("ask_send", 2), leaf("send", 1)), people=people, slow=("t1.1",))

    assert not broken(world)
    assert world.operations.task(only_task(world)).state is State.CANCELLED
    assert states(world)["ask_send"] is EffectState.CANCELLED


def test_a_pause_that_is_lifted_before_the_run_has_stopped_leaves_nothing_paused() -> None:
    async def people(world: World) -> None:
        await until(lambda: world.outside.calls["t1.1"] == 1)
        world.operations.pause("all", "pat", "a look")
        await asyncio.sleep(0.5)  # The worker has seen it by now and waits for the act under way.
        world.operations.resume("all")
        await asyncio.sleep(10.0)
        task = world.operations.task(only_task(world))
        if task.state is State.PAUSED:
            world.violations.append("the task stays paused, and nobody paused it")

    world = lived(group("seq", leaf("send", 1), leaf("send", 2)), people=people, slow=("t1.1",))

    assert not broken(world)
    assert world.operations.task(only_task(world)).state is State.ANSWERED


def test_an_act_under_way_is_recorded_before_its_task_is_cancelled() -> None:
    """Cancelling looks for its task every moment; only the first look may interrupt."""

    async def people(world: World) -> None:
        await until(lambda: world.outside.calls["t1.1"] == 1)
        world.operations.cancel(only_task(world), "pat")

    world = lived(group("seq", leaf("post", 1), leaf("post", 2)), people=people, slow=("t1.1",))

    assert not broken(world)
    assert world.operations.task(only_task(world)).state is State.CANCELLED
    assert states(world) == {"post": EffectState.DONE}
    assert dict(world.outside.effective) == {"t1.1": 1}


def test_what_an_agent_left_running_begins_nothing_after_its_answer() -> None:
    """Else an act could be under way when its task is closed, and nobody would be there to record its result."""
    acts = [leaf("post" if number % 2 else "uuid", number) for number in range(1, 6)]
    root = group("seq", group("stray", group("seq", *acts)), leaf("now", 9))
    for seed in range(30):
        world = lived(root, slow=("t1.1", "t1.3", "t1.5"), seed=seed)

        assert not broken(world)
        assert world.operations.task(only_task(world)).state is State.ANSWERED
        assert {row.state for row in world.operations.effects(only_task(world))} <= {EffectState.DONE}


def test_a_task_cancelled_over_a_dead_workers_act_says_that_the_act_is_in_doubt() -> None:
    async def people(world: World) -> None:
        await until(lambda: world.deaths == 1 or any(life.dead for life in world.lives))
        world.operations.cancel(only_task(world), "pat")

    undisturbed = lived(leaf("send", 1))
    after_the_act = next(
        i for i, where in enumerate(undisturbed.plan.reached) if where.startswith("after the act")
    )
    world = lived(leaf("send", 1), people=people, blows={after_the_act: "kill"})

    assert not broken(world)
    assert world.operations.task(only_task(world)).state is State.CANCELLED
    assert states(world) == {"send": EffectState.IN_DOUBT}
    assert step_of(world, "send") is StepState.IN_DOUBT


def test_a_no_after_a_maybe_is_a_maybe() -> None:
    world = lived(leaf("send", 1), faults={"t1.1": ["lost after", "permanent before"]})

    assert not broken(world)
    assert world.outside.effective["t1.1"] == 1
    assert states(world) == {"send": EffectState.IN_DOUBT}
    why = world.operations.task(only_task(world)).why
    assert why is not None
    assert why.code is ReasonCode.IN_DOUBT


def test_a_no_to_a_delayed_act_that_a_dead_worker_had_begun_is_a_maybe() -> None:
    undisturbed = lived(leaf("later_send", 1))
    after_the_act = next(
        i for i, where in enumerate(undisturbed.plan.reached) if where.startswith("after the act")
    )
    world = lived(
        leaf("later_send", 1), blows={after_the_act: "kill"}, faults={"t1.1": ["", "permanent before"]}
    )

    assert not broken(world)
    assert world.outside.effective["t1.1"] == 1
    assert states(world) == {"later_send": EffectState.IN_DOUBT}


def test_an_interrupted_change_is_not_interleaved_by_a_parallel_call_that_gives_way() -> None:
    """The younger task gives way for `b` while its own change of `a` is under way: `a` must stay its own."""
    both = [
        group("gather", leaf("increment", 1, first, task), leaf("increment", 2, second, task))
        for task, (first, second) in enumerate([("b", "a"), ("a", "b"), ("b", "a"), ("a", "b")], start=1)
    ]
    slow = tuple(
        f"t{task}.{number}w{again}" for task in (1, 2, 3, 4) for number in (1, 2) for again in range(4)
    )
    for seed in range(8):
        world = lived(*both, slow=slow, seed=seed)

        assert not broken(world)
        assert dict(world.outside.counters) == {"a": 4, "b": 4}


def test_tasks_that_met_before_a_crash_do_not_wait_for_each_other_after_it() -> None:
    """What a dead run held is held still; the younger task must give that way as well."""
    one = group("seq", leaf("increment", 1, "a", 1), leaf("increment", 2, "b", 1))
    two = group("seq", leaf("increment", 1, "b", 2), leaf("increment", 2, "a", 2))
    slow = ("t1.1w0", "t2.1w0")
    undisturbed = lived(one, two, slow=slow)
    for point, where in enumerate(undisturbed.plan.reached):
        if "t1.1w0" not in where and "t2.1w0" not in where:
            continue
        world = lived(one, two, slow=slow, blows={point: "kill"})

        assert not broken(world)
        assert {world.operations.task(task_id).state for task_id in world.task_ids.values()} == {
            State.ANSWERED
        }
        assert dict(world.outside.counters) == {"a": 2, "b": 2}


def test_two_people_at_once_on_one_effect_one_decides_and_the_other_is_told() -> None:
    told: list[str] = []

    async def people(world: World) -> None:
        await until(lambda: states(world).get("ask_post") is EffectState.HELD)
        held = world.operations.outbox((EffectState.HELD,), 1)[0]
        for decision in (EffectState.REJECTED, EffectState.APPROVED, EffectState.CANCELLED):
            try:
                world.operations.decide(held.id, decision, "pat")
            except AirworthyError as error:
                told.append(error.code)

    world = lived(leaf("ask_post", 1), people=people)

    assert not broken(world)
    assert told == ["transition_refused", "transition_refused"]
    assert world.outside.effective["t1.1"] == 0


def first_point(world: World, start: str) -> int:
    return next(point for point, where in enumerate(world.plan.reached) if where.startswith(start))


def test_a_run_that_takes_another_path_after_a_crash_does_not_act_anew() -> None:
    root = group("seq", Whim((leaf("send", 1), leaf("send", 2))), leaf("now", 3))
    undisturbed = lived(root)

    world = lived(root, blows={first_point(undisturbed, "after the act") + 2: "kill"})

    assert not broken(world)
    assert world.outside.effective.total() == 1
    why = world.operations.task(only_task(world)).why
    assert why is not None
    assert why.code is ReasonCode.DIVERGENCE


def test_a_run_that_ends_without_what_it_had_done_is_no_answer() -> None:
    root = group("seq", Whim((leaf("now", 1), leaf("send", 2))), leaf("now", 3))
    undisturbed = lived(root)

    world = lived(root, blows={first_point(undisturbed, "after the act") + 2: "kill"})

    assert not broken(world)
    assert world.outside.effective.total() == 1
    why = world.operations.task(only_task(world)).why
    assert why is not None
    assert why.code is ReasonCode.DIVERGENCE


def test_no_act_begins_between_a_cancellation_and_its_being_noticed() -> None:
    async def people(world: World) -> None:
        await until(lambda: world.outside.calls["t1.1"] == 1)
        await asyncio.sleep(LONG_S - MOMENT_S)  # A moment before the read ends and the act would begin.
        world._cancel(only_task(world))

    world = lived(group("seq", leaf("look", 1), leaf("post", 2)), people=people, slow=("t1.1",))

    assert not broken(world)
    assert world.outside.effective.total() == 0
    assert world.operations.task(only_task(world)).state is State.CANCELLED


def test_nothing_enters_the_outbox_between_a_cancellation_and_its_being_noticed() -> None:
    async def people(world: World) -> None:
        await until(lambda: world.outside.calls["t1.1"] == 1)
        await asyncio.sleep(LONG_S - MOMENT_S)
        world._cancel(only_task(world))

    world = lived(group("seq", leaf("look", 1), leaf("later_post", 2)), people=people, slow=("t1.1",))

    assert not broken(world)
    assert world.operations.effects(only_task(world)) == []


def test_a_delayed_change_never_falls_between_anothers_read_and_write() -> None:
    for naps in range(3, 11):
        wait = tuple(leaf("nap", number, task=2) for number in range(1, naps))
        reads_long = group("seq", *wait, leaf("increment", 9, "a", 2))
        world = lived(leaf("later_add", 1, "a"), reads_long, slow=("t2.9r0", "t2.9w0", "t1.1"))

        assert not broken(world)
        assert world.outside.counters["a"] == 11


@pytest.mark.slow  # On PostgreSQL, where each of its many looks is a journey.
def test_a_worker_that_thaws_claims_nothing_for_the_dead_owner_it_was() -> None:
    """Between the thaw and the first heartbeat it may claim; such a claim must not outlive its coming back."""
    roots = [group("seq", leaf("look", 1, task=task), leaf("send", 2, task=task)) for task in (1, 2)]
    undisturbed = lived(*roots)
    for point in range(len(undisturbed.plan.reached)):

        async def people(world: World) -> None:
            await until(lambda: any(life.frozen for life in world.lives) or world.quiet())
            for _ in range(40):
                await asyncio.sleep(0.5)
                for task_id in world.task_ids.values():
                    if world.operations.task(task_id).state is State.RUNNING:
                        world._wake(world.operations.task(task_id))

        world = lived(*roots, people=people, blows={point: "freeze"})

        assert not broken(world), f"frozen at point {point}"


@pytest.mark.slow  # On PostgreSQL, where each of its many looks is a journey.
def test_a_change_that_a_crash_cut_off_is_not_made_over_what_others_changed_since() -> None:
    """While its task was paused it held nothing. Whether it had happened nobody knows, so a person is asked."""
    slow = group(
        "seq", *(leaf("nap", number, task=2) for number in range(1, 9)), leaf("increment", 9, "a", 2)
    )
    mine = leaf("increment", 1, "a")
    undisturbed = lived(mine, slow)

    async def people(world: World) -> None:
        await until(lambda: any(life.dead for life in world.lives))
        world.operations.pause_task(only_task(world))
        await until(lambda: world.operations.task(world.task_ids[2]).state is State.ANSWERED)
        world.operations.resume_task(only_task(world))

    world = lived(
        mine, slow, people=people, blows={first_point(undisturbed, "before the act t1.1w0"): "kill"}
    )

    assert not broken(world)
    assert world.outside.counters["a"] == 1
    assert states(world)["put"] is EffectState.IN_DOUBT


def test_a_wake_up_too_many_takes_no_task_from_a_worker_that_is_at_it() -> None:
    """Fences would keep the record true all the same, and the act under way would be in doubt for no cause."""

    async def people(world: World) -> None:
        await until(lambda: world.outside.calls["t1.1"] == 1)
        world._wake(world.operations.task(only_task(world)))

    world = lived(leaf("post", 1), people=people, slow=("t1.1",))

    assert not broken(world)
    assert world.operations.task(only_task(world)).state is State.ANSWERED
    assert states(world) == {"post": EffectState.DONE}


def test_of_two_workers_that_see_a_delayed_act_fall_due_one_carries_it_out() -> None:
    acts = [leaf(kind, number) for number, kind in enumerate(("later_post", "later_send") * 3, start=1)]
    slow = tuple(each.label for each in acts)

    world = lived(group("gather", *acts), slow=slow, workers=3)

    assert not broken(world)
    assert {row.state for row in world.operations.effects(only_task(world))} == {EffectState.DONE}
    assert [world.outside.calls[each.label] for each in acts] == [1] * 6


def test_an_approved_act_neither_waits_nor_spins_while_another_one_is_undecided() -> None:
    """Once the task was woken again and again by the decision that its run had no turn to carry out."""

    async def people(world: World) -> None:
        await until(lambda: len(world.operations.outbox((EffectState.HELD,), 10)) == 2)
        first = next(row for row in world.operations.outbox((EffectState.HELD,), 10) if row.tool == "ask_add")
        await asyncio.sleep(0.2)
        world.operations.decide(first.id, EffectState.APPROVED, "pat")
        await asyncio.sleep(20.0)
        task = world.operations.task(only_task(world))
        if task.run > 5 or world.outside.effective["t1.2"] != 1:
            world.violations.append(
                f"{task.run} runs, and it happened {world.outside.effective['t1.2']} times"
            )

    held_by_another = group("seq", leaf("increment", 1, "a", 2))
    world = lived(
        group("gather", leaf("ask_send", 1), leaf("ask_add", 2, "a")),
        held_by_another,
        people=people,
        slow=("t2.1r0", "t2.1w0"),
    )

    assert not broken(world)


def test_an_approval_that_is_withdrawn_while_its_act_waits_its_turn_is_withdrawn() -> None:
    async def people(world: World) -> None:
        await until(lambda: states(world).get("ask_add") is EffectState.HELD)
        held = world.operations.outbox((EffectState.HELD,), 1)[0]
        await until(lambda: world.outside.calls["t2.2r0"] == 1)
        world.operations.decide(held.id, EffectState.APPROVED, "pat")
        await until(lambda: world.operations.task(only_task(world)).run == 2)
        await asyncio.sleep(0.1)
        world.operations.decide(held.id, EffectState.CANCELLED, "pat")
        world._forbid(held, "its withdrawal")

    other = group("seq", leaf("nap", 1, task=2), leaf("increment", 2, "a", 2))
    world = lived(leaf("ask_add", 1, "a"), other, people=people, slow=("t2.2r0", "t2.2w0"))

    assert not broken(world)
    assert world.outside.effective["t1.1"] == 0
    assert step_of(world, "ask_add") is StepState.REFUSED
    assert world.operations.task(only_task(world)).state is State.ANSWERED


def test_nobody_can_say_what_became_of_an_act_that_is_under_way() -> None:
    told: list[str] = []

    async def people(world: World) -> None:
        await until(lambda: world.outside.calls["t1.1"] == 1)
        row = world.operations.effects(only_task(world))[0]
        for decision in EffectState:
            try:
                world.operations.decide(row.id, decision, "pat")
            except AirworthyError as error:
                told.append(error.code)

    world = lived(leaf("post", 1), people=people, slow=("t1.1",))

    assert not broken(world)
    assert told == ["transition_refused"] * len(EffectState)
    assert states(world) == {"post": EffectState.DONE}


def test_a_claim_by_an_owner_who_was_buried_before_and_never_joined_again_is_given_free() -> None:
    """It was frozen, claimed when it thawed, and died before its first heartbeat told it that it had been buried."""
    frozen, other = Owner("frozen", "", 1, ""), Owner("other", "", 2, "")
    database = migrated()
    database.write_now(lambda tx: leases.join(tx, frozen, 0))
    late_us = round(2 * leases.LEASE_S * 1e6)
    database.write_now(lambda tx: leases.bury(tx, other, late_us))
    ghost = database.write_now(lambda tx: leases.take(tx, "task", frozen.id, late_us))

    database.write_now(lambda tx: leases.bury(tx, other, late_us))

    assert database.read_now(lambda tx: leases.holder(tx, "task")) is None
    assert database.write_now(lambda tx: leases.take(tx, "task", other.id, late_us)).epoch > ghost.epoch
