"""What Anthropic's protocols share: the form of an error, and what a request must have."""

from typing import Any

import orjson

from airworthy.gateway.wire import asking

_KINDS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(status: int, kind: str, message: str, code: str) -> bytes:
    kind = kind or _KINDS.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
    error = {"type": kind, "message": message}
    return orjson.dumps({"type": "error", "error": {**error, "code": code} if code else error})


def common(body: dict[str, Any]) -> tuple[str, tuple[str, ...], str]:
    """Model, tools and user. Raises: BadCall."""
    model = asking.model_of(body)
    asking.needed(body, "messages", (list,), "a list of messages")
    listed = body.get("tools")
    tools = (
        asking.names(tool.get("name") for tool in listed if type(tool) is dict)
        if type(listed) is list
        else ()
    )
    metadata = body.get("metadata")
    user = asking.text(metadata.get("user_id")) if type(metadata) is dict else ""
    return model, tools, user
