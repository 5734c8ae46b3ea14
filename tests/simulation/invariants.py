"""What must hold when a world has come to rest. Each finding says which promise of the design it breaks."""

from functools import partial
from typing import Any

from airworthy.core.canonical import decode, encode
from airworthy.core.money import nano_from_usd
from airworthy.gateway import budget
from airworthy.recorder import Recorded, StepState
from airworthy.runtime import State
from airworthy.runtime.limits import FREE_KINDS
from airworthy.runtime.machine import OPEN
from airworthy.tools import EffectRow, EffectState
from tests.simulation.index import untrue
from tests.simulation.programs import BACK, POOR_USD, TIGHT, UNKEYED, agents
from tests.simulation.world import World, label_of

RUNS_MAX = 60  # Far more than decisions, sleeps, crashes and retries of one task can account for.
HAPPENED = {EffectState.DONE, EffectState.UNDONE}
DID_NOT = {
    EffectState.FAILED, EffectState.REJECTED, EffectState.CANCELLED, EffectState.HELD, EffectState.APPROVED,
    EffectState.SCHEDULED, EffectState.REHEARSED,
}  # fmt: skip


def broken(world: World) -> list[str]:
    """Empty when the world kept every promise."""
    found = list(world.violations)
    for number, task_id in world.task_ids.items():
        steps, effects = world.operations.steps(task_id), world.operations.effects(task_id)
        task = world.operations.task(task_id)
        state = task.state
        if task.run > RUNS_MAX:
            found.append(f"t{number} was run {task.run} times: something wakes it for nothing")
        found += [
            f"t{number} ({state}, {world.programs[number].flavour}): {text}"
            for text in (
                *_outcome(state, steps, world.reopened[task_id]),
                *_effects(world, state, [row for row in effects if row.undo_of is None]),
                *_taken_back(world, effects),
                *_doubts(state, [row for row in effects if row.undo_of is None], steps),
                *_heard(world, number, steps),
                *_limits(world, number, steps),
            )
        ]
    known_tasks = [
        (world.operations.task(task_id), world.operations.steps(task_id))
        for task_id in world.task_ids.values()
    ]
    found += world.database.read_now(lambda tx: untrue(tx, known_tasks))
    known = {
        label_of(row) for task_id in world.task_ids.values() for row in world.operations.effects(task_id)
    }
    found += [
        f"{label} happened and no record knows it" for label in world.outside.effective if label not in known
    ]
    found += _money(world)
    found += _left_over(world)
    return found


def _outcome(state: State, steps: list[Recorded], reopened: int) -> list[str]:
    outcomes = [step for step in steps if step.kind == "outcome"]
    found = []
    if state in OPEN:
        found.append("never reached an outcome")
    elif len(outcomes) != 1 + reopened:
        found.append(f"has {len(outcomes)} outcomes and was opened again {reopened} times")
    elif outcomes[-1].name != state.value or outcomes[-1] is not steps[-1]:
        found.append(f"its last step is {steps[-1].kind} {steps[-1].name}")
    return found


def _effects(world: World, state: State, effects: list[EffectRow]) -> list[str]:
    found = []
    for row in effects:
        label = label_of(row)
        times = world.outside.effective[label]
        allowed = 1 + (world.again[label] if row.tool in UNKEYED else 0)
        if times > allowed:
            found.append(f"{label} ({row.tool}) happened {times} times")
        if len(world.outside.keys[label]) > 1:
            found.append(f"{label} went out under {len(world.outside.keys[label])} keys")
        if row.state in HAPPENED and times == 0:
            found.append(f"{label} is recorded as {row.state} and never happened")
        if row.state in DID_NOT and times > 0:
            found.append(f"{label} is recorded as {row.state} and happened")
        if row.state is EffectState.STARTED:
            found.append(f"{label} is left as started, and nobody will look")
        if row.state is EffectState.HELD and row.due_us is None and state in OPEN:
            found.append(f"{label} still waits")
    return found


def _taken_back(world: World, effects: list[EffectRow]) -> list[str]:
    """At most once, only what was done, only when somebody asked; and the two records say the same."""
    found = []
    for row in effects:
        back = [each for each in effects if each.undo_of == row.id]
        times = world.outside.effective[label_of(row) + BACK]
        done = [each for each in back if each.state is EffectState.DONE]
        if times > 1 or len(done) > 1:
            found.append(f"{label_of(row)} was taken back {times} times, recorded {len(done)} times")
        if (row.state is EffectState.UNDONE) != bool(done):
            found.append(
                f"{label_of(row)} is {row.state}, and what takes it back {[each.state for each in back]}"
            )
        if done and times == 0:
            found.append(f"{label_of(row)} is recorded as taken back and was not")
        if times and all(each.state in DID_NOT for each in back):
            found.append(f"{label_of(row)} was taken back, and no record says so")
        found += [
            f"{label_of(each)} is left as started" for each in back if each.state is EffectState.STARTED
        ]
    return found


