"""All pages, put onto the application that has the API."""

from fastapi import FastAPI

from airworthy.console.web import assets, errors, overview, review, run


def install(api: FastAPI) -> None:
    """After the API's own routes and its handlers of errors."""
    for router in (assets.router, overview.router, run.router, review.router):
        api.include_router(router)
    errors.install(api)
