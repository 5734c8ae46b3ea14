"""`migrate`: brings a database to the shape that this version works with."""

from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="migrate")
def migrate(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 1 if anything is missing.")
    ] = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Bring the database to this version, or show what is missing.

    Every command that uses the database does so by itself; this one is for doing it at a moment of your choice, before
    the new version starts anywhere. Steps only add, so older versions go on beside it; one that does more is marked,
    and is refused while anybody is at work. A new database is made whole.

    \b
    Examples:
      airworthy migrate --check
      airworthy migrate
      airworthy migrate --json --database postgresql://airworthy@db.internal/airworthy
    """
    from airworthy.app.config import load_config
    from airworthy.app.migrating import lacking, migrated

    config = load_config(folder, database=database)
    steps = lacking(config) if check else migrated(config)
    if as_json:
        show.emit(
            {
                "database": config.where,
                "applied": not check,
                "steps": [
                    {"room": each.room, "number": each.number, "name": each.name, "breaks": each.breaks}
                    for each in steps
                ],
            }
        )
    elif not steps:
        show.say(f"{config.where} has every step of this version.")
    else:
        for each in steps:
            breaks = "  (older versions cannot go on after it)" if each.breaks else ""
            show.say(f"{each}{breaks}")
        many = show.counted(len(steps), "step")
        show.say(
            f"{many} would be applied to {config.where}." if check else f"{many} applied to {config.where}."
        )
    if check and steps:
        raise typer.Exit(Exit.FAILED)
