"""What the tables of preflights hold of people, and what becomes of it."""

from typing import Final

from airworthy.preflight.blind_holdings import BLIND
from airworthy.preflight.cases_tables import HOLDINGS as CASES
from airworthy.preflight.readiness_holdings import READINESS
from airworthy.recorder.holdings import DELETE, Holding, Kept

PREFLIGHT: Final = (
    Holding(
        "preflight_cells",
        Kept.TRACES,
        "What came of each cell of a preflight; cases taken from tasks run in the name of a user.",
        of_user="user_id = ?user",
        words=DELETE,
        ages="at_us < ?before",
        key="preflight, cell",
        told=("preflight", "cell", "state", "result"),
    ),
    Holding(
        "model_answers",
        Kept.PAYLOADS,
        "What models answered in preflights, to be used again.",
        of_user='"user" = ?user',
        words=DELETE,
        ages="at_us < ?before",
        key="key",
        packed=("body",),
        told=("agent", "at_us", "body"),
    ),
    Holding("preflights", Kept.COUNTS, "Preflights: when, of which release, and their verdicts."),
    *READINESS,
    *BLIND,
    *CASES,
)
