"""Waiting at a terminal for a task's outcome, and showing it."""

import time

from airworthy.app.build import App
from airworthy.app.lookup import workers
from airworthy.cli import show
from airworthy.cli.exits import Exit
from airworthy.cli.task_view import View
from airworthy.core.outcome import Outcome
from airworthy.runtime import State, TaskRow, documents

POLL_S = 0.1
POLL_S_MAX = 1.0


def awaited(app: App, task_id: str, timeout_s: float | None, *, as_json: bool) -> Exit:
    """OK only for an answer in time. Says on stderr what the task waits for, whenever that changes."""
    task = until_closed(app, task_id, timeout_s)
    view = View(app, task_id)
    if as_json:
        document = documents.task_document(task)
        show.emit({**document, "answer": documents.answer_of(view.steps), "next": view.next})
    elif task.outcome is Outcome.ANSWERED:
        show.say_lines(show.readable(documents.answer_of(view.steps), indent=2))
        for gap in documents.gaps_of(task):
            show.note(f"Missing: {gap['text']}.", style="yellow")
    elif task.outcome is not None:
        show.say(f"{task.outcome.value}: {task.why.text if task.why is not None else ''}", style="yellow")
    if task.outcome is None:
        show.fail(
            f"Task {task.id} is still {task.state.value} after {timeout_s:g} s.", "It goes on by itself."
        )
    if task.outcome is not Outcome.ANSWERED:
        for step in view.next:
            show.note(step)
    return Exit.OK if task.outcome is Outcome.ANSWERED else Exit.FAILED


def until_closed(app: App, task_id: str, timeout_s: float | None) -> TaskRow:
    """The task as it is then; after `timeout_s` it may still be open. Says on stderr what it waits for."""
    began, told, pause_s = time.monotonic(), "", POLL_S
    while True:
        task = app.operations.task(task_id)
        if task.outcome is not None or (timeout_s is not None and time.monotonic() - began >= timeout_s):
            return task
        told = _tell(app, task, told)
        left_s = POLL_S_MAX if timeout_s is None else began + timeout_s - time.monotonic()
        time.sleep(max(0.0, min(pause_s, left_s)))
        pause_s = min(pause_s * 1.2, POLL_S_MAX)


def _tell(app: App, task: TaskRow, told: str) -> str:
    if task.state in (State.WAITING, State.PAUSED):
        now = f"It is {task.state.value} for {task.waiting_for or 'somebody to resume it'}."
    elif task.state is State.QUEUED and not workers(app):
        now = "No worker is running. Start one in another terminal: airworthy run"
    else:
        return told
    if now != told:
        show.note(now)
    return now
