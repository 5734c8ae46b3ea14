"""What is kept of a result: names, kinds and counts. No value, no id, no address, no secret."""

from typing import Any

import orjson
import pytest

from airworthy.tools.shape import differences, of_value
from airworthy.tools.shape.node import packed
from airworthy.tools.shape.words import is_name
from tests.tools.shape.kit import pinned

SECRET = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0" * 2
PRIVATE = [
    "ada@example.com",
    "Lovelace",
    "dana",
    "4417",
    "2026-11-26",
    SECRET,
    "+44 20 7946 0000",
    "4111111111111111",
]


@pytest.mark.parametrize("value", PRIVATE)
def test_no_value_and_no_key_that_is_one_is_kept(value: str) -> None:
    result: Any = {
        "name": value,
        "by": {value: 1},
        "list": [value],
        "raw": orjson.dumps({"who": value}).decode(),
    }
    shape = pinned([{**result, "by": {}} if value in ("Lovelace", "dana") else result])

    kept = orjson.dumps(packed(shape)).decode()

    assert value not in kept
    found = differences(shape, of_value({"name": 1, "by": [value], value * 2: {"x": value}}, 10))
    assert not any(value in f"{each.before}{each.now}" for each in found)


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("customer_id", True), ("address1", True), ("größe", True), ("a b", True), ("@type", False),
        ("2026-11-26", False), ("4417", False), ("credit_card_9513926", False), ("ada@example.com", False),
        ("x" * 65, False), ("a\x1b[31m", False), (SECRET, False), ("deadbeefdeadbeef", False), ("", False),
    ],
)  # fmt: skip
def test_a_key_names_a_field_or_is_a_value_itself(key: str, names: bool) -> None:
    assert is_name(key) is names
