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


def pack(parts: Sequence[tuple[bytes, str]]) -> bytes:
    """`parts`: payload and text of each span."""
    texts = [text.encode("utf-8", "replace") for _, text in parts]
    sizes = [
        size for (payload, _), text in zip(parts, texts, strict=True) for size in (len(payload), len(text))
    ]
    head = struct.pack(f"<I{len(sizes)}I", len(parts), *sizes)
    body = b"".join((head, *(payload for payload, _ in parts), *texts))
    if len(body) < _SMALL_BYTES:
        return _PLAIN + body
    compressor: zstandard.ZstdCompressor | None = getattr(_local, "compressor", None)
    if compressor is None:  # A compressor serves one thread at a time.
        compressor = _local.compressor = zstandard.ZstdCompressor(level=LEVEL)
    return _ZSTD + compressor.compress(body)


def unpack(body: bytes) -> list[tuple[bytes, str]]:
    """What `pack` was given."""
    raw = body[1:]
    if body[:1] == _ZSTD:
        raw = zstandard.ZstdDecompressor().decompress(raw, max_output_size=_UNPACKED_BYTES_MAX)
    (count,) = struct.unpack_from("<I", raw)
    sizes = struct.unpack_from(f"<{2 * count}I", raw, 4)
    at = 4 + 8 * count
    payloads, texts = [], []
    for size in sizes[::2]:
        payloads.append(raw[at : at + size])
        at += size
    for size in sizes[1::2]:
        texts.append(raw[at : at + size].decode())
        at += size
    return list(zip(payloads, texts, strict=True))
