"""All pages, put on the application that also serves the API."""

from typing import Final

from fastapi import FastAPI

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


def install(api: FastAPI) -> None:
    """After the API's own routes and its handlers of errors."""
    for router in (page.router for page in PAGES):
        api.include_router(router)
    errors.install(api)
    login.install(api)
