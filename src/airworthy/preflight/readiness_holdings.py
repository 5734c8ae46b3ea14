"""What the table of waivers holds of people, and what becomes of it."""

from typing import Final

from airworthy.recorder.holdings import Holding, Kept

READINESS: Final = (
    Holding(
        "readiness_waivers", Kept.STATE, "Who answers for an item of the readiness checklist, and until when."
    ),
)
