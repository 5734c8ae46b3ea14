"""`result`: what came of tasks in the business, one by one or from a file."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.reading import STDIN
from airworthy.core.errors import InputError

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Keep what came of tasks later: resolved, refunded, corrected.",
)  # fmt: skip
SHOWN_MAX = 20


@app.command(name="set")
def set_(
    task: options.TaskId,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as resolved, corrected, refund_usd.")],
    value: Annotated[float, typer.Argument(metavar="VALUE", help="1 yes, 0 no, or any number.")] = 1.0,
    *,
    at: Annotated[
        str, typer.Option(metavar="TIME", help="When it happened, as 2026-11-26T08:00:00Z. Left out: now.")
    ] = "",
    by: Annotated[str, typer.Option(metavar="NAME", help="Who says so.")] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Keep one result of a task. Told again, the one that happened later counts.

    \b
    Examples:
      airworthy result set tsk_06f2c8 resolved
      airworthy result set tsk_06f2c8 refund_usd 12.50 --at 2026-11-26T08:00:00Z
    """
    from airworthy.app.afterwards import afterwards_of
    from airworthy.app.lookup import task_id
    from airworthy.app.project import stored
    from airworthy.runtime.afterwards import Told
    from airworthy.runtime.documents import result_document
    from airworthy.runtime.results_csv import at_us

    try:
        happened_us = at_us(at)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from error
    whole = show.unicode_text
    with stored(folder, database) as found:
        told = Told(whole(name), value, task_id(found, task), at_us=happened_us, by=whole(by))
        kept = afterwards_of(found).tell(told)
    if as_json:
        show.emit(result_document(kept))
    else:
        show.say(f"{kept.name} = {kept.value:g} for {kept.task_id}")


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file; - for standard input.")],
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Keep the results in a CSV file. Rows that cannot be used are listed, all others kept; twice is no harm.

    The first line names the columns: name, and task or agent and key (the key it was submitted with); and, as you
    like, value (a number, yes or no; left out: yes), at (when it happened) and by.

    \b
    Examples:
      airworthy result import november.csv
      airworthy result import - < november.csv
    """
    from airworthy.app.afterwards import afterwards_of
    from airworthy.app.project import stored
    from airworthy.runtime.documents import told_document
    from airworthy.runtime.results_csv import told_in

    source = sys.stdin.fileno() if file == Path(STDIN) else file
    with stored(folder, database) as found:
        try:
            # Standard input too is read by these rules and not by the terminal's: a byte that is no text spoils a row.
            with open(
                source, encoding="utf-8", errors="replace", newline="", closefd=source is file
            ) as lines:
                kept, bad = afterwards_of(found).tell_all(told_in(lines))
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}.", mend="Check the path.") from error
    if as_json:
        show.emit(told_document(kept, bad))
    else:
        show.say(f"{show.counted(kept, 'result')} kept, {len(bad)} refused")
        for one in bad[:SHOWN_MAX]:
            show.fail(f"Line {one.line}: {one.why}")
        if len(bad) > SHOWN_MAX:
            show.note(f"{len(bad) - SHOWN_MAX} more: --json lists them all.")
    if bad:
        raise typer.Exit(1)


@app.command(name="list")
def list_(
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="Of this task; left out: sums over all.", autocompletion=options.task_ids
        ),
    ] = None,
    *,
    agent: options.AgentFilter = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List the results of one task, or each name with its tasks and the mean of its values.

    \b
    Examples:
      airworthy result list tsk_06f2c8
      airworthy result list --agent support
    """
    from airworthy.app.afterwards import afterwards_of
    from airworthy.app.lookup import task_id
    from airworthy.app.project import stored
    from airworthy.runtime.documents import result_document, tally_document

    with stored(folder, database) as found:
        known = afterwards_of(found)
        if task is not None:
            rows = [result_document(one) for one in known.results_of(task_id(found, task))]
        else:
            rows = [tally_document(tally) for tally in known.tallies(show.unicode_text(agent))]
    if as_json:
        for row in rows:
            show.emit(row, line=True)
    elif not rows:
        show.note("There are no results.")
    else:
        names = [name for name in rows[0] if name not in ("task", "agent")]
        show.table(names, [[_cell(name, row[name]) for name in names] for row in rows])


def _cell(name: str, value: object) -> object:
    if name in ("at", "told") and isinstance(value, str):
        return show.from_iso(value)
    return f"{value:g}" if isinstance(value, float) else value
