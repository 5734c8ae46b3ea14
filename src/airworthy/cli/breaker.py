"""`breaker`: which dependencies are cut off, since when and why; and cutting off or letting back by hand."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.resilience.shared import BreakerRow

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Look at circuit breakers; open and close them.",
)  # fmt: skip


def _names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    from airworthy.app.project import gateway_stored
    from airworthy.core.errors import AirworthyError
    from airworthy.resilience.shared import listing

    folder, database = Path(ctx.params.get("folder") or "."), ctx.params.get("database")
    try:
        with gateway_stored(folder, database) as found:
            rows = found.database.read_now(listing)
    except (AirworthyError, OSError):  # The shell must not see an error while somebody types.
        return []
    return [(row.name, _mode(row)) for row in rows if incomplete.casefold() in row.name.casefold()]


Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The breaker's name, its beginning, or another part of it.",
        autocompletion=_names,
    ),
]


@app.command(name="list")
def list_(
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List the breakers that any process has used, with the reason of each that is not closed.

    \b
    Examples:
      airworthy breaker list
      airworthy breaker list --json
    """
    from airworthy.app.project import gateway_stored
    from airworthy.resilience.shared import listing

    with gateway_stored(folder, database) as found:
        rows, now_us = found.database.read_now(listing), found.clock.now_us()
    if as_json:
        for row in rows:
            show.emit(_document(row, now_us), line=True)
        return
    if not rows:
        show.note("No breaker has been used yet.")
        return
    show.table(
        ("name", "mode", "since", "by", "failures", "next probe", "reason"),
        [
            (
                row.name, _mode(row), show.when(row.changed_us), row.by_whom, _failures(row, now_us),
                _next_probe(row, now_us), "" if row.state.reason == "new" else row.state.reason,
            )
            for row in rows
        ],
    )  # fmt: skip


@app.command(name="open")
def open_(
    name: Name,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Shown to everybody whose call is refused.")],
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Cut a model or a dependency off: no call goes there until the breaker is closed by hand.

    Every process obeys within a second; calls under way are not broken off. A model's calls go to its fallbacks; tools
    of a dependency follow theirs, or their tasks wait.

    \b
    Examples:
      airworthy breaker open gpt-5-mini --reason "wrong answers since noon"
      airworthy breaker open dependency:crm --reason "moved to another house until Monday"
    """
    if not reason.strip():
        raise typer.BadParameter(
            "Say why: it is shown to everybody whose call is refused.", param_hint="--reason"
        )
    _decide(name, reason, (folder, database), opens=True, as_json=as_json)


@app.command(name="close")
def close(
    name: Name,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="A word for the record.")] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Let calls through again, however the breaker was opened; it counts from nothing.

    \b
    Examples:
      airworthy breaker close gpt-5-mini --reason "vendor says it is mended"
    """
    _decide(name, reason, (folder, database), opens=False, as_json=as_json)


def _decide(name: str, reason: str, place: tuple[Path, str | None], *, opens: bool, as_json: bool) -> None:
    from airworthy.app.config import person
    from airworthy.app.project import gateway_stored
    from airworthy.recorder import audit
    from airworthy.recorder.audit import Entry
    from airworthy.resilience.shared import Hand, alike, decide, listing
    from airworthy.review import Command

    hand = Hand(opens=opens, reason=show.unicode_text(reason), by_whom=show.unicode_text(person()))
    with gateway_stored(*place) as found:
        found.reviews.check_command(person(), Command.STOP if opens else Command.OPERATE)
        names = [row.name for row in found.database.read_now(listing)]
        chosen = alike(names, show.unicode_text(name))
        now_us = found.clock.now_us()
        told = Entry("breaker.open" if opens else "breaker.close", chosen, hand.by_whom)
        op = audit.noted(lambda tx: decide(tx, chosen, hand, now_us), told, now_us)
        before, after = found.database.write_now(op)
    changed = before != after
    if as_json:
        show.emit({**_document(after, now_us), "changed": changed, "before": before.state.mode.value})
        return
    if not changed:
        show.say(
            f"{chosen} is {_mode(after)} already, since {show.when(after.changed_us)}: {after.state.reason}."
        )
        return
    show.say(f"{chosen} was {_mode(before)} and is now {_mode(after)}.")
    if opens:
        show.say(f"Let calls through again with: airworthy breaker close {shlex.quote(chosen)}")


def _mode(row: "BreakerRow") -> str:
    words = row.state.mode.value.replace("_", " ")
    return f"{words} by hand" if row.state.forced else words


def _failures(row: "BreakerRow", now_us: int) -> str:
    ok, failures = row.state.window.counts(now_us, row.policy.window_s)
    return f"{failures} of {ok + failures}" if failures else ""


def _probe_us(row: "BreakerRow") -> int | None:
    """When a call may go through to try; None: at no time, or any call may."""
    from airworthy.resilience import Mode

    if row.state.forced or row.state.mode is Mode.CLOSED:
        return None
    if row.state.mode is Mode.OPEN:
        return row.state.until_us
    return row.state.probe_until_us if row.state.probe is not None else 0


def _next_probe(row: "BreakerRow", now_us: int) -> str:
    if row.state.forced:
        return "when closed by hand"
    at_us = _probe_us(row)
    if at_us is None:
        return ""
    if row.state.probe is not None:
        return f"under way, until {show.when(at_us)}"
    return show.when(at_us) if at_us > now_us else "with the next call"


def _document(row: "BreakerRow", now_us: int) -> dict[str, object]:
    ok, failures = row.state.window.counts(now_us, row.policy.window_s)
    return {
        "name": row.name,
        "mode": row.state.mode.value,
        "forced": row.state.forced,
        "since": show.iso(row.changed_us),
        "by": row.by_whom,
        "reason": row.state.reason,
        "next_probe": show.iso(_probe_us(row) or None),
        "probing": row.state.probe is not None,
        "failures": failures,
        "calls": ok + failures,
        "window_s": row.policy.window_s,
    }
