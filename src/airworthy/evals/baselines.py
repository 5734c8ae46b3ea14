"""What agents that do no work would score on a suite: beside them a pass rate means something."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from airworthy.core.outcome import Outcome
from airworthy.evals.case import Case
from airworthy.evals.matching import is_pattern
from airworthy.evals.scoring import passed, score
from airworthy.evals.trial import Trial

ANSWERS_MAX: Final = 50
_FACTS_CHARS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Baseline:
    """`name`: nothing, declines, escalates, constant or everything. `passed` of `cases`; `undecided`: those whose judge
    would have to be asked, counted as not passed. `ids`: of the cases it passes.
    """

    name: str
    text: str
    passed: int
    cases: int
    undecided: int = 0
    ids: tuple[str, ...] = ()


def baselines(cases: Sequence[Case], answers: Sequence[Any] = ()) -> tuple[Baseline, ...]:
    """`answers`: what the agent really said, to any case; the one that passes most cases as the answer to all of them
    is the constant answer (at most 50 are tried). No judge is asked.
    """
    facts = list(dict.fromkeys(fact for case in cases for fact in case.expect.facts if not is_pattern(fact)))
    found = [
        _scored("nothing", "answers every case with nothing", cases, Outcome.ANSWERED, ""),
        _scored("declines", "declines every case", cases, Outcome.DECLINED, None),
        _scored("escalates", "hands every case to a person", cases, Outcome.ESCALATED, None),
    ]
    if facts:
        everything = "\n".join(facts)[:_FACTS_CHARS_MAX]
        found.append(
            _scored("everything", "says every expected fact at once", cases, Outcome.ANSWERED, everything)
        )
    tried = [
        _scored("constant", "gives one same answer to every case", cases, Outcome.ANSWERED, answer)
        for answer in _different(answers)
    ]
    if tried:
        found.append(max(tried, key=lambda each: each.passed))
    return tuple(found)


def best(found: Sequence[Baseline]) -> Baseline | None:
    return max(found, key=lambda each: each.passed, default=None)


def sentence(found: Sequence[Baseline]) -> str:
    """What the best of them comes to, for a report."""
    top = best(found)
    if top is None or top.cases == 0:
        return "There is no case that an agent which does nothing could pass."
    unsaid = f"; {top.undecided} more would be up to the judge" if top.undecided else ""
    if top.passed == 0:
        return f"An agent that does no work passes none of {top.cases} cases{unsaid}."
    return f"An agent that {top.text} passes {top.passed} of {top.cases} cases{unsaid}."


def _scored(name: str, text: str, cases: Sequence[Case], outcome: Outcome, answer: Any) -> Baseline:
    ids, undecided = [], 0
    for case in cases:
        reason = "done" if outcome is Outcome.ANSWERED else f"agent_{outcome.value}"
        verdict = passed(score(case, Trial(case.id, outcome, reason, answer=answer)))
        undecided += verdict is None
        if verdict:
            ids.append(case.id)
    return Baseline(name, text, len(ids), len(cases), undecided, tuple(ids))


def _different(answers: Sequence[Any]) -> list[Any]:
    kept: list[Any] = []
    for answer in answers:
        if answer not in kept:
            kept.append(answer)
        if len(kept) == ANSWERS_MAX:
            break
    return kept
