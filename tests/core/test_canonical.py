"""One JSON form per value: nothing of a value may be lost on the way, or two calls would pass for one."""

import enum
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel

from airworthy.core.canonical import NotSerialisable, encode


class Colour(enum.Enum):
    RED = "red"


class Pair(NamedTuple):
    left: int
    right: int


class Model(BaseModel):
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Point:
    y: int
    x: int


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"b": 1, "a": 2}, b'{"a":2,"b":1}'),
        (MappingProxyType({"a": 1}), b'{"a":1}'),
        (Point(y=1, x=2), b'{"x":2,"y":1}'),
        (Colour.RED, b'"red"'),
        (Pair(1, 2), b"[1,2]"),
        (deque([1, 2]), b"[1,2]"),
        ({"b", "a"}, b'["a","b"]'),
        (Decimal("1.10"), b'"1.10"'),
        (PurePosixPath("/a/b"), b'"/a/b"'),
        (b"text", b'"text"'),
        (Model(amount=Decimal("2.50")), b'{"amount":"2.50"}'),
        (float("nan"), b"null"),
    ],
)
def test_every_plain_value_has_one_form(value: Any, form: bytes) -> None:
    assert encode(value) == form


@pytest.mark.parametrize("value", [object(), open, "\ud800", b"\xff", 2**70])
def test_what_has_no_form_is_said_and_not_guessed(value: Any) -> None:
    with pytest.raises(NotSerialisable):
        encode(value)
