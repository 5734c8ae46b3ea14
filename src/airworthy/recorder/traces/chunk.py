"""What the spans of one trace brought along, packed together, because they repeat each other. Knows no table."""

import struct
import threading
from collections.abc import Sequence
from typing import Final

import zstandard

LEVEL: Final = 3
BYTES_MAX: Final = (
    256 * 1024
)  # Of payloads in one chunk; a single larger one has its own. Bounds what reading one costs.
_UNPACKED_BYTES_MAX: Final = 1 << 30
_PLAIN, _ZSTD = b"\x00", b"\x01"
_SMALL_BYTES: Final = 64
_local = threading.local()


def pack(payloads: Sequence[bytes], words: str) -> bytes:
    """`words`: what is indexed of all of them together, as the index must be told it again to forget it."""
    said = words.encode("utf-8", "replace")
    head = struct.pack(f"<I{len(payloads)}I", len(payloads), *map(len, payloads))
    body = b"".join((head, *payloads, said))
    if len(body) < _SMALL_BYTES:
        return _PLAIN + body
    compressor: zstandard.ZstdCompressor | None = getattr(_local, "compressor", None)
    if compressor is None:  # A compressor serves one thread at a time.
        compressor = _local.compressor = zstandard.ZstdCompressor(level=LEVEL)
    return _ZSTD + compressor.compress(body)


def unpack(body: bytes) -> list[bytes]:
    """The payloads."""
    return _parts(body)[0]


def words_in(body: bytes) -> str:
    return _parts(body)[1].decode()


def _parts(body: bytes) -> tuple[list[bytes], bytes]:
    raw = body[1:]
    if body[:1] == _ZSTD:
        raw = zstandard.ZstdDecompressor().decompress(raw, max_output_size=_UNPACKED_BYTES_MAX)
    (count,) = struct.unpack_from("<I", raw)
    at = 4 + 4 * count
    payloads = []
    for size in struct.unpack_from(f"<{count}I", raw, 4):
        payloads.append(raw[at : at + size])
        at += size
    return payloads, raw[at:]
