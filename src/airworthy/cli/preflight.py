"""`preflight`: what is asked for, how far it has come, and what came of it, with its three exit codes."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit
from airworthy.core.errors import InputError
from airworthy.preflight.cell import Part

if TYPE_CHECKING:
    from airworthy.app.preflight import Preflight
    from airworthy.cli.preflight_view import View
    from airworthy.preflight.cell import CellResult
    from airworthy.preflight.report import Report

app = typer.Typer(rich_markup_mode=None, add_completion=False)
REPEATS_MAX = 1_000
OUT = "preflight-report"
EVIDENCE_CHARS = 2_000


Suites = Annotated[
    list[str] | None,
    typer.Option("--suite", metavar="PATH", help="Cases, in place of preflight.toml's; repeatable."),
]
Budget = Annotated[
    float | None,
    typer.Option(metavar="USD", min=0, help="What it may cost in all; left out: preflight.toml's."),
]
Against = Annotated[
    str, typer.Option(metavar="WHICH", help="Compare with: last-good, a release, a preflight's id.")
]
Repeat = Annotated[
    str, typer.Option(metavar="auto|N", help="Runs of each golden case; auto: until it is clear.")
]
Jobs = Annotated[int, typer.Option(min=1, max=256, metavar="N", help="Trials at once.")]
Only = Annotated[
    list[Part] | None,
    typer.Option("--only", metavar="PART", help="This part only; repeatable. It can then not end as go."),
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same cells.")]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", file_okay=False, help="Folder for the report files.")
]
CellId = Annotated[str, typer.Option(metavar="ID", help="Run exactly this cell again, and show it.")]
Resume = Annotated[
    bool | None,
    typer.Option(
        "--resume/--fresh", help="Go on with one that was broken off, or begin anew; left out: go on."
    ),
]


@app.command(name="preflight")
def preflight(
    agent: options.AgentArgument = None,
    *,
    suite: Suites = None,
    budget: Budget = None,
    against: Against = "",
    repeat: Repeat = "auto",
    jobs: Jobs = 16,
    only: Only = None,
    seed: Seed = 7,
    out: Out = None,
    cell: CellId = "",
    resume: Resume = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Prove that an agent is ready, before anyone depends on it.

    Runs the agent on its cases, then on inputs made to break it, with every tool and model failing in every way, with
    a full context, many at once and at ten times the load. Nothing that its tools do leaves the house: stand-ins play
    what acts, and the real thing is never called. What it does past its tools, with a client of its own, is not kept
    in.

    It ends with one verdict. Exit code 0: go. 1: no-go, something failed. 2: inconclusive, and what is missing is said.
    Ctrl-C once lets what is under way end and tells what was found; the same command goes on from there.

    \b
    Examples:
      airworthy preflight
      airworthy preflight --budget 5.00 --against last-good
      airworthy preflight --only golden --repeat 20 --fresh
      airworthy preflight --cell failures/where-is-it/find_order.1/http_500.always
    """
    from airworthy.app.preflight import Options, Preflight
    from airworthy.app.preflight_settings import load_preflight_settings
    from airworthy.app.project import named, project
    from airworthy.cli.preflight_view import View

    wanted = Options(
        tuple(suite or ()), budget, against, _repeat(repeat), jobs, tuple(only or ()), seed, cell,
        resume is not False, resume is True,
    )  # fmt: skip
    with project(folder, database) as found:
        view = View(quiet=as_json)
        run = Preflight(
            found.app, named(found.agents, agent), folder, load_preflight_settings(folder), wanted, view.show
        )
        raise typer.Exit(asyncio.run(_ran(run, view, out, as_json=as_json)))


async def _ran(run: "Preflight", view: "View", out: Path | None, *, as_json: bool) -> int:
    from airworthy.app.preflight_told import written
    from airworthy.cli.interrupts import ran
    from airworthy.preflight.report import EXIT_CODES

    with view:
        ended = await ran([run])
    report = run.report
    if report is None:
        return ended
    if not as_json:
        for notice in run.suite.warnings:
            show.note(str(notice), style="yellow")
    if run.options.cell:
        return _cell(report, run.options.cell, as_json=as_json)
    files = written(report, out if out is not None else run.folder / OUT)
    _show(report, files, as_json=as_json)
    return EXIT_CODES[report.verdict] if ended is Exit.OK else ended


def _show(report: "Report", files: Sequence[Path], *, as_json: bool) -> None:
    from airworthy.preflight.reporting import terminal_lines, to_document

    if as_json:
        show.emit(to_document(report))
        return
    for line in terminal_lines(report):
        show.say(line.text, style=line.style)
    show.say(f"Written: {', '.join(str(file) for file in files)}")


def _cell(report: "Report", id_: str, *, as_json: bool) -> int:
    """What the one cell came to. Raises: InputError when there is none of this id."""
    from airworthy.app.preflight_told import cell_found
    from airworthy.preflight.cell import State
    from airworthy.preflight.reporting.json_ import plain_data

    cell = cell_found(report, id_)
    if as_json:
        show.emit(plain_data(cell))
    else:
        _show_cell(cell)
    return {State.PASSED: 0, State.FAILED: 1}.get(cell.state, 2)


def _show_cell(cell: "CellResult") -> None:
    style = {"passed": "bold green", "failed": "bold red"}.get(cell.state.value, "bold yellow")
    show.say(f"{cell.state.value.upper()}  {cell.id}", style=style)
    show.facts([
        ("What", cell.title),
        ("Severity", cell.severity.value),
        ("Runs", f"{cell.passed} of {cell.runs} passed"),
        ("Why", cell.why),
        *((finding.kind, finding.text) for finding in cell.findings),
        *((name, show.clipped(show.readable(value), EVIDENCE_CHARS)) for name, value in cell.evidence.items() if value),
    ])  # fmt: skip


def _repeat(said: str) -> int | None:
    if said == "auto":
        return None
    if said.isdecimal() and 1 <= int(said) <= REPEATS_MAX:
        return int(said)
    raise InputError(f"--repeat {said!r} is no number of runs.", mend=f"Write auto, or 1 to {REPEATS_MAX}.")
