"""Why a call could not say who it is; no text here ever holds a token or a secret."""

from airworthy.tools.errors import LockedOut, Transient


class CredentialDown(Transient):
    """No token can be had right now; it may pass. The call was not sent."""

    code = "credential_down"

    def __init__(self, message: str, *, mend: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s=retry_after_s, happened="no")
        self.mend = mend


class CredentialBroken(LockedOut):
    """The credential itself is refused or missing; only a person can mend that. The call was not sent."""

    code = "credential_broken"
