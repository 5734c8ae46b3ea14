"""The document of the API, completed by what holds for all of it: errors, keys, rights, requests sent again, paging."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from fastapi import routing
from fastapi.routing import APIRoute

from airworthy.console.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.dependencies.models import Dependant

Json = dict[str, Any]
PROBLEM: Final[Json] = {
    "type": "object",
    "description": "RFC 9457. `code` is stable and safe to branch on; `mend` says what to do.",
    "required": ["type", "title", "status", "detail", "code", "mend"],
    "properties": {
        "type": {"type": "string", "description": "urn:airworthy:problem: and the code."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What went wrong, with its value."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "code": {"type": "string"},
        "mend": {"type": "string"},
        "error": {
            "type": "object",
            "deprecated": True,
            "description": "The same once more: code, message, mend.",
        },
    },
}
_RETRY: Final[Json] = {"description": "Seconds.", "schema": {"type": "integer"}}
_PROBLEM_ANSWER: Final[Json] = {
    "description": "What went wrong, and what to do. 429 and 503 say when to try again.",
    "headers": {"Retry-After": _RETRY},
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_REPEAT: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same key and body within a day, it is done once and answered as before; "
    "`Idempotency-Replayed: true` says so.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_LINK: Final[Json] = {
    "description": 'RFC 8288, rel="next": where the list goes on. Absent on the last page.',
    "schema": {"type": "string"},
}
_COOKIE: Final[Json] = {
    "type": "apiKey", "in": "cookie", "name": "airworthy",
    "description": "The session of somebody signed in to the console, for what changes nothing. Over TLS its name is "
    "__Host-airworthy.",
}  # fmt: skip


def install(api: "FastAPI", base: str) -> None:
    plain = api.openapi

    def complete() -> Json:
        if api.openapi_schema is None:
            api.openapi_schema = completed(plain(), api, base)
        return api.openapi_schema

    api.openapi = complete  # type: ignore[method-assign]  # as the framework's own documentation has it


def completed(document: Json, api: "FastAPI", base: str) -> Json:
    parts = document.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = PROBLEM
    for name in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(name, None)
    parts.setdefault("securitySchemes", {})["Session"] = _COOKIE
    rights = {(path, method.lower()): right for path, method, right in declared(api)}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            operation.get("responses", {}).pop("422", None)
            operation.setdefault("responses", {})["default"] = _PROBLEM_ANSWER
            right = rights.get((path, method))
            if right is not None:
                operation["x-airworthy-right"] = right or "any"
            if path.startswith(f"{base}/"):
                _of_the_api(operation, method)
    return document


def declared(api: "FastAPI") -> Iterator[tuple[str, str, str | None]]:
    """Path, method and the right that each route needs; "": any caller; None: it asks for nobody."""
    for path, route in routes(api):
        for method in sorted(route.methods or ()):
            yield path, method, right_of(route.dependant)


def routes(api: "FastAPI") -> Iterator[tuple[str, APIRoute]]:
    """Each with its whole path, those of routers too, which newer versions of the framework keep nested."""
    flat = getattr(routing, "iter_route_contexts", list)
    for route in flat(api.routes):
        original = getattr(route, "original_route", route)
        if isinstance(original, APIRoute):
            yield str(getattr(route, "path", original.path)), original


def right_of(needed: "Dependant") -> str | None:
    """The narrowest that stands anywhere among what a route depends on."""
    found: str | None = getattr(needed.call, "right", None)
    for each in needed.dependencies:
        right = right_of(each)
        if right is not None and not found:
            found = right
    return found


def _of_the_api(operation: Json, method: str) -> None:
    if method == "post":
        operation.setdefault("parameters", []).append(_REPEAT)
        return
    if "security" in operation:
        operation["security"] = [*operation["security"], {"Session": []}]
    answer = operation["responses"].get("200", {})
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    pages = {"before", "after"} & {each["name"] for each in operation.get("parameters", [])}
    if schema.get("type") == "array" and pages:
        answer.setdefault("headers", {})["Link"] = _LINK
