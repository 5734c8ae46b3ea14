"""All pages, put onto the application that has the API."""

from fastapi import FastAPI

from airworthy.console.web import account, assets, diff, errors, login, overview, review, run


def install(api: FastAPI) -> None:
    """After the API's own routes and its handlers of errors."""
    pages = (assets, login, account, overview, run, diff, review)
    for router in (page.router for page in pages):
        api.include_router(router)
    errors.install(api)
    login.install(api)
