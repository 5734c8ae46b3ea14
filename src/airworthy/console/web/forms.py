"""Forms of people who are not signed in yet, cookies, and where to go afterwards."""

from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from airworthy.console import passes
from airworthy.console.door import COOKIE
from airworthy.console.parts import Parts, address_of
from airworthy.console.sessions import csrf_of
from airworthy.console.signing import KNOWN_US, Browser, SignedIn
from airworthy.console.web.pages import HEADERS
from airworthy.console.web.visitor import FIELDS_MAX, check_form
from airworthy.core.clock import US_PER_S
from airworthy.gateway.keys.key import drawn

FORM_COOKIE: Final = "airworthy_form"
KNOWN_COOKIE: Final = "airworthy_known"
NEXT_CHARS_MAX: Final = 2_000


async def fields(request: Request) -> dict[str, str]:
    """What the form sent; of a field that came twice, the last."""
    form = await request.form(max_files=0, max_fields=FIELDS_MAX)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def way_on(wanted: str) -> str:
    """A path of ours, or the overview: nobody is sent elsewhere by a link to us."""
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and "\\" not in wanted
    fits = len(wanted) <= NEXT_CHARS_MAX and wanted.isprintable() and wanted.isascii()
    return wanted if ours and fits and not wanted.startswith("/login") else "/"


def form_token(request: Request, given: Parts) -> tuple[str, str]:
    """The secret of this browser's forms before it has a session, and what they send back."""
    secret = read_cookie(request, given, FORM_COOKIE) or drawn(passes.PREFIX, given.ids)
    return secret, csrf_of(secret)


async def check_stranger(request: Request, given: Parts) -> None:
    """So that no other page signs somebody in under its own name. Raises: FormRefused."""
    secret = read_cookie(request, given, FORM_COOKIE)
    # Without the cookie there is nothing that the form could have been made for.
    await check_form(request, given, csrf_of(secret) if secret else "-")


def read_cookie(request: Request, given: Parts, name: str, chars_max: int = 200) -> str:
    found = request.cookies.get(given.door.cookie(name, *_here(request)), "")
    return found if found.isascii() and len(found) <= chars_max else ""


def set_cookie(
    answer: Response, request: Request, given: Parts, name: str, value: str, length_us: int | None = None
) -> None:
    """`length_us` None: until the browser is closed. Lax: a link in a chat finds them signed in; no form does."""
    here = _here(request)
    answer.set_cookie(
        given.door.cookie(name, *here), value, max_age=None if length_us is None else length_us // US_PER_S,
        path="/", secure=given.door.secure(*here), httponly=True, samesite="lax",
    )  # fmt: skip


def drop_cookie(answer: Response, request: Request, given: Parts, name: str) -> None:
    here = _here(request)
    answer.delete_cookie(
        given.door.cookie(name, *here),
        path="/",
        secure=given.door.secure(*here),
        httponly=True,
        samesite="lax",
    )


def browser(request: Request, given: Parts) -> Browser:
    known = read_cookie(request, given, KNOWN_COOKIE)
    agent = "".join(char for char in request.headers.get("user-agent", "") if char.isprintable())
    return Browser(address_of(request, given.door), agent, known)


def signed_in(request: Request, given: Parts, made: SignedIn, to: str) -> Response:
    answer = moved(to)
    set_cookie(answer, request, given, COOKIE, made.secret, given.door.session_us)
    set_cookie(answer, request, given, KNOWN_COOKIE, made.known, KNOWN_US)
    drop_cookie(answer, request, given, FORM_COOKIE)
    return answer


def moved(to: str) -> Response:
    return RedirectResponse(to, 303, headers=HEADERS)


def with_form_cookie(answer: HTMLResponse, request: Request, given: Parts, secret: str) -> HTMLResponse:
    set_cookie(answer, request, given, FORM_COOKIE, secret)
    return answer


def _here(request: Request) -> tuple[str, str]:
    return request.url.scheme, request.headers.get("host", "")
