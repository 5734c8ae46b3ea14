"""`alert`: what needs a person and belongs to no single task."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.recorder.alerts import AlertRow

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Look at alerts, and end those that were seen to.",
)  # fmt: skip
SEVERITIES = {"info": "", "warning": "yellow", "critical": "bold red"}


def _keys(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    from airworthy.app.project import stored
    from airworthy.core.errors import AirworthyError
    from airworthy.recorder.alerts import listing

    try:
        with stored(Path(ctx.params.get("folder") or "."), ctx.params.get("database")) as found:
            rows = found.database.read_now(listing)
    except (AirworthyError, OSError):  # The shell must not see an error while somebody types.
        return []
    return [(row.key, show.plain(row.title)) for row in rows if row.key.startswith(incomplete)]


Key = Annotated[
    str,
    typer.Argument(metavar="KEY", help="The alert's key, or a part that only it has.", autocompletion=_keys),
]


@app.command(name="list")
def list_(
    *,
    all_: Annotated[bool, typer.Option("--all", help="Those that have ended too.")] = False,
    agent: options.AgentFilter = "",
    limit: options.Limit = options.LIMIT_DEFAULT,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List the alerts that stand, the newest first. The same again is counted, not listed twice.

    \b
    Examples:
      airworthy alert list
      airworthy alert list --all --json
    """
    from airworthy.app.project import stored
    from airworthy.recorder.alerts import listing
    from airworthy.runtime.documents import alert_document

    agents = [show.unicode_text(agent)] if agent else []
    with stored(folder, database) as found:
        rows = found.database.read_now(lambda tx: listing(tx, over=all_, agents=agents, limit=limit))
    if as_json:
        for row in rows:
            show.emit(alert_document(row), line=True)
        return
    if not rows:
        show.note("No alert stands.")
        return
    show.table(
        ("key", "severity", "title", "times", "first", "last", "ended"),
        [
            (
                row.key, row.severity, row.title, row.count, show.when(row.first_us), show.when(row.last_us),
                _ended(row),
            )
            for row in rows
        ],
    )  # fmt: skip
    if len(rows) == limit:
        show.note("There may be more: raise --limit.")


@app.command(name="show")
def show_one(
    key: Key,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show one alert with its whole text.

    \b
    Examples:
      airworthy alert show shape:support:get_order
      airworthy alert show get_order
    """
    from airworthy.app.project import stored
    from airworthy.runtime.documents import alert_document

    with stored(folder, database) as found:
        row = _found(found, key)
    if as_json:
        show.emit(alert_document(row))
        return
    show.say(row.title, style=SEVERITIES[row.severity])
    show.say()
    show.facts(
        [
            ("Key", row.key),
            ("Severity", row.severity),
            ("Agent", row.agent),
            ("First task", row.task_id),
            ("Times", row.count),
            ("First", show.when(row.first_us)),
            ("Last", show.when(row.last_us)),
            ("Ended", _ended(row)),
            ("Text", row.text),
        ]
    )


@app.command(name="end")
def end(
    key: Key,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """End an alert that was seen to. If its cause comes back, it is raised anew.

    \b
    Examples:
      airworthy alert end shape:support:get_order
    """
    from airworthy.app.config import person
    from airworthy.app.project import stored
    from airworthy.recorder import audit
    from airworthy.recorder.alerts import ended, get
    from airworthy.recorder.audit import Entry
    from airworthy.review import Command
    from airworthy.runtime.documents import alert_document

    with stored(folder, database) as found:
        row = _found(found, key)
        found.reviews.check_command(person(), Command.OPERATE)
        now_us, told = found.clock.now_us(), Entry("alert.end", row.key, person())
        op = audit.noted(
            lambda tx: ended(tx, row.key, person(), now_us), lambda done: told if done else None, now_us
        )
        changed = found.database.write_now(op)
        row = found.database.read_now(lambda tx: get(tx, row.key))
    if as_json:
        show.emit({**alert_document(row), "changed": changed})
        return
    show.say(f"Alert {row.key} {'is ended' if changed else 'had ended already'}.")


def _found(app: "App", part: str) -> "AlertRow":
    """Raises: InputError."""
    from airworthy.core.errors import InputError
    from airworthy.recorder.alerts import alike, get

    part = show.unicode_text(part)
    rows = app.database.read_now(lambda tx: alike(tx, part))
    if len(rows) > 1:
        listed = ", ".join(row.key for row in rows)
        raise InputError(f"{part!r} is in the keys of several alerts: {listed}.", mend="Write more of it.")
    return rows[0] if rows else app.database.read_now(lambda tx: get(tx, part))


def _ended(row: "AlertRow") -> str:
    return f"{show.when(row.ended_us)} by {row.ended_by}" if row.ended_us is not None else ""
