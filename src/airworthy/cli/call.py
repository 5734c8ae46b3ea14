"""`call`: the calls that came over HTTP, one by one: who asked, which model answered, what it took."""

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options, show

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Look at the calls that came over HTTP.",
)  # fmt: skip
DAY_CHARS = len("2026-11-01")


@app.command(name="list")
def list_(
    *,
    agent: options.AgentFilter = "",
    user: Annotated[str, typer.Option(metavar="ID", help="Only this user's.")] = "",
    feature: Annotated[str, typer.Option(metavar="NAME", help="Only of this feature.")] = "",
    key: Annotated[str, typer.Option(metavar="ID", help="Only with this key; its beginning is enough.")] = "",
    task: Annotated[str, typer.Option(metavar="ID", help="Only of this task or run.")] = "",
    model: Annotated[
        str, typer.Option(metavar="NAME", help="Only where a model was asked for, or answered, by this name.")
    ] = "",
    code: Annotated[
        str,
        typer.Option(
            metavar="CODE",
            help="Only those that ended so: answered, cached, failed, stopped, left, or a code such as budget.",
        ),
    ] = "",
    since: Annotated[
        str, typer.Option(metavar="WHEN", help='From then on: a day or moment in UTC, or a time ago ("2h").')
    ] = "",
    limit: options.Limit = options.LIMIT_DEFAULT,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List calls, the newest first.

    Calls of agents that work on tasks stand in those: see `airworthy task show`.

    \b
    Examples:
      airworthy call list --agent support --since 2h
      airworthy call list --code failed --json
      airworthy call list --task order-17
    """
    from airworthy.app.project import gateway_stored
    from airworthy.cli.call_view import document, line
    from airworthy.gateway.reading import CallQuery, calls

    whole = show.unicode_text
    with gateway_stored(folder, database) as found:
        since_us = _since_us(since, found.clock.now_us())
        query = CallQuery(
            whole(agent), whole(user), whole(feature), whole(key), whole(task), whole(model), whole(code),
            since_us, limit,
        )  # fmt: skip
        rows = found.database.read_now(lambda tx: calls(tx, query))
    if as_json:
        for row in rows:
            show.emit(document(row), line=True)
        return
    if not rows:
        show.note("No call is like that.")
        return
    show.table(("id", "began", "agent", "model", "ended", "took", "cost"), [line(row) for row in rows])
    if len(rows) == limit:
        show.note("There may be more: raise --limit.")


@app.command(name="show")
def show_one(
    call: Annotated[str, typer.Argument(metavar="ID", help="Call id, its beginning or end, or `last`.")],
    *,
    full: Annotated[bool, typer.Option("--full", help="Show what was sent and what came back, too.")] = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show one call: who asked, which model answered after how many attempts, and what it took.

    \b
    Examples:
      airworthy call show last
      airworthy call show call_06f2c8 --full
    """
    from airworthy.app.lookup import call_id
    from airworthy.app.project import gateway_stored
    from airworthy.cli.call_view import document, said, show_call
    from airworthy.gateway import reading

    with gateway_stored(folder, database) as found:
        id_ = call_id(found, show.unicode_text(call))
        row = found.database.read_now(lambda tx: reading.call(tx, id_))
        bodies = found.database.read_now(lambda tx: reading.bodies(tx, id_)) if full else None
    assert row is not None
    if as_json:
        show.emit({**document(row), **(said(bodies) if full else {})})
    else:
        show_call(row, bodies, full=full)


def _since_us(text: str, now_us: int) -> int:
    """0: from the beginning."""
    from airworthy.core.clock import US_PER_S
    from airworthy.policy.units import BadUnit, seconds_from

    if not text.strip():
        return 0
    try:
        if len(text) == DAY_CHARS:
            moment = datetime.combine(date.fromisoformat(text), time())
        else:
            moment = datetime.fromisoformat(text)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * US_PER_S)
    except (ValueError, OverflowError):
        pass
    try:
        return max(now_us - round(seconds_from(text) * US_PER_S), 0)
    except BadUnit as error:
        raise typer.BadParameter(
            'Write a day (2026-11-01), a moment (2026-11-01T12:30) or a time ago ("30 min", "2h", "7d").',
            param_hint="--since",
        ) from error
