"""`notice`: what people were told, what could not be delivered, sending that again, and trying a channel."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit

if TYPE_CHECKING:
    from airworthy.review.messages import MessageRow, State, Untold

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Look at notifications; send again what failed; try a channel.",
)  # fmt: skip

KEYS_SHOWN_MAX = 1_000

Id = Annotated[str, typer.Argument(metavar="ID", help="Message id, its beginning or end.")]
Channel = Annotated[str, typer.Argument(metavar="CHANNEL", help="Its name in people.toml.")]
OfChannel = Annotated[str, typer.Option("--channel", metavar="NAME", help="Only this channel's.")]


@app.command(name="list")
def list_(
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Only what was given up.")] = False,
    pending: Annotated[bool, typer.Option("--pending", help="Only what is not sent yet.")] = False,
    channel: OfChannel = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="At most so many.")] = 50,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List the messages that notices became, the newest first, and the notices that are in none.

    A notice is in no message while it waits for others to go with it, while its channel fails, while no monitor
    (`airworthy run` and `up` have one) is at work, or because its team has no channel.

    \b
    Examples:
      airworthy notice list
      airworthy notice list --failed
      airworthy notice list --channel ops --json
    """
    from airworthy.app.project import stored
    from airworthy.review import messages

    states: list[State] = [*(["failed"] if failed else []), *(["pending"] if pending else [])]  # type: ignore[list-item]
    with stored(folder, database) as found:
        rows = found.database.read_now(
            lambda tx: messages.listing(tx, states=states or messages.STATES, channel=channel, limit=limit)
        )
        others = [] if failed or channel else found.database.read_now(messages.untold)
    if as_json:
        for row in rows:
            show.emit(_document(row), line=True)
        for other in others:
            show.emit(_untold_document(other), line=True)
        return
    if not rows and not others:
        show.note("No message is like that.")
    if rows:
        show.table(
            ("id", "channel", "state", "team", "notices", "title", "when", "error"),
            [
                (
                    row.message.id, row.message.channel, row.state, row.message.team, row.message.count,
                    show.clipped(row.message.content.title, 60), _moment(row), show.clipped(row.error, 80),
                )
                for row in rows
            ],
        )  # fmt: skip
    for other in others:
        show.note(_untold_line(other))


@app.command(name="show")
def show_(
    id_: Id,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show a message: what it says, where it goes, every notice in it, and what became of its attempts.

    \b
    Examples:
      airworthy notice show msg_01kq3w
    """
    from airworthy.app.project import stored
    from airworthy.review import messages

    with stored(folder, database) as found:
        row = found.database.read_now(lambda tx: messages.get(tx, id_))
        keys = found.database.read_now(lambda tx: messages.notice_keys(tx, row.message.id, KEYS_SHOWN_MAX))
    if as_json:
        show.emit({**_document(row), "text": list(row.message.content.text), "keys": keys})
        return
    content = row.message.content
    show.facts(
        [
            ("id", row.message.id),
            ("state", row.state),
            ("channel", f"{row.message.channel} {row.message.recipient}".strip()),
            ("team", row.message.team),
            ("attempts", row.attempts),
            ("next", show.when(row.next_us) if row.state == "pending" else ""),
            ("given up", show.when(row.give_up_us) if row.state == "pending" else ""),
            ("ended", show.when(row.ended_us)),
            ("error", row.error),
            ("link", content.link),
        ]
    )
    show.say()
    show.say(content.title)
    for text in content.text:
        show.say_lines(f"  {text}")
    show.note(
        f"{show.counted(row.message.count, 'notice')}: {', '.join(keys[:10])}{' ...' if len(keys) > 10 else ''}"
    )


@app.command(name="retry")
def retry(
    id_: Annotated[str, typer.Argument(metavar="[ID]", help="Message id, its beginning or end.")] = "",
    *,
    channel: Annotated[
        str, typer.Option("--channel", metavar="NAME", help="All of this channel that are not sent.")
    ] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Send what failed, or waits for its next attempt, again and at once; the monitor does it within seconds.

    A message keeps its id, so a receiver that had it after all can drop it.

    \b
    Examples:
      airworthy notice retry msg_01kq3w
      airworthy notice retry --channel ops
    """
    from airworthy.app.people import load_people
    from airworthy.app.project import stored
    from airworthy.review import messages
    from airworthy.review.channel_rule import ChannelRule

    if bool(id_) == bool(channel):
        raise typer.BadParameter("Name a message, or a channel with --channel.")
    with stored(folder, database) as found:
        if id_:
            row = found.database.read_now(lambda tx: messages.get(tx, id_))
            id_, of = row.message.id, row.message.channel
        else:
            of = channel
        rule = load_people(folder).channels.get(of)
        give_up_s = (
            rule.give_up_s if rule is not None else float(ChannelRule.model_fields["give_up_s"].default)
        )
        now_us = found.clock.now_us()
        count = found.database.write_now(
            lambda tx: messages.again(tx, now_us, give_up_s, id_=id_, channel=channel)
        )
    if as_json:
        show.emit({"retried": count})
    else:
        show.say(f"{show.counted(count, 'message')} will be sent again.")
    if not count:
        raise typer.Exit(Exit.FAILED)


@app.command(name="test")
def try_(
    channel: Channel,
    *,
    to: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="For e-mail: who gets it; left out: the channel's first `to`."),
    ] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
) -> None:
    """Send one test message over a channel, now, past the queue, and say what came of it.

    On PagerDuty it opens an incident of severity info and resolves it at once.

    \b
    Examples:
      airworthy notice test ops
      airworthy notice test mail --to ann@example.com
    """
    import asyncio

    from airworthy.app.notify import tested

    result, error = asyncio.run(tested(folder, channel, to))
    if as_json:
        show.emit({"channel": channel, "result": result, "error": error})
    elif result == "sent":
        show.say(f"The channel {channel} took the message.")
    else:
        show.fail(f"The channel {channel} did not take the message. {error}")
    if result != "sent":
        raise typer.Exit(Exit.FAILED)


def _moment(row: "MessageRow") -> str:
    if row.state == "pending":
        return f"next {show.when(row.next_us)}"
    return show.when(row.ended_us)


def _untold_line(other: "Untold") -> str:
    notices, since = show.counted(other.count, "notice"), show.when(other.oldest_us)
    match other.state:
        case "waiting":
            return f"{notices} for {other.team} wait to go over {other.channel}, since {since}."
        case "unrouted":
            return f"{notices} for {other.team} wait for a worker, since {since}."
        case "nobody":
            why = "people.toml gives the team no channel, or none but the one that fails"
            return f"{notices} for {other.team} reached nobody: {why}."


def _document(row: "MessageRow") -> dict[str, object]:
    message = row.message
    return {
        "id": message.id, "state": row.state, "channel": message.channel, "recipient": message.recipient,
        "team": message.team, "kind": message.kind, "severity": message.content.severity, "notices": message.count,
        "title": message.content.title, "attempts": row.attempts, "created": show.iso(message.created_us),
        "next": show.iso(row.next_us) if row.state == "pending" else None,
        "given_up_at": show.iso(row.give_up_us), "ended": show.iso(row.ended_us), "error": row.error,
    }  # fmt: skip


def _untold_document(other: "Untold") -> dict[str, object]:
    return {
        "id": None, "state": other.state, "channel": other.channel, "team": other.team, "notices": other.count,
        "created": show.iso(other.oldest_us),
    }  # fmt: skip
