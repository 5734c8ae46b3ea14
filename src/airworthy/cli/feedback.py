"""`feedback`: what end users said of tasks, and the links by which they say it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.review.feedback import Thumb

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Keep what users say of tasks; make links for them.",
)  # fmt: skip

Up = Annotated[bool, typer.Option("--up", help="It was good.")]
Down = Annotated[bool, typer.Option("--down", help="It was not.")]


@app.command(name="add")
def add(
    task: options.TaskId,
    *,
    up: Up = False,
    down: Down = False,
    correction: Annotated[str, typer.Option(metavar="TEXT", help="What the answer should have been.")] = "",
    text: Annotated[str, typer.Option(metavar="TEXT", help="Anything else.")] = "",
    by: Annotated[str, typer.Option(metavar="NAME", help="Who said it.")] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Keep what somebody said of a task. The latest counts; earlier ones stay.

    \b
    Examples:
      airworthy feedback add tsk_06f2c8 --up
      airworthy feedback add last --down --correction "Order 7 was sent on Monday." --by "Ann, by phone"
    """
    from airworthy.app.afterwards import afterwards_of
    from airworthy.app.lookup import task_id
    from airworthy.app.project import stored
    from airworthy.review.feedback import Feedback
    from airworthy.runtime.documents import feedback_document

    whole = show.unicode_text
    with stored(folder, database) as found:
        said = Feedback(
            "", task_id(found, task), "", 0, "command", _thumb(up=up, down=down), whole(correction), whole(text),
            whole(by),
        )  # fmt: skip
        kept = afterwards_of(found).say(said)
    if as_json:
        show.emit(feedback_document(kept))
    else:
        show.say(f"{kept.id} kept for {kept.task_id}")


@app.command(name="list")
def list_(
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="Only of this task; left out: of all.", autocompletion=options.task_ids
        ),
    ] = None,
    *,
    agent: options.AgentFilter = "",
    up: Up = False,
    down: Down = False,
    limit: options.Limit = options.LIMIT_DEFAULT,
    before: Annotated[str, typer.Option(metavar="ID", help="Only older than this feedback.")] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List feedback, the newest first.

    \b
    Examples:
      airworthy feedback list --down
      airworthy feedback list tsk_06f2c8 --json
    """
    from airworthy.app.afterwards import afterwards_of
    from airworthy.app.lookup import task_id
    from airworthy.app.project import stored
    from airworthy.runtime.documents import feedback_document

    with stored(folder, database) as found:
        known = afterwards_of(found)
        said = (
            known.said_of(task_id(found, task))[::-1][:limit]
            if task is not None
            else known.said(
                agent=show.unicode_text(agent), thumb=_thumb(up=up, down=down), before=before, limit=limit
            )
        )
    if as_json:
        for one in said:
            show.emit(feedback_document(one), line=True)
        return
    if not said:
        show.note("Nobody has said anything.")
        return
    show.table(
        ("id", "task", "when", "thumb", "by", "correction", "text"),
        [
            (one.id, one.task_id, show.when(one.at_us), one.thumb or "", one.by, one.correction, one.text)
            for one in said
        ],
    )


@app.command(name="link")
def link(
    task: options.TaskId,
    *,
    days: Annotated[float, typer.Option(metavar="N", min=0.01, max=366, help="How long it is good.")] = 30.0,
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="Where end users reach the API; see `airworthy api`.")
    ] = "http://127.0.0.1:8091",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Make a link by which whoever has it may say something of this one task, and nothing else.

    \b
    Examples:
      airworthy feedback link tsk_06f2c8 --url https://help.example.com
    """
    from airworthy.app.afterwards import afterwards_of
    from airworthy.app.lookup import task_id
    from airworthy.app.project import stored

    with stored(folder, database) as found:
        text, made = afterwards_of(found).link(task_id(found, task), days * 86_400)
    address = f"{url.rstrip('/')}/feedback/{text}"
    if as_json:
        show.emit({"task": made.task_id, "url": address, "expires": show.iso(made.expires_us)})
    else:
        show.say(address)


def _thumb(*, up: bool, down: bool) -> "Thumb | None":
    if up and down:
        raise typer.BadParameter("Give --up or --down, not both.")
    return "up" if up else "down" if down else None
