"""How a value adds to a shape, and two shapes to each other; the order never matters. Pure.

A value is looked at within bounds: so deep, so many items of a list, so many values in all. Which ones is decided by
the value alone, so that a value fits the shape that it was learnt into.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Final

import orjson

from airworthy.tools.shape.node import CODES_MAX, DEPTH_MAX, FIELDS_MAX, Kind, Node, Shape
from airworthy.tools.shape.words import EMPTY, JSON, PLAIN, code_of, format_of, is_name, may_be_json

VALUES_MAX = 4_000
ITEMS_MAX = 32
KEYS_MAX = 256  # Of one object; more make it a map, of which so many values are looked at:
MAP_VALUES_MAX = 64
INNER_BYTES_MAX = 65_536

KIND_OF: Final[Mapping[type, Kind]] = {
    type(None): "null", bool: "boolean", int: "integer", float: "number", str: "text", list: "list", dict: "object",
}  # fmt: skip


def of_value(value: Any, size: int) -> Shape:
    """The shape of one result, as it came from JSON; `size` is that of the JSON, in bytes."""
    return added(Shape(), value, size)


def of_json(data: bytes) -> Shape | None:
    """None for what is no JSON, or is nested deeper than the decoder goes."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return of_value(value, len(data))


def added(shape: Shape, value: Any, size: int) -> Shape:
    """Changes `shape`, and returns it."""
    _sized(shape, 1, size, size)
    look = _Look()
    look.at(shape.root, value, 0, in_text=False)
    shape.cut = shape.cut or look.cut
    return shape


def merged(one: Shape, other: Shape) -> Shape:
    """Of both together, as if each result of one had been added to the other. Leaves both as they are."""
    total = Shape()
    for each in (one, other):
        if each.results:
            _sized(total, each.results, each.bytes_min, each.bytes_max)
    total.root = joined((one.root, other.root))
    total.cut = one.cut or other.cut
    return total


def _sized(shape: Shape, results: int, low: int, high: int) -> None:
    shape.bytes_min = low if shape.results == 0 else min(low, shape.bytes_min)
    shape.bytes_max = max(high, shape.bytes_max)
    shape.results += results


def sampled(items: list[Any]) -> Iterable[Any]:
    """All of a short list; of a long one, some from everywhere."""
    count = len(items)
    if count <= ITEMS_MAX:
        return items
    return [items[at * count // ITEMS_MAX] for at in range(ITEMS_MAX)]


class _Look:
    """One walk over one value, in the value's own order. `cut`: it had more than is looked at."""

    def __init__(self) -> None:
        self._left = VALUES_MAX
        self.cut = False

    def at(self, node: Node, value: Any, depth: int, *, in_text: bool) -> None:
        kind = KIND_OF[type(value)]
        node.kinds[kind] = node.kinds.get(kind, 0) + 1
        self._left -= 1
        if kind == "text":
            self._text(node, value, depth, in_text=in_text)
        elif depth < DEPTH_MAX and kind == "object":
            self._object(node, value, depth, in_text=in_text)
        elif depth < DEPTH_MAX and kind == "list":
            node.lengths = _span(node.lengths, (len(value), len(value)))
            for item in sampled(value):
                if self._left <= 0:
                    self.cut = True
                    return
                node.items = node.items or Node()
                self.at(node.items, item, depth + 1, in_text=in_text)

    def _text(self, node: Node, text: str, depth: int, *, in_text: bool) -> None:
        found = format_of(text)
        if found == PLAIN and not in_text and depth < DEPTH_MAX and may_be_json(text):
            inner = read_inner(text)
            if inner is not None:
                found = JSON
                node.inner = node.inner or Node()
                self.at(node.inner, inner, depth + 1, in_text=True)
        node.formats[found] = node.formats.get(found, 0) + 1
        if node.codes is None or found == EMPTY:
            return
        code = code_of(text) if found == PLAIN else None
        node.codes = None if code is None else _counted(node.codes, {code: 1})

    def _object(self, node: Node, value: dict[str, Any], depth: int, *, in_text: bool) -> None:
        before = node.kinds["object"] - 1
        if len(value) > KEYS_MAX:
            collapse(node)
        met: set[str] = set()
        for key, item in islice(value.items(), MAP_VALUES_MAX if len(value) > KEYS_MAX else None):
            if self._left <= 0:
                self.cut = True
                break
            self.at(self._place(node, key, before, met), item, depth + 1, in_text=in_text)
        for name, child in node.fields.items():
            if name not in met:
                child.absent += 1
        if len(node.fields) > FIELDS_MAX:
            collapse(node)

    def _place(self, node: Node, key: str, before: int, met: set[str]) -> Node:
        if node.is_map or not is_name(key):
            node.others = node.others or Node()
            return node.others
        met.add(key)
        child = node.fields.get(key)
        if child is None:
            child = node.fields[key] = Node(absent=before)
        return child


def read_inner(text: str) -> Any:
    """None too for JSON that is neither an object nor a list."""
    if len(text) > INNER_BYTES_MAX:
        return None
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None


def collapse(node: Node, only: Callable[[str], bool] | None = None) -> None:
    """Makes a map of the object: its fields (or `only` some) become what stands under any key."""
    moved = [name for name in node.fields if only is None or only(name)]
    parts = [node.fields.pop(name) for name in moved]
    if parts or node.others is not None:
        node.others = joined([*parts, *([node.others] if node.others is not None else [])])
        node.others.absent = 0
    if only is None:
        node.is_map = True


def joined(nodes: Iterable[Node]) -> Node:
    """A new node that has met all that these have."""
    nodes = list(nodes)
    total = Node()
    for node in nodes:
        for kind, count in node.kinds.items():
            total.kinds[kind] = total.kinds.get(kind, 0) + count
        for name, count in node.formats.items():
            total.formats[name] = total.formats.get(name, 0) + count
        total.absent += node.absent
        total.codes = None if total.codes is None or node.codes is None else _counted(total.codes, node.codes)
        total.is_map = total.is_map or node.is_map
        if node.lengths is not None:
            total.lengths = _span(total.lengths, node.lengths)
    total.inner = _joined_or_none([node.inner for node in nodes])
    total.items = _joined_or_none([node.items for node in nodes])
    total.others = _joined_or_none([node.others for node in nodes])
    _join_fields(total, nodes)
    if total.is_map or len(total.fields) > FIELDS_MAX:
        collapse(total)
    return total


def _join_fields(total: Node, nodes: list[Node]) -> None:
    for name in dict.fromkeys(name for node in nodes for name in node.fields):
        child = joined([node.fields[name] for node in nodes if name in node.fields])
        child.absent += sum(node.kinds.get("object", 0) for node in nodes if name not in node.fields)
        total.fields[name] = child


def _joined_or_none(parts: Iterable[Node | None]) -> Node | None:
    found = [part for part in parts if part is not None]
    return joined(found) if found else None


def _counted(one: dict[str, int], other: dict[str, int]) -> dict[str, int] | None:
    total = dict(one)
    for code, count in other.items():
        total[code] = total.get(code, 0) + count
    return total if len(total) <= CODES_MAX else None


def _span(one: tuple[int, int] | None, other: tuple[int, int]) -> tuple[int, int]:
    return other if one is None else (min(one[0], other[0]), max(one[1], other[1]))
