"""`airworthy trace diff`: two runs held against each other, step by step."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.recorder.compare import Comparison, Line, Pair, Part, Side

LINE_CHARS_MAX = 200


def diff(
    left: Annotated[
        str, typer.Argument(metavar="ID", help="A task or trace, or the beginning or end of its id.")
    ],
    right: Annotated[
        str | None,
        typer.Argument(metavar="[OTHER]", help="The other; left out: a similar run near it that went well."),
    ] = None,
    *,
    all_steps: Annotated[bool, typer.Option("--all", help="With the steps that are the same.")] = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Compare two runs: which steps differ, in what went in, what came out, model, and how they ended.

    \b
    Examples:
      airworthy trace diff tsk_01ka tsk_01kb
      airworthy trace diff last --json
    """
    from airworthy.app.project import stored
    from airworthy.runtime import comparing

    with stored(folder, database) as app:
        one = _run_id(app, left)
        other = (
            _run_id(app, right)
            if right is not None
            else app.database.read_now(lambda tx: comparing.similar(tx, one))
        )
        if not other:
            raise typer.BadParameter(
                f"No run of the same agent and feature went well near {one}; name the other."
            )
        found = app.database.read_now(lambda tx: comparing.compared(tx, one, other))
    if as_json:
        show.emit(comparing.document(found))
    else:
        _show(found, all_steps=all_steps)


def _run_id(app: "App", part: str) -> str:
    """Also of a task that stands in no index yet. Raises: NoSuchTask, AmbiguousId."""
    from airworthy.app.lookup import task_id, trace_id
    from airworthy.recorder.traces.find import NoSuchTrace

    try:
        return trace_id(app, part)
    except NoSuchTrace:
        return task_id(app, part)


def _show(found: "Comparison", *, all_steps: bool) -> None:
    show.say(f"{found.differing} of {show.counted(len(found.pairs), 'step')} differ.", style="bold")
    for name, side in (("Here", found.left), ("There", found.right)):
        show.say()
        show.say(f"{name}  {side.id}  {side.outcome}  {_took(side)}")
        show.say(f"  {side.sentence}")
    show.say()
    for change in found.changes:
        show.say(f"{change.what}: {change.left or 'none'} -> {change.right or 'none'}")
    for title, lines in (("Input", found.asked), ("Answer", found.answer)):
        if lines:
            show.say(title, style="dim")
            _lines(lines)
    for pair in found.pairs:
        if all_steps or not pair.same:
            _pair(pair)


def _pair(pair: "Pair") -> None:
    sign = "=" if pair.same else "-" if pair.right is None else "+" if pair.left is None else "~"
    show.say(f"{sign} {_named(pair.left)}  {_named(pair.right)}", style="" if pair.same else "bold")
    for change in pair.changes:
        show.say(f"    {change.what}: {change.left or 'none'} -> {change.right or 'none'}")
    for lines in (pair.asked, pair.came):
        _lines(lines)


def _named(part: "Part | None") -> str:
    return "(nothing)" if part is None else f"{part.key} {part.kind} {show.clipped(part.name, 60)}"


def _lines(lines: "Sequence[Line]") -> None:
    for sign, text in lines:
        if sign != "@":
            style = {"+": "green", "-": "red"}.get(sign, "")
            show.say(f"    {sign} {show.clipped(text, LINE_CHARS_MAX)}", style=style)


def _took(side: "Side") -> str:
    from airworthy.core.money import usd_text

    seconds = f"{side.duration_us / 1e6:.1f} s, " if side.duration_us is not None else ""
    return f"{seconds}{usd_text(side.cost_nano)}"
