"""The journal: every step of every run, recorded so that a run can be called again and explained."""

from typing import TYPE_CHECKING

from airworthy.core.late import late

if TYPE_CHECKING:
    from airworthy.recorder.journal import Diverged, Journal, Slot
    from airworthy.recorder.payload import Payloads
    from airworthy.recorder.steps import Recorded, StepFacts, StepState, read_step, read_steps
    from airworthy.recorder.summary import summarise

__getattr__ = late(
    __name__,
    {
        "journal": "Diverged Journal Slot",
        "payload": "Payloads",
        "steps": "Recorded StepFacts StepState read_step read_steps",
        "summary": "summarise",
    },
)

__all__ = [
    "Diverged",
    "Journal",
    "Payloads",
    "Recorded",
    "Slot",
    "StepFacts",
    "StepState",
    "read_step",
    "read_steps",
    "summarise",
]
