"""Rows of tasks and of effects, for every command that lists them."""

from collections.abc import Sequence

from airworthy.cli import show
from airworthy.core.money import usd_text
from airworthy.core.outcome import Outcome
from airworthy.runtime import TaskRow, documents
from airworthy.tools import EffectRow, EffectState


def show_tasks(tasks: Sequence[TaskRow], limit: int, *, as_json: bool) -> None:
    if as_json:
        for task in tasks:
            show.emit(documents.task_document(task), line=True)
        return
    if not tasks:
        show.note("No task is like that.")
        return
    show.table(
        ("id", "agent", "state", "why", "accepted", "cost"),
        [
            (task.id, task.agent, task.state.value, _why(task), show.when(task.created_us), _cost(task))
            for task in tasks
        ],
    )
    if len(tasks) == limit:
        show.note(f"There may be more: add --before {tasks[-1].id}")


def show_effects(effects: Sequence[EffectRow], limit: int, *, as_json: bool) -> None:
    if as_json:
        for effect in effects:
            show.emit(documents.effect_document(effect), line=True)
        return
    if not effects:
        show.note("Nothing waits in the outbox.")
        return
    show.table(
        ("id", "state", "agent", "tool", "arguments", "when", "note"),
        [
            (
                effect.id, effect.state.value, effect.agent, effect.tool,
                show.clipped(show.readable(documents.parsed_arguments(effect)), 60), _moment(effect), effect.note or "",
            )
            for effect in effects
        ],
    )  # fmt: skip
    if len(effects) == limit:
        show.note("There may be more: raise --limit.")


def _why(task: TaskRow) -> str:
    fork = f"fork of {task.fork_of}" if task.fork_of is not None else ""
    return ": ".join(each for each in (fork, _end(task)) if each)


def _end(task: TaskRow) -> str:
    if task.outcome is Outcome.ANSWERED:
        return ""
    return task.reason_code or (f"waits for {task.waiting_for}" if task.waiting_for else "")


def _cost(task: TaskRow) -> str:
    return usd_text(task.cost_nano) if task.outcome is not None else ""


def _moment(effect: EffectRow) -> str:
    if effect.state is EffectState.SCHEDULED:
        return f"due {show.when(effect.due_us)}"
    return show.when(effect.ended_us or effect.decided_us or effect.created_us)
