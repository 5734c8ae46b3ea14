"""How many tokens an image or a file takes that comes inside a request as base64, by the formulas of its provider."""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BLOB_BYTES_MIN: Final = 200  # Shorter ones cost less as letters than they do to look at.
HEAD_LETTERS: Final = 32 * 1024  # In which a JPEG has said its size, or is taken for the largest.
_MARKERS: Final = (b";base64,", b'"data":"', b'"data": "')
_PART: Final = re.compile(rb'"type"\s*:\s*"(?:image_url|input_image|image)"')

TOKENS_PER_PDF: Final = 2000
BYTES_PER_TOKEN_PDF: Final = (
    25  # A page is up to 3000 tokens of text and image, and seldom below 75 kB with images.
)
BYTES_PER_TOKEN_SOUND: Final = 250
BYTES_PER_TOKEN_TEXT: Final = 3


@dataclass(frozen=True, slots=True)
class Sight:
    """How a model counts an image: by 512-pixel tiles, by 32-pixel patches, or by pixels, whichever is set."""

    base: int = 0
    tile: int = 0
    patch: float = 0.0
    patches_max: int = 1536
    edge_max: int = 1568
    tokens_max: int = 1600

    def tokens(self, size: tuple[int, int] | None) -> int:
        """`size`: width and height; None when it is not known, then the most that an image can take."""
        if self.tile:
            # A square of 768 has 4 tiles; the longest strip that fits, 768 by 2048, has 8.
            return self.base + self.tile * (8 if size is None else _tiles(*size))
        if self.patch:
            patches = self.patches_max if size is None else -(-size[0] // 32) * -(-size[1] // 32)
            return round(min(patches, self.patches_max) * self.patch)
        if size is None:
            return self.tokens_max
        shrink = min(1.0, self.edge_max / max(*size, 1))
        return min(round(size[0] * size[1] * shrink * shrink / 750), self.tokens_max)


# By the beginning of a model's name. Source: the pages on vision of OpenAI and Anthropic.
_SIGHTS: Final[Sequence[tuple[str, Sight]]] = (
    (r"gpt-4o-mini", Sight(base=2833, tile=5667)),
    (r"gpt-4\.1-mini|gpt-5-mini", Sight(patch=1.62)),
    (r"gpt-4\.1-nano|gpt-5-nano", Sight(patch=2.46)),
    (r"o4-mini", Sight(patch=1.72)),
    (r"o1|o3", Sight(base=75, tile=150)),
    (r"gpt-5(?!\.)", Sight(base=70, tile=140)),
    (r"gpt-5\.", Sight(patch=1.0, patches_max=2500)),
    (r"gpt|chatgpt|o\d", Sight(base=85, tile=170)),
    (r"claude-(?:opus-4-[7-9]|[a-z]+-[5-9])", Sight(edge_max=2576, tokens_max=4784)),
)
OTHER_SIGHT: Final = Sight()


def sight_of(model: str) -> Sight:
    name = model.rpartition("/")[2]
    return next((sight for pattern, sight in _SIGHTS if re.match(pattern, name)), OTHER_SIGHT)


def parted(raw: bytes, sight: Sight, *, encoded: bool = True) -> tuple[bytes, int]:
    """The request without its base64, and the tokens of what was taken out and of the images it names by address.

    `encoded` False: there is none, which is not looked into again.
    """
    rest, tokens, images = raw, 0, 0
    for marker in _MARKERS if encoded else ():
        kept = []
        done = 0
        for start, end in _blobs(rest, marker):
            image, more = _blob_tokens(rest[start : start + HEAD_LETTERS], (end - start) * 3 // 4, sight)
            kept.append(rest[done:start])
            images += image
            tokens += more
            done = end
        if kept:
            rest = b"".join((*kept, rest[done:]))
    if b"image" in rest:
        elsewhere = len(_PART.findall(rest)) - images
        tokens += max(elsewhere, 0) * sight.tokens(None)
    return rest, tokens


def _blobs(raw: bytes, marker: bytes) -> list[tuple[int, int]]:
    found = []
    at = raw.find(marker)
    while at >= 0:
        start = at + len(marker)
        end = raw.find(b'"', start)
        # Base64 has no spaces; a sentence that speaks of it has.
        if end - start >= BLOB_BYTES_MIN and raw.find(b" ", start, end) < 0:
            found.append((start, end))
        at = raw.find(marker, max(end, start))
    return found


def _blob_tokens(head: bytes, size: int, sight: Sight) -> tuple[bool, int]:
    """Whether it is an image, and its tokens. `size`: of the whole file, in bytes."""
    try:
        raw = binascii.a2b_base64(head[: len(head) // 4 * 4])
    except binascii.Error:
        raw = b""
    if raw.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8")) or raw[8:12] == b"WEBP":
        return True, sight.tokens(_dimensions(raw))
    if raw.startswith(b"%PDF"):
        return False, TOKENS_PER_PDF + size // BYTES_PER_TOKEN_PDF
    if raw.startswith((b"ID3", b"OggS", b"fLaC")) or raw[8:12] == b"WAVE" or raw[:1] == b"\xff":
        return False, size // BYTES_PER_TOKEN_SOUND
    if raw and not any(byte < 9 for byte in raw[:512]):
        return False, size // BYTES_PER_TOKEN_TEXT
    return False, TOKENS_PER_PDF + size // BYTES_PER_TOKEN_PDF


def _dimensions(raw: bytes) -> tuple[int, int] | None:
    if raw.startswith(b"\x89PNG"):
        return _known(int.from_bytes(raw[16:20], "big"), int.from_bytes(raw[20:24], "big"))
    if raw.startswith(b"GIF8"):
        return _known(int.from_bytes(raw[6:8], "little"), int.from_bytes(raw[8:10], "little"))
    if raw.startswith(b"\xff\xd8"):
        return _jpeg(raw)
    if raw[12:16] == b"VP8X":
        return _known(int.from_bytes(raw[24:27], "little") + 1, int.from_bytes(raw[27:30], "little") + 1)
    if raw[12:16] == b"VP8 ":
        wide, high = int.from_bytes(raw[26:28], "little"), int.from_bytes(raw[28:30], "little")
        return _known(wide & 0x3FFF, high & 0x3FFF)
    return None


def _jpeg(raw: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(raw) and raw[at] == 0xFF:
        kind = raw[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            return _known(
                int.from_bytes(raw[at + 7 : at + 9], "big"), int.from_bytes(raw[at + 5 : at + 7], "big")
            )
        at += 2 + max(int.from_bytes(raw[at + 2 : at + 4], "big"), 2)
    return None


def _known(wide: int, high: int) -> tuple[int, int] | None:
    return (wide, high) if wide and high else None


def _tiles(wide: int, high: int) -> int:
    """Shrunk into a square of 2048, then until its shorter side is 768."""
    shrink = min(1.0, 2048 / max(wide, high))
    shrink *= min(1.0, 768 / (min(wide, high) * shrink))
    return -(-round(wide * shrink) // 512) * -(-round(high * shrink) // 512)
