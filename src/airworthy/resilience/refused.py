"""The common answer of a policy that turns a call away before it was made: come back in so many seconds."""

from typing import ClassVar

from airworthy.core.errors import AirworthyError


class Refused(AirworthyError):
    """The call was not made, so it may be made later. `retry_after_s` is an estimate, never a promise."""

    code: ClassVar[str] = "refused"

    def __init__(self, message: str, *, retry_after_s: float, mend: str = "") -> None:
        super().__init__(message, mend=mend or f"Try again in {retry_after_s:.3g} s.")
        self.retry_after_s = retry_after_s
