"""`task`: look at tasks, stop them, let them go on, wait for them."""

from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options, show
from airworthy.core.outcome import ReasonCode
from airworthy.runtime.machine import State

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Look at tasks; cancel, pause, resume and await them.",
)
STATE_HELP = f"Only tasks in this state; repeatable. One of: {', '.join(State)}."


@app.command(name="list")
def list_(
    *,
    state: Annotated[
        list[State] | None, typer.Option("--state", "-s", metavar="STATE", help=STATE_HELP)
    ] = None,
    agent: options.AgentFilter = "",
    reason: Annotated[
        ReasonCode | None, typer.Option(metavar="CODE", help="Only tasks that ended for this reason.")
    ] = None,
    session: Annotated[str, typer.Option(metavar="ID", help="Only tasks of this session.")] = "",
    user: Annotated[str, typer.Option(metavar="ID", help="Only tasks of this user.")] = "",
    limit: options.Limit = options.LIMIT_DEFAULT,
    before: Annotated[
        str, typer.Option(metavar="ID", help="Only tasks older than this one: the last of the page before.")
    ] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List tasks, the newest first.

    \b
    Examples:
      airworthy task list --state escalated --state dead_lettered
      airworthy task list --agent support --limit 10 --json
    """
    from airworthy.app.lookup import task_id
    from airworthy.app.project import stored
    from airworthy.cli.listing import show_tasks
    from airworthy.runtime import TaskQuery

    with stored(folder, database) as found:
        before = task_id(found, before) if before else ""
        whole = show.unicode_text
        query = TaskQuery(
            tuple(state or ()), whole(agent), whole(session), whole(user), reason or "", before, limit
        )
        show_tasks(found.operations.tasks(query), limit, as_json=as_json)


@app.command(name="show")
def show_one(
    task: options.TaskId,
    *,
    full: Annotated[bool, typer.Option("--full", help="Show whole payloads and traces.")] = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show one task: what happened, how it ended, what to do next, and every step.

    \b
    Examples:
      airworthy task show tsk_06f2c8
      airworthy task show 7q9k --full
    """
    from airworthy.app.lookup import task_id
    from airworthy.app.project import stored
    from airworthy.cli.task_view import View

    with stored(folder, database) as found:
        view = View(found, task_id(found, task))
        if as_json:
            show.emit(view.document())
        else:
            view.show(full=full)


@app.command(name="cancel")
def cancel(
    task: options.TaskId,
    *,
    why: Annotated[str, typer.Option(metavar="TEXT", help="The reason, for the record.")] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Cancel a task; what it has not sent yet is never sent.

    A running task stops before its next step. What it has done stays done, and stays on record.

    \b
    Examples:
      airworthy task cancel tsk_06f2c8 --why "sent twice"
    """
    from airworthy.app.config import person
    from airworthy.app.lookup import task_id
    from airworthy.app.project import stored
    from airworthy.review import Command

    with stored(folder, database) as found:
        id_ = task_id(found, task)
        found.reviews.check_command(person(), Command.STOP)
        at_once = found.operations.cancel(id_, person(), show.unicode_text(why))
        text = "is cancelled" if at_once else "is running; it stops before its next step"
        _changed(id_, "cancelled" if at_once else "asked", f"Task {id_} {text}.", as_json=as_json)


@app.command(name="pause")
def pause(
    task: options.TaskId,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Pause one task until it is resumed.

    \b
    Examples:
      airworthy task pause tsk_06f2c8
    """
    from airworthy.app.config import person
    from airworthy.app.lookup import task_id
    from airworthy.app.project import stored
    from airworthy.review import Command

    with stored(folder, database) as found:
        id_ = task_id(found, task)
        found.reviews.check_command(person(), Command.STOP)
        at_once = found.operations.pause_task(id_)
        text = "is paused" if at_once else "is running; it pauses before its next step"
        mend = f"Let it go on: airworthy task resume {id_}"
        _changed(id_, "paused" if at_once else "asked", f"Task {id_} {text}. {mend}", as_json=as_json)


@app.command(name="resume")
def resume(
    task: options.TaskId,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Let a task go on: one that is paused, one that waits, or an escalated one whose cause is settled.

    \b
    Examples:
      airworthy task resume tsk_06f2c8
    """
    from airworthy.app.config import person
    from airworthy.app.lookup import task_id
    from airworthy.app.project import stored_with_agents
    from airworthy.review import Act

    with stored_with_agents(folder, database) as found:
        id_ = task_id(found, task)
        found.reviews.check_task(id_, person(), Act.APPROVE)
        before = found.operations.resume_task(id_)
        _changed(id_, "resumed", f"Task {id_} was {before.value} and goes on.", as_json=as_json)


@app.command(name="wait")
def wait(
    task: options.TaskId,
    *,
    timeout: options.Timeout = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Wait for a task's outcome and show it; the exit code is 0 for an answer only.

    \b
    Examples:
      airworthy task wait tsk_06f2c8 --timeout 60
    """
    from airworthy.app.lookup import task_id
    from airworthy.app.project import stored
    from airworthy.cli.outcome import awaited

    with stored(folder, database) as found:
        raise typer.Exit(awaited(found, task_id(found, task), timeout, as_json=as_json))


def _changed(task: str, done: str, text: str, *, as_json: bool) -> None:
    if as_json:
        show.emit({"task": task, "done": done})
    else:
        show.say(text)
