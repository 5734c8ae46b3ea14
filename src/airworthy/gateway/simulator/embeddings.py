"""Embeddings without a model: words hashed to places of a unit vector, so that texts with common words are near."""

import base64
import math
import re
import sys
from array import array
from collections.abc import Sequence
from hashlib import blake2b

from airworthy.gateway.simulator.conversation import BadRequest, Json, as_text, tokens

PATH = "/v1/embeddings"
DIMENSIONS = 1536
DIMENSIONS_MAX = 4096
INPUTS_MAX = 2048
_WORD = re.compile(r"\w+")
_PLACES_PER_WORD = 4


def texts(request: dict[str, Json]) -> list[str]:
    """What is to be embedded; token numbers count as words. Raises: BadRequest."""
    given = request.get("input")
    if isinstance(given, str) and given:
        return [given]
    if isinstance(given, list) and given and all(isinstance(item, int) for item in given):
        return [_numbers(given)]
    if not isinstance(given, list) or not 0 < len(given) <= INPUTS_MAX:
        raise BadRequest(
            f"'input' must be a text, or 1 to {INPUTS_MAX} texts or lists of tokens.",
            param="input",
            wire="invalid_value",
        )
    made = []
    for index, item in enumerate(given):
        text = _numbers(item) if isinstance(item, list) else as_text(item)
        if not text:
            raise BadRequest(f"'input[{index}]' is empty.", param=f"input[{index}]", wire="invalid_value")
        made.append(text)
    return made


def body(request: dict[str, Json], given: Sequence[str], model: str, seed: int) -> dict[str, Json]:
    """The response body. Raises: BadRequest."""
    size = request.get("dimensions", DIMENSIONS)
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= DIMENSIONS_MAX:
        raise BadRequest(
            f"'dimensions' must be from 1 to {DIMENSIONS_MAX}.", param="dimensions", wire="invalid_value"
        )
    encoding = request.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise BadRequest(
            "'encoding_format' must be 'float' or 'base64'.", param="encoding_format", wire="invalid_value"
        )
    listed: list[Json] = []
    for index, text in enumerate(given):
        values = vector(text, size, b"%d %s" % (seed, model.encode()))
        listed.append(
            {
                "object": "embedding",
                "index": index,
                "embedding": _packed(values) if encoding == "base64" else [*values],
            }
        )
    return {"object": "list", "data": listed, "model": model, "usage": usage(given)}


def prompt_tokens(given: Sequence[str]) -> int:
    return sum(tokens(len(text.encode())) for text in given)


def usage(given: Sequence[str]) -> dict[str, Json]:
    count = prompt_tokens(given)
    return {"prompt_tokens": count, "total_tokens": count}


def vector(text: str, size: int, salt: bytes) -> "array[float]":
    """Unit length, in single precision, so that both encodings carry the same numbers."""
    made = [0.0] * size
    # A text without a word is its own word; one whose words cancel each other out is taken whole, too.
    for word in _WORD.findall(text.lower()) or [text]:
        _add(made, word, salt)
    if not any(made):
        _add(made, f"\0{text}", salt)
    length = math.sqrt(sum(value * value for value in made))
    # One word can cancel itself out only where there is next to no room; any unit vector will do then.
    return (
        array("f", [value / length for value in made]) if length else array("f", [1.0] + [0.0] * (size - 1))
    )


def _add(made: list[float], word: str, salt: bytes) -> None:
    hashed = blake2b(
        word.encode(), key=blake2b(salt, digest_size=32).digest(), digest_size=4 * _PLACES_PER_WORD
    )
    digest = hashed.digest()
    for start in range(0, len(digest), 4):
        drawn = int.from_bytes(digest[start : start + 4], "big")
        made[(drawn >> 1) % len(made)] += 1.0 if drawn & 1 else -1.0


def _packed(values: "array[float]") -> str:
    """Base64 of little-endian single-precision numbers."""
    if sys.byteorder == "big":
        values.byteswap()
    return base64.b64encode(values.tobytes()).decode()


def _numbers(given: Json) -> str:
    return " ".join(map(str, given)) if isinstance(given, list) else ""
