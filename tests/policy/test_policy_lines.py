"""Keys are found where they stand, in every way TOML can write them."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.policy.flaws import KeyPath
from airworthy.policy.lines import DEPTH_MAX, Position, nearest, positions

TEXT = '''# a comment with = and [brackets]
agent = "a = 'b' # no comment"
"quoted key" . 'b.c' = 1
text = """
[not.a.table]
x = 1 \\"""
""""
raw = \'\'\'
y = "
\'\'\'
list = [ # comment ]
  1,
  [2, "]"],
  { in = 1, "d.e" = { f = [ { g = 1 } ] } },
]
[tools.refund]
breaker = { open_s = 5 , window_s = 6 }
a.b.c = 07:32:00
[[models]]
name = "x"
[[models]]
  name = "y"
  [models.sub]
  k = 1
  [[models.sub.deep]]
  z = 2
[[models]]
[ "tools" . 'mail' ]
"\\u0061\\"b" = 1
'''
EXPECTED: list[tuple[KeyPath, int, int]] = [
    (("agent",), 2, 1),
    (("quoted key",), 3, 1),
    (("quoted key", "b.c"), 3, 1),
    (("text",), 4, 1),
    (("raw",), 8, 1),
    (("list",), 11, 1),
    (("list", 0), 12, 3),
    (("list", 1), 13, 3),
    (("list", 1, 1), 13, 7),
    (("list", 2), 14, 3),
    (("list", 2, "in"), 14, 5),
    (("list", 2, "d.e"), 14, 13),
    (("list", 2, "d.e", "f", 0, "g"), 14, 31),
    (("tools",), 16, 1),
    (("tools", "refund"), 16, 1),
    (("tools", "refund", "breaker"), 17, 1),
    (("tools", "refund", "breaker", "open_s"), 17, 13),
    (("tools", "refund", "breaker", "window_s"), 17, 26),
    (("tools", "refund", "a", "b", "c"), 18, 1),
    (("models",), 19, 1),
    (("models", 0), 19, 1),
    (("models", 0, "name"), 20, 1),
    (("models", 1), 21, 1),
    (("models", 1, "name"), 22, 3),
    (("models", 1, "sub"), 23, 3),
    (("models", 1, "sub", "k"), 24, 3),
    (("models", 1, "sub", "deep", 0, "z"), 26, 3),
    (("models", 2), 27, 1),
    (("tools", "mail"), 28, 1),
    (("tools", "mail", 'a"b'), 29, 1),
]


def test_the_sample_is_toml() -> None:
    assert tomllib.loads(TEXT)["models"][1]["sub"]["deep"][0]["z"] == 2


@pytest.mark.parametrize(("path", "line", "column"), EXPECTED, ids=[str(row[0]) for row in EXPECTED])
def test_a_key_is_found_where_it_stands(path: KeyPath, line: int, column: int) -> None:
    assert positions(TEXT)[path] == Position(line, column)


def test_line_ends_of_other_systems_do_not_shift_lines() -> None:
    assert positions(TEXT.replace("\n", "\r\n")) == positions(TEXT)


def test_a_key_that_is_not_written_stands_at_the_nearest_table() -> None:
    found = positions(TEXT)

    assert nearest(found, ("models", 1, "window")) == Position(21, 1)
    assert nearest(found, ("absent", "x")) == Position(1, 1)


def test_depth_is_bounded() -> None:
    found = positions(f"a = {'[' * 5_000}1{']' * 5_000}")

    assert max(len(path) for path in found) == DEPTH_MAX + 1


@pytest.mark.slow
@given(st.text(alphabet="[]{}=.,#'\"\\\n\t ab1", max_size=80))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_any_text_ends_without_an_error(text: str) -> None:
    """Slow: tries hundreds of texts."""
    for position in positions(text).values():
        assert position.line >= 1
        assert position.column >= 1


def _paths(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    found: list[KeyPath] = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += _paths(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += _paths(inner, (*path, index))
    return found


@pytest.mark.slow
@given(st.text(alphabet="[]{}=.,#'\"\\\n\t ab1", max_size=60))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_whatever_the_parser_finds_has_a_position(text: str) -> None:
    """Slow: tries hundreds of texts."""
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return

    assert set(_paths(parsed)) <= set(positions(text))


def test_the_sample_has_a_position_for_everything_in_it() -> None:
    assert set(_paths(tomllib.loads(TEXT))) == set(positions(TEXT))
