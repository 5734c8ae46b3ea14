"""`doctor`: what is wrong here, with its value and the mend; the gravest first."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.app.doctor import Finding

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_STYLES = {"broken": "bold red", "caution": "yellow", "skipped": "dim", "ok": "green"}


@app.command(name="doctor")
def doctor(
    *,
    every: Annotated[bool, typer.Option("--all", help="Show what is well, too.")] = False,
    seconds: Annotated[
        float, typer.Option("--timeout", min=1, max=600, metavar="SECONDS", help="Take no longer than this.")
    ] = 30.0,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Find what is wrong here, and how to mend it.

    Looks at the settings, the agents' code and policies, the database and the disk, what waits for a person, models,
    and every dependency with its credential. Asks dependencies for their health and for tokens; makes no call that
    costs, and changes nothing else. A look that hangs or fails is a finding like any other. The exit code is 1 if
    anything is broken.

    \b
    Examples:
      airworthy doctor
      airworthy doctor --all
      airworthy doctor --json --timeout 10
    """
    from airworthy.app.doctor import LEVELS, examined

    report = asyncio.run(examined(folder, database, seconds=seconds))
    counts = {level: sum(finding.level == level for finding in report.findings) for level in LEVELS}
    if as_json:
        findings = [
            {"level": one.level, "subject": one.subject, "text": one.text, "mend": one.mend or None}
            for one in report.findings
        ]
        show.emit({"healthy": report.healthy, "counts": counts, "findings": findings})
    else:
        for finding in report.findings:
            if every or finding.level in ("broken", "caution"):
                _tell(finding)
        well = show.counted(counts["ok"], "thing is", "things are")
        if report.healthy:
            show.say(f"{well} well, {counts['caution']} to know of, none broken.", style="green")
        else:
            show.say(
                f"{counts['broken']} broken, {counts['caution']} to know of; {well} well.", style="bold red"
            )
        if not every and counts["skipped"]:
            skipped = show.counted(counts["skipped"], "thing was", "things were")
            show.note(f"{skipped} not looked at: airworthy doctor --all says why.")
    if not report.healthy:
        raise typer.Exit(1)


def _tell(finding: "Finding") -> None:
    show.say(f"{finding.level:<8}{finding.subject}: {finding.text}", style=_STYLES[finding.level])
    for line in show.plain_lines(finding.mend) if finding.mend else []:
        show.say(f"        {line}", style="default")
