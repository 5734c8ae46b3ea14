"""Who looks at a page: somebody signed in, by the cookie of their session."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from airworthy.console.access import Caller
from airworthy.console.parts import Given


@dataclass(frozen=True, slots=True)
class Visitor:
    """`csrf`: what every form of this session sends back in the field `csrf`."""

    caller: Caller
    csrf: str


class NotSignedIn(Exception):
    """Leads to the page for signing in, and from there back to where they wanted to go."""


def visitor(request: Request, given: Given) -> Visitor:  # noqa: ARG001
    """Raises: NotSignedIn."""
    raise NotSignedIn


Visiting = Annotated[Visitor, Depends(visitor)]
