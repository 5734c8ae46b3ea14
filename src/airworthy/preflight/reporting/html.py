"""A report as one HTML file that asks nothing of any server and runs no script; no text in it can become markup."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airworthy.core.clock import utc_text
from airworthy.core.money import usd_text
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.report import Item, Report, Section
from airworthy.preflight.reporting.bounded import CELLS_MAX, PAGE_CHARS_MAX, Room, clear, clipped
from airworthy.preflight.reporting.facts import Shown, shown_facts
from airworthy.preflight.reporting.heat import MARKS, ORDER, heat_of, worst_first
from airworthy.preflight.reporting.replaying import replay_command
from airworthy.preflight.reporting.svg import interval_svg, share_text
from airworthy.preflight.reporting.terminal import counts_text

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE: Final = Path(__file__).parent / "templates"
TITLES: Final = {
    Part.GOLDEN: "Golden cases",
    Part.ADVERSARIAL: "Adversarial inputs",
    Part.FAILURES: "Failing tools and models",
    Part.CONTEXT: "Full context",
    Part.CONCURRENCY: "Many at once",
    Part.LOAD: "Load",
}
WORDS: Final = {"go": "Go", "no-go": "No-go", "inconclusive": "Inconclusive"}


@dataclass(frozen=True, slots=True)
class CellShown:
    """`anchor`: its place on the page. `evidence`: names and texts."""

    cell: CellResult
    anchor: str
    replay: str
    interval: Any
    evidence: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SectionShown:
    section: Section
    title: str
    counts: str
    cells: list[CellShown]
    left_out: int
    facts: Shown


def html_text(
    report: Report, *, chars_max: int = PAGE_CHARS_MAX, links: Sequence[tuple[str, str]] = ()
) -> str:
    """`chars_max`: of the evidence of all cells together; the page's own words come on top. `links`: paths and
    words, of a house that serves the page; none: it is a file.
    """
    anchors = _anchors(report)
    room = Room(chars_max)
    shown = {each.part: each for each in _by_need(report)}
    cells = {part: _cells(report, section, anchors, room) for part, section in shown.items()}
    sections = [
        SectionShown(
            each, TITLES[each.part], counts_text(each.cells), cells[each.part],
            len(each.cells) - len(cells[each.part]), shown_facts(each.facts),
        )
        for each in report.sections
    ]  # fmt: skip
    # What is left out has no place that a link could lead to.
    anchors = {shown.cell.id: shown.anchor for each in cells.values() for shown in each}
    template = _environment().get_template("report.html")
    return template.render(
        report=report, sections=sections, checklist=[_item(item, report, anchors) for item in report.checklist],
        began=utc_text(report.began_us), cost=usd_text(report.cost_nano), cap=usd_text(report.cap_nano),
        style=_style(), csp=_csp(), verdict=WORDS[report.verdict.value], anchors=anchors, links=links,
    )  # fmt: skip


def style_hash() -> str:
    """For the content-security policy of whoever serves the page: this style and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(_css().encode()).digest()).decode()


def _by_need(report: Report) -> list[Section]:
    """Sections with failures first: they take from the room while there is some."""
    return sorted(
        report.sections, key=lambda each: not any(cell.state is State.FAILED for cell in each.cells)
    )


def _anchors(report: Report) -> dict[str, str]:
    """By number, because an id may hold what no fragment can."""
    ids = [cell.id for section in report.sections for cell in section.cells]
    return {id_: f"cell-{number}" for number, id_ in enumerate(dict.fromkeys(ids), start=1)}


def _cells(report: Report, section: Section, anchors: Mapping[str, str], room: Room) -> list[CellShown]:
    ordered = sorted(section.cells, key=lambda cell: (ORDER[cell.state], cell.id))
    return [
        CellShown(
            cell,
            anchors[cell.id],
            replay_command(report, cell),
            _interval(cell),
            room.evidence(cell),
        )
        for cell in ordered[:CELLS_MAX]
    ]


def _interval(cell: CellResult) -> Any:
    if cell.runs < 1 or (cell.state in (State.BROKEN, State.UNDECIDED) and cell.interval is None):
        return ""
    return _drawn(cell.passed / cell.runs, cell.interval)


def _drawn(rate: float, interval: Sequence[float] | None, beside: float | None = None) -> Any:
    from markupsafe import Markup

    return Markup(interval_svg(rate, interval, beside))  # noqa: S704  # made of numbers alone


def _item(item: Item, report: Report, anchors: Mapping[str, str]) -> tuple[Item, str]:
    """With the place its link leads to on this page; empty: it is shown as text, because this file knows no host."""
    link = item.link
    if link.startswith("#cell:"):
        return item, f"#{anchors.get(link.removeprefix('#cell:'), 'parts')}"
    known = {f"#{section.part.value}" for section in report.sections} | {
        "#how",
        "#missing",
        "#checklist",
        "#run",
    }
    return item, link if link in known else ""


@cache
def _css() -> str:
    return (_HERE / "report.css").read_text(encoding="utf-8")


def _style() -> Any:
    from markupsafe import Markup

    return Markup(_css())  # noqa: S704  # our own file


def _csp() -> Any:
    from markupsafe import Markup

    # Only the style of this page, by its hash: even markup that slipped through could load, run or send nothing.
    rule = f"default-src 'none'; style-src '{style_hash()}'; base-uri 'none'; form-action 'none'"
    return Markup(rule)  # noqa: S704  # our own text


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_final,
    )  # fmt: skip
    made.filters |= {"clipped": clipped, "share": share_text, "usd": usd_text}
    made.globals |= {
        "heat_of": heat_of, "worst_first": worst_first, "marks": MARKS, "drawn": _drawn, "words": WORDS,
        "titles": TITLES,
    }  # fmt: skip
    return made


def _final(value: Any) -> Any:
    """What is about to be written on the page, before it is escaped. Markup of ours is left as it is."""
    if type(value) is str:
        return clear(value)
    return "" if value is None else value
