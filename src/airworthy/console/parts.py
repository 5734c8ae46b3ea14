"""What the API is given: the operations it calls, and how it knows its callers. Decides nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from airworthy.console import access
from airworthy.console.access import Caller, Right
from airworthy.console.problems import Forbidden, NoKey
from airworthy.core.clock import Clock
from airworthy.policy import Policy
from airworthy.review.people import People
from airworthy.runtime import Operations
from airworthy.runtime.afterwards import Afterwards
from airworthy.runtime.by_hand import ByHand
from airworthy.runtime.forking import Forks
from airworthy.runtime.replaying import Replays
from airworthy.runtime.reviews import Reviews
from airworthy.store import Database

if TYPE_CHECKING:
    from airworthy.console.access import AccessKey

FOUND_MAX = 1_000


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
    replays: Replays
    forks: Forks


_BEARER = HTTPBearer(auto_error=False, description="A key made with `airworthy access create`.")


def parts(request: Request) -> Parts:
    found: Parts = request.app.state.parts
    return found


Given = Annotated[Parts, Depends(parts)]


def caller(given: Given, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Caller:
    """Raises: NoKey, the same whatever is wrong with the key."""
    key: AccessKey | None = None
    if sent is not None and sent.credentials.startswith(access.PREFIX) and sent.credentials.isascii():
        secret = sent.credentials
        key = given.database.read_now(lambda tx: access.find(tx, secret))
    found = (
        access.caller_of(key, given.people()) if key is not None and key.good(given.clock.now_us()) else None
    )
    if found is None:
        raise NoKey
    return found


def needs(right: Right) -> Callable[[Parts, Caller], Caller]:
    """A caller who may: `Annotated[Caller, Depends(needs("operate"))]`. Raises: Forbidden."""

    def check(given: Given, found: Annotated[Caller, Depends(caller)]) -> Caller:
        # What a declared person may decide, the queue itself knows, and who else may.
        by_queue = right == "decide" and found.person and given.people().people
        if not by_queue and not found.may(right):
            raise Forbidden(
                f"{found.name} may not {right} here.",
                mend="Use a key with the role for it; see `airworthy access create --help`.",
            )
        return found

    return check


Looking = Annotated[Caller, Depends(needs("look"))]
Deciding = Annotated[Caller, Depends(needs("decide"))]
Operating = Annotated[Caller, Depends(needs("operate"))]
Submitting = Annotated[Caller, Depends(needs("submit"))]
