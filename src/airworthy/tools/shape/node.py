"""What was met at each place of the results of a tool, in counts; and its form as JSON. Knows no rule about it."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["null", "boolean", "integer", "number", "text", "list", "object"]

DEPTH_MAX = 16
FIELDS_MAX = 128  # An object with more different names is a map.
CODES_MAX = 8


@dataclass(slots=True)
class Node:
    """One place. `kinds` counts the values met there; `absent` the objects around it that had no such field.

    `fields` are the named ones, `others` what stood under all keys that are no names. `codes` counts fingerprints of
    texts while they are few; None: they are not. `inner` is the shape of JSON that came as text. `lengths`: the
    shortest and the longest list; None: of any length. `is_open`: what else is in an object is not looked at.
    """

    kinds: dict[Kind, int] = field(default_factory=dict)
    absent: int = 0
    formats: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] | None = field(default_factory=dict)
    inner: "Node | None" = None
    fields: "dict[str, Node]" = field(default_factory=dict)
    others: "Node | None" = None
    is_map: bool = False
    is_open: bool = False
    items: "Node | None" = None
    lengths: tuple[int, int] | None = None

    @property
    def seen(self) -> int:
        return sum(self.kinds.values())

    def children(self) -> "list[Node]":
        found = [*self.fields.values()]
        found += [node for node in (self.others, self.items, self.inner) if node is not None]
        return found


@dataclass(frozen=True, slots=True)
class Declared:
    """Where a shape comes from that was not learnt. `left`: what is said there and not watched. `file`: it is one."""

    place: str
    left: tuple[str, ...] = ()
    file: bool = True


@dataclass(slots=True)
class Shape:
    """A tool's results together. Sizes are of their JSON, in bytes. `cut`: one had more than is looked at.

    Of one that is `declared` the counts only say what is always, sometimes and never so.
    """

    root: Node = field(default_factory=Node)
    results: int = 0
    bytes_min: int = 0
    bytes_max: int = 0
    cut: bool = False
    declared: Declared | None = None

    def places(self) -> int:
        count, left = 0, [self.root]
        while left:
            node = left.pop()
            count += 1
            left += node.children()
        return count


def packed(shape: Shape) -> dict[str, Any]:
    document = {
        "results": shape.results,
        "bytes": [shape.bytes_min, shape.bytes_max],
        "root": _packed(shape.root),
        "cut": shape.cut,
    }
    if shape.declared is not None:
        document["declared"] = asdict(shape.declared)
    return document


def unpacked(document: dict[str, Any]) -> Shape:
    low, high = document["bytes"]
    said = document.get("declared")
    declared = None if said is None else Declared(said["place"], tuple(said["left"]), said["file"])
    return Shape(_unpacked(document["root"]), document["results"], low, high, document["cut"], declared)


def _packed(node: Node) -> dict[str, Any]:
    """What is empty is left out."""
    document: dict[str, Any] = {"kinds": dict(node.kinds)}
    if node.absent:
        document["absent"] = node.absent
    if node.formats:
        document["formats"] = dict(node.formats)
        document["codes"] = None if node.codes is None else dict(node.codes)
    if node.fields:
        document["fields"] = {name: _packed(child) for name, child in node.fields.items()}
    if node.is_map:
        document["map"] = True
    if node.is_open:
        document["open"] = True
    for name in ("inner", "others", "items"):
        child = getattr(node, name)
        if child is not None:
            document[name] = _packed(child)
    if node.lengths is not None:
        document["lengths"] = list(node.lengths)
    return document


def _unpacked(document: dict[str, Any]) -> Node:
    lengths = document.get("lengths")
    return Node(
        kinds=document["kinds"],
        absent=document.get("absent", 0),
        formats=document.get("formats", {}),
        codes=document.get("codes", {}),
        fields={name: _unpacked(child) for name, child in document.get("fields", {}).items()},
        is_map=document.get("map", False),
        is_open=document.get("open", False),
        lengths=None if lengths is None else (lengths[0], lengths[1]),
        **{name: _unpacked(document[name]) for name in ("inner", "others", "items") if name in document},
    )
