"""What the two generations of the protocol differ in: versions, names and codes. Pure."""

from collections.abc import Mapping
from typing import Any, Final

HANDSHAKE: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
STATELESS: Final = ("2026-07-28",)
VERSIONS: Final = (*HANDSHAKE, *STATELESS)

VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
CLIENT_KEY: Final = "io.modelcontextprotocol/clientInfo"
CAPABILITIES_KEY: Final = "io.modelcontextprotocol/clientCapabilities"
SUBSCRIPTION_KEY: Final = "io.modelcontextprotocol/subscriptionId"

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022
ELICITATION_REQUIRED: Final = -32042
NOT_FOUND: Final = -32002
GONE: Final = -32000  # Ours, from the band that implementations may use: the server gave no answer.
BUSY: Final = -32005  # Ours too.

# The server looked at the request and did not carry it out.
NOT_DONE: Final = frozenset((
    PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, HEADER_MISMATCH, MISSING_CAPABILITY,
    UNSUPPORTED_VERSION, ELICITATION_REQUIRED, NOT_FOUND,
))  # fmt: skip
# Errors that mean something to a client's own code, beyond their text.
FOR_THE_CLIENT: Final = frozenset((ELICITATION_REQUIRED, MISSING_CAPABILITY, UNSUPPORTED_VERSION))

HTTP_STATUS: Final[Mapping[int, int]] = {
    PARSE_ERROR: 400, INVALID_REQUEST: 400, INVALID_PARAMS: 400, HEADER_MISMATCH: 400, MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400, METHOD_NOT_FOUND: 404,
}  # fmt: skip
# Which parameter of a method is told in the header Mcp-Name.
NAMED: Final[Mapping[str, str]] = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def meta(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `_meta` of a request's parameters; empty when there is none."""
    params = message.get("params")
    found = params.get("_meta") if isinstance(params, dict) else None
    return found if isinstance(found, dict) else {}


def version(message: Mapping[str, Any]) -> str:
    """The version that a request of the stateless generation names; empty for one of the handshake's."""
    found = meta(message).get(VERSION_KEY)
    return found if isinstance(found, str) else ""


def stateless(message: Mapping[str, Any]) -> bool:
    return version(message) != ""


def finished(result: dict[str, Any], *, plain: bool) -> dict[str, Any]:
    """A result of ours, as the generation of its request wants it. `plain`: the handshake's, which has no such key."""
    return result if plain else {"resultType": "complete", **result}


def envelope(request: Mapping[str, Any]) -> dict[str, Any]:
    """What another request on behalf of the same client has to carry: nothing, in the generation of the handshake."""
    known = {
        key: value
        for key, value in meta(request).items()
        if key in (VERSION_KEY, CLIENT_KEY, CAPABILITIES_KEY)
    }
    return {"_meta": known} if VERSION_KEY in known else {}
