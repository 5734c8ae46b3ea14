"""What a person can do next about a task: a decision from facts, with the commands written out. Does nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from airworthy.cli.show import counted, when
from airworthy.runtime import State, TaskRow
from airworthy.runtime.asking import ANSWER
from airworthy.runtime.tasks import Kind
from airworthy.tools import EffectRow, EffectState


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lies around a task: its effects, the switches that hold its agent ("all" or "agent:<name>"), workers."""

    effects: Sequence[EffectRow] = ()
    switches: Sequence[str] = ()
    workers: int = 0


def next_steps(task: TaskRow, around: Surroundings) -> list[str]:
    """Sentences, each with a command where there is one; empty: nothing is left to do."""
    steps = about_effects(around.effects)
    if task.kind is Kind.SESSION:
        return steps + _about_session(task)
    match task.state:
        case State.QUEUED | State.WAITING | State.PAUSED:
            steps += _about_waiting(task, around)
        case State.RUNNING:
            if task.cancel_asked or task.pause_asked:
                steps.append(f"It {'is cancelled' if task.cancel_asked else 'pauses'} before its next step.")
            steps.append(
                f"Wait for it: airworthy task wait {task.id}"
                if around.workers
                else "No worker is running any more; the next one takes it over: airworthy run"
            )
        case State.ESCALATED:
            if steps:
                steps.append("Once that is done, it goes on by itself.")
            else:
                steps.append(f"A person decides: airworthy review show {task.id}")
                steps.append(f"Or mend the cause, then let it go on: airworthy task resume {task.id}")
        case State.DEAD_LETTERED:
            if task.why is not None and task.why.error is not None and task.why.error.mend:
                steps.append(task.why.error.mend)
            steps.append(f"Try it again: airworthy dead-letter requeue {task.id}")
            if task.discarded_us is None:
                steps.append(f"Or put it away: airworthy dead-letter discard {task.id}")
        case _:
            pass
    return steps


def _about_session(task: TaskRow) -> list[str]:
    """Nobody here can run it: the agent that makes its calls runs elsewhere."""
    match task.state:
        case State.RUNNING:
            return [f"It goes on until its client leaves; to end it: airworthy task cancel {task.id}"]
        case State.WAITING:
            return [f"Go on with it: airworthy mcp-proxy ... --task {task.id}"]
        case _:
            return []


def _about_waiting(task: TaskRow, around: Surroundings) -> list[str]:
    steps = []
    for scope in around.switches:
        to = "--all" if scope == "all" else f"--agent {scope.removeprefix('agent:')}"
        steps.append(f"Its agent is paused; let it go on: airworthy resume {to}")
    if task.state is State.PAUSED and not around.switches:
        steps.append(f"Let it go on: airworthy task resume {task.id}")
    if task.state is State.WAITING and task.waiting_for.startswith(ANSWER):
        steps.append(f"It waits for somebody's answer: airworthy review show {task.id}")
    if task.state is State.WAITING and task.wake_us is not None:
        steps.append(f"It goes on at {when(task.wake_us)}; at once: airworthy task resume {task.id}")
    if task.state is State.QUEUED and not around.switches:
        steps.append(
            f"It is worked on as soon as one of {counted(around.workers, 'worker')} is free."
            if around.workers
            else "No worker is running: airworthy run"
        )
    return steps


def about_effects(effects: Sequence[EffectRow]) -> list[str]:
    steps = []
    for effect in effects:
        match effect.state:
            case EffectState.HELD:
                steps.append(f"{effect.tool} waits for a person: airworthy review show {effect.id}")
            case EffectState.SCHEDULED:
                steps.append(
                    f"{effect.tool} is carried out at {when(effect.due_us)};"
                    f" until then: airworthy outbox cancel {effect.id}"
                )
            case EffectState.DONE if effect.undoable:
                steps.append(f"{effect.tool} was done; take it back: airworthy outbox undo {effect.id}")
            case EffectState.IN_DOUBT:
                steps.append(
                    f"{effect.tool} may have happened. Look at the other side, then say: airworthy outbox settle"
                    f" {effect.id} --happened  or: --not-happened  or: --again"
                )
            case _:
                pass
    return steps
