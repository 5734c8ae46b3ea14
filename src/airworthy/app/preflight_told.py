"""What a preflight's report holds besides its cells: its release, the comparison, the checklist, and how it fails."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airworthy.core.errors import InputError
from airworthy.core.redact import Redactor
from airworthy.evals import Case, Severity
from airworthy.evals.stats import Observed
from airworthy.preflight import words
from airworthy.preflight.against import against
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.golden import HowOften
from airworthy.preflight.records import Stored
from airworthy.preflight.report import Report
from airworthy.preflight.reporting import html_text, json_text, junit_text
from airworthy.preflight.reporting.json_ import report_from_json

if TYPE_CHECKING:
    from airworthy.app.preflight import Options

FAILS_MAX: Final = 40


def golden_facts(
    cases: Sequence[Case],
    trials: Mapping[str, Sequence[Observed]],
    before: tuple[Stored, Mapping[str, Sequence[Observed]]] | None,
    seed: int,
    often: HowOften,
) -> dict[str, Any]:
    """What the golden trials say besides: what an agent that does nothing would come to, and what changed."""
    found: dict[str, Any] = {}
    if cases:
        found["do_nothing"] = do_nothing(cases)
    if before is not None:
        row, then = before
        found["comparison"] = against(row, then, trials, cases, seed=seed, first=often.at_once)
    return found


def do_nothing(cases: Sequence[Case]) -> dict[str, Any]:
    from airworthy.evals.baselines import baselines, best, sentence

    found = baselines(cases)
    it = best(found)
    assert it is not None
    return {"passed": it.passed, "cases": it.cases, "text": sentence(found)}


def how_it_fails(cells: Sequence[CellResult]) -> tuple[str, ...]:
    """Sentences, the worst first: in words of their own for failing tools and models, else each cell's."""
    order = {severity: at for at, severity in enumerate(Severity)}
    failed = [cell for cell in cells if cell.state is State.FAILED and cell.part is not Part.FAILURES]
    said = [f"{cell.title}: {cell.why}" for cell in sorted(failed, key=lambda it: order[it.severity])]
    matrix = words.how_it_fails([cell for cell in cells if cell.part is Part.FAILURES])
    return (*matrix[:FAILS_MAX], *said[:FAILS_MAX])


def options_told(options: "Options") -> dict[str, Any]:
    return {
        "suites": list(options.suites), "against": options.against, "repeat": options.repeat or "auto",
        "jobs": options.jobs, "parts": [part.value for part in options.parts], "cell": options.cell,
    }  # fmt: skip


def parts_left_out(options: "Options") -> list[Part]:
    return [part for part in Part if part not in options.parts]


def without_secrets(report: Report, redactor: Redactor) -> Report:
    """Inputs, answers and arguments stand in it as they were, and it is stored, shown and passed on."""
    raw, hidden = redactor.redact_bytes(json_text(report).encode())
    return report_from_json(raw) if hidden else report


REPORT_FILES: Final = ("report.html", "report.json", "junit.xml")


def written(report: Report, folder: Path) -> list[Path]:
    """The report as files, those of an earlier one replaced. Raises: InputError."""
    texts = (html_text(report), json_text(report), junit_text(report))
    paths = [folder / name for name in REPORT_FILES]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"The report cannot be written to {folder}: {error}.",
            mend="Name another folder with --out. The report itself is stored: the console shows it under /preflights.",
        ) from error
    return paths


def cell_found(report: Report, id_: str) -> CellResult:
    """Raises: InputError when the plan has no such cell."""
    cells = [cell for section in report.sections for cell in section.cells]
    for cell in cells:
        if cell.id == id_:
            return cell
    why = " ".join(section.sentence for section in report.sections if not section.cells)
    raise InputError(
        f"There is no cell {id_!r}. {why}".rstrip(),
        mend="Take its id from a report of the same cases and seed; --seed must be the same.",
    )
