"""One JSON form per value, so that equal arguments hash equal on every machine and in every process."""

import dataclasses
from collections.abc import Collection, Mapping
from decimal import Decimal
from hashlib import blake2b
from pathlib import PurePath
from typing import Any

import orjson
from pydantic import BaseModel

from airworthy.core.errors import AirworthyError

# Dataclasses go through `_plain`: the encoder would write their fields in the order of their class.
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


class NotSerialisable(AirworthyError):
    """A value that has no JSON form reached a place that must be able to store it."""

    code = "not_serialisable"


def encode(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8.

    NaN and the infinities become null. Raises: NotSerialisable for values without a JSON form (an open file, say), and
    for text that is not valid Unicode.
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
    """What the encoder does not know by itself; it knows enums, dates and UUIDs."""
    match value:
        case BaseModel():
            return value.model_dump(mode="json")
        case bytes():
            return value.decode("utf-8")
        case Mapping():
            return dict(value)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        case set() | frozenset():
            return sorted(value, key=repr)
        case PurePath() | Decimal():
            return str(value)
        case Collection():
            return list(value)
        case _:
            raise TypeError(f"{type(value).__name__} is not plain data")
