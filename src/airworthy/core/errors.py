"""The root of every error: what broke, with its value, then the mend."""

from typing import ClassVar


class AirworthyError(Exception):
    """Every error this package raises on purpose; `code` is stable and safe to branch on.

    `mend` says in the imperative what the reader can do about it.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message} {self.mend}".strip()


def told(error: BaseException) -> str:
    """The error in its own words, fit to be stored: `str` may fail, or hold what is no Unicode (odd file names)."""
    try:
        words = str(error)
    except Exception:  # noqa: BLE001  # a broken `__str__` is the least of its problems
        words = "(its text cannot be read)"
    return storable_text(words)


def storable_text(text: str) -> str:
    """Python's text may hold halves of characters (from odd file names); no store and no JSON takes those."""
    return text.encode("utf-8", "backslashreplace").decode()


class ConfigError(AirworthyError):
    """A setting or file of the user's cannot be used as it stands."""

    code = "config"


class InputError(AirworthyError):
    """A value handed to a public function or command is not acceptable."""

    code = "input"