def _doubts(state: State, effects: list[EffectRow], steps: list[Recorded]) -> list[str]:
    """What is uncertain is a person's business: in the outbox it says so, and a task it belongs to is no success."""
    found = [
        f"{label_of(row)} is in doubt and its task was answered"
        for row in effects
        if row.state is EffectState.IN_DOUBT and row.due_us is None and state is State.ANSWERED
    ]
    by_seq = {row.seq: row for row in effects}
    for step in steps:
        effect = by_seq.get(step.seq)
        if effect is None or effect.due_us is not None:
            continue
        if step.state is StepState.IN_DOUBT and effect.decided_by is not None:
            continue  # Settled after its task was over: the outbox has the last word, the record stays as it was.
        done = step.state is StepState.DONE
        if step.state is StepState.STARTED or done != (effect.state in HAPPENED):
            found.append(f"step {step.seq} is {step.state}, its effect {effect.state}")
    return found


def _heard(world: World, number: int, steps: list[Recorded]) -> list[str]:
    """What the agent was given is on record, word for word."""
    on_record: dict[str, Recorded] = {}
    for step in steps:
        if step.state is StepState.DONE and step.key is not None:
            on_record[_label(step)] = step
    found = []
    for label in world.done:
        if world.task_of(label) != number:
            continue
        value = world.heard[label]
        if isinstance(value, Exception) or not _is_labelled(world, label):
            continue
        kept = on_record.get(label)
        if kept is None:
            found.append(f"{label} gave {value!r} to the agent and is not on record")
        elif kept.kind != "model" and decode(encode(kept.result)) != decode(encode(value)):
            found.append(f"{label} gave {value!r} and is on record as {kept.result!r}")
    return found


def _is_labelled(world: World, label: str) -> bool:
    """Steps whose arguments carry the label; time and chance carry none."""
    return label in world.outside.calls or any(
        label_of(row) == label for row in world.operations.effects(world.task_ids[world.task_of(label)])
    )


def _label(step: Recorded) -> str:
    arguments: Any = step.arguments
    if step.kind == "tool" and isinstance(arguments, dict):
        return str(arguments.get("label", ""))
    if step.kind == "model":
        return str(arguments["messages"][0]["content"])
    return step.name


def _limits(world: World, number: int, steps: list[Recorded]) -> list[str]:
    if world.programs[number].flavour != "tight":
        return []
    counted_from = world.operations.task(world.task_ids[number]).counted_from
    counted = [step for step in steps if step.seq >= counted_from and step.kind not in FREE_KINDS]
    tools = [step for step in counted if step.kind == "tool"]
    found = []
    if len(counted) > TIGHT.steps:
        found.append(f"took {len(counted)} steps, and {TIGHT.steps} are allowed")
    if len(tools) > TIGHT.tool_calls:
        found.append(f"made {len(tools)} tool calls, and {TIGHT.tool_calls} are allowed")
    return found


def _money(world: World) -> list[str]:
    found = []
    for number, billed_nano in world.outside.billed_nano.items():
        cap_nano = nano_from_usd(agents()[world.programs[number].flavour].policy.limits.cost_usd)
        task_id = world.task_ids[number]
        booked = world.database.read_now(partial(budget.of_task, task_id=task_id))
        cap_nano *= 1 + world.reopened[task_id]
        if billed_nano > cap_nano:
            found.append(f"t{number} cost {billed_nano}, and {cap_nano} are allowed")
        if booked < billed_nano:
            found.append(f"t{number} cost {billed_nano}, and {booked} are booked")
    poor = [n for n, program in world.programs.items() if program.flavour == "poor"]
    day_nano = sum(world.outside.billed_nano[number] for number in poor)
    if day_nano > nano_from_usd(2 * POOR_USD):
        found.append(f"the day cost {day_nano}, and {nano_from_usd(2 * POOR_USD)} are allowed")
    return found


def _left_over(world: World) -> list[str]:
    """Nothing is held by anybody once all is over."""
    held = world.database.read_now(lambda tx: tx.rows("SELECT * FROM resources WHERE holder IS NOT NULL"))
    # A dead worker's chores are taken over by the next that joins, which a world at rest does not wait for.
    claims = world.database.read_now(
        lambda tx: tx.rows("SELECT * FROM claims WHERE owner IS NOT NULL AND name NOT LIKE 'chore:%'")
    )
    wakes = world.database.read_now(lambda tx: tx.rows("SELECT * FROM wakes"))
    return [
        f"left over: {name} {rows}"
        for name, rows in (("resources", held), ("claims", claims), ("wakes", wakes))
        if rows
    ]
