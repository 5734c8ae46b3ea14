"""What the API and the pages are given: the operations they call, and how they know who calls. Decides nothing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from airworthy.console.access import Caller, Right
from airworthy.console.accounts import Accounts
from airworthy.console.door import Door
from airworthy.console.identity import Came, Identity, identified
from airworthy.console.live import Readings, Streams
from airworthy.console.oidc import Provider
from airworthy.console.problems import Forbidden, NoKey
from airworthy.console.signing import SigningIn
from airworthy.console.within import within
from airworthy.core.clock import Clock
from airworthy.core.ids import Ids
from airworthy.core.origin import Origin, comes_from
from airworthy.policy import Policy
from airworthy.preflight.cases.keeping import Cases
from airworthy.recorder.erase import Found
from airworthy.review.people import People
from airworthy.runtime import Operations
from airworthy.runtime.afterwards import Afterwards
from airworthy.runtime.by_hand import ByHand
from airworthy.runtime.forking import Forks
from airworthy.runtime.replaying import Replays
from airworthy.runtime.reviews import Reviews
from airworthy.store import Database

FOUND_MAX = 1_000
SAFE_METHODS = frozenset({"GET", "HEAD"})


class Users(Protocol):
    """What can be done about everything that is stored on one user; `by`: who does it, for the record."""

    def looked(self, user: str) -> Found: ...

    def erased(self, user: str, by: str, *, cancel: bool) -> dict[str, Any]: ...

    def exported(self, user: str, by: str, out: Path) -> object: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """`policies` by agent's name: for those tasks can be handed in. `people` and `reviews` are asked at each request,
    because people.toml may have changed.
    """

    database: Database
    clock: Clock
    operations: Operations
    afterwards: Afterwards
    policies: Mapping[str, Policy]
    by_hand: ByHand
    reviews: Callable[[], Reviews]
    people: Callable[[], People]
    ids: Ids
    door: Door
    accounts: Accounts
    signing: SigningIn
    replays: Replays
    forks: Forks
    readings: Readings = field(default_factory=Readings)
    streams: Streams = field(default_factory=Streams)
    users: Users | None = None
    cases: Cases | None = None
    provider: Provider | None = None


_BEARER = HTTPBearer(auto_error=False, description="A key made with `airworthy access create`.")


async def parts(request: Request) -> Parts:
    """Also finds out, once a request, who sends it."""
    whole: Parts = request.app.state.parts
    if not hasattr(request.state, "identity"):
        came = Came(
            request.url.scheme,
            request.headers.get("host", ""),
            request.headers.get("authorization"),
            request.cookies,
        )
        request.state.identity = None
        if came.authorization is not None or came.cookies:
            request.state.identity = await run_in_threadpool(
                lambda: identified(came, whole.database, whole.people(), whole.door, whole.clock.now_us())
            )
        comes_from(_origin(request, whole.door, request.state.identity))
    found: Identity | None = request.state.identity
    return whole if found is None else within(whole, found.caller)


def address_of(request: Request, door: Door) -> str:
    peer = request.client.host if request.client is not None else ""
    return door.address(peer, request.headers.get("x-forwarded-for", ""))


def _origin(request: Request, door: Door, found: Identity | None) -> Origin:
    who = found.caller if found is not None else None
    return Origin(
        "api" if request.url.path.startswith("/api/") else "console", address_of(request, door),
        who.through if who is not None else "", who.name if who is not None else "",
    )  # fmt: skip


Given = Annotated[Parts, Depends(parts)]


async def identity(request: Request, given: Given) -> Identity | None:  # noqa: ARG001  # it is what finds out
    found: Identity | None = request.state.identity
    return found


Identified = Annotated[Identity | None, Depends(identity)]


async def caller(
    request: Request,
    found: Identified,
    _: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Caller:
    """By a key; by the cookie of a session too, as long as nothing is to be changed: no other page can read the answer.

    Raises: NoKey, the same whatever is wrong with the key.
    """
    if found is None or (found.session and request.method not in SAFE_METHODS):
        raise NoKey
    return found.caller


def needs(right: Right) -> Callable[[Parts, Caller], Awaitable[Caller]]:
    """A caller who may: `Annotated[Caller, Depends(needs("operate"))]`. Raises: Forbidden."""

    async def check(given: Given, found: Annotated[Caller, Depends(caller)]) -> Caller:
        allowed(given, found, right)
        return found

    check.right = right  # type: ignore[attr-defined]  # for the document, and for the test that none lacks it
    return check


def allowed(given: Parts, found: Caller, right: Right) -> None:
    """Raises: Forbidden."""
    # What a declared person may decide, the queue itself knows, and who else may.
    by_queue = right == "decide" and found.person and given.people().people
    if not by_queue and not found.may(right):
        raise Forbidden(
            f"{found.name} may not {right} here.",
            mend="Ask an admin for the role for it; for a key, see `airworthy access create --help`.",
        )


caller.right = ""  # type: ignore[attr-defined]  # any
# Whoever it is, with whatever role.
Calling = Annotated[Caller, Depends(caller)]
Looking = Annotated[Caller, Depends(needs("look"))]
Deciding = Annotated[Caller, Depends(needs("decide"))]
Operating = Annotated[Caller, Depends(needs("operate"))]
Submitting = Annotated[Caller, Depends(needs("submit"))]
Administering = Annotated[Caller, Depends(needs("administer"))]
