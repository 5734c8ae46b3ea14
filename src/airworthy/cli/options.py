"""Options that many commands share, and what the shell completes for them. Knows no command."""

from pathlib import Path
from typing import Annotated

import typer


def _folder_of(ctx: typer.Context) -> tuple[Path, str | None]:
    return Path(ctx.params.get("folder") or "."), ctx.params.get("database")


def agent_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """From the newest tasks and the policy beside them; no agent's code is imported for a completion."""
    from airworthy.app.lookup import completion_agents

    return [name for name in completion_agents(*_folder_of(ctx)) if name.startswith(incomplete)]


def task_ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The newest tasks, with their states."""
    from airworthy.app.lookup import completion_tasks

    return [(id_, state) for id_, state in completion_tasks(*_folder_of(ctx)) if id_.startswith(incomplete)]


def effect_ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """What is open in the outbox."""
    from airworthy.app.lookup import completion_effects

    return [(id_, text) for id_, text in completion_effects(*_folder_of(ctx)) if id_.startswith(incomplete)]


def item_ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """What waits in the review queue."""
    from airworthy.app.lookup import completion_items

    return [(id_, text) for id_, text in completion_items(*_folder_of(ctx)) if id_.startswith(incomplete)]


def trace_ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The newest traces, with their agents and names."""
    from airworthy.app.lookup import completion_traces

    return [(id_, text) for id_, text in completion_traces(*_folder_of(ctx)) if id_.startswith(incomplete)]


def filter_terms(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Keys of the filter language; after a key and its colon, values that traces have."""
    from airworthy.app.lookup import completion_values
    from airworthy.recorder.traces.facets import FIELDS
    from airworthy.recorder.traces.query import ABOUT, AMOUNTS, KEYS, STATES, quoted

    minus = "-" if incomplete.startswith("-") else ""
    key, colon, begun = incomplete.removeprefix("-").partition(":")
    if not colon:
        return [
            (f"{minus}{name}{'>' if name in AMOUNTS else ':'}", ABOUT[name])
            for name in KEYS
            if name.startswith(key)
        ]
    known = list(STATES) if key == "is" else []
    if key in FIELDS:
        known = [value if value.isascii() and value.isprintable() and not set(value) & set(' ",*\\') else quoted(value)
                 for value in completion_values(*_folder_of(ctx), key)]  # fmt: skip
    before, comma, last = begun.rpartition(",")
    return [(f"{minus}{key}:{before}{comma}{value}", "") for value in known if value.startswith(last)]


LIMIT_DEFAULT = 50
Limit = Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, max=10_000, help="At most so many.")]
Folder = Annotated[
    Path,
    typer.Option(
        "--folder", "-C", exists=True, file_okay=False, metavar="DIR",
        help="Working folder, with airworthy.toml, the agent and the database.",
    ),
]  # fmt: skip
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="DATABASE",
        help="Instead of the configured one: a file, from the working folder on, or postgresql://user@host/name.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, and nothing else there.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
TaskId = Annotated[
    str,
    typer.Argument(metavar="ID", help="Task id, its beginning or end, or `last`.", autocompletion=task_ids),
]
TaskIds = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID...", help="Task ids, or their beginnings or ends.", autocompletion=task_ids),
]
EffectId = Annotated[
    str,
    typer.Argument(metavar="ID", help="Effect id, or its beginning or end.", autocompletion=effect_ids),
]
ItemId = Annotated[
    str,
    typer.Argument(metavar="ID", help="Item's id, or its beginning or end.", autocompletion=item_ids),
]
TraceId = Annotated[
    str,
    typer.Argument(metavar="ID", help="Trace id, its beginning or end, or `last`.", autocompletion=trace_ids),
]
Filter = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="QUERY", help="What to look for, as agent:support since:24h; see below.",
        autocompletion=filter_terms,
    ),
]  # fmt: skip
By = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who decides; left out: AIRWORTHY_USER or your login.")
]
Seen = Annotated[
    str,
    typer.Option(
        "--seen",
        metavar="SEAL",
        help="What `review show` called what you saw; if it has changed, nothing is done.",
    ),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="A word for the record.")]
AgentArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="AGENT", help="Agent name; needless where there is only one.", autocompletion=agent_names
    ),
]
AgentFilter = Annotated[
    str, typer.Option("--agent", metavar="NAME", help="Only this agent's.", autocompletion=agent_names)
]
OneAgent = Annotated[
    str,
    typer.Option(
        "--agent",
        metavar="NAME",
        help="May be left out when there is only one.",
        autocompletion=agent_names,
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout", min=0, metavar="SECONDS", help="Give up waiting after so long; the task goes on."
    ),
]


def confirmed(question: str, *, yes: bool) -> None:
    """Asks on stderr. Raises: a usage error where nobody can answer, Exit where the answer is no."""
    import sys

    from airworthy.cli import show

    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{question} Nobody can be asked here: add --yes.", param_hint="--yes")
    show.console(stderr=True).print(f"{show.plain(question)} [y/N] ", end="")
    # Read here, because Typer's own question takes Ctrl-C for the end of input.
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise typer.Exit(1)
