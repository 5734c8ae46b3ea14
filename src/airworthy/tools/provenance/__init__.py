"""Where the values of a call came from: a ledger of what a run was told, and rules that allow only what traces. Pure.

Knows no store, no journal and no policy file; text in, findings out.
"""

from airworthy.tools.provenance.judge import MODES, Finding, Mode, Question, Source, judge
from airworthy.tools.provenance.ledger import Entry, Kind, Ledger, Trust

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
