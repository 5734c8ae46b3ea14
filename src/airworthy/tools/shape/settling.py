"""From what was learnt to what is pinned: which objects are maps, and what of a change is accepted. Pure."""

from airworthy.tools.shape.learning import collapse, joined, merged
from airworthy.tools.shape.node import Node, Shape

# An object is a map when so many of its fields are each in less than half of the objects, and alike in kind.
RARE_FIELDS_MIN = 8
RARE_SHARE_MAX = 0.5


def settled(shape: Shape) -> Shape:
    """A copy in which objects whose keys vary are maps. Twice is once."""
    made = merged(shape, Shape())
    _settle(made.root)
    return made


def _settle(node: Node) -> None:
    objects = node.kinds.get("object", 0)
    rare = {name for name, child in node.fields.items() if child.seen < RARE_SHARE_MAX * objects}
    if len(rare) >= RARE_FIELDS_MIN and _alike([node.fields[name] for name in rare]):
        collapse(node, rare.__contains__)
    for child in node.children():
        _settle(child)


def _alike(nodes: list[Node]) -> bool:
    return len({frozenset(node.kinds) - {"null"} for node in nodes} - {frozenset()}) <= 1


def accepted(pinned: Shape, since: Shape) -> Shape:
    """What is pinned once the results `since` are right too.

    A field that none of them has is gone; a place where all are of other kinds is as they are; all else adds up.
    """
    total = merged(pinned, since)
    total.root = _accepted(pinned.root, since.root)
    total.bytes_max = max(pinned.bytes_max, since.bytes_max)
    return settled(total)


def _accepted(pinned: Node, since: Node) -> Node:
    if not since.seen:
        return joined([pinned])
    if not set(pinned.kinds) & set(since.kinds):
        return joined([since])
    total = joined([pinned, since])
    if total.is_map:
        return total
    for name, old in pinned.fields.items():
        new = since.fields.get(name)
        if new is not None:
            total.fields[name] = _accepted(old, new)
            total.fields[name].absent = old.absent + new.absent
        elif old.absent == 0 and since.kinds.get("object"):
            total.fields.pop(name, None)
    for name, new in since.fields.items():
        if name not in pinned.fields:
            total.fields[name] = joined([new])
    for name in ("items", "others", "inner"):
        before, now = getattr(pinned, name), getattr(since, name)
        if before is not None and now is not None:
            setattr(total, name, _accepted(before, now))
    return total
