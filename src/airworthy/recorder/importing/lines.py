"""Lines of a file, plain or packed with gzip, read one at a time and within a bound; each is JSON or is told as bad."""

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import orjson

LINE_BYTES_MAX: Final = 64 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
_MARK: Final = b"\xef\xbb\xbf"  # Some programs begin a file of UTF-8 so.


@dataclass(frozen=True, slots=True)
class Line:
    """`number`: from 1. `raw`: the bytes, for an id where none is said."""

    number: int
    value: Any
    raw: bytes


@dataclass(frozen=True, slots=True)
class BadLine:
    number: int
    why: str


def lines_of(stream: BinaryIO) -> Iterator[Line | BadLine]:
    """Empty lines are none. A file that breaks off in the middle of its packing ends with a bad line."""
    buffered = io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream
    plain = _unpacked(buffered)
    number = 0
    while True:
        number += 1
        try:
            raw = plain.readline(LINE_BYTES_MAX + 1)
        except (OSError, EOFError) as error:
            yield BadLine(number, f"The file cannot be read on: {error}.")
            return
        if not raw:
            return
        if len(raw) > LINE_BYTES_MAX:
            yield BadLine(number, f"It has more than {LINE_BYTES_MAX:,} bytes.")
            if not _skipped(plain):
                return
            continue
        raw = (raw.removeprefix(_MARK) if number == 1 else raw).strip()
        if not raw:
            continue
        try:
            yield Line(number, orjson.loads(raw), raw)
        except orjson.JSONDecodeError as error:
            yield BadLine(number, f"It is no JSON: {error}.")


def _unpacked(stream: Any) -> Any:
    """Told by how it begins, not by its name."""
    begins = stream.peek(2)[:2] if hasattr(stream, "peek") else b""
    return gzip.GzipFile(fileobj=stream) if begins == _GZIP else stream


def _skipped(stream: Any) -> bool:
    """Past the rest of a line that is too long; False where the file ends first or breaks."""
    try:
        while True:
            part = stream.readline(LINE_BYTES_MAX)
            if not part or part.endswith(b"\n"):
                return bool(part)
    except (OSError, EOFError):
        return False
