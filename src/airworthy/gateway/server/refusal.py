"""What the server itself refuses, before or instead of a model: each as an error in the caller's own protocol."""

from collections.abc import Mapping
from typing import Final

import orjson

from airworthy.core.errors import AirworthyError
from airworthy.gateway.call import Headers
from airworthy.gateway.wire.failure import ProtocolName

JSON: Final = (b"content-type", b"application/json")
# Where the SDKs of each protocol look for the id of a call.
ID_HEADERS: Final[Mapping[ProtocolName, bytes]] = {"openai": b"x-request-id", "anthropic": b"request-id"}
_OPENAI: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
}
_ANTHROPIC: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


class Refusal(AirworthyError):
    """An answer other than 200 that no model had a part in.

    `retry_after_s`: an SDK may try the same again, not earlier; None: it must not. `headers` are added to the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        mend: str,
        retry_after_s: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        super().__init__(message, mend=mend)
        self.status = status
        self.word = code
        self.retry_after_s = retry_after_s
        self.headers = headers or []


def rendered(refusal: Refusal, protocol: ProtocolName, call_id: str) -> tuple[int, Headers, bytes]:
    text = f"{refusal.message} {refusal.mend}".strip()
    body: dict[str, object]
    if protocol == "anthropic":
        kind = _ANTHROPIC.get(
            refusal.status, "invalid_request_error" if refusal.status < 500 else "api_error"
        )
        error = {"type": kind, "message": text, "code": refusal.word}
        body = {"type": "error", "error": error, "request_id": call_id}
    else:
        kind = _OPENAI.get(
            refusal.status, "invalid_request_error" if refusal.status < 500 else "server_error"
        )
        body = {"error": {"message": text, "type": kind, "param": None, "code": refusal.word}}
    encoded = orjson.dumps(body)
    again = refusal.retry_after_s
    headers = [
        JSON,
        (ID_HEADERS[protocol], call_id.encode()),
        # The SDKs obey it before their own table of statuses.
        (b"x-should-retry", b"false" if again is None else b"true"),
        *refusal.headers,
    ]
    if again is not None:
        headers.append((b"retry-after", b"%d" % again))
    return refusal.status, headers, encoded


def no_key() -> Refusal:
    """The same for a key that is missing, unknown, expired and revoked: which of these it is, is nobody's business."""
    return Refusal(
        401, "invalid_api_key", "No valid key came with the request.",
        mend="Send one made with `airworthy key create` as `Authorization: Bearer` or `x-api-key`.",
        headers=[(b"www-authenticate", b"Bearer")],
    )  # fmt: skip


def not_here(agent: str) -> Refusal:
    return Refusal(
        403, "agent_not_served", f"The key is for agent {agent!r}, which this gateway does not serve.",
        mend="Add its policy to `policies` in gateway.toml, or use another key.",
    )  # fmt: skip


def wrong_method(method: str, allowed: str) -> Refusal:
    return Refusal(
        405, "method_not_allowed", f"{method} cannot be used here.", mend=f"Use {allowed}.",
        headers=[(b"allow", allowed.encode())],
    )  # fmt: skip


def too_large(bytes_max: int, *, close: bool) -> Refusal:
    """`close`: nobody knows how much more would come, so the connection ends with the answer."""
    return Refusal(
        413, "request_too_large", f"The request has more than {bytes_max} bytes.",
        mend="Send less, or raise `body_bytes_max` in gateway.toml.",
        headers=[(b"connection", b"close")] if close else None,
    )  # fmt: skip


def too_slow(seconds_max: float) -> Refusal:
    return Refusal(
        408, "request_too_slow", f"The request did not come within {seconds_max:g} s.", mend="Send it faster.",
        headers=[(b"connection", b"close")],
    )  # fmt: skip


def bad(message: str, *, mend: str, code: str = "bad_call") -> Refusal:
    return Refusal(400, code, message, mend=mend)


def unavailable(code: str, message: str, *, mend: str, retry_after_s: int = 1) -> Refusal:
    return Refusal(503, code, message, mend=mend, retry_after_s=retry_after_s)


def broken() -> Refusal:
    """A fault of ours; the caller is not told what it was, the operator is."""
    return Refusal(
        500, "gateway_error", "The gateway failed on this request.",
        mend="Look at its output for the call's id; nothing was answered.",
    )  # fmt: skip
