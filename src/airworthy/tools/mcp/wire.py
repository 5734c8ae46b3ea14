"""JSON-RPC as bytes: lines in, messages out, whatever else may stand there. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from airworthy.core.errors import storable_text
from airworthy.tools.mcp.generation import INVALID_REQUEST, PARSE_ERROR

MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024
DEPTH_MAX: Final = 128
ID_CHARS_MAX: Final = 256

Kind = Literal["request", "notification", "response"]
Message = dict[str, Any]
Id = str | int


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that are no message. `code` is JSON-RPC's word for why."""

    why: str
    code: int = PARSE_ERROR


class Lines:
    """Bytes in, whole lines out. A line that grows beyond the bound is dropped up to its end, and said to be so."""

    def __init__(self, bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._kept = bytearray()
        self._scanned = 0
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[bytes | Garbage]:
        """Never holds more than the bound and one piece of input."""
        self._kept += data
        while True:
            end = self._kept.find(b"\n", self._scanned)
            if end < 0:
                break
            line = bytes(self._kept[:end])
            del self._kept[: end + 1]
            self._scanned = 0
            if self._skipping:
                self._skipping = False
                continue
            if len(line) > self._bytes_max:
                yield self._too_long()
                continue
            if line.strip():
                yield line
        self._scanned = len(self._kept)
        if self._scanned > self._bytes_max:
            self._kept.clear()
            self._scanned = 0
            if not self._skipping:
                self._skipping = True
                yield self._too_long()

    def _too_long(self) -> Garbage:
        return Garbage(f"A line is longer than {self._bytes_max} bytes.", INVALID_REQUEST)


def parse(raw: bytes) -> Message | Garbage:
    """One message. Batches are none: the current versions of the protocol have dropped them."""
    if len(raw) > MESSAGE_BYTES_MAX:
        return Garbage(f"A message is longer than {MESSAGE_BYTES_MAX} bytes.", INVALID_REQUEST)
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return Garbage(f"No JSON: {storable_text(str(error))[:200]}")
    return checked(found)


def checked(found: Any) -> Message | Garbage:
    if isinstance(found, list):
        return Garbage("Batches are not taken; send one message at a time.", INVALID_REQUEST)
    if not isinstance(found, dict) or found.get("jsonrpc") != "2.0":
        return Garbage("No message of JSON-RPC 2.0.", INVALID_REQUEST)
    if kind(found) is None:
        return Garbage("Neither a request nor a notification nor a response.", INVALID_REQUEST)
    if not _shallow(found):
        return Garbage(f"A message is nested deeper than {DEPTH_MAX}.", INVALID_REQUEST)
    return found


def kind(message: Message) -> Kind | None:
    method = message.get("method")
    if method is not None:
        if not isinstance(method, str):
            return None
        if "id" not in message:
            return "notification"
        return "request" if is_id(message["id"]) else None
    if ("result" in message) == ("error" in message):
        return None
    return "response" if "id" in message and (message["id"] is None or is_id(message["id"])) else None


def is_id(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= ID_CHARS_MAX
    return isinstance(value, int) and not isinstance(value, bool)


def dump(message: Message) -> bytes:
    """On one line: JSON has no line feed of its own."""
    return orjson.dumps(message)


def request(id_: Id, method: str, params: Message | None = None) -> Message:
    made: Message = {"jsonrpc": "2.0", "id": id_, "method": method}
    return made if params is None else {**made, "params": params}


def notification(method: str, params: Message | None = None) -> Message:
    made: Message = {"jsonrpc": "2.0", "method": method}
    return made if params is None else {**made, "params": params}


def result(id_: Id | None, value: Message) -> Message:
    return {"jsonrpc": "2.0", "id": id_, "result": value}


def error(id_: Id | None, code: int, text: str, data: Any = None) -> Message:
    said: Message = {"code": code, "message": text}
    return {"jsonrpc": "2.0", "id": id_, "error": said if data is None else {**said, "data": data}}


def _shallow(value: Any) -> bool:
    layer = [value]
    for _ in range(DEPTH_MAX):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not layer:
            return True
    return False
