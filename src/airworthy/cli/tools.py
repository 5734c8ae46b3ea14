"""`tools`: what an agent may use, and whether the results of each still look as they did."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.policy import ToolRule
    from airworthy.runtime import Agent
    from airworthy.tools import Tool
    from airworthy.tools.shape.folding import ShapeRow

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Show tools; compare and accept the shape of results.",
)  # fmt: skip
schema = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="See, compare and accept the shape of a tool's results.",
)  # fmt: skip
app.add_typer(schema, name="schema")


def _tools(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    from airworthy.app.project import stored
    from airworthy.core.errors import AirworthyError
    from airworthy.tools.shape import book

    try:
        with stored(Path(ctx.params.get("folder") or "."), ctx.params.get("database")) as found:
            rows = found.database.read_now(book.listing)
    except (AirworthyError, OSError):  # The shell must not see an error while somebody types.
        return []
    return [(row.tool, row.condition) for row in rows if row.tool.startswith(incomplete)]


ToolName = Annotated[str, typer.Argument(metavar="TOOL", help="Name of the tool.", autocompletion=_tools)]


@app.command(name="list")
def list_(
    *,
    agent: options.AgentFilter = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List the agents' tools: what each does to the world, what it needs, its rule, the shape of its results.

    The shape is `learning` until enough results have been seen, then `pinned`; `changed` when later ones differ, and
    `unstable` when they never stop changing.

    \b
    Examples:
      airworthy tools list
      airworthy tools list --agent support --json
    """
    from airworthy.app.project import project
    from airworthy.tools.shape import book

    with project(folder, database, [show.unicode_text(agent)] if agent else []) as found:
        rows = {
            (row.agent, row.tool): row
            for row in found.app.database.read_now(lambda tx: book.listing(tx, agent))
        }
        tools = [
            (each, tool, rows.get((each.name, tool.name))) for each in found.agents for tool in each.tools
        ]
    if as_json:
        for each, tool, row in tools:
            show.emit(_tool_document(each, tool, row), line=True)
        return
    if not tools:
        show.note("No agent here has a tool.")
        return
    show.table(
        ("agent", "tool", "effect", "dependency", "rule", "shape"),
        [
            (
                each.name, tool.name, f"{tool.effect.value}{', keyed' if tool.keyed else ''}", tool.dependency,
                _rule(each, tool), _condition(each, tool, row),
            )
            for each, tool, row in tools
        ],
    )  # fmt: skip


