"""A preflight held against an earlier one by their golden trials: whether it changed, and whether it is worse."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from airworthy.evals import Case
from airworthy.evals.stats import CaseChange, Changed, Comparison, Judged, Observed, compare
from airworthy.preflight.records import Stored

_ROWS_MAX: Final = 200

Trials = Mapping[str, Sequence[Observed]]


def against(
    before: Stored, then: Trials, now: Trials, cases: Sequence[Case], *, seed: int, first: int
) -> dict[str, Any]:
    """The fact `comparison` of the golden section. Trials by case id; `first`: the runs that both made of every case,
    whatever they showed (see `compare`).
    """
    found = compare(then, now, seed, first=first)
    named = {case.id: case for case in cases}
    return {
        "against": f"{before.id} (release {before.release})",
        "judged": found.judged.value.replace(" ", "_"),
        "text": found.sentence,
        "changed": [
            {"case": "all cases", "signal": each.signal, "text": _moved(each), "p": each.p_holm}
            for each in found.signals
            if each.changed
        ],
        "worse": [_fell(each, named, found.p_worse) for each in found.fell] if found.judged is Judged.WORSE else [],
        "fell": [_fell(each, named, None) for each in found.fell],
        "p_worse": found.p_worse,
        "smallest_detectable": found.smallest_drop,
        "cases": found.cases,
        "left_out": list(found.left_out[:_ROWS_MAX]),
        "missing": _missing(found),
        "rows": _rows(then, now, first),
    }  # fmt: skip


def _missing(found: Comparison) -> str:
    """What keeps the comparison from a verdict; empty: nothing does."""
    if found.judged is not Judged.UNDECIDED:
        return ""
    if found.cases == 0:
        return "The comparison has no case that both preflights ran."
    said = f"Whether it is worse than before cannot be told: a drop of {found.smallest_drop:.0%} would have been seen"
    if found.missing_runs is None:
        return f"{said}, and the earlier preflight has too few runs for less."
    return f"{said}; about {found.missing_runs} more runs would decide it (--repeat)."


def _fell(each: CaseChange, cases: Mapping[str, Case], p: float | None) -> dict[str, Any]:
    case = cases.get(each.case)
    text = f"passed {each.before[0]} of {each.before[1]} before, {each.after[0]} of {each.after[1]} now"
    return {"case": each.case, "text": text, "severity": case.severity.value if case else "", "p": p}


def _moved(it: Changed) -> str:
    if it.most:
        calls = ", ".join(f"{name} {was:.2g} to {now:.2g}" for name, was, now in it.most)
        return f"Calls of tools for each run: {calls}."
    moved = "moved" if it.ratio is None else f"is {it.ratio:.2f} times what it was"
    return f"{it.signal.capitalize()} {moved}."


def _rows(then: Trials, now: Trials, first: int) -> list[dict[str, Any]]:
    rows = []
    for case in list(now)[:_ROWS_MAX]:
        was, is_ = _count(then.get(case, ())[:first]), _count(now[case][:first])
        verdict = "new" if was[1] == 0 else _word(was, is_)
        rows.append({"case": case, "before": list(was), "now": list(is_), "verdict": verdict})
    return rows


def _word(was: tuple[int, int], is_: tuple[int, int]) -> str:
    if is_[1] == 0:
        return "not told"
    before, after = was[0] / was[1], is_[0] / is_[1]
    return "same" if before == after else "less often" if after < before else "more often"


def _count(runs: Sequence[Observed]) -> tuple[int, int]:
    told = [run.passed for run in runs if run.passed is not None]
    return sum(told), len(told)
