"""Who looks at a page: somebody signed in, by the cookie of their session; and whether a form is one of ours."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request

from airworthy.console.access import Caller, Right
from airworthy.console.door import same_origin
from airworthy.console.parts import SAFE_METHODS, Given, Identified, Parts, allowed
from airworthy.console.problems import FormRefused

FIELDS_MAX: Final = 200
CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "x-csrf-token"


@dataclass(frozen=True, slots=True)
class Visitor:
    """`csrf`: what every form of this session sends back in the field `csrf`, or a script as `X-CSRF-Token`.

    `session`: the id of theirs.
    """

    caller: Caller
    csrf: str
    session: str = ""


class NotSignedIn(Exception):
    """Leads to the page for signing in, and from there back to where they wanted to go."""


async def signed_in(request: Request, given: Given, found: Identified) -> Visitor:
    """Whoever has a session. What is not a GET must come from a form of that very session.

    Raises: NotSignedIn, FormRefused.
    """
    if found is None or not found.session:
        raise NotSignedIn
    if request.method not in SAFE_METHODS:
        await check_form(request, given, found.csrf)
    return Visitor(found.caller, found.csrf, found.session)


async def check_form(request: Request, given: Parts, csrf: str) -> None:
    """Raises: FormRefused."""
    if not same_origin(
        request.headers, given.door.origin(request.url.scheme, request.headers.get("host", ""))
    ):
        raise FormRefused(
            "The form came from another site.", mend="Open the page here, and send it from there."
        )
    sent = request.headers.get(CSRF_HEADER)
    if sent is None:
        # Kept by the request, so that the handler may read it again.
        field = (await request.form(max_files=0, max_fields=FIELDS_MAX)).get(CSRF_FIELD)
        sent = field if isinstance(field, str) else ""
    if not hmac.compare_digest(sent.encode(), csrf.encode()):
        raise FormRefused(
            "The form is of another session, or an old one.", mend="Load the page again, and send it anew."
        )


def visits(right: Right) -> Callable[[Parts, Visitor], Awaitable[Visitor]]:
    """Somebody signed in who may: `Annotated[Visitor, Depends(visits("operate"))]`.

    Raises: NotSignedIn, FormRefused, Forbidden.
    """

    async def check(given: Given, who: Annotated[Visitor, Depends(signed_in)]) -> Visitor:
        allowed(given, who.caller, right)
        return who

    check.right = right  # type: ignore[attr-defined]  # for the test that no page lacks it
    return check


signed_in.right = ""  # type: ignore[attr-defined]  # any
SignedIn = Annotated[Visitor, Depends(signed_in)]
Visiting = Annotated[Visitor, Depends(visits("look"))]
# For what forms send, by what it does.
VisitDeciding = Annotated[Visitor, Depends(visits("decide"))]
VisitOperating = Annotated[Visitor, Depends(visits("operate"))]
