"""Which of the recorded calls a replay must make again, and which are on record for another reason. Pure."""

from collections.abc import Collection, Sequence
from typing import Final

from airworthy.gateway.overflow.summary import INSTRUCTIONS
from airworthy.recorder import Recorded
from airworthy.recorder.sealed_journal import UNENDED
from airworthy.tools.gaps import noted
from airworthy.tools.terms import OTHER

_OURS: Final = frozenset({"input", "outcome", "check", "context"})


def unexplained(answering: Sequence[Recorded], met: Collection[int], counted_from: int) -> list[Recorded]:
    """Of the steps that answer a call, those that were not met and whose being there nothing else explains.

    `counted_from`: reads before it belong to a life of the task that a person ended when they opened it again.
    """
    stand_ins = _stand_ins(answering)
    return [
        step
        for step in answering
        if step.seq not in met
        and step.kind not in _OURS
        and step.state not in UNENDED
        and not step.by_hand
        and (step.seq >= counted_from or step.acted)
        and (step.name, repr(step.arguments)) not in stand_ins
        and not _is_summary(step)
    ]


def _stand_ins(steps: Sequence[Recorded]) -> set[tuple[str, str]]:
    """Calls that were made in another's place, by the policy and not by the agent."""
    gaps = [(step, noted(step.facts.notes)) for step in steps]
    return {
        (gap.instead.removeprefix(OTHER), repr(step.arguments))
        for step, gap in gaps
        if gap is not None and gap.instead.startswith(OTHER)
    }


def _is_summary(step: Recorded) -> bool:
    """A call of ours: it summed up what did not fit into the window."""
    if step.kind != "model" or not isinstance(step.arguments, dict):
        return False
    messages = step.arguments.get("messages") or [{}]
    return isinstance(messages[0], dict) and messages[0].get("content") == INSTRUCTIONS
