"""The reference page and the model say the same, key for key."""

import re
import tomllib
from pathlib import Path

import pytest

from airworthy.policy import parse_policy
from airworthy.policy.reference import key_tables, sections

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")
KEYS = [(header, key) for header, _, keys in sections() for key in keys]


def test_the_tables_on_the_page_are_the_generated_ones() -> None:
    assert key_tables() in PAGE


@pytest.mark.parametrize(("header", "key"), KEYS, ids=[f"{header} {key.name}" for header, key in KEYS])
def test_every_key_has_a_meaning_a_default_and_what_happens_when_broken(header: str, key: object) -> None:
    cells = [getattr(key, name) for name in ("name", "meaning", "default", "broken")]

    assert all(cells)
    assert all(text.endswith(".") for text in (cells[1], cells[3]))
    assert f"| `{cells[0]}` | {cells[1]}" in PAGE.partition(header or "Top of the file")[2]


def test_every_quantity_has_a_unit() -> None:
    quantities = re.compile(
        r"(_s|_usd|_mtok|bytes_max|tokens|_max|_min|per_day|seconds|steps|window|attempts)$"
    )

    assert [key.name for _, key in KEYS if quantities.search(key.name) and not key.unit] == []


def test_the_example_on_the_page_is_a_policy() -> None:
    for block in re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL):
        tomllib.loads(block)
        assert parse_policy(block).models
