"""All pages, put onto the application that has the API."""

from fastapi import FastAPI

from airworthy.console.web import account, assets, errors, login, oidc


def install(api: FastAPI) -> None:
    """After the API's own routes and its handlers of errors."""
    for router in (assets.router, login.router, oidc.router, account.router):
        api.include_router(router)
    errors.install(api)
    login.install(api)
