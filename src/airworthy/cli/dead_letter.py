"""`dead-letter`: tasks that could not be processed, kept whole until a person brings them back or puts them away."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from airworthy.app.build import App
from airworthy.cli import options, show
from airworthy.core.outcome import ReasonCode
from airworthy.review.item import Act

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Bring back tasks that could not be processed.",
)
PAGE = 500

Reason = Annotated[
    ReasonCode | None, typer.Option(metavar="CODE", help="Only those that ended for this reason.")
]
All = Annotated[bool, typer.Option("--all", help="All of them, or all that the filters leave.")]


@app.command(name="list")
def list_(
    *,
    agent: options.AgentFilter = "",
    reason: Reason = None,
    discarded: Annotated[bool, typer.Option("--discarded", help="Those put away too.")] = False,
    limit: options.Limit = options.LIMIT_DEFAULT,
    before: Annotated[str, typer.Option(metavar="ID", help="Only tasks older than this one.")] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List dead letters, the newest first.

    \b
    Examples:
      airworthy dead-letter list --reason model_failure
    """
    from airworthy.app.lookup import task_id
    from airworthy.app.project import stored
    from airworthy.cli.listing import show_tasks
    from airworthy.runtime import State, TaskQuery

    with stored(folder, database) as found:
        query = TaskQuery(
            (State.DEAD_LETTERED,), show.unicode_text(agent), reason_code=reason or "", limit=limit,
            before=task_id(found, before) if before else "", discarded=discarded,
        )  # fmt: skip
        show_tasks(found.operations.tasks(query), limit, as_json=as_json)


@app.command(name="show")
def show_one(
    task: options.TaskId,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show one dead letter with its error, its trace and whole payloads.

    \b
    Examples:
      airworthy dead-letter show tsk_06f2c8
    """
    from airworthy.app.lookup import task_id
    from airworthy.app.project import stored
    from airworthy.cli.task_view import View
    from airworthy.core.errors import InputError
    from airworthy.runtime import State

    with stored(folder, database) as found:
        view = View(found, task_id(found, task))
        if view.task.state is not State.DEAD_LETTERED:
            raise InputError(
                f"Task {view.task.id} is {view.task.state.value}, not a dead letter.",
                mend=f"Look at it with `airworthy task show {view.task.id}`.",
            )
        if as_json:
            show.emit(view.document())
        else:
            view.show(full=True)


@app.command(name="requeue")
def requeue(
    tasks: options.TaskIds = None,
    *,
    all_: All = False,
    agent: options.AgentFilter = "",
    reason: Reason = None,
    yes: options.Yes = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Send dead letters back into the queue: what they did stands, what failed is tried again.

    \b
    Examples:
      airworthy dead-letter requeue tsk_06f2c8 tsk_06f2d1
      airworthy dead-letter requeue --all --reason model_failure --yes
    """
    from airworthy.app.project import stored

    _check_choice(tasks, agent, reason, every=all_)
    with stored(folder, database) as found:
        chosen = _chosen(found, tasks, agent, reason)
        if all_ and chosen:
            options.confirmed(
                f"Send {show.counted(len(chosen), 'dead letter')} back into the queue?", yes=yes
            )
        _each(found, chosen, (Act.APPROVE, found.operations.requeue), "requeued", as_json=as_json)


@app.command(name="discard")
def discard(
    tasks: options.TaskIds = None,
    *,
    all_: All = False,
    agent: options.AgentFilter = "",
    reason: Reason = None,
    yes: options.Yes = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Put dead letters away: kept whole, listed no more.

    \b
    Examples:
      airworthy dead-letter discard tsk_06f2c8
      airworthy dead-letter discard --all --agent support --reason crashed
    """
    from airworthy.app.project import stored

    _check_choice(tasks, agent, reason, every=all_)
    with stored(folder, database) as found:
        chosen = _chosen(found, tasks, agent, reason)
        if all_ and chosen:
            options.confirmed(f"Put {show.counted(len(chosen), 'dead letter')} away?", yes=yes)
        _each(found, chosen, (Act.REJECT, found.operations.discard), "discarded", as_json=as_json)


def _check_choice(parts: list[str] | None, agent: str, reason: ReasonCode | None, *, every: bool) -> None:
    """Raises: a usage error for neither ids nor --all, and for both."""
    if bool(parts) == every:
        raise typer.BadParameter("Give one or more ids, or --all.")
    if not every and (agent or reason):
        raise typer.BadParameter("--agent and --reason choose among --all, not among ids.")


def _chosen(app: App, parts: list[str] | None, agent: str, reason: ReasonCode | None) -> list[str]:
    """Ids as they were typed, or all that the filters leave."""
    from airworthy.runtime import State, TaskQuery

    if parts:
        return parts
    found: list[str] = []
    while True:
        query = TaskQuery(
            (State.DEAD_LETTERED,), show.unicode_text(agent), reason_code=reason or "", limit=PAGE,
            before=found[-1] if found else "",
        )  # fmt: skip
        page = app.operations.tasks(query)
        found += [task.id for task in page]
        if len(page) < PAGE:
            return found


def _each(
    app: App, parts: list[str], how: tuple[Act, Callable[[str], None]], done: str, *, as_json: bool
) -> None:
    """One that fails does not hold up the others; the exit code tells."""
    from airworthy.app.config import person
    from airworthy.app.lookup import task_id
    from airworthy.core.errors import AirworthyError
    from airworthy.store import StoreError

    failed = 0
    what, act = how
    for part in parts:
        try:
            id_ = task_id(app, part)
            app.reviews.check_task(id_, person(), what)
            act(id_)
        except StoreError:
            raise
        except AirworthyError as error:
            failed += 1
            show.fail(error.message, error.mend)
            continue
        if as_json:
            show.emit({"task": id_, "done": done}, line=True)
        else:
            show.say(f"{id_} {done}")
    if not parts:
        show.note("No dead letter is like that.")
    if failed:
        raise typer.Exit(1)
