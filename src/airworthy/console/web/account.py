"""The page of one's own account: what one may do, one's sessions, one's password."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from airworthy.console.access import rights_of
from airworthy.console.parts import Given, Parts
from airworthy.console.passwords import CHARS_MIN
from airworthy.console.problems import status_of
from airworthy.console.web import forms
from airworthy.console.web.pages import render
from airworthy.console.web.visitor import SignedIn, Visitor
from airworthy.core.errors import AirworthyError

router = APIRouter(include_in_schema=False)


@router.get("/account")
def account(request: Request, given: Given, who: SignedIn) -> Response:
    return _page(request, given, who)


@router.post("/account/password")
async def change(request: Request, given: Given, who: SignedIn) -> Response:
    """All sessions end; this browser has a new one."""
    sent = await forms.fields(request)
    if sent.get("password", "") != sent.get("again", ""):
        return _page(request, given, who, problem="The two are not the same. Type it twice.", status=400)
    try:
        made = await run_in_threadpool(
            given.signing.change_password, who.caller.person, sent.get("old", ""), sent.get("password", ""),
            forms.browser(request, given),
        )  # fmt: skip
    except AirworthyError as error:
        return _page(request, given, who, problem=str(error), status=status_of(error))
    return forms.signed_in(request, given, made, "/account")


@router.post("/account/sessions/end")
async def end(request: Request, given: Given, who: SignedIn) -> Response:
    """One of theirs, by `session`; or all the others."""
    session = (await forms.fields(request)).get("session", "")
    if session:
        await run_in_threadpool(given.signing.sign_out, session, who.caller.person)
    else:
        await run_in_threadpool(given.signing.end_sessions, who.caller.person, but=who.session)
    return forms.moved("/account")


def _page(request: Request, given: Parts, who: Visitor, *, problem: str = "", status: int = 200) -> Response:
    return render(
        request, "account.html", who=who, status=status, title="Your account", twin="/api/v1/me", problem=problem,
        rights=rights_of(who.caller), sessions=given.signing.sessions(who.caller.person), chars_min=CHARS_MIN,
        by_password=given.signing.has_password(who.caller.person),
    )  # fmt: skip
