"""Bytes of a step as they are stored: secrets out first, then zstd when it pays."""

import threading

import zstandard

from airworthy.core.redact import Redactor

RAW, ZSTD = b"\x00", b"\x01"
COMPRESS_FROM_BYTES = 400
LEVEL = 3
BODY_BYTES_MAX = 1 << 30


class Payloads:
    """Packs and unpacks; one per process. A compressor serves one thread at a time, so each thread has its own."""

    def __init__(self, redactor: Redactor | None = None) -> None:
        self.redactor = redactor if redactor is not None else Redactor()
        self._local = threading.local()

    def pack(self, clean: bytes) -> bytes:
        """`clean` has been through the redactor already."""
        if len(clean) < COMPRESS_FROM_BYTES:
            return RAW + clean
        compressor: zstandard.ZstdCompressor | None = getattr(self._local, "compressor", None)
        if compressor is None:
            compressor = self._local.compressor = zstandard.ZstdCompressor(level=LEVEL)
        return ZSTD + compressor.compress(clean)

    @staticmethod
    def unpack(body: bytes) -> bytes:
        if body[:1] == RAW:
            return body[1:]
        return zstandard.ZstdDecompressor().decompress(body[1:], max_output_size=BODY_BYTES_MAX)
