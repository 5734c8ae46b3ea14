"""`fork`: a new task that begins as another one did, and goes on in another way without acting."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit
from airworthy.core.errors import InputError
from airworthy.core.money import usd_text

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.runtime.forking import Changes
    from airworthy.runtime.side_by_side import Side, SideBySide

app = typer.Typer(rich_markup_mode=None, add_completion=False)
FILE_BYTES_MAX = 8 * 1024 * 1024


@app.command(name="fork")
def fork(
    task: options.TaskId,
    *,
    at: Annotated[
        int, typer.Option("--at", metavar="STEP", min=1, help="The step that is done anew, by its number.")
    ],
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Asks this model of the policy from there on.")
    ] = "",
    prompt: Annotated[
        str | None,
        typer.Option(metavar="FILE|TEXT", help="In place of the agent's system messages from there on."),
    ] = None,
    tool_result: Annotated[
        str | None,
        typer.Option(
            "--tool-result",
            "--result",
            metavar="JSON|FILE",
            help="The step's result, in place of doing it anew.",
        ),
    ] = None,
    text: Annotated[str | None, typer.Option("--input", "-i", metavar="TEXT", help="Another input.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Wait for its outcome and show both side by side.")
    ] = False,
    timeout: options.Timeout = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Go on from a step of a task in another way, in rehearsal.

    With another model, prompt, result or input. The fork is a task of its own: it begins with what was recorded before
    the step, and is worked on like any other. Its models and what it reads are real, and cost what they cost, within
    the policy's budgets. It never acts: every effect is rehearsed. Print its id; with --wait, compare it with what it
    was forked from.

    \b
    Examples:
      airworthy fork last --at 3 --model small-2026-01-15 --wait
      airworthy fork tsk_06f2c8 --at 4 --tool-result '{"status": "lost"}' --wait
      airworthy fork tsk_06f2c8 --at 2 --prompt prompts/shorter.txt
    """
    from airworthy.app.config import person
    from airworthy.app.lookup import task_id
    from airworthy.app.project import project
    from airworthy.app.replays import forks_of
    from airworthy.review import Command
    from airworthy.runtime.documents import task_document

    changes = _changes(model, prompt, tool_result, text)
    with project(folder, database) as found:
        found.app.reviews.check_command(person(), Command.OPERATE)
        made = forks_of(found.app, found.agents).fork(task_id(found.app, task), at, changes)
        if wait or timeout is not None:
            raise typer.Exit(_awaited(found.app, made.id, timeout, as_json=as_json))
        show.emit(task_document(made)) if as_json else show.say(made.id)


def _changes(model: str, prompt: str | None, result: str | None, value: str | None) -> "Changes":
    from airworthy.cli.show import unicode_text as whole
    from airworthy.runtime.forking import NOT_GIVEN, Changes

    return Changes(
        whole(model),
        None if prompt is None else _prompt(whole(prompt)),
        NOT_GIVEN if result is None else _result(whole(result)),
        NOT_GIVEN if value is None else whole(value),
    )


def _awaited(app: "App", fork_id: str, timeout_s: float | None, *, as_json: bool) -> Exit:
    from airworthy.cli.outcome import until_closed
    from airworthy.runtime.side_by_side import side_by_side

    if not as_json:
        show.say(fork_id)
    task = until_closed(app, fork_id, timeout_s)
    compared = app.database.read_now(lambda tx: side_by_side(tx, fork_id))
    if compared is not None and as_json:
        show.emit(compared.document())
    elif compared is not None:
        _show(compared)
    if task.outcome is None:
        show.fail(
            f"Task {task.id} is still {task.state.value} after {timeout_s:g} s.", "It goes on by itself."
        )
        return Exit.FAILED
    return Exit.OK


def _show(compared: "SideBySide") -> None:
    show.table(
        ("", "task", "outcome", "steps", "cost", "answer"),
        [
            (name, side.task.id, _outcome(side), side.steps, usd_text(side.cost_nano), _said(side))
            for name, side in (("origin", compared.origin), ("fork", compared.fork))
        ],
    )
    show.note("Steps and cost are of the part from the fork on.")
    if compared.diff:
        show.say_lines("\n".join(compared.diff))
    elif compared.same:
        show.note("Both came to the same.")


def _outcome(side: "Side") -> str:
    return side.task.outcome.value if side.task.outcome is not None else side.task.state.value


def _said(side: "Side") -> str:
    why = side.task.why
    return show.readable(side.answer) if side.answer is not None else (why.text if why is not None else "")


def _prompt(said: str) -> str:
    return _file(said) if _is_file(said) else said


def _result(said: str) -> Any:
    text = _file(said) if _is_file(said) else said
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"The result is no JSON: {error}.",
            mend="Write text in quotes, as '\"on its way\"', or name a file.",
        ) from error


def _is_file(said: str) -> bool:
    try:
        return Path(said).is_file()
    except OSError:  # Longer than any file's name.
        return False


def _file(path: str) -> str:
    try:
        if Path(path).stat().st_size > FILE_BYTES_MAX:
            raise InputError(f"{path} has more than {FILE_BYTES_MAX} bytes.", mend="Give a shorter one.")
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read as text: {error}.", mend="Give a file of UTF-8 text."
        ) from error
