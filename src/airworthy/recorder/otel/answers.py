"""What a receiver answers by OTLP/HTTP, in the form of the request: what was not taken, or why nothing was.

The messages are small and fixed, so protobuf is written by hand and needs nothing installed.
"""

from typing import Final

import orjson

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
    count = b"\x08" + _varint(rejected) if rejected else b""
    return PROTOBUF, _block(1, count + _block(2, reason.encode("utf-8", "replace")))


def refused(content_type: str, error: OtlpError) -> tuple[str, bytes]:
    """Content type and body to go with `error.status`: a google.rpc.Status."""
    return _status(content_type, _INVALID_ARGUMENT, str(error))


def busy(content_type: str, says: str) -> tuple[str, bytes]:
    """The same for 429 and 503, which a sender answers by sending again."""
    return _status(content_type, _RESOURCE_EXHAUSTED, says)


def _status(content_type: str, code: int, says: str) -> tuple[str, bytes]:
    if _as_json(content_type):
        return JSON, orjson.dumps({"code": code, "message": says})
    return PROTOBUF, b"\x08" + _varint(code) + _block(2, says.encode("utf-8", "replace"))


def _as_json(content_type: str) -> bool:
    try:
        return is_json(content_type)
    except Unsupported:
        return True


def _block(number: int, inner: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(inner)) + inner


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
