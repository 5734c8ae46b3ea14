"""The way to the provider that vouches for people, and back."""

import base64
import binascii
import hmac
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from airworthy.console import attempts, passes
from airworthy.console.attempts import TooManyAttempts
from airworthy.console.oidc import JOURNEY_S, Provider, ProviderRefused, journey
from airworthy.console.parts import Given, Parts, address_of
from airworthy.console.passes import Pass
from airworthy.console.problems import status_of
from airworthy.console.signing import SignedIn, SignInRefused
from airworthy.console.web import forms
from airworthy.console.web.pages import render
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import AirworthyError
from airworthy.gateway.keys.key import drawn

router = APIRouter(include_in_schema=False)
COOKIE: Final = "airworthy_journey"
COOKIE_CHARS_MAX: Final = 4_000
Text = Annotated[str, Query(max_length=4_096)]


@router.get("/login/oidc")
async def leave(
    request: Request,
    given: Given,
    wanted: Annotated[str, Query(alias="next", max_length=forms.NEXT_CHARS_MAX)] = "",
) -> Response:
    """A link and no form: our content policy lets no form lead elsewhere, not even in two steps."""
    try:
        provider = _provider(given)
        secret = drawn(passes.PREFIX, given.ids)
        to = await run_in_threadpool(provider.way_there, secret)
    except AirworthyError as error:
        return _told(request, error)
    answer = forms.moved(to)
    aim = base64.urlsafe_b64encode(forms.way_on(wanted).encode()).decode()
    kept = f"{secret}.{given.clock.now_us() // US_PER_S}.{aim}"
    forms.set_cookie(answer, request, given, COOKIE, kept, JOURNEY_S * US_PER_S)
    return answer


@router.get("/login/oidc/back")
async def come_back(
    request: Request, given: Given, *, state: Text = "", code: Text = "", iss: Text = "", error: Text = ""
) -> Response:
    try:
        secret, aim = _journey(request, given)
        if not hmac.compare_digest(state.encode(), journey(secret, "state").encode()):
            raise _not_ours()
        made = await run_in_threadpool(_arrived, request, given, secret, _Answer(code, iss, error))
    except AirworthyError as refused:
        answer = _told(request, refused)
    else:
        answer = forms.signed_in(request, given, made, aim)
    forms.drop_cookie(answer, request, given, COOKIE)
    return answer


class _Answer:
    """What the provider says by way of the browser."""

    def __init__(self, code: str, issuer: str, error: str) -> None:
        self.code = code
        self.issuer = issuer
        self.error = error


def _arrived(request: Request, given: Parts, secret: str, answer: _Answer) -> SignedIn:
    """Raises: ProviderDown, ProviderRefused, TokenRefused, TooManyAttempts."""
    now_us = given.clock.now_us()
    counted = (attempts.by_address(address_of(request, given.door)),)
    wait_s = given.database.write_now(lambda tx: attempts.begin(tx, counted, now_us))
    if wait_s:
        raise TooManyAttempts(wait_s)
    once = Pass("journey", "", now_us + 2 * JOURNEY_S * US_PER_S)
    if not given.database.write_now(lambda tx: passes.mark(tx, secret, once, now_us)):
        raise _not_ours()
    if answer.error:
        raise ProviderRefused(
            "The provider did not let you in.", mend="Start again, or sign in with a password."
        )
    vouched = _provider(given).vouched(secret, answer.code, answer.issuer)
    given.database.write_now(lambda tx: attempts.succeeded(tx, counted))
    try:
        return given.signing.admit(vouched.person, "oidc", forms.browser(request, given), roles=vouched.roles)
    except SignInRefused as refused:
        raise ProviderRefused(
            f"The provider vouches for {vouched.person}, who may do nothing here.",
            mend="Ask who runs airworthy.",
        ) from refused


def _journey(request: Request, given: Parts) -> tuple[str, str]:
    """The secret, and where it leads in the end. Raises: ProviderRefused."""
    secret, _, rest = forms.read_cookie(request, given, COOKIE, COOKIE_CHARS_MAX).partition(".")
    began, _, aim = rest.partition(".")
    now_s = given.clock.now_us() // US_PER_S
    if not secret or not began.isdecimal() or not 0 <= now_s - int(began[:18]) <= JOURNEY_S:
        raise _not_ours()
    try:
        return secret, forms.way_on(base64.urlsafe_b64decode(aim.encode()).decode())
    except (binascii.Error, ValueError):
        return secret, "/"


def _provider(given: Parts) -> Provider:
    """Raises: ProviderRefused."""
    if given.provider is None:
        raise ProviderRefused("No provider vouches for anybody here.", mend="Sign in with a password.")
    return given.provider


def _not_ours() -> ProviderRefused:
    return ProviderRefused(
        "This answer belongs to no sign-in that began here in the last ten minutes, or came before.",
        mend="Start again from the page to sign in.",
    )


def _told(request: Request, error: AirworthyError) -> Response:
    return render(
        request, "login_refused.html", status=status_of(error), title="You are not signed in", message=error.message,
        mend=error.mend,
    )  # fmt: skip
