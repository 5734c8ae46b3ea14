"""Inputs of another type than the agent is used to: other JSON, fields that are missing or wrong, poor pictures."""

import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, Final

from airworthy.evals import Severity
from airworthy.preflight.adversarial.attack import Attack, nothing_asked, other_words, variant
from airworthy.preflight.adversarial.ground import Base, Ground
from airworthy.preflight.adversarial.injected import slug
from airworthy.preflight.adversarial.wording import leaves, replaced

FIELDS_MAX: Final = 6
_PICTURE: Final = re.compile(r"data:image/[a-z+.-]+;base64,[A-Za-z0-9+/=]+")
_OTHERS: Final[Mapping[str, Any]] = {
    "null": None,
    "number": 3.5,
    "true": True,
    "list": ["a", 1, None],
    "object": {"unexpected": {"deeply": [[]]}},
    "empty_object": {},
}


def types(ground: Ground) -> Iterator[Attack]:
    base = ground.plain or next(iter(ground.bases), None)
    if base is None:
        return
    for name, value in _OTHERS.items():
        yield _of(ground, base, f"type/{name}", value, "Not the type of input that the agent knows.")
    if isinstance(base.case.input, Mapping):
        yield from _fields(ground, base)
    yield from _pictures(ground, base)


def _fields(ground: Ground, base: Base) -> Iterator[Attack]:
    whole: Mapping[str, Any] = base.case.input
    for name in list(whole)[:FIELDS_MAX]:
        field = slug(str(name))
        without = {key: value for key, value in whole.items() if key != name}
        yield _of(ground, base, f"type/{field}.missing", without, f"The field {name!r} is missing.")
        yield _of(ground, base, f"type/{field}.null", {**whole, name: None}, f"The field {name!r} is null.")
        wrong = [1, 2] if isinstance(whole[name], str) else "seven"
        yield _of(ground, base, f"type/{field}.wrong", {**whole, name: wrong}, f"{name!r} has another type.")


def _pictures(ground: Ground, base: Base) -> Iterator[Attack]:
    """Where golden cases have a picture it is replaced; else one is sent beside the words."""
    admitted = "image" in ground.policy.input.types
    shown = next((each for each in ground.bases if _picture_in(each.case.input) is not None), None)
    pictures = {
        "dot": (picture(1, 1, noise=False), "One grey dot."),
        "noise": (picture(48, 48, noise=True), "Noise, as of a camera in the dark."),
        "broken": (
            _uri(b"\x89PNG\r\n\x1a\n" + b"\x00" * 40),
            "A file that breaks off after its first bytes.",
        ),
    }
    if not admitted:
        pictures = {"dot": (pictures["dot"][0], "The policy takes no pictures.")}
    for name, (uri, why) in pictures.items():
        chosen = shown or base
        path = _picture_in(chosen.case.input)
        if path is not None:
            old = _leaf(chosen.case.input, path)
            value = replaced(chosen.case.input, path, _PICTURE.sub(lambda _, uri=uri: uri, old))  # type: ignore[misc]
        else:
            words = chosen.wording.words if chosen.wording is not None else ""
            value = {"text": words[:200], "image": uri}
        severity = Severity.MAJOR if admitted else Severity.MINOR
        yield _of(ground, chosen, f"image/{name}", value, why, severity)


def picture(width: int, height: int, *, noise: bool) -> str:
    """A PNG of 8-bit grey as a data URI; the noise is the same each time."""
    state = 12345
    rows = []
    for _ in range(height):
        row = bytearray()
        for _ in range(width):
            state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
            row.append(state >> 16 & 0x1F if noise else 0x80)
        rows.append(b"\x00" + bytes(row))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(b"".join(rows))), _chunk(b"IEND", b""))
    return _uri(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _uri(data: bytes) -> str:
    return f"data:image/png;base64,{b64encode(data).decode()}"


def _picture_in(value: Any) -> tuple[str | int, ...] | None:
    return next(
        (path for path, leaf in leaves(value) if isinstance(leaf, str) and _PICTURE.search(leaf)), None
    )


def _leaf(value: Any, path: tuple[str | int, ...]) -> Any:
    for each in path:
        value = value[each]
    return value


def _of(
    ground: Ground, base: Base, key: str, value: Any, why: str, severity: Severity = Severity.MINOR
) -> Attack:
    group, _, name = key.partition("/")
    title = (
        f"{'a poor picture' if group == 'image' else 'an input of another type'}: {name.replace('.', ', ')}"
    )
    oath = (
        nothing_asked(base, asks=False)
        if group == "type" and name in _OTHERS
        else other_words(ground, base, asks=False)
    )
    return Attack(key, group, title, why, variant(base, value, key, ground.seed), oath, severity)
