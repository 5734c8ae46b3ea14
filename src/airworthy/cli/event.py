"""`event`: what other programs are told of, how far that has come, and sending again what they did not take."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit

if TYPE_CHECKING:
    from airworthy.recorder.events import Row, Standing, State

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Look at what other programs are told; send again what failed.",
)  # fmt: skip

Of = Annotated[str, typer.Option("--of", metavar="NAME", help="Only those of this table [events.NAME].")]


@app.command(name="list")
def list_(
    *,
    of: Of = "",
    task: Annotated[
        str, typer.Option("--task", metavar="ID", help="Only those of this task, by its whole id.")
    ] = "",
    failed: Annotated[bool, typer.Option("--failed", help="Only what was given up.")] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="At most so many.")] = 50,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List what waits to be told or was given up, the newest first, and how each subscription stands.

    What a receiver took is counted and no longer listed.

    \b
    Examples:
      airworthy event list
      airworthy event list --of crm --failed
    """
    from airworthy.app.project import stored
    from airworthy.recorder import events

    states: tuple[State, ...] = ("failed",) if failed else events.STATES
    with stored(folder, database) as found:
        rows = found.database.read_now(
            lambda tx: events.listing(tx, states=states, name=of, task_id=task, limit=limit)
        )
        standings = found.database.read_now(events.standings)
    standings = [each for each in standings if not of or each.name == of]
    if as_json:
        for standing in standings:
            show.emit(_standing_document(standing), line=True)
        for row in rows:
            show.emit(_document(row), line=True)
        return
    if not standings:
        show.note(
            "Nobody is told of events. Declare it in people.toml, as [events.NAME], and start a worker."
        )
    for standing in standings:
        show.say(_standing_line(standing))
    if rows:
        show.table(
            ("id", "events", "type", "task", "state", "attempts", "happened", "error"),
            [
                (
                    row.id, row.subscription, row.kind, row.task_id, row.state, row.attempts, show.when(row.at_us),
                    show.clipped(row.error, 80),
                )
                for row in rows
            ],
        )  # fmt: skip


@app.command(name="retry")
def retry(
    id_: Annotated[str, typer.Argument(metavar="[ID]", help="An event's id, its beginning or end.")] = "",
    *,
    of: Annotated[
        str, typer.Option("--of", metavar="NAME", help="All of [events.NAME] that are not sent.")
    ] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Send what failed, or waits for its next attempt, again and at once; the monitor does it within seconds.

    An event keeps its id, so a receiver that had it after all can drop it. A subscription whose receiver had said that
    it is gone (410) goes on.

    \b
    Examples:
      airworthy event retry evt_4f0c
      airworthy event retry --of crm
    """
    from airworthy.app.events import sent_again
    from airworthy.app.project import stored

    if bool(id_) == bool(of):
        raise typer.BadParameter("Name an event, or a table of people.toml with --of.")
    with stored(folder, database) as found:
        count = sent_again(found.database, found.clock.now_us(), id_, of)
    if as_json:
        show.emit({"retried": count})
    else:
        show.say(f"{show.counted(count, 'event')} will be sent again.")
    if not count:
        raise typer.Exit(Exit.FAILED)


def _standing_line(standing: "Standing") -> str:
    parts = [f"{standing.sent} sent", f"{standing.waiting} waiting", f"{standing.failed} failed"]
    parts += [f"{standing.dropped} dropped"] if standing.dropped else []
    line = f"{standing.name}: {', '.join(parts)}, since {show.when(standing.since_us)}"
    if standing.stopped_us is not None:
        return f"{line}. Stopped {show.when(standing.stopped_us)}: {standing.error}"
    return (
        f"{line}. Next try {show.when(standing.next_us)}: {standing.error}"
        if standing.failures
        else f"{line}."
    )


def _standing_document(standing: "Standing") -> dict[str, object]:
    return {
        "events": standing.name, "since": show.iso(standing.since_us), "sent": standing.sent,
        "waiting": standing.waiting, "failed": standing.failed, "dropped": standing.dropped,
        "failures": standing.failures, "next": show.iso(standing.next_us) if standing.failures else None,
        "stopped": show.iso(standing.stopped_us), "last_sent": show.iso(standing.last_sent_us),
        "error": standing.error,
    }  # fmt: skip


def _document(row: "Row") -> dict[str, object]:
    return {
        "id": row.id, "events": row.subscription, "type": row.kind, "task": row.task_id, "agent": row.agent,
        "state": row.state, "attempts": row.attempts, "happened": show.iso(row.at_us),
        "next": show.iso(row.next_us) if row.state == "pending" and row.attempts else None,
        "ended": show.iso(row.ended_us), "error": row.error,
    }  # fmt: skip
