"""`review`: everything that waits for a person, in one list, with one way to decide."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show
from airworthy.review.item import Act, Kind, Status

if TYPE_CHECKING:
    from airworthy.runtime.reviews import Reviews, Whole

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Decide on what waits for a person.",
)
LIMIT_DEFAULT = 50
KIND_HELP = f"Only this kind; repeatable. One of: {', '.join(Kind)}. Left out: all but delayed."


@dataclass(frozen=True, slots=True)
class _Door:
    """Where the queue is, who comes, and what they say they saw."""

    folder: Path
    database: str | None
    by: str
    seen: str = ""
    yes: bool = True
    as_json: bool = False


@app.command(name="list")
def list_(
    *,
    kind: Annotated[list[Kind] | None, typer.Option("--kind", "-k", metavar="KIND", help=KIND_HELP)] = None,
    to: Annotated[str, typer.Option("--to", metavar="TEAM", help="Only what is for this team.")] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Only what is assigned to you.")] = False,
    agent: options.AgentFilter = "",
    task: Annotated[str, typer.Option("--task", metavar="ID", help="Only what is about this task.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="What was decided too.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, max=1000, help="At most so many.")
    ] = LIMIT_DEFAULT,
    after: Annotated[
        str, typer.Option(metavar="ID", help="Only what came after this one: the last of the page before.")
    ] = "",
    by: options.By = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List what waits for a person, the oldest first.

    \b
    Examples:
      airworthy review list
      airworthy review list --to support-leads --kind approval
      airworthy review list --kind delayed --json
    """
    from airworthy.app.config import person
    from airworthy.app.lookup import review_id, task_id
    from airworthy.app.project import stored_with_agents
    from airworthy.cli import review_view
    from airworthy.review import ItemQuery
    from airworthy.runtime.review_documents import line_document

    with stored_with_agents(folder, database) as found:
        query = ItemQuery(
            kinds=tuple(kind or ()), to=show.unicode_text(to), assigned=(by or person()) if mine else "",
            agent=show.unicode_text(agent), task_id=task_id(found, task) if task else "",
            statuses=tuple(Status) if all_ else (Status.OPEN,), after=review_id(found, after) if after else "",
            limit=limit,
        )  # fmt: skip
        lines = found.reviews.listing(query, by or person())
        counts = found.reviews.counts()
        show.note_unread(found.reviews.unread)
    if as_json:
        for each in lines:
            show.emit(line_document(each), line=True)
        return
    review_view.show_lines(lines, limit)
    if not kind and counts.get(Kind.DELAYED):
        delayed = show.counted(counts[Kind.DELAYED], "delayed call")
        show.note(f"{delayed} can still be stopped: airworthy review list --kind delayed")


