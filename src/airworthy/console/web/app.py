"""All pages, put onto the application that has the API."""

from typing import Final

from fastapi import FastAPI

from airworthy.console.web import (
    account,
    agents,
    alerts,
    assets,
    errors,
    login,
    overview,
    traces,
)

PAGES: Final = (
    assets.router,
    login.router,
    account.router,
    overview.router,
    traces.router,
    alerts.router,
    agents.router,
)


def install(api: FastAPI) -> None:
    """After the API's own routes and its handlers of errors."""
    for router in PAGES:
        api.include_router(router)
    errors.install(api)
    login.install(api)
