"""All pages, put on the application that also serves the API."""

from fastapi import FastAPI

from airworthy.console.web import account, assets, errors, login, overview, review, run, traces


def install(api: FastAPI) -> None:
    """After the API's own routes and its handlers of errors."""
    pages = (assets, login, account, overview, traces, run, review)
    for router in (page.router for page in pages):
        api.include_router(router)
    errors.install(api)
    login.install(api)
