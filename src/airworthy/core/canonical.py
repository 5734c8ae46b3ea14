"""One JSON form per value, so that equal arguments hash equal on every machine and in every process."""

import dataclasses
import enum
from hashlib import blake2b
from pathlib import PurePath
from typing import Any

import orjson
from pydantic import BaseModel

from airworthy.core.errors import AirworthyError

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


class NotSerialisable(AirworthyError):
    """A value that has no JSON form reached a place that must be able to store it."""

    code = "not_serialisable"


def encode(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8.

    Raises: NotSerialisable for values without a JSON form (open files, NaN-free is not required: NaN
    becomes null as in JSON), and for text that is not valid Unicode.
    """
    try:
        return orjson.dumps(value, default=_plain, option=_OPTIONS)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotSerialisable(
            f"A value of type {type(value).__name__} has no JSON form: {error}.",
            mend="Return or pass plain data: numbers, text, lists, dicts, dataclasses or pydantic models.",
        ) from error


def decode(data: bytes) -> Any:
    return orjson.loads(data)


def digest(*parts: bytes) -> bytes:
    """16 bytes; parts are length-prefixed so that ("ab", "c") and ("a", "bc") differ."""
    hashed = blake2b(digest_size=16)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    return hashed.digest()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if isinstance(value, (tuple, PurePath)) or (hasattr(value, "__iter__") and hasattr(value, "__len__")):
        return str(value) if isinstance(value, PurePath) else list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    from decimal import Decimal

    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not plain data")
