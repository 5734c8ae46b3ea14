"""A report as lines for a terminal: the verdict first, then what is missing and how the agent fails."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from airworthy.core.chars import printable
from airworthy.core.money import usd_text
from airworthy.evals import Severity
from airworthy.preflight.cell import CellResult, State
from airworthy.preflight.report import Report, Section, Verdict
from airworthy.preflight.reporting.replaying import replay_command

LINE_CHARS_MAX: Final = 300
CELLS_SHOWN_MAX: Final = 12
LIST_SHOWN_MAX: Final = 20
STYLES: Final = {Verdict.GO: "bold green", Verdict.NO_GO: "bold red", Verdict.INCONCLUSIVE: "bold yellow"}
RANK: Final = {Severity.CRITICAL: 0, Severity.MAJOR: 1, Severity.MINOR: 2}


@dataclass(frozen=True, slots=True)
class Line:
    """One line without anything that commands a terminal. `style`: a word of rich, for whoever can colour."""

    text: str
    style: str = ""


def terminal_lines(report: Report) -> list[Line]:
    verdict = report.verdict.value.upper()
    lines = [_line(f"{verdict}: {report.sentence}", STYLES[report.verdict])]
    lines += _listed("What is missing", report.missing)
    lines += _listed("How this agent fails", report.how_it_fails)
    lines.append(Line(""))
    lines += [_part(section) for section in report.sections]
    lines += _failing(report)
    lines += _checklist(report)
    lines.append(Line(""))
    lines.append(_line(_sums(report), "dim"))
    return lines


def worst_first(cells: list[CellResult]) -> list[CellResult]:
    return sorted(cells, key=lambda cell: (cell.state is not State.FAILED, RANK[cell.severity], cell.id))


def counts_text(cells: tuple[CellResult, ...]) -> str:
    counted = Counter(cell.state for cell in cells)
    told = [f"{counted[state]} {state.value}" for state in State if counted[state]]
    return ", ".join(told) if told else "nothing run"


def _part(section: Section) -> Line:
    told = f"{section.part.value:<12} {section.verdict.value:<13} {counts_text(section.cells)}. {section.sentence}"
    style = "" if section.verdict is Verdict.GO else STYLES[section.verdict].removeprefix("bold ")
    return _line(told, style)


def _failing(report: Report) -> list[Line]:
    bad = (State.FAILED, State.BROKEN)
    cells = worst_first([cell for each in report.sections for cell in each.cells if cell.state in bad])
    lines: list[Line] = []
    for cell in cells[:CELLS_SHOWN_MAX]:
        lines.append(Line(""))
        word = f" ({cell.severity.value})" if cell.state is State.FAILED else ""
        lines.append(_line(f"{cell.state.value}{word}: {cell.title}", "red"))
        found = [finding.text for finding in cell.findings[:3]] or [cell.why]
        lines += [_line(f"  {text}") for text in found if text]
        lines.append(Line(f"  {replay_command(report, cell)}", "dim"))
    if len(cells) > CELLS_SHOWN_MAX:
        lines += [
            Line(""),
            Line(f"{len(cells) - CELLS_SHOWN_MAX} more failed; the HTML report shows all.", "dim"),
        ]
    return lines


def _checklist(report: Report) -> list[Line]:
    if not report.checklist:
        return []
    open_ = [item for item in report.checklist if item.state == "unanswered"]
    waived = [item for item in report.checklist if item.state == "waived"]
    answered = len(report.checklist) - len(open_) - len(waived)
    told = (
        f"Checklist: {answered} of {len(report.checklist)} answered, {len(waived)} waived, {len(open_)} open."
    )
    lines = [Line(""), Line(told, "" if not open_ else "yellow")]
    for item in open_:
        lines.append(_line(f"  {item.question} {item.evidence}"))
        if item.mend:
            lines.append(_line(f"    {item.mend}", "dim"))
    lines += [_line(f"  Waived: {item.question} {item.evidence}") for item in waived]
    return lines


def _listed(title: str, texts: tuple[str, ...]) -> list[Line]:
    if not texts:
        return []
    lines = [Line(""), Line(f"{title}:")]
    lines += [_line(f"  - {text}") for text in texts[:LIST_SHOWN_MAX]]
    if len(texts) > LIST_SHOWN_MAX:
        lines.append(Line(f"  and {len(texts) - LIST_SHOWN_MAX} more.", "dim"))
    return lines


def _sums(report: Report) -> str:
    cap = f" of at most {usd_text(report.cap_nano)}" if report.cap_nano else ""
    against = f" Compared with {report.against}." if report.against else ""
    model = f" Models: {report.model}." if report.model else ""
    return (
        f"Preflight {report.id} of {report.agent}, release {report.release}. {report.model_calls_made} model calls "
        f"made of {report.model_calls} needed; {usd_text(report.cost_nano)}{cap}; {report.seconds:.0f} s; seed "
        f"{report.seed}.{model}{against}"
    )


def _line(text: str, style: str = "") -> Line:
    line = printable(text[: 4 * LINE_CHARS_MAX])
    return Line(line if len(line) <= LINE_CHARS_MAX else line[: LINE_CHARS_MAX - 1] + "…", style)
