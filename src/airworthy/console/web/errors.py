"""Errors as a page: for whoever came with a browser. What the API answers to programs stays as it is."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException

from airworthy.console.problems import status_of
from airworthy.console.web.pages import render
from airworthy.core.errors import AirworthyError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.responses import Response

_FOR_PROGRAMS: Final = ("/api/", "/v1/", "/openapi.json", "/livez", "/readyz", "/metrics")
_TITLES: Final = {
    400: "This cannot be done as asked",
    401: "Please sign in",
    403: "You may not do this",
    404: "There is nothing here",
    409: "This has changed in the meantime",
    413: "This is too large",
    422: "This cannot be done as asked",
    429: "Too much at once",
    503: "The store cannot be reached",
}
_MENDS: Final = {404: "Go to the overview, or look for it among the traces."}


def wants_page(request: "Request") -> bool:
    """Whether a person with a browser asked, and not a program."""
    path = request.url.path
    return not path.startswith(_FOR_PROGRAMS) and "text/html" in request.headers.get("accept", "")


def page(request: "Request", status: int, message: str, mend: str) -> "Response":
    title = _TITLES.get(status, "Something went wrong" if status >= 500 else _TITLES[400])
    return render(request, "error.html", status=status, code=status, title=title, message=message, mend=mend)


def install(api: "FastAPI") -> None:
    """After the API's own handlers, which keep answering programs."""
    from fastapi.exceptions import RequestValidationError

    for kind in (AirworthyError, HTTPException, RequestValidationError):
        api.add_exception_handler(kind, _either(api.exception_handlers[kind]))
    api.add_exception_handler(Exception, _broken)


def _broken(request: "Request", _: Exception) -> "Response":
    """A fault of ours. What it was is no visitor's business; the framework hands it on to whoever runs the server."""
    from fastapi.responses import PlainTextResponse

    if not wants_page(request):
        return PlainTextResponse("Internal Server Error", 500)
    return page(
        request, 500, "This page could not be made.", "Try again; if it stays so, tell whoever runs this."
    )


def _either(for_programs: Callable[..., Any]) -> "Callable[[Request, Exception], Awaitable[Response]]":
    async def told(request: "Request", error: Exception) -> "Response":
        if not wants_page(request):
            answer: Response = for_programs(request, error)
            return answer
        match error:
            case AirworthyError():
                return page(request, status_of(error), error.message, error.mend)
            case HTTPException():
                message = (
                    f"There is no page at {request.url.path}."
                    if error.detail == "Not Found"
                    else str(error.detail)
                )
                return page(request, error.status_code, message, _MENDS.get(error.status_code, ""))
            case _:
                return page(
                    request, 422, "The address or the form is not as it must be.", "Go back and try again."
                )

    return told
