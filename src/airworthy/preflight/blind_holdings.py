"""What the tables of blind tests hold of people, and what becomes of it."""

from typing import Final

from airworthy.recorder.holdings import DELETE, Holding, Kept

BLIND: Final = (
    Holding(
        "blind_tries",
        Kept.SCORES,
        "What people invited to a blind test said of answers: stars, words and a note.",
        of_task="task = ?task",
        words={"note": "''"},
        names=DELETE,
        told=("task", "test", "at_us", "stars", "words", "note"),
        key="task",
    ),
    Holding("blind_guests", Kept.STATE, "Links of people invited to a blind test, as digests; no names."),
    Holding("blind_tests", Kept.COUNTS, "Blind tests: of which agent, how long, and their bounds."),
)
