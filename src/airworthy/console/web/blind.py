"""The page of people invited to a blind test: ask, read, rate. The link is their key; no account, cookie or script."""

from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from airworthy.console.parts import Given, Parts
from airworthy.console.problems import answer_headers, status_of
from airworthy.console.web.pages import HEADERS, render
from airworthy.core.errors import AirworthyError
from airworthy.gateway.keys.key import drawn
from airworthy.preflight.blind import BlindRefused, BlindTestRefused, BlindTests, Guest, Rating, Try, Word
from airworthy.preflight.blind.values import NOTE_CHARS_MAX, TEXT_CHARS_MAX

router = APIRouter(include_in_schema=False)
FIELDS_MAX: Final = 40
BODY_BYTES_MAX: Final = 100_000
SENT_CHARS_MAX: Final = 60
# The link stands in the address, so the address goes nowhere; no script at all, not even our own.
_HEADERS: Final = {
    **HEADERS,
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
}
_WORDS: Final = {
    "answered": "The answer",
    "declined": "It did not want to answer",
    "escalated": "It would hand this to a person",
    "erased": "This is not kept any more",
}


@router.get("/try/{link}")
def look(link: str, request: Request, given: Given) -> Response:
    return _page(request, given, link)


@router.post("/try/{link}")
async def ask(link: str, request: Request, given: Given) -> Response:
    raw = await request.body()
    return await run_in_threadpool(_asked, request, given, link, raw)


@router.post("/try/{link}/rate/{task}")
async def rate(link: str, task: str, request: Request, given: Given) -> Response:
    raw = await request.body()
    return await run_in_threadpool(_rated, request, given, link, task, raw)


def _asked(request: Request, given: Parts, link: str, raw: bytes) -> Response:
    typed = ""
    try:
        sent = _fields(raw)
        typed = _one(sent, "text")
        _tests(request).ask(link, typed, _one(sent, "sent")[:SENT_CHARS_MAX])
    except AirworthyError as error:
        return _page(request, given, link, error=error, typed=typed[:TEXT_CHARS_MAX])
    return RedirectResponse(f"/try/{link}", 303, headers=_HEADERS)


def _rated(request: Request, given: Parts, link: str, task: str, raw: bytes) -> Response:
    try:
        sent = _fields(raw)
        stars = _one(sent, "stars")
        words = tuple(word for word in Word if word.value in sent.get("word", ()))
        rating = Rating(
            int(stars) if stars in {"1", "2", "3", "4", "5"} else 0, words, _one(sent, "note").strip()
        )
        _tests(request).rate(link, task, rating)
    except AirworthyError as error:
        return _page(request, given, link, error=error)
    return RedirectResponse(f"/try/{link}#{task}", 303, headers=_HEADERS)


def _page(
    request: Request, given: Parts, link: str, *, error: AirworthyError | None = None, typed: str = ""
) -> HTMLResponse:
    guest: Guest | None = None
    tries: list[Try] = []
    try:
        tests = _tests(request)
        guest = tests.guest(link)
        tries = tests.tries_of(guest)[::-1]
    except AirworthyError as refused:
        error = error or refused
    status = 200 if error is None else status_of(error)
    return render(
        request, "blind.html", status=status, headers={**_HEADERS, **(answer_headers(error) if error else {})},
        title=guest.test.title if guest is not None else "Try it", problem=_told(error, status), guest=guest,
        tries=tries, working=error is None and any(not one.over for one in tries), here=f"/try/{link}",
        sent=drawn("", given.ids), typed=typed, words=list(Word), words_of=_words_of, chars_max=TEXT_CHARS_MAX,
        note_chars_max=NOTE_CHARS_MAX,
    )  # fmt: skip


def _told(error: AirworthyError | None, status: int) -> str:
    """What is wrong on our side is no guest's business."""
    if error is None:
        return ""
    if isinstance(error, BlindRefused | BlindTestRefused):
        return str(error)
    return (
        "Too much is going on just now. Please try again in a moment."
        if status in {429, 503}
        else "This did not work. Please try again."
    )


def _words_of(one: Try) -> str:
    if one.waits and not one.outcome:
        return "It waits for a person, who will not come in this rehearsal"
    return _WORDS.get(one.outcome, "It did not come to an answer")


def _tests(request: Request) -> BlindTests:
    """Of all agents, whoever else may be signed in with this browser."""
    whole: Parts = request.app.state.parts
    return BlindTests(whole.database, whole.clock, whole.ids, whole.operations, whole.policies)


def _fields(raw: bytes) -> dict[str, list[str]]:
    """Raises: BlindTestRefused."""
    try:
        if len(raw) > BODY_BYTES_MAX:
            raise ValueError("too large")
        return parse_qs(raw.decode("ascii"), max_num_fields=FIELDS_MAX, errors="replace")
    except ValueError as error:
        raise BlindTestRefused("The form cannot be read.", mend="Send it from the page again.") from error


def _one(sent: dict[str, list[str]], name: str) -> str:
    return sent.get(name, [""])[0].replace("\r\n", "\n").replace("\x00", "")
