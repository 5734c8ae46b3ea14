"""Errors as the API tells them: a status, and a body with the same code, message and mend that a command shows."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from airworthy.core.errors import AirworthyError, ConfigError, InputError
from airworthy.store import StoreError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse

_STATUS: Final[Mapping[str, int]] = {
    "no_key": 401,
    "forbidden": 403,
    "not_allowed": 403,
    "form_refused": 403,
    "sign_in_refused": 401,
    "too_many_attempts": 429,
    "sign_in_busy": 429,
    "provider_refused": 403,
    "provider_down": 502,
    "key_used_otherwise": 422,
    "still_under_way": 409,
    "outcome_unknown": 409,
    "odd_key": 400,
    "link_refused": 403,
    "blind_link_refused": 403,
    "model_not_allowed": 400,
    "no_such_task": 404,
    "no_such_case": 404,
    "cannot_make_case": 409,
    "no_such_item": 404,
    "no_such_trace": 404,
    "unknown_preflight": 404,
    "idempotency_conflict": 409,
    "illegal_transition": 409,
    "transition_refused": 409,
    "already_decided": 409,
    "item_changed": 409,
    "not_fitting": 409,
    "done_before": 409,
    "in_other_hands": 409,
    "input_too_large": 413,
    "queue_full": 429,
    "hands_full": 429,
}
_OTHERS: Final[Mapping[int, tuple[str, str]]] = {
    404: ("no_such_path", "What there is stands in /openapi.json."),
    405: ("wrong_method", "What there is stands in /openapi.json."),
    413: ("too_large", "Send less at once."),
}
STORE_RETRY_S: Final = 5
MEDIA_TYPE: Final = "application/problem+json"
TYPE: Final = "urn:airworthy:problem:"
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class NoKey(AirworthyError):
    """Missing, unknown, expired, revoked, or of somebody who left: which of these it is, is nobody's business."""

    code: ClassVar[str] = "no_key"

    def __init__(self) -> None:
        super().__init__(
            "No valid key came with the request.",
            mend="Send one made with `airworthy access create` as `Authorization: Bearer`.",
        )


class Forbidden(AirworthyError):
    """The key is good, and not for this."""

    code: ClassVar[str] = "forbidden"


class FormRefused(AirworthyError):
    """A form that did not come from a page of this session; nothing was done."""

    code: ClassVar[str] = "form_refused"


def status_of(error: AirworthyError) -> int:
    found = _STATUS.get(error.code)
    if found is not None:
        return found
    if isinstance(error, StoreError):
        return 503
    if isinstance(error, InputError):
        return 400
    return 500 if isinstance(error, ConfigError) else 409


def answer_headers(error: AirworthyError) -> dict[str, str]:
    status = status_of(error)
    headers = dict[str, str]()
    again_s: float | None = getattr(error, "retry_after_s", None)
    if status == 503 and again_s is None:
        again_s = STORE_RETRY_S
    if again_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(again_s)))
    if isinstance(error, NoKey):
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def problem(
    status: int,
    code: str,
    message: str,
    mend: str,
    *,
    instance: str = "",
    headers: Mapping[str, str] | None = None,
) -> "JSONResponse":
    """As RFC 9457 has it, with `code` and `mend` beside, and once more under `error` for who read that before."""
    from fastapi.responses import JSONResponse

    body = {
        "type": f"{TYPE}{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": message,
        "instance": instance,
        "code": code,
        "mend": mend,
        "error": {"code": code, "message": message, "mend": mend},
    }
    return JSONResponse(body, status, {**_HEADERS, **(headers or {})}, media_type=MEDIA_TYPE)


def answer(error: AirworthyError, instance: str = "") -> "JSONResponse":
    """`instance`: the path that was asked for."""
    return problem(
        status_of(error),
        error.code,
        error.message,
        error.mend,
        instance=instance,
        headers=answer_headers(error),
    )


def install(api: "FastAPI") -> None:
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from starlette.exceptions import HTTPException

    def ours(request: "Request", error: Exception) -> JSONResponse:
        assert isinstance(error, AirworthyError)
        return answer(error, request.url.path)

    def unread(request: "Request", error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        # Neither the value nor the library's page: the first may be a secret, the second names a host.
        found = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()[:10]]
        says = "The request is not as it must be: " + "; ".join(found) + "."
        return problem(422, "unreadable", says, "Compare it with /openapi.json.", instance=request.url.path)

    def of_the_framework(request: "Request", error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code, mend = _OTHERS.get(error.status_code, ("bad_request", "Compare it with /openapi.json."))
        return problem(
            error.status_code, code, str(error.detail), mend, instance=request.url.path, headers=error.headers
        )

    def unexpected(request: "Request", _: Exception) -> JSONResponse:
        """What it was, the operator's log tells; a caller learns nothing of our insides."""
        says = "Something went wrong here that was not expected."
        return problem(
            500, "unexpected", says, "Tell whoever runs this, with the time.", instance=request.url.path
        )

    api.add_exception_handler(AirworthyError, ours)
    api.add_exception_handler(HTTPException, of_the_framework)
    api.add_exception_handler(RequestValidationError, unread)
    api.add_exception_handler(Exception, unexpected)
