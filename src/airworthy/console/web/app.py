"""All pages, put on the application that also serves the API."""

from functools import cache
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, FastAPI

from airworthy.console.web import (
    account,
    again,
    agents,
    alerts,
    assets,
    blind,
    cases,
    diff,
    errors,
    login,
    oidc,
    overview,
    preflights,
    review,
    run,
    traces,
)  # fmt: skip

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

PAGES: Final = (
    assets,
    login,
    oidc,
    account,
    overview,
    traces,
    run,
    diff,
    again,
    review,
    alerts,
    agents,
    blind,
    preflights,
    cases,
)


@cache
def routes() -> "tuple[BaseRoute, ...]":
    """The same ones for each application of a process."""
    router = APIRouter()
    for page in PAGES:
        router.include_router(page.router)
    return tuple(router.routes)


def install(api: FastAPI) -> None:
    """After the API's own handlers of errors."""
    errors.install(api)
    login.install(api)
