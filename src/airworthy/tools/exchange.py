"""What a tool's HTTP exchanges mean for its call: may it pass, may it have happened. Makes no exchange itself."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from airworthy.resilience import EgressRefused
from airworthy.tools.errors import Happened, Permanent, Transient, http_error, is_lost_exchange

KEY_HEADER = "Idempotency-Key"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DETAIL_CHARS_MAX = 200
_REDIRECTS_TO_CHARS_MAX = 200

_NOT_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout")


@dataclass(slots=True)
class Exchange:
    """The exchanges of one try of one call. `accepts`: statuses that the tool reads itself; None: all.

    `acts` counts requests that may have changed something: a later "no" cannot speak for them.
    """

    key: str = ""
    accepts: frozenset[int] | None = frozenset()
    acts: int = 0

    def key_for_next(self) -> str:
        """A second act of one call is another act: under the same key the other side would take it for the first."""
        return self.key if self.acts == 0 else f"{self.key}:{self.acts + 1}"

    def happened(self, method: str, request: Happened) -> Happened:
        """For the whole call, after a request that by itself did or did not reach its work."""
        if self.acts:
            return "maybe"
        return "no" if method in SAFE_METHODS else request


_current: ContextVar[Exchange | None] = ContextVar("airworthy_exchange", default=None)


@contextmanager
def exchanging(exchange: Exchange) -> Iterator[None]:
    """Requests made inside, in tasks and threads begun inside too, belong to this call."""
    token = _current.set(exchange)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Exchange:
    return _current.get() or Exchange()


def of_error(error: Exception, exchange: Exchange, method: str) -> Transient | Permanent:
    """What a failed exchange (an exception of httpx) means for the call that made it."""
    kind = type(error).__name__
    text = f"{kind}: {error}".rstrip(": ")
    if kind in _NOT_SENT:
        return Transient(
            f"The other side cannot be reached ({text}).", happened=exchange.happened(method, "no")
        )
    if not is_lost_exchange(error):
        refused = Permanent(f"The request cannot be sent ({text}).", mend="Mend it in the tool.")
        refused.happened = exchange.happened(method, "no")
        return refused
    if "Timeout" in kind:
        return Transient(f"No answer came in time ({text}).", happened=exchange.happened(method, "maybe"))
    return Transient(f"The answer was broken ({text}).", happened=exchange.happened(method, "maybe"))


def of_refusal(refused: EgressRefused, exchange: Exchange, method: str) -> Permanent:
    failure = Permanent(refused.message, mend=refused.mend)
    failure.happened = exchange.happened(method, "no")
    return failure


def of_status(
    status: int,
    headers: Mapping[str, str],
    detail: str,
    exchange: Exchange,
    method: str,
    wait_s: float | None,
) -> Transient | Permanent | None:
    """None for an answer that is the tool's to read."""
    if status < 300 or exchange.accepts is None or status in exchange.accepts:
        return None
    if status < 400:
        # A 307 or 308 asks for the same request elsewhere; any other is what many answer after they have done it.
        request: Happened = "no" if status in (307, 308) else "maybe"
        to = headers.get("location", "")[:_REDIRECTS_TO_CHARS_MAX]
        redirected = Permanent(
            f"HTTP {status}: it redirects to {to!r}, which is not followed.",
            mend="Name the right address in the policy, or let the tool read it: @tool(accepts=...).",
        )
        redirected.happened = exchange.happened(method, request)
        return redirected
    failure = http_error(status, wait_s, detail)
    assert failure is not None
    failure.happened = exchange.happened(method, failure.happened)
    return failure


def count_act(exchange: Exchange, method: str, failure: Exception | None) -> None:
    """After a request: whether it may have changed something."""
    if method in SAFE_METHODS:
        return
    if failure is None or getattr(failure, "happened", "maybe") == "maybe":
        exchange.acts += 1
