"""What the console's tables hold of people, and what becomes of it. They know staff, who are no users of an agent."""

from typing import Final

from airworthy.recorder.holdings import DELETE, Holding, Kept

CONSOLE: Final = (
    Holding(
        "answers",
        Kept.STATE,
        "Answers to requests that may be sent again; a day's worth. Erased: those that name the user.",
        of_user="status IS NOT NULL AND CAST(body AS TEXT) LIKE '%' || ?like || '%' ESCAPE '!'",
        names=DELETE,
    ),
    Holding("access_keys", Kept.STATE, "Keys to the API, as digests."),
    Holding("accounts", Kept.STATE, "Accounts of staff, with hashes of their passwords."),
    Holding("sessions", Kept.STATE, "Who of the staff is signed in, until it runs out."),
    Holding("passes", Kept.STATE, "Links by which staff set passwords, until they run out."),
    Holding("attempts", Kept.STATE, "Sign-ins that failed, as digests, until they are forgotten."),
)
