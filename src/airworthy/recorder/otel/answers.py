"""What a receiver answers by OTLP/HTTP, in the form of the request: what was not taken, or why nothing was.

The messages are small and fixed, so protobuf is written by hand and needs nothing installed.
"""

from typing import Final

import orjson

from airworthy.recorder.otel import framing
from airworthy.recorder.otel.decode import JSON, PROTOBUF, is_json
from airworthy.recorder.otel.errors import OtlpError, Unsupported

_INVALID_ARGUMENT: Final = 3  # of google.rpc.Code
_RESOURCE_EXHAUSTED: Final = 8


def taken(content_type: str, rejected: int, reason: str, *, logs: bool = False) -> tuple[str, bytes]:
    """Content type and body of status 200; `rejected` of 0 with a reason is a warning, as OTLP has it."""
    partial = rejected or reason
    if _as_json(content_type):
        what = "rejectedLogRecords" if logs else "rejectedSpans"
        said = {"partialSuccess": {what: str(rejected), "errorMessage": reason}} if partial else {}
        return JSON, orjson.dumps(said)
    if not partial:
        return PROTOBUF, b""
    count = framing.number(1, rejected) if rejected else b""
    return PROTOBUF, framing.block(1, count + framing.block(2, reason.encode("utf-8", "replace")))


def refused(content_type: str, error: OtlpError) -> tuple[str, bytes]:
    """Content type and body to go with `error.status`: a google.rpc.Status."""
    return _status(content_type, _INVALID_ARGUMENT, str(error))


def busy(content_type: str, says: str) -> tuple[str, bytes]:
    """The same for 429 and 503, which a sender answers by sending again."""
    return _status(content_type, _RESOURCE_EXHAUSTED, says)


def _status(content_type: str, code: int, says: str) -> tuple[str, bytes]:
    if _as_json(content_type):
        return JSON, orjson.dumps({"code": code, "message": says})
    return PROTOBUF, framing.number(1, code) + framing.block(2, says.encode("utf-8", "replace"))


def _as_json(content_type: str) -> bool:
    try:
        return is_json(content_type)
    except Unsupported:
        return True


def told_rejected(content_type: str, body: bytes) -> tuple[int, str]:
    """The other way round: how many spans a receiver says it did not take, and why; what cannot be read is none."""
    try:
        if _as_json(content_type):
            said = orjson.loads(body).get("partialSuccess") or {}
            return max(0, int(said.get("rejectedSpans") or 0)), str(said.get("errorMessage") or "")
        for inner in framing.read(body)[0].get(1, []):
            texts, numbers = framing.read(inner)
            return numbers.get(1, 0), b"".join(texts.get(2, [])).decode("utf-8", "replace")
    except (ValueError, IndexError, AttributeError, TypeError):
        pass
    return 0, ""
