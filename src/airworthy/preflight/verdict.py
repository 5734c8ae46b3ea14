"""One verdict from the parts and the checklist. Pure: what decides, and in which order, stands here alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.report import Item, Section, Verdict

# Without these no agent is ready, live or not: somebody must answer for it, and look at it again.
ALWAYS_NEEDED: Final = frozenset({"owner", "review"})
_SAID_MAX: Final = 3


def concluded(
    sections: Sequence[Section],
    checklist: Sequence[Item],
    *,
    live: bool,
    left_out: Sequence[Part] = (),
    cut: str = "",
) -> tuple[Verdict, str, tuple[str, ...]]:
    """Verdict, sentence, and what is missing for a verdict. `live`: the policy's stage lets others depend on the agent,
    so that every item of the checklist must be answered. `cut`: why the run ended early; empty: it did not.
    """
    failing = [section for section in sections if section.verdict is Verdict.NO_GO]
    missing = [*([cut] if cut else []), *_left_out(left_out)]
    for section in sections:
        missing += [
            said if section.part is Part.GOLDEN else f"{section.part.value}: {said}"
            for said in section.missing
        ]
        if section.verdict is Verdict.INCONCLUSIVE and not section.missing:
            missing.append(f"{section.part.value}: {section.sentence}")
    open_ = [item for item in checklist if item.state == "unanswered"]
    blocking = [item for item in open_ if live or item.key in ALWAYS_NEEDED]
    missing += [f"{item.question} {item.mend}".strip() for item in blocking]
    if failing:
        return Verdict.NO_GO, _no_go(failing), tuple(missing)
    if missing:
        return Verdict.INCONCLUSIVE, _inconclusive(missing), tuple(missing)
    said = "Ready: every part passed"
    if open_:
        return (
            Verdict.GO,
            f"{said}; {len(open_)} items of the checklist are open, and must be answered to go live.",
            (),
        )
    return Verdict.GO, f"{said}, and every item of the checklist is answered.", ()


def overruled(section: Section, untried: Sequence[CellResult]) -> Section:
    """A part with cells that were never run cannot be a go, whatever it says of the others."""
    if not untried:
        return section
    verdict = Verdict.INCONCLUSIVE if section.verdict is Verdict.GO else section.verdict
    why = f"{len(untried)} of {len(section.cells)} cells were not run: {untried[0].why.rstrip('.')}."
    return replace(section, verdict=verdict, missing=(*section.missing, why))


def outlived(section: Section, gone: Sequence[CellResult]) -> Section:
    """`gone`: results of an earlier sitting whose cells the plan has no more. They are not let fall in silence."""
    if not gone:
        return section
    verdict = Verdict.INCONCLUSIVE if section.verdict is Verdict.GO else section.verdict
    failed = sum(1 for cell in gone if cell.state is State.FAILED)
    why = (
        f"{len(gone)} cells of the earlier sitting, {failed} of which failed, are not in the plan any more;"
        " begin anew with --fresh."
    )
    return replace(section, verdict=verdict, missing=(*section.missing, why))


def _left_out(parts: Sequence[Part]) -> list[str]:
    if not parts:
        return []
    names = [part.value for part in parts]
    return [f"Left out, as was asked for: {', '.join(names)}."]


def _no_go(failing: Sequence[Section]) -> str:
    failed = sum(1 for section in failing for cell in section.cells if cell.state is State.FAILED)
    parts = ", ".join(section.part.value for section in failing)
    cells = f": {failed} cells failed" if failed > 1 else ": 1 cell failed" if failed else ""
    return f"Not ready. It fails in {parts}{cells}."


def _inconclusive(missing: Sequence[str]) -> str:
    more = f" And {len(missing) - _SAID_MAX} more." if len(missing) > _SAID_MAX else ""
    return f"Nothing failed, and it cannot be told yet. {' '.join(missing[:_SAID_MAX])}{more}"
