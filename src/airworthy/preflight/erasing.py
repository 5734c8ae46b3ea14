"""Takes what a user's cases showed out of stored reports. Verdicts and counts stay: going live rests on them."""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from airworthy.preflight.cell import CellResult, Part
from airworthy.preflight.report import Report, Section, Verdict
from airworthy.preflight.reporting.json_ import NotAReport, json_text, report_from_json
from airworthy.store import Tx

ERASED: Final = "What was told here was erased with a user of its cases."
# Their cells are of one user and hold words of others: strangers meet in them.
_SHARED: Final = (Part.ADVERSARIAL, Part.CONCURRENCY, Part.LOAD)
_MARKS: Final = ", ".join("?" * len(_SHARED))
# Of a preflight whose cells have gone by their age nobody can tell whose they were.
_CONCERNED: Final = (
    "SELECT id FROM preflights p"
    " WHERE EXISTS (SELECT 1 FROM preflight_cells c WHERE c.preflight = p.id AND c.user_id = ?)"
    " OR NOT EXISTS (SELECT 1 FROM preflight_cells c WHERE c.preflight = p.id) ORDER BY id"
)


def without_user(tx: Tx, *, user: str, now_us: int) -> Counter[str]:  # noqa: ARG001  # as all that erasing does besides
    """Before the user's own cells go, for by them the reports are found. Rows changed, by table."""
    counts: Counter[str] = Counter()
    for (id_,) in tx.rows(_CONCERNED, (user,)):
        kept = tx.rows(
            f"SELECT cell FROM preflight_cells WHERE preflight = ? AND user_id <> ? AND part NOT IN ({_MARKS})",
            (id_, user, *_SHARED),
        )
        row = tx.row("SELECT report FROM preflights WHERE id = ? AND report IS NOT NULL", (id_,))
        if row is not None:
            raw = _cleared(bytes(row[0]), {str(cell) for (cell,) in kept})
            if raw != bytes(row[0]):
                tx.execute("UPDATE preflights SET report = ? WHERE id = ?", (raw, id_))
                counts["preflights"] += 1
        counts["preflight_cells"] += tx.execute(
            f"DELETE FROM preflight_cells WHERE preflight = ? AND part IN ({_MARKS})", (id_, *_SHARED)
        )
    return counts


def _cleared(raw: bytes, kept: Collection[str]) -> bytes | None:
    """None: it cannot be read any more, so all of it goes."""
    try:
        return json_text(cleared(report_from_json(raw), kept)).encode()
    except NotAReport:
        return None


def cleared(report: Report, kept: Collection[str]) -> Report:
    """Without any words that may be of other cells than `kept`."""
    sentence = ERASED if report.verdict is Verdict.INCONCLUSIVE else report.sentence
    items = (
        replace(item, evidence=ERASED) if item.link.startswith("#") else item for item in report.checklist
    )
    return replace(
        report,
        sentence=sentence,
        sections=tuple(_section(section, kept) for section in report.sections),
        checklist=tuple(items),
        how_it_fails=(ERASED,) if report.how_it_fails else (),
        missing=(ERASED,) if report.missing else (),
    )


def _section(section: Section, kept: Collection[str]) -> Section:
    cells = tuple(cell if cell.id in kept else _cell(cell) for cell in section.cells)
    missing = (ERASED,) if section.missing else ()
    return replace(section, sentence=ERASED, cells=cells, missing=missing, facts={})


def _cell(cell: CellResult) -> CellResult:
    found = tuple(replace(each, text=ERASED) for each in cell.findings)
    why = ERASED if cell.why else ""
    return replace(cell, title=cell.id, findings=found, why=why, evidence={})
