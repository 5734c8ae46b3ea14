"""Where the values of a call came from: a ledger of what a run was told, and rules that allow only what traces. Pure.

Knows no store, no journal and no policy file; text in, findings out.
"""

from typing import TYPE_CHECKING

from airworthy.core.late import late
from airworthy.tools.provenance.judge import MODES, Finding, Mode, Question, Source, judge

if TYPE_CHECKING:
    from airworthy.tools.provenance.ledger import Entry, Kind, Ledger, Trust

__getattr__ = late(
    __name__,
    {
        "ledger": "Entry Kind Ledger Trust",
    },
)

__all__ = [
    "MODES",
    "Entry",
    "Finding",
    "Kind",
    "Ledger",
    "Mode",
    "Question",
    "Source",
    "Trust",
    "judge",
]
