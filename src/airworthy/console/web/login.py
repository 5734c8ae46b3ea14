"""The pages to sign in, to set a password by a link, and to sign out; and what becomes of whoever has not signed in."""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from airworthy.console.door import COOKIE
from airworthy.console.parts import Given, Identified, Parts
from airworthy.console.passwords import CHARS_MIN
from airworthy.console.problems import answer_headers, status_of
from airworthy.console.web import forms
from airworthy.console.web.errors import wants_page
from airworthy.console.web.pages import render
from airworthy.console.web.visitor import NotSignedIn, SignedIn
from airworthy.core.errors import AirworthyError

if TYPE_CHECKING:
    from fastapi import FastAPI

router = APIRouter(include_in_schema=False)
Next = Annotated[str, Query(alias="next", max_length=forms.NEXT_CHARS_MAX)]


@router.get("/login")
def ask(request: Request, given: Given, found: Identified, wanted: Next = "") -> Response:
    to = forms.way_on(wanted)
    return forms.moved(to) if found is not None and found.session else _form(request, given, to)


@router.post("/login")
async def sign_in(request: Request, given: Given) -> Response:
    await forms.check_stranger(request, given)
    sent = await forms.fields(request)
    to = forms.way_on(sent.get("next", ""))
    name = sent.get("name", "")
    try:
        made = await run_in_threadpool(
            given.signing.sign_in, name, sent.get("password", ""), forms.browser(request, given)
        )
    except AirworthyError as error:
        return _form(request, given, to, name=name, error=error)
    return forms.signed_in(request, given, made, to)


@router.post("/logout")
def sign_out(request: Request, given: Given, who: SignedIn) -> Response:
    given.signing.sign_out(who.session, who.caller.person)
    answer = forms.moved("/login")
    forms.drop_cookie(answer, request, given, COOKIE)
    return answer


@router.get("/login/link/{link}")
def ask_by_link(link: str, request: Request, given: Given) -> Response:
    """Uses nothing up: what looks at mail looks at links too."""
    return _link_form(request, given, link)


@router.post("/login/link/{link}")
async def take_by_link(link: str, request: Request, given: Given) -> Response:
    await forms.check_stranger(request, given)
    sent = await forms.fields(request)
    if sent.get("password", "") != sent.get("again", ""):
        return _link_form(
            request, given, link, problem="The two are not the same. Type it twice.", status=400
        )
    try:
        made = await run_in_threadpool(
            given.signing.redeem, link, sent.get("password", ""), forms.browser(request, given)
        )
    except AirworthyError as error:
        return _link_form(request, given, link, problem=str(error), status=status_of(error))
    return forms.signed_in(request, given, made, "/")


def _form(
    request: Request, given: Parts, to: str, *, name: str = "", error: AirworthyError | None = None
) -> HTMLResponse:
    secret, csrf = forms.form_token(request, given)
    answer = render(
        request, "login.html", status=200 if error is None else status_of(error), title="Sign in", csrf=csrf,
        to=to, typed=name, problem=str(error) if error is not None else "",
        provider=given.door.provider, headers=answer_headers(error) if error is not None else None,
    )  # fmt: skip
    return forms.with_form_cookie(answer, request, given, secret)


def _link_form(
    request: Request, given: Parts, link: str, *, problem: str = "", status: int = 200
) -> HTMLResponse:
    person = ""
    try:
        person = given.signing.opened(link)
    except AirworthyError as error:
        problem, status = str(error), status_of(error)
    secret, csrf = forms.form_token(request, given)
    answer = render(
        request, "login_link.html", status=status, title="Set your password", csrf=csrf, person=person,
        problem=problem, chars_min=CHARS_MIN,
    )  # fmt: skip
    return forms.with_form_cookie(answer, request, given, secret)


def install(api: "FastAPI") -> None:
    def to_sign_in(request: Request, _: Exception) -> Response:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        leads = f"/login?next={quote(path, safe='/')}" if request.method == "GET" else "/login"
        if request.headers.get("hx-request"):
            # A piece of a page cannot show the form; the page itself is to go there.
            return JSONResponse({}, 401, {"HX-Redirect": leads})
        return forms.moved(leads) if wants_page(request) or request.method == "GET" else forms.moved("/login")

    api.add_exception_handler(NotSignedIn, to_sign_in)