@app.command(name="show")
def show_one(
    item: options.ItemId,
    *,
    by: options.By = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show one item: what happened, why it stopped, what is asked, what follows each answer, and the evidence.

    \b
    Examples:
      airworthy review show rev_06f2
    """
    from airworthy.app.config import person
    from airworthy.app.lookup import review_id
    from airworthy.app.project import stored_with_agents
    from airworthy.cli import review_view
    from airworthy.runtime.review_documents import whole_document

    with stored_with_agents(folder, database) as found:
        document = whole_document(found.reviews.item(review_id(found, item), by or person()))
    if as_json:
        show.emit(document)
    else:
        review_view.show_whole(document)


@app.command(name="approve")
def approve(
    item: options.ItemId,
    *,
    note: options.Note = "",
    seen: options.Seen = "",
    yes: options.Yes = False,
    by: options.By = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Let a held call be made, a blocked answer go out, an escalated task or a dead letter go on.

    \b
    Examples:
      airworthy review approve rev_06f2 --seen 3f9a1c0b7d22e481
      airworthy review approve rev_06f2 --by dana --note "customer called"
    """
    door = _Door(folder, database, by, seen, yes, as_json)
    _decide(item, door, lambda queue, id_, who, seal: queue.approve(id_, who, seen=seal, note=_text(note)))


@app.command(name="edit")
def edit(
    item: options.ItemId,
    *,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One changed argument, as JSON or text; repeatable."),
    ] = None,
    value: Annotated[
        str | None,
        typer.Option("--value", metavar="JSON", help="All arguments of a call, or the whole answer."),
    ] = None,
    note: options.Note = "",
    seen: options.Seen = "",
    yes: options.Yes = False,
    by: options.By = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Approve a held call with changed arguments, or let a blocked answer go out changed.

    The changed arguments are held against the tool's schema and the policy; what was changed is on record.

    \b
    Examples:
      airworthy review edit rev_06f2 --set amount=20 --note "half of it"
      airworthy review edit rev_06f2 --value "Your parcel arrives on Monday."
    """
    from airworthy.cli.review_view import changed

    if bool(sets) == (value is not None):
        raise typer.BadParameter("Give --set KEY=VALUE, or --value with the whole.")
    words, whole = [_text(each) for each in sets or ()], None if value is None else _text(value)

    def how(queue: "Reviews", id_: str, who: str, seal: str) -> "Whole":
        new = changed(queue.item(id_), words, whole)
        return queue.edit(id_, who, new, seen=seal, note=_text(note))

    _decide(item, _Door(folder, database, by, seen, yes, as_json), how)


@app.command(name="reject")
def reject(
    item: options.ItemId,
    *,
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="The reason; the agent or the customer is told.")
    ],
    seen: options.Seen = "",
    yes: options.Yes = False,
    by: options.By = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Say no: a call never happens, a task is declined, a dead letter is put away.

    \b
    Examples:
      airworthy review reject rev_06f2 --why "not covered" --yes
    """
    door = _Door(folder, database, by, seen, yes, as_json)
    _decide(item, door, lambda queue, id_, who, seal: queue.reject(id_, who, seen=seal, note=_text(why)))


@app.command(name="answer")
def answer(
    item: options.ItemId,
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="The answer, or the word for the agent.")
    ] = None,
    *,
    value: Annotated[str | None, typer.Option("--value", metavar="JSON", help="The answer as JSON.")] = None,
    reopen: Annotated[
        bool, typer.Option("--reopen", help="An escalated task goes on, and its agent is given TEXT.")
    ] = False,
    happened: Annotated[bool, typer.Option("--happened", help="A call in doubt took place.")] = False,
    not_happened: Annotated[
        bool, typer.Option("--not-happened", help="It did not; the agent is told.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="It did not, and it is to be done now.")] = False,
    note: options.Note = "",
    seen: options.Seen = "",
    yes: options.Yes = False,
    by: options.By = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Answer a question, answer an escalated task by hand, or say what became of a call in doubt.

    \b
    Examples:
      airworthy review answer rev_06f2 "yes"
      airworthy review answer rev_06f2 "We refund you 20 EUR."
      airworthy review answer rev_06f2 "The customer means order 8812." --reopen
      airworthy review answer rev_06f2 --happened --value '{"refund": "R-17"}'
    """
    from airworthy.cli.review_view import spoken

    said = ((Act.HAPPENED, happened), (Act.NOT_HAPPENED, not_happened), (Act.AGAIN, again))
    settles = [act for act, meant in said if meant]
    if len(settles) + reopen > 1 or (reopen and text is None):
        raise typer.BadParameter("Give one of --happened, --not-happened, --again, or TEXT with --reopen.")
    if not settles and (text is None) == (value is None):
        raise typer.BadParameter("Give the answer as TEXT, or as JSON with --value.")

    def how(queue: "Reviews", id_: str, who: str, seal: str) -> "Whole":
        given = spoken(
            queue.item(id_), None if text is None else _text(text), None if value is None else _text(value)
        )
        if settles:
            return queue.settle(id_, who, settles[0], seen=seal, value=given, note=_text(note))
        if reopen:
            return queue.reopen(id_, who, _text(text or ""), seen=seal, note=_text(note))
        return queue.answer(id_, who, given, seen=seal, note=_text(note))

    _decide(item, _Door(folder, database, by, seen, yes, as_json), how)


@app.command(name="hold")
def hold(
    item: options.ItemId,
    *,
    note: options.Note = "",
    by: options.By = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Let a delayed call wait for somebody's yes instead of for its time.

    \b
    Examples:
      airworthy review hold rev_06f2 --note "looks odd"
    """
    door = _Door(folder, database, by, as_json=as_json)
    _decide(item, door, lambda queue, id_, who, seal: queue.hold(id_, who, seen=seal, note=_text(note)))


@app.command(name="assign")
def assign(
    item: options.ItemId,
    to: Annotated[str, typer.Argument(metavar="TO", help="A person, or a team of people.toml.")],
    *,
    note: options.Note = "",
    by: options.By = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Give an item to a person, or to another team.

    \b
    Examples:
      airworthy review assign rev_06f2 lee
      airworthy review assign rev_06f2 finance --note "above our limit"
    """
    door = _Door(folder, database, by, as_json=as_json)
    _decide(item, door, lambda queue, id_, who, _: queue.assign(id_, who, _text(to), note=_text(note)))


def _decide(part: str, door: _Door, how: "Callable[[Reviews, str, str, str], Whole]") -> None:
    """Shows what is decided on unless the person names what they saw, asks, decides, tells."""
    from airworthy.app.config import person
    from airworthy.app.lookup import review_id
    from airworthy.app.project import stored_with_agents
    from airworthy.cli import review_view
    from airworthy.runtime.review_documents import whole_document
    from airworthy.runtime.reviews import ItemChanged

    with stored_with_agents(door.folder, door.database) as found:
        id_ = review_id(found, part)
        before = found.reviews.item(id_)
        if not door.seen and not door.yes:
            review_view.show_whole(whole_document(before))
            options.confirmed("Is that what you decide on?", yes=False)
        who = _text(door.by or person())
        try:
            after = how(found.reviews, id_, who, door.seen or before.look.seal)
        except ItemChanged:
            if not door.as_json:
                review_view.show_whole(whole_document(found.reviews.item(id_)))
            raise
        document = whole_document(after)
        task = found.operations.task(after.look.task.id)
    if door.as_json:
        show.emit({**document, "task_state": task.state.value})
    else:
        review_view.show_decided(document, task.state.value)


def _text(text: str) -> str:
    return show.unicode_text(text)
