"""`replay`: a task's agent is called again with the task's record, and what it comes to is compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit

if TYPE_CHECKING:
    from airworthy.runtime.replayed import End, Replayed, StrangeCall

app = typer.Typer(rich_markup_mode=None, add_completion=False)
ARGUMENTS_CHARS = 400
UNMET_MAX = 10


@app.command(name="replay")
def replay(
    tasks: Annotated[
        list[str],
        typer.Argument(
            metavar="ID...",
            help="Task ids, or their beginnings or ends, or `last`.",
            autocompletion=options.task_ids,
        ),
    ],
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Call an agent again with a task's record alone, and compare.

    Every call is answered from the record: no model, tool, dependency or check is asked, nothing is done, spent or
    stored. What was put to the run from outside, as a limit, a cancellation or a check's verdict, stands as recorded.

    The exit code is 0 when all came to the same, 1 when one did not, 2 when one could not be replayed. With --json
    there is one line for each task.

    \b
    Examples:
      airworthy replay last
      airworthy replay tsk_06f2c8 tsk_06f2d1 --json
    """
    from airworthy.app.config import person
    from airworthy.app.lookup import task_id
    from airworthy.app.project import project
    from airworthy.app.replays import replays_of
    from airworthy.review import Command

    with project(folder, database) as found:
        found.app.reviews.check_command(person(), Command.OPERATE)
        ids = list(dict.fromkeys(task_id(found.app, part) for part in tasks))
        replays = replays_of(found.app, found.agents)
        reports = []
        for id_ in ids:
            reports.append(replays.replay_now(id_))
            if as_json:
                show.emit(reports[-1].document(), line=True)
            else:
                _show(reports[-1])
    raise typer.Exit(_exit_of(reports))


def _exit_of(reports: Sequence["Replayed"]) -> Exit:
    from airworthy.runtime.replayed import Verdict

    verdicts = {report.verdict for report in reports}
    if Verdict.DIFFERS in verdicts:
        return Exit.FAILED
    return Exit.USAGE if Verdict.CANNOT in verdicts else Exit.OK


def _show(report: "Replayed") -> None:
    from airworthy.runtime.replayed import Verdict

    style = {Verdict.SAME: "green", Verdict.DIFFERS: "bold red", Verdict.CANNOT: "yellow"}[report.verdict]
    word = {Verdict.SAME: "", Verdict.DIFFERS: "Differs. ", Verdict.CANNOT: "Cannot be replayed. "}
    show.say(f"{report.task}  {word[report.verdict]}{report.text}", style=style)
    if report.mend:
        show.note(report.mend)
    if report.verdict is not Verdict.DIFFERS:
        return
    show.facts([
        ("Recorded", _end(report.recorded)),
        ("Replayed", _end(report.replayed)),
        ("Calls", f"{report.met} of {report.steps} recorded ones were made again"),
        *_call(report.call),
        ("Not made", "\n".join(str(step) for step in report.unmet[:UNMET_MAX])),
        ("Answer", "\n".join(report.diff)),
        ("Error", _trace(report.replayed)),
    ])  # fmt: skip
    if report.other_policy:
        show.note("The task ran under another policy than today's.")


def _end(end: "End | None") -> str:
    if end is None:
        return ""
    named = " ".join(each.value for each in (end.outcome, end.code) if each is not None)
    return f"{named}: {end.text}" if named else end.text


def _call(call: "StrangeCall | None") -> list[tuple[str, str]]:
    if call is None:
        return []
    arguments = show.readable(call.arguments)
    pairs = [("Call", f"{call.kind} {call.name} {show.clipped(arguments, ARGUMENTS_CHARS)}")]
    if call.near is not None:
        places = [
            f"{place.path}: {place.recorded or 'nothing'} -> {place.now or 'nothing'}"
            for place in call.places
        ]
        pairs.append(("Nearest", "\n".join([str(call.near), *places])))
    if call.next is not None:
        pairs.append(("Expected", str(call.next)))
    return pairs


def _trace(end: "End | None") -> str:
    return end.error.trace if end is not None and end.error is not None else ""
