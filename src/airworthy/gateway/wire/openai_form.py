"""What all of OpenAI's protocols share: the form of an error, and who asks."""

from typing import Any

import orjson

from airworthy.gateway.errors import ModelMalformed
from airworthy.gateway.wire import asking

_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def error_body(status: int, kind: str, message: str, code: str) -> bytes:
    kind = kind or _KINDS.get(status) or ("server_error" if status >= 500 else "invalid_request_error")
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code or None}})


def user_of(body: dict[str, Any]) -> str:
    return asking.text(body.get("user")) or asking.text(body.get("safety_identifier"))


def reply_object(raw: bytes, what: str) -> dict[str, Any]:
    """Raises: ModelMalformed when the reply is no JSON object."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ModelMalformed(f"The reply is not JSON ({len(raw)} bytes: {error}).", billed=True) from error
    if type(body) is not dict:
        raise ModelMalformed(f"The reply is JSON but no {what}: a {type(body).__name__}.", billed=True)
    return body


def sse(body: dict[str, Any], name: str = "") -> bytes:
    """One event with this document."""
    data = orjson.dumps(body)
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data) if name else b"data: %b\n\n" % data
