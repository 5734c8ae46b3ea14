"""`manual`: people do a task with the agent's tools."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.runtime.by_hand import ByHand, Called

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Do a task in the agent's place, with its tools.",
)  # fmt: skip


@app.command(name="tools")
def tools(
    task: options.TaskId,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List the tools that can be called for a task, with their arguments.

    \b
    Examples:
      airworthy manual tools tsk_06f2c8
    """
    from airworthy.app.by_hand import by_hand_of
    from airworthy.app.lookup import task_id
    from airworthy.app.project import project
    from airworthy.runtime.documents import tool_document

    with project(folder, database) as found:
        offered = by_hand_of(found.app, found.agents).tools(task_id(found.app, task))
    if as_json:
        for tool in offered:
            show.emit(tool_document(tool), line=True)
    else:
        show.table(
            ("tool", "effect", "arguments", "what it does"),
            [(tool.name, tool.effect.value, _arguments(tool.schema()), tool.description) for tool in offered],
        )


@app.command(name="call")
def call(
    task: options.TaskId,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="One of `airworthy manual tools`.")],
    arguments: Annotated[str, typer.Argument(metavar="JSON", help="Its arguments, as a JSON object.")] = "{}",
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Even if this task has made the very same act before.")
    ] = False,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who you are; default: your login.")] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Call a tool for a task that is in people's hands. It is checked, bounded and recorded as the agent's calls are.

    \b
    Examples:
      airworthy manual call last find_order '{"order_id": "1001"}'
    """
    from airworthy.app.by_hand import by_hand_of
    from airworthy.app.config import person
    from airworthy.app.lookup import task_id
    from airworthy.app.project import project

    given = _object(show.unicode_text(arguments))
    with project(folder, database) as found:
        hands: ByHand = by_hand_of(found.app, found.agents)
        id_ = task_id(found.app, task)

        async def done() -> "Called":
            try:
                who = show.unicode_text(by) or person()
                return await hands.call(id_, show.unicode_text(tool), given, who, again=again)
            finally:
                await hands.aclose()

        called = asyncio.run(done())
    if as_json:
        show.emit({"task": id_, "tool": tool, **called.document()})
    elif called.waiting:
        show.fail(
            f"It has not been done yet: it waits for {called.waiting}.",
            "Make the same call again once that is decided: airworthy review list",
        )
    elif called.error:
        show.fail(called.error, called.mend)
    else:
        show.say_lines(show.readable(called.result, indent=2))
    for gap in called.gaps:
        show.note(f"{gap}.", style="yellow")
    if called.error or called.waiting:
        raise typer.Exit(1)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"It is no JSON: {error}.", param_hint="JSON") from error
    if not isinstance(value, dict):
        raise typer.BadParameter('Write an object, as {"order_id": "1001"}.', param_hint="JSON")
    return value


def _arguments(schema: dict[str, Any]) -> str:
    needed = schema.get("required", [])
    names = schema.get("properties", {})
    return ", ".join(name if name in needed else f"[{name}]" for name in names)
