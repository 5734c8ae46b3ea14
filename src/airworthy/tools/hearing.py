"""What of a run goes into its ledger of origins: the input, results of tools and steps, people's answers; no model."""

from collections.abc import Iterable
from typing import Any, Final

from airworthy.core.outcome import ErrorFact
from airworthy.policy import Policy
from airworthy.recorder import Recorded, StepState
from airworthy.tools.gaps import Gap, noted
from airworthy.tools.provenance import Ledger, Trust

PEOPLE: Final = frozenset({"ask"})  # Steps whose result a person of ours has given.
SOURCES: Final = frozenset({"tool", "step"})


def recall(ledger: Ledger, recorded: Iterable[Recorded]) -> None:
    """What earlier runs of the task were told, from their record: a restart forgets nothing and doubts nothing anew."""
    for step in recorded:
        if step.kind == "input":
            ledger.hear(step.seq, "user", "", step.arguments)
        elif step.key is None or any(note.get("as_is") for note in step.facts.notes):
            continue  # Superseded, or our own word in place of a result.
        elif step.kind in PEOPLE and step.state is StepState.DONE:
            ledger.hear(step.seq, "person", step.name, step.result)
        elif step.kind in SOURCES and step.state is not StepState.REFUSED:
            failed(ledger, step.seq, step.name, step.error)
            if step.state is StepState.DONE and step.error is None:
                instead(ledger, step.seq, step.name, noted(step.facts.notes), step.result)


def instead(ledger: Ledger, seq: int, name: str, gap: Gap | None, result: Any) -> None:
    """The result of a call, or what took its place; another tool that did has been heard by its own name already."""
    if gap is None or gap.instead == "last_good":
        ledger.hear(seq, "source", name, result)


def failed(ledger: Ledger, seq: int, name: str, error: ErrorFact | None) -> None:
    """The words of a failure come from the other side as well."""
    if error is not None:
        ledger.hear(seq, "source", name, error.message)


def trust(policy: Policy, name: str) -> Trust:
    """Whom the policy believes; "" is the task's input."""
    if not name:
        return Trust(policy.input.trusted, policy.input.trusted_fields)
    rule = policy.tools.get(name)
    return Trust() if rule is None else Trust(rule.trusted, rule.trusted_fields)
