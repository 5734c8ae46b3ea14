"""`seal`: closed days to Parquet, and whether they are whole."""

from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, invoke_without_command=True,
    help="Put closed days into Parquet files; check those.",
)  # fmt: skip

Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Where they go; left out: sealed_folder of recorder.toml."),
]


@app.callback(invoke_without_command=True)
def seal(
    ctx: typer.Context,
    *,
    before: Annotated[
        str,
        typer.Option(
            "--before", metavar="DATE", help="Only days before this one (UTC); left out: before today."
        ),
    ] = "",
    out: Out = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Put closed days into Parquet files; check those.

    Each task and trace that is over is written once, read back, and only then counted as sealed; what is still open
    comes into a later part of its day. Twice is once.

    \b
    Examples:
      airworthy seal
      airworthy seal --before 2026-11-01 --out /archive
      airworthy seal verify
    """
    if ctx.invoked_subcommand is not None:
        return
    from airworthy.app.privacy import sealed
    from airworthy.app.project import stored
    from airworthy.runtime.results_csv import at_us

    try:
        at_us(before)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--before") from error
    with stored(folder, database) as found:
        days = sealed(found, before, out)
    if as_json:
        for day in days:
            show.emit(
                {
                    "day": day.day,
                    "parts": [part.name for part in day.parts],
                    "sealed": day.refs,
                    "open": day.open,
                },
                line=True,
            )
        return
    made = [day for day in days if day.parts or day.open]
    if not made:
        show.note("Everything before is sealed.")
        return
    show.table(
        ("day", "parts", "sealed", "still open"),
        [(day.day, len(day.parts), day.refs, day.open) for day in made],
    )


@app.command(name="verify")
def verify(
    *,
    out: Out = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Read every sealed part back and compare it with its manifest and with the record of it.

    \b
    Examples:
      airworthy seal verify
    """
    from airworthy.app.privacy import verified
    from airworthy.app.project import stored

    with stored(folder, database) as found:
        parts = verified(found, out)
    if as_json:
        for name, wrong in parts:
            show.emit({"part": name, "good": not wrong, "wrong": wrong}, line=True)
    elif parts:
        show.table(("part", "wrong"), [(name, wrong or "nothing") for name, wrong in parts])
    else:
        show.note("Nothing is sealed.")
    if any(wrong for _, wrong in parts):
        raise typer.Exit(Exit.FAILED)
