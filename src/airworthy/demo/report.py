"""The demo's result as a value and as its JSON; words for people are in `wording`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from airworthy.core.money import NANO_PER_USD
from airworthy.core.outcome import Outcome
from airworthy.demo.choice import Choice
from airworthy.demo.claims import Claim, claims_of
from airworthy.demo.evidence import Evidence
from airworthy.demo.inquiries import Inquiry
from airworthy.runtime import TaskRow
from airworthy.tools import EffectState

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A letter that ended otherwise than a good support team would have it end."""

    letter: Inquiry
    task: TaskRow
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    evidence: Evidence
    choice: Choice
    claims: Sequence[Claim]
    mismatches: Sequence[Mismatch]
    seconds: float
    decided_by: str

    @classmethod
    def of(cls, evidence: Evidence, choice: Choice, seconds: float, decided_by: str) -> "Report":
        return cls(evidence, choice, claims_of(evidence), _mismatches(evidence), seconds, decided_by)

    @property
    def held(self) -> bool:
        return all(claim.held for claim in self.claims)

    @property
    def outcomes(self) -> dict[Outcome, int]:
        counted = Counter(task.outcome for task in self.evidence.tasks)
        return {outcome: counted[outcome] for outcome in Outcome}

    @property
    def without_outcome(self) -> int:
        return sum(1 for task in self.evidence.tasks if task.outcome is None)

    @property
    def in_doubt(self) -> int:
        return sum(1 for effect in self.evidence.effects if effect.state is EffectState.IN_DOUBT)

    @property
    def cost_usd(self) -> float:
        return self.evidence.billed_nano / NANO_PER_USD


def as_json(report: Report) -> dict[str, Json]:
    """The keys up to `seconds` are promised to readers of the file; those below may change."""
    evidence, shop = report.evidence, report.evidence.at_shop
    return {
        "tasks": len(evidence.tasks),
        "outcomes": {outcome.value: count for outcome, count in report.outcomes.items()},
        "without_outcome": report.without_outcome,
        "duplicate_effects": shop.duplicates,
        "in_doubt": report.in_doubt,
        "kills": len(evidence.kills),
        "cost_usd": round(report.cost_usd, 6),
        "model": report.choice.name,
        "seconds": round(report.seconds, 2),
        "held": report.held,
        "claims": [
            {"name": claim.name, "claim": claim.text, "held": claim.held, "how": claim.how}
            for claim in report.claims
        ],
        "letters": len(evidence.letters),
        "mismatches": [
            {
                "letter": mismatch.letter.key,
                "kind": mismatch.letter.kind,
                "task": mismatch.task.id,
                "expected": [*sorted(mismatch.letter.expected)],
                "outcome": mismatch.task.state.value,
                "text": mismatch.text,
            }
            for mismatch in report.mismatches
        ],
        "kills_seen": [
            {"closed": kill.closed, "under_way": kill.under_way, "effects_cut_off": list(kill.cut_off)}
            for kill in evidence.kills
        ],
        "cost_unbilled_usd_max": round(evidence.unbilled_nano / NANO_PER_USD, 6),
        "effects_at_shop": {
            "mails": shop.mails,
            "refunds": shop.refunds,
            "arrivals": shop.arrivals,
            "keys_retried": shop.keys_retried,
            "replays": shop.replays,
            "conflicts": shop.conflicts,
            "faults": dict(shop.faults),
        },
        "decided_by": report.decided_by,
    }


def _mismatches(evidence: Evidence) -> list[Mismatch]:
    tasks = evidence.tasks_by_key
    found = []
    for key, letter in {letter.key: letter for letter in evidence.letters}.items():
        task = tasks.get(key)
        if task is None:
            continue
        said = [
            text for text in letter.unsayable if any(text in mail for mail in evidence.mails.get(key, ()))
        ]
        if said:
            found.append(Mismatch(letter, task, f"a mail said {said[0]!r}, which nobody outside may read"))
        elif task.state.value not in letter.expected:
            why = "it is still open" if task.why is None else task.why.evidence.get("detail") or task.why.text
            wanted = " or ".join(sorted(letter.expected))
            found.append(Mismatch(letter, task, f"expected {wanted}, was {task.state.value}: {why}"))
    return found
