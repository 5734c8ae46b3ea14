"""Content encodings, unpacked within a bound, so that a small body cannot fill the memory."""

import zlib
from typing import Final

from airworthy.recorder.otel.errors import Malformed, TooLarge, Unsupported

_GZIP: Final = 31  # zlib's number for a gzip frame and nothing else
_ZLIB: Final = 15
_WINDOWS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}


def unpacked(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """Raises: Unsupported, Malformed, TooLarge."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return _bounded(body, bytes_max)
    window = _WINDOWS.get(encoding)
    if window is None:
        raise Unsupported(
            f"The content encoding {encoding[:40]!r} is not read here.", mend="Send gzip, deflate or none."
        )
    parts: list[bytes] = []
    room, rest = bytes_max + 1, body
    while rest and room > 0:  # Frames may follow one another.
        unpacker = zlib.decompressobj(window)
        try:
            part = unpacker.decompress(rest, room)
        except zlib.error as error:
            raise Malformed(
                f"The body is not {encoding}: {error}.", mend="Compress it, or leave Content-Encoding out."
            ) from error
        parts.append(part)
        room -= len(part)
        if room > 0 and not unpacker.eof:
            raise Malformed(f"The {encoding} body ends too early.", mend="Send it whole.")
        rest = unpacker.unused_data
    return _bounded(b"".join(parts), bytes_max)


def _bounded(body: bytes, bytes_max: int) -> bytes:
    if len(body) > bytes_max:
        raise TooLarge(
            f"The body is larger than {bytes_max} bytes when unpacked.",
            mend="Send fewer spans in one request.",
        )
    return body
