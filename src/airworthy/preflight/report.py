"""A preflight as one value: what the terminal, the HTML file, JUnit and JSON all show."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airworthy.preflight.cell import CellResult, Part


class Verdict(StrEnum):
    GO = "go"
    NO_GO = "no-go"
    INCONCLUSIVE = "inconclusive"


EXIT_CODES = {Verdict.GO: 0, Verdict.NO_GO: 1, Verdict.INCONCLUSIVE: 2}


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the run. `sentence`: what came of it, in words. `missing`: what keeps it from a verdict, in words.
    `facts`: JSON data of its own (pass rate with interval, comparison, queueing), as its template knows them.
    """

    part: Part
    verdict: Verdict
    sentence: str
    cells: tuple[CellResult, ...] = ()
    missing: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the readiness checklist. `state`: answered, unanswered or waived. `evidence`: a sentence; `link`: a
    place in the report, a path of the console, or a file.
    """

    key: str
    question: str
    state: str
    evidence: str = ""
    link: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """`how_it_fails`: sentences, the worst first. `began_us`: UTC microseconds. `cost_nano` None: a part was unpriced.
    `model`: what answered for the models: "real", "simulated" or "recorded" and their mixture, in words.
    """

    id: str
    agent: str
    release: str
    verdict: Verdict
    sentence: str
    began_us: int
    seconds: float
    seed: int
    sections: tuple[Section, ...] = ()
    checklist: tuple[Item, ...] = ()
    how_it_fails: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    against: str = ""
    model: str = ""
    cost_nano: int | None = 0
    cap_nano: int = 0
    model_calls: int = 0
    model_calls_made: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