@schema.command(name="show")
def show_one(
    tool: ToolName,
    *,
    agent: options.AgentFilter = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show the shape of a tool's results: each place with its kinds, and how often it was there.

    Nothing of a result itself is kept: no value, and no key that is one, as an id.

    \b
    Examples:
      airworthy tools schema show get_order
      airworthy tools schema show get_order --json
    """
    from airworthy.tools.shape import telling
    from airworthy.tools.shape.node import packed

    row = _row(tool, agent, folder, database)
    if as_json:
        show.emit({**_shape_document(row), "release": row.release, "shape": packed(row.shape)})
        return
    show.facts(
        [
            ("Tool", row.tool),
            ("Agent", row.agent),
            ("Shape", row.condition),
            *_origin(row),
            ("Release", row.release),
        ]
    )
    show.say()
    for line in telling.lines_of(row.shape):
        show.say(line)
    if row.changes:
        show.note(f"It has changed since: airworthy tools schema diff {row.tool}", style="yellow")


@schema.command(name="diff")
def diff(
    tool: ToolName,
    *,
    agent: options.AgentFilter = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show how results differ from the pinned shape; exit code 1 if they do.

    What breaks readers comes first: fields that are missing, of another kind, or null. Then what is only new.

    \b
    Examples:
      airworthy tools schema diff get_order
    """
    from airworthy.tools.shape import telling

    row = _row(tool, agent, folder, database)
    if as_json:
        show.emit({**_shape_document(row), "changes": _changes(row)})
    elif not row.changes:
        still = "are still being learnt" if row.state == "learning" else "look as pinned"
        show.say(f"Results of {row.tool} {still}.", style="green")
    else:
        for change in row.changes:
            style = "bold red" if change.difference.breaking else "yellow"
            show.say(telling.change_line(change), style=style)
            show.say(f"  first met by task {change.task_id}")
        show.note(f"If it is right so: {telling.right_so(row)}")
    if row.changes:
        raise typer.Exit(1)


@schema.command(name="accept")
def accept(
    tool: ToolName,
    *,
    agent: options.AgentFilter = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Pin what is seen now: the change is right, its alert ends, and every worker compares with it within seconds.

    While a shape is still being learnt, what was learnt so far is pinned. One that is declared in a file is changed
    there, and not accepted.

    \b
    Examples:
      airworthy tools schema accept get_order
    """
    from airworthy.app.config import person
    from airworthy.app.project import stored
    from airworthy.app.shapes import accept_shape
    from airworthy.review import Command

    with stored(folder, database) as found:
        found.reviews.check_command(person(), Command.OPERATE)
        before, after = accept_shape(found, show.unicode_text(tool), show.unicode_text(agent), person())
    if as_json:
        show.emit({**_shape_document(after), "accepted": len(before.changes)})
        return
    show.say(
        f"The shape of {after.tool} is pinned by {after.pinned_by}, with {_counted_changes(before)} accepted."
    )


def _row(tool: str, agent: str, folder: Path, database: str | None) -> "ShapeRow":
    from airworthy.app.project import stored
    from airworthy.app.shapes import shape_of

    with stored(folder, database) as found:
        return shape_of(found, show.unicode_text(tool), show.unicode_text(agent))


def _origin(row: "ShapeRow") -> list[tuple[str, str]]:
    """Where the shape comes from, and what of that is not watched."""
    declared = row.shape.declared
    if declared is not None:
        left = [("Not watched", each) for each in declared.left]
        return [("Declared in", declared.place), ("Pinned", show.when(row.pinned_us)), *left]
    size = f"{row.shape.bytes_min:,} to {row.shape.bytes_max:,} bytes"
    before = ", for the release before" if row.source == "release before" else ""
    return [
        ("Learnt from", f"{show.counted(row.shape.results, 'result')} ({size})"),
        ("Pinned", show.when(row.pinned_us)),
        ("By", f"{row.pinned_by}{before}"),
    ]


def _counted_changes(row: "ShapeRow") -> str:
    return show.counted(len(row.changes), "change")


def _condition(agent: "Agent", tool: "Tool", row: "ShapeRow | None") -> str:
    if not _rule_of(agent, tool).schema_watch:
        return "not watched"
    if row is None:
        declared = _rule_of(agent, tool).result_schema
        return "no result yet" if declared is None else f"declared in {declared.name}"
    if row.state == "learning":
        return f"learning, {row.shape.results} of {_rule_of(agent, tool).schema_learn}"
    return row.condition if not row.changes else f"{row.condition}, {_counted_changes(row)}"


def _rule_of(agent: "Agent", tool: "Tool") -> "ToolRule":
    from airworthy.policy import ToolRule

    return agent.policy.tools.get(tool.name) or ToolRule()


def _rule(agent: "Agent", tool: "Tool") -> str:
    """The keys that the policy sets."""
    if tool.name not in agent.policy.tools:
        return "defaults" if not agent.policy.live else "out of scope"
    return ", ".join(sorted(agent.policy.tools[tool.name].model_fields_set)) or "defaults"


def _tool_document(agent: "Agent", tool: "Tool", row: "ShapeRow | None") -> Mapping[str, object]:
    said = agent.policy.tools.get(tool.name)
    return {
        "agent": agent.name,
        "tool": tool.name,
        "effect": tool.effect.value,
        "keyed": tool.keyed,
        "dependency": tool.dependency,
        "rule": None if said is None else said.model_dump(mode="json", exclude_unset=True),
        "shape": None if row is None else _shape_document(row),
    }


def _shape_document(row: "ShapeRow") -> dict[str, object]:
    return {
        "agent": row.agent,
        "tool": row.tool,
        "state": row.condition,
        "source": row.source,
        "declared_in": None if row.shape.declared is None else row.shape.declared.place,
        "results": row.shape.results,
        "bytes_max": row.shape.bytes_max,
        "pinned": show.iso(row.pinned_us),
        "pinned_by": row.pinned_by or None,
        "changes": len(row.changes),
    }


def _changes(row: "ShapeRow") -> list[dict[str, object]]:
    return [
        {
            "path": change.difference.path,
            "what": change.difference.what,
            "before": change.difference.before,
            "now": change.difference.now,
            "breaking": change.difference.breaking,
            "hits": change.hits,
            "of": change.of,
            "since": show.iso(change.first_us),
            "task": change.task_id,
        }
        for change in row.changes
    ]
