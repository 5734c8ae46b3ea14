"""`spend`: sums of what was spent. Money stays an integer until it is shown."""

import csv
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.gateway.budget import Question, Tally

app = typer.Typer(rich_markup_mode=None, add_completion=False)

COLUMNS = {
    "day": "day",
    "agent": "agent",
    "key": "key_id",
    "user": "user_id",
    "feature": "feature",
    "model": "model",
}
NUMBERS = (
    "calls", "tokens_in", "tokens_out", "cached", "settled_nano", "reserved_nano", "unpriced_calls",
)  # fmt: skip
FORMULA_STARTS = ("=", "+", "-", "@")  # What a spreadsheet would calculate instead of showing it.


@app.command(name="spend")
def spend(
    *,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by", metavar="WHAT", help=f"One of {', '.join(COLUMNS)}; several: repeat it or use commas."
        ),
    ] = None,
    since: Annotated[str, typer.Option(metavar="DAY", help="From this day (UTC, YYYY-MM-DD).")] = "",
    until: Annotated[str, typer.Option(metavar="DAY", help="Until this day, inclusive.")] = "",
    day: Annotated[str, typer.Option(metavar="DAY", help="This day alone.")] = "",
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="This month alone.")] = "",
    agent: options.AgentFilter = "",
    as_json: options.AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="CSV on stdout: money in integer nano-USD, and no total.")
    ] = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show what was spent, by agent, user, feature, model or day.

    Settled is what bills came to. Reserved is the worst case of calls under way, and of those whose bill never came;
    these are counted as unpriced.

    \b
    Examples:
      airworthy spend
      airworthy spend --by model --by day --month 2026-11
      airworthy spend --by user,feature --agent support --csv
    """  # fmt: skip
    from airworthy.app.project import gateway_stored
    from airworthy.gateway.budget import Question, report

    names = _names(by or ["agent"])
    first, last = _days(since, until, day, month)
    if as_json and as_csv:
        raise typer.BadParameter("Give one of --json and --csv.")
    columns = tuple(COLUMNS[name] for name in names)
    question = Question(columns, first, last, show.unicode_text(agent))
    with gateway_stored(folder, database) as found:
        rows = found.database.read_now(lambda tx: report(tx, question))
    if as_json:
        _as_json(names, question, rows)
    elif as_csv:
        _as_csv(names, rows)
    elif rows:
        _as_table(names, rows)
    else:
        show.note("Nothing was spent in that time.")


def _names(by: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(name.strip() for part in by for name in part.split(",")))
    for name in names:
        if name not in COLUMNS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(COLUMNS)}.", param_hint="--by")
    return names


def _days(since: str, until: str, day: str, month: str) -> tuple[str, str]:
    """The first and the last day, empty where nothing bounds them."""
    if sum(map(bool, (since or until, day, month))) > 1:
        raise typer.BadParameter("Give one of --day, --month, and --since with --until.")
    if month:
        _checked(f"{month}-01", "--month", "YYYY-MM")
        return f"{month}-01", f"{month}-31"
    if day:
        return _checked(day, "--day"), day
    first, last = since and _checked(since, "--since"), until and _checked(until, "--until")
    if first and last and first > last:
        raise typer.BadParameter(f"--since {first} is after --until {last}.")
    return first, last


def _checked(day: str, option: str, form: str = "YYYY-MM-DD") -> str:
    try:
        # Other spellings of a date are dates too, and compare wrongly as text.
        if date.fromisoformat(day).isoformat() == day:
            return day
    except ValueError:
        pass
    raise typer.BadParameter(f"This is no {form}.", param_hint=option)


def _total(rows: "Sequence[tuple[tuple[str, ...], Tally]]") -> "Tally":
    from airworthy.gateway.budget import Tally

    total = Tally()
    for _, tally in rows:
        total = total.plus(tally)
    return total


def _as_json(
    names: Sequence[str], question: "Question", rows: "Sequence[tuple[tuple[str, ...], Tally]]"
) -> None:
    show.emit(
        {
            "by": names,
            "since": question.since or None,
            "until": question.until or None,
            "agent": question.agent or None,
            "rows": [{**dict(zip(names, values, strict=True)), **_document(tally)} for values, tally in rows],
            "total": _document(_total(rows)),
        }
    )


def _document(tally: "Tally") -> dict[str, int]:
    return {name: getattr(tally, name) for name in NUMBERS}


def _as_csv(names: Sequence[str], rows: "Sequence[tuple[tuple[str, ...], Tally]]") -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow((*names, *NUMBERS))
    for values, tally in rows:
        writer.writerow((*map(_cell, values), *_document(tally).values()))


def _cell(text: str) -> str:
    plain = show.plain(text)
    return f"'{plain}" if plain.startswith(FORMULA_STARTS) else plain


def _as_table(names: Sequence[str], rows: "Sequence[tuple[tuple[str, ...], Tally]]") -> None:
    lines = [(*(value or "-" for value in values), *_shown(tally)) for values, tally in rows]
    total = ("total", *("" for _ in names[1:]), *_shown(_total(rows)))
    show.table(
        (*names, "calls", "tokens in", "tokens out", "settled", "reserved", "unpriced"), [*lines, total]
    )


def _shown(tally: "Tally") -> tuple[str, ...]:
    from airworthy.core.money import usd_text

    return (
        str(tally.calls), str(tally.tokens_in), str(tally.tokens_out), usd_text(tally.settled_nano),
        usd_text(tally.reserved_nano), str(tally.unpriced_calls),
    )  # fmt: skip
