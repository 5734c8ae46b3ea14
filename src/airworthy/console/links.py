"""The signed link of an end user: a form, and what was said in it. Looking keeps nothing, for scanners look too."""

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse

from airworthy.console import page
from airworthy.console.parts import Given, Parts
from airworthy.console.problems import status_of
from airworthy.core.errors import AirworthyError, InputError
from airworthy.review.feedback import TEXT_CHARS_MAX, THUMBS, Feedback, Thumb

router = APIRouter(tags=["end users"], default_response_class=HTMLResponse)
FIELDS_MAX = 10


@router.get("/feedback/{link}")
def ask(link: str, request: Request, given: Given, thumb: Annotated[str, Query()] = "") -> HTMLResponse:
    """A form. `?thumb=up` or `?thumb=down` chooses beforehand."""
    try:
        given.afterwards.linked(link)
    except AirworthyError as error:
        return _told(error)
    return HTMLResponse(page.form(request.url.path, thumb, TEXT_CHARS_MAX))


@router.post("/feedback/{link}")
async def take(link: str, request: Request, given: Given) -> HTMLResponse:
    """What the form sends."""
    raw = await request.body()
    return await run_in_threadpool(_taken, given, link, raw)


def _taken(given: Parts, link: str, raw: bytes) -> HTMLResponse:
    try:
        task_id = given.afterwards.linked(link).task_id
        given.afterwards.say(_read(task_id, raw))
    except AirworthyError as error:
        return _told(error)
    return HTMLResponse(page.said("Thank you. What you sent is with the people who look after this."))


def _read(task_id: str, raw: bytes) -> Feedback:
    """Raises: InputError."""
    try:
        fields = parse_qs(raw.decode("ascii"), max_num_fields=FIELDS_MAX, errors="replace")
    except ValueError as error:
        raise InputError("The form cannot be read.", mend="Send it from the page again.") from error
    first = {name: values[0] for name, values in fields.items()}
    chosen = first.get("thumb")
    thumb: Thumb | None = next((word for word in THUMBS if word == chosen), None)
    return Feedback("", task_id, "", 0, "link", thumb, first.get("correction", ""), first.get("text", ""))


def _told(error: AirworthyError) -> HTMLResponse:
    status = status_of(error)
    text = str(error) if status < 500 else "This cannot be kept just now. Please try again in a moment."
    return HTMLResponse(page.said(text), status)
