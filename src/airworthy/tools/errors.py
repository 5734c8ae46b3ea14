"""What can go wrong with a tool call, told apart by what the caller may do about it."""

import sys
from collections.abc import Mapping
from json import JSONDecodeError
from typing import ClassVar, Literal

from pydantic import ValidationError

from airworthy.core.errors import AirworthyError
from airworthy.core.outcome import ErrorFact
from airworthy.resilience import EgressRefused, reached

Happened = Literal["no", "maybe"]


class ToolError(AirworthyError):
    """A tool call gave no result. `fact` is what the journal holds; the same error is raised on replay."""

    code: ClassVar[str] = "tool_error"

    def __init__(self, fact: ErrorFact, *, seq: int = 0) -> None:
        super().__init__(fact.message, mend=fact.mend)
        self.fact = fact
        self.seq = seq


class ToolRefused(ToolError):
    """A guard or a person said no; nothing was tried."""

    code = "tool_refused"


class ToolArgumentsInvalid(ToolError):
    """The arguments break the tool's schema; nothing was tried."""

    code = "tool_arguments_invalid"


class ToolResultInvalid(ToolError):
    """The result breaks the tool's schema, its size bound, or cannot be stored; it went no further."""

    code = "tool_result_invalid"


class ToolUnavailable(ToolError):
    """The tool failed in a way that may pass, and the attempts, the time or the breaker's patience are used up."""

    code = "tool_unavailable"


class ToolFailed(ToolError):
    """The tool failed in a way that trying again will not mend."""

    code = "tool_failed"


class ToolNotAuthorised(ToolFailed):
    """The credential of what the tool talks to is refused or missing; only a person can mend that."""

    code = "tool_not_authorised"


class ResourceChanged(ToolError):
    """Somebody changed the resource after this run read it: read it again, then decide anew."""

    code = "resource_changed"


class NotNow(AirworthyError):
    """A call from elsewhere that has no result yet, or cannot be made. `effect`: the one it is about."""

    code = "not_now"

    def __init__(self, message: str, *, mend: str = "", effect: str = "") -> None:
        super().__init__(message, mend=mend)
        self.effect = effect


_BY_TYPE: Mapping[str, type[ToolError]] = {
    cls.__name__: cls
    for cls in (
        ToolRefused,
        ToolArgumentsInvalid,
        ToolResultInvalid,
        ToolUnavailable,
        ToolFailed,
        ToolNotAuthorised,
        ResourceChanged,
    )
}


def error_from(fact: ErrorFact, seq: int) -> ToolError:
    """The error that a recorded fact stands for."""
    return _BY_TYPE.get(fact.type, ToolError)(fact, seq=seq)


class Transient(AirworthyError):
    """Raise it inside a tool: this may pass. `happened` says whether the effect may have taken place.

    `retry_after_s` is what the other side asked for. With `happened="maybe"` a tool without an idempotency key is
    not tried again: its effect is in doubt and a person decides.
    """

    code = "transient"

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, happened: Happened = "maybe"
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.happened: Happened = happened


class Permanent(AirworthyError):
    """Raise it inside a tool: the other side said no, and trying again gives the same no. Nothing happened."""

    code = "permanent"

    happened: Happened = "no"
    retry_after_s: float | None = None


class LockedOut(Permanent):
    """The other side does not know us, or not any more: every call would fail alike until somebody mends that.

    Unlike any other `Permanent` it is an outage of the dependency: a tool that is not critical follows its fallback.
    """

    code = "locked_out"


NOT_DONE_STATUS = frozenset({408, 425, 429})


def http_error(
    status: int, retry_after_s: float | None = None, detail: str = ""
) -> Transient | Permanent | None:
    """What an HTTP status means for a call: None below 400.

    429 and 503 with a Retry-After are refusals before the work; another 5xx may come after it. 401 is LockedOut.
    """
    if status < 400:
        return None
    text = f"HTTP {status}" + (f": {detail[:200]}" if detail else "")
    if status in NOT_DONE_STATUS or (status == 503 and retry_after_s is not None):
        return Transient(text, retry_after_s=retry_after_s, happened="no")
    if status >= 500:
        return Transient(text, retry_after_s=retry_after_s, happened="maybe")
    if status == 401:
        return LockedOut(text, mend="Check the credential, and whether it was revoked.")
    return Permanent(text)


def transport_error(error: Exception) -> Transient:
    """What a failed exchange (an exception of pyreqwest) means for a tool call."""
    came = reached(error)
    if came == "no":
        return Transient("The other side cannot be reached.", happened="no")
    if came == "timeout":
        return Transient("No answer came in time.")
    return Transient("The connection broke before the answer was whole.")


def is_transient(error: BaseException) -> bool:
    # Also a tool that could not read what came back: a service that answers nonsense once may answer well next time.
    unreadable = isinstance(error, ValidationError | JSONDecodeError)
    lost = isinstance(error, Transient | TimeoutError | ConnectionError | InterruptedError)
    return unreadable or lost or is_lost_exchange(error)


def is_lost_exchange(error: BaseException) -> bool:
    """A request of httpx that got no whole answer, though it was fit to be sent; does not import httpx."""
    httpx = sys.modules.get("httpx")
    if httpx is None or not isinstance(error, httpx.RequestError):
        return False
    return not isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol)


def happened(error: BaseException) -> Happened:
    """Unknown errors say nothing about the effect, so they leave it in doubt."""
    if isinstance(error, Transient | Permanent):
        return error.happened
    if isinstance(error, ConnectionRefusedError | EgressRefused):
        return "no"
    return "maybe"
