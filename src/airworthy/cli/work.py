"""`run` and `submit`: the two ends of the queue."""

import asyncio
import json
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit
from airworthy.core.errors import InputError

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.policy import Policy
    from airworthy.runtime import Accepted, Submission

RETRY_S_MAX = 10.0  # One who waits asks at least so often, whatever was promised.

app = typer.Typer(rich_markup_mode=None, add_completion=False)
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Rehearse it: no tool acts, whatever the policy says.")
]


class WhenFull(StrEnum):
    REFUSE = "refuse"
    WAIT = "wait"


Key = Annotated[
    str | None, typer.Option(metavar="KEY", help="Idempotency key: the same key and input is the same task.")
]
Feature = Annotated[str, typer.Option(metavar="NAME", help="Feature it is part of; budgets count by it.")]
Source = Annotated[str, typer.Option(metavar="NAME", help="Where the input comes from; see the policy.")]
Priority = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Higher is worked on first; left out: the policy's for the feature, or 0.",
        min=-1000,
        max=1000,
    ),
]
WhenFullHow = Annotated[
    WhenFull, typer.Option(help="A full queue: refuse at once (exit code 75), or wait until there is room.")
]


@app.command(name="run")
def run(
    *,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Stop by itself once nothing is left to do.")
    ] = False,
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=10_000, metavar="N", help="Tasks under way at once.")
    ] = None,
    agent: Annotated[
        list[str] | None,
        typer.Option(
            "--agent",
            metavar="NAME",
            help="Only this agent's tasks; repeatable.",
            autocompletion=options.agent_names,
        ),
    ] = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Work on tasks in this terminal until told to stop.

    Ctrl-C once finishes what is under way and takes nothing new; twice lets go of it at once, and every task goes on
    from its record at the next start. SIGTERM is like one Ctrl-C. Several `airworthy run` may share a database.

    With --until-idle it also waits for tasks that go on at a set time, and not for actions whose delay is not over yet:
    a worker must be running then. With --json there is one line for each run of a task that ended; outcome is null
    where the task is still open.

    \b
    Examples:
      airworthy run
      airworthy run --until-idle --concurrency 4
      airworthy run --agent support --json
    """
    from airworthy.app.project import project
    from airworthy.cli.foreground import worked

    with project(folder, database, agent or ()) as found:
        raise typer.Exit(
            asyncio.run(
                worked(found, concurrency or found.config.concurrency, until_idle=until_idle, as_json=as_json)
            )
        )


@app.command(name="submit")
def submit(
    agent: options.AgentArgument = None,
    dash: Annotated[str | None, typer.Argument(metavar="-", help="Read the input from stdin.")] = None,
    *,
    text: Annotated[
        str | None, typer.Option("--input", "-i", metavar="TEXT", help="The input itself.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="PATH", help="A file with the input.")
    ] = None,
    json_input: Annotated[bool, typer.Option("--json-input", help="The input is JSON, not text.")] = False,
    key: Key = None,
    session: Annotated[str, typer.Option(metavar="ID", help="Conversation the task belongs to.")] = "",
    user: Annotated[str, typer.Option(metavar="ID", help="User it is done for; budgets count by it.")] = "",
    feature: Feature = "",
    source: Source = "",
    priority: Priority = None,
    when_full: WhenFullHow = WhenFull.REFUSE,
    dry_run: DryRun = False,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for the outcome and show it.")] = False,
    timeout: options.Timeout = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Hand in a task and print its id.

    The id is printed once the task is on disk. Input beyond the policy's bounds is kept and declined, with the
    reason; the exit code is then 1, as for every outcome but answered when you --wait.

    If the policy bounds the queue and it is full, nothing is stored, and the exit code is 75. With --when-full wait the
    command tries again whenever there should be room; --timeout bounds that too.

    \b
    Examples:
      airworthy submit --input "Where is order 1001?"
      airworthy submit support --file letter.txt --key letter-17 --wait --timeout 60
      airworthy submit --input "Refund order 1001." --dry-run --wait
      echo '{"order": 1001}' | airworthy submit --json-input -
    """
    from airworthy.app.project import named, project
    from airworthy.cli.reading import input_of
    from airworthy.cli.show import unicode_text as whole
    from airworthy.runtime import Submission

    if agent == "-":
        agent, dash = None, "-"
    value = input_of(text, file, dash)
    submission = Submission(
        _parsed(value) if json_input else value, key and whole(key), session=whole(session), user=whole(user),
        feature=whole(feature), source=whole(source), priority=priority, dry_run=dry_run,
    )  # fmt: skip
    with project(folder, database) as found:
        policy = named(found.agents, agent).policy
        began_s, patient = time.monotonic(), when_full is WhenFull.WAIT
        accepted = _accepted(found.app, policy, submission, timeout, patient=patient)
        if wait or (timeout is not None and not patient):
            left_s = None if timeout is None else max(0.0, timeout - (time.monotonic() - began_s))
            raise typer.Exit(_awaited(found.app, accepted, left_s, as_json=as_json))
        raise typer.Exit(_acknowledged(accepted, as_json=as_json))


def _accepted(
    app: "App", policy: "Policy", submission: "Submission", timeout_s: float | None, *, patient: bool
) -> "Accepted":
    """`patient`: once there is room. Raises: QueueFull, then after `timeout_s`."""
    from airworthy.runtime import QueueFull

    began_s, told = time.monotonic(), False
    while True:
        try:
            return app.operations.submit(policy, submission)
        except QueueFull as full:
            left_s = full.retry_after_s if timeout_s is None else began_s + timeout_s - time.monotonic()
            if not patient or left_s <= 0:
                raise
            if not told:
                show.note(f"{full.message} Waiting for room.")
                told = True
            time.sleep(min(full.retry_after_s, left_s, RETRY_S_MAX))


def _awaited(app: "App", accepted: "Accepted", timeout_s: float | None, *, as_json: bool) -> Exit:
    from airworthy.cli.outcome import awaited

    if not as_json:
        show.say(accepted.task.id)
    return awaited(app, accepted.task.id, timeout_s, as_json=as_json)


def _acknowledged(accepted: "Accepted", *, as_json: bool) -> Exit:
    from airworthy.core.outcome import Outcome
    from airworthy.runtime.documents import task_document

    task = accepted.task
    if as_json:
        show.emit({**task_document(task), "repeated": accepted.repeated})
    else:
        show.say(task.id)
    if accepted.repeated:
        show.note("That key was used before with the same input; this is its task.")
    if task.outcome is not None and task.why is not None and not accepted.repeated:
        show.note(f"{task.outcome.value.capitalize()}: {task.why.text}", style="yellow")
        # Handed to people it was taken, as asked; declined it was not.
        return Exit.OK if task.outcome is Outcome.ESCALATED else Exit.FAILED
    if sys.stderr.isatty() and not as_json:
        show.note(f"See what becomes of it: airworthy task show {task.id}")
    return Exit.OK


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"The input is no JSON: {error}.", mend="Mend it, or leave out --json-input."
        ) from error
