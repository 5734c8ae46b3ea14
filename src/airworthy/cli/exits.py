"""Exit codes: what each one says to a script, and which error gets which."""

from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    STORE = 3
    LATER = 75  # As sendmail and cron have it: try again later.
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    Exit.OK: "It was done.",
    Exit.FAILED: "What was asked for failed, was refused, was not found, or did not end as answered.",
    Exit.USAGE: "The command line, the configuration, a policy or an agent's code cannot be used as it is.",
    Exit.STORE: "The database failed: not reached, locked, full, read-only, damaged or of a newer version.",
    Exit.LATER: "The queue is full: nothing was stored. Try again later; the error says when.",
    Exit.INTERRUPTED: "Ctrl-C. Nothing that was acknowledged is lost.",
}


def exit_of(error: BaseException) -> Exit:
    """For errors that reach the shell. A failed store counts as such, whatever it broke on its way up."""
    from airworthy.core.errors import AirworthyError, ConfigError
    from airworthy.store import StoreError

    if isinstance(error, AirworthyError) and error.code == "queue_full":
        return Exit.LATER
    if isinstance(error, StoreError) or isinstance(error.__cause__, StoreError):
        return Exit.STORE
    return Exit.USAGE if isinstance(error, ConfigError) else Exit.FAILED
