"""Where a result differs from the pinned shape, in words a person can act on. Pure; keeps no value of a result."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from airworthy.tools.shape.learning import joined
from airworthy.tools.shape.node import CODES_MAX, Kind, Node, Shape
from airworthy.tools.shape.words import EMPTY, JSON, PLAIN

What = Literal["missing", "new", "type", "null", "format", "value", "empty", "size"]

DIFFERENCES_MAX = 50
SURE_MIN = 20  # Results in which a place was as it was, before one that differs is believed at once.
GROWTH_MAX = 10  # A result that many times larger than any before it has grown.
GROWN_BYTES_MIN = 4_096
GROWN_ITEMS_MIN = 100
VALUES_SURE_MIN = 30  # Results with only few fixed texts, before another text is news.
VALUE_SEEN_MIN = 5
DECLARED_BEFORE = "declared as always there"

BREAKING: Final = frozenset({"missing", "type", "null", "format", "size"})


@dataclass(frozen=True, slots=True)
class Difference:
    """`before` and `now` say how it was and is. `needs`: results in a row that must show it before it is told."""

    path: str
    what: What
    before: str
    now: str
    breaking: bool
    needs: int = 1

    @property
    def key(self) -> tuple[str, str]:
        return self.path, self.what


@dataclass(frozen=True, slots=True)
class TextRule:
    """What the texts of a place have always been; None and False: nothing in particular."""

    formats: frozenset[str] | None
    codes: frozenset[str] | None
    not_empty: bool


def text_rule(node: Node, sure: int) -> TextRule:
    """`sure`: results in which the place was met."""
    texts = node.kinds.get("text", 0)
    certain = sure >= SURE_MIN and texts >= SURE_MIN
    formats = frozenset(node.formats) - {EMPTY}
    fixed = certain and PLAIN not in formats and len(formats) == 1
    few = (
        sure >= VALUES_SURE_MIN
        and formats == {PLAIN}
        and bool(node.codes)
        and min((node.codes or {}).values(), default=0) >= VALUE_SEEN_MIN
    )
    return TextRule(
        formats if fixed else None,
        frozenset(node.codes or ()) if few else None,
        certain and EMPTY not in node.formats,
    )


def differences(pinned: Shape, seen: Shape) -> list[Difference]:
    """Of `seen` (one result or several) from what is pinned; at most DIFFERENCES_MAX, the gravest first."""
    found = [
        *_size(pinned, seen),
        *_Comparison(cut=seen.cut, declared=pinned.declared is not None).between(
            pinned.root, seen.root, "", pinned.results
        ),
    ]
    found.sort(key=lambda each: not each.breaking)
    return found[:DIFFERENCES_MAX]


def _size(pinned: Shape, seen: Shape) -> Iterator[Difference]:
    if seen.bytes_max > bytes_max(pinned):
        times = seen.bytes_max // max(pinned.bytes_max, 1)
        before = f"at most {pinned.bytes_max:,} bytes"
        yield Difference(
            "", "size", before, f"{seen.bytes_max:,} bytes, {times:,} times as large", breaking=True
        )


def bytes_max(pinned: Shape) -> int:
    """No schema says how large a result is."""
    return sys.maxsize if pinned.declared is not None else max(GROWTH_MAX * pinned.bytes_max, GROWN_BYTES_MIN)


def items_max(node: Node) -> int:
    return sys.maxsize if node.lengths is None else max(GROWTH_MAX * node.lengths[1], GROWN_ITEMS_MIN)


class _Comparison:
    def __init__(self, *, cut: bool, declared: bool) -> None:
        self._cut = cut
        self._declared = declared

    def between(self, pinned: Node, seen: Node, path: str, sure: int) -> Iterator[Difference]:
        """`sure`: in how many results the place was met, which a long list in one result does not raise."""
        sure = min(sure, pinned.seen)
        yield from self._kinds(pinned, seen, path, sure)
        if "text" in pinned.kinds and "text" in seen.kinds:
            yield from self._texts(pinned, seen, path, sure)
        if "object" in pinned.kinds and "object" in seen.kinds:
            yield from self._objects(pinned, seen, path, sure)
        if "list" in pinned.kinds and "list" in seen.kinds:
            if pinned.items is not None and seen.items is not None:
                within = min(sure, pinned.kinds["list"])
                yield from self.between(pinned.items, seen.items, f"{path}[]", within)
            if seen.lengths is not None and seen.lengths[1] > items_max(pinned):
                longest = pinned.lengths[1] if pinned.lengths is not None else 0
                now = f"{seen.lengths[1]:,} items"
                yield Difference(path, "size", f"at most {longest:,} items", now, breaking=True, needs=2)

    def _kinds(self, pinned: Node, seen: Node, path: str, sure: int) -> Iterator[Difference]:
        before = kinds_in_words(pinned)
        for kind in seen.kinds:
            if kind in pinned.kinds or (kind == "integer" and "number" in pinned.kinds):
                continue
            if kind == "null":
                yield _found(path, "null", before, "null", sure)
                continue
            # A whole number that may have a fraction now, or a null that got a value, breaks few readers.
            widened = (kind == "number" and "integer" in pinned.kinds) or set(pinned.kinds) == {"null"}
            found = _found(path, "type", before, _A[kind], sure)
            yield replace(found, breaking=False, needs=3) if widened else found

    def _texts(self, pinned: Node, seen: Node, path: str, sure: int) -> Iterator[Difference]:
        rule = text_rule(pinned, sure)
        if rule.not_empty and EMPTY in seen.formats:
            yield _found(path, "empty", "never empty", "an empty text", sure)
        strange = sorted(set(seen.formats) - {EMPTY} - (rule.formats or set(seen.formats)))
        if strange:
            before = " or ".join(FORMAT_IN_WORDS[each] for each in rule.formats or ())
            yield _found(path, "format", before, FORMAT_IN_WORDS[strange[0]], sure)
        elif pinned.inner is not None and seen.inner is not None:
            within = min(sure, pinned.formats.get(JSON, 0))
            yield from self.between(pinned.inner, seen.inner, f"{path}(JSON)", within)
        if rule.codes is not None and _strange(seen, rule.codes):
            yield _found(path, "value", f"one of {len(rule.codes)} values", "a value never seen before", 0)

    def _objects(self, pinned: Node, seen: Node, path: str, sure: int) -> Iterator[Difference]:
        if not self._cut and not seen.is_map:
            for name, child in pinned.fields.items():
                now = seen.fields.get(name)
                if child.absent == 0 and (now is None or now.absent):
                    inside = min(sure, child.seen)
                    before = DECLARED_BEFORE if self._declared else f"in all of {inside}"
                    yield _found(at(path, name), "missing", before, "missing", inside)
        for name, child in seen.fields.items():
            known = pinned.fields.get(name)
            if known is not None:
                yield from self.between(known, child, at(path, name), sure)
        if pinned.is_open:
            return
        if pinned.is_map and pinned.others is not None:
            entries = [child for name, child in seen.fields.items() if name not in pinned.fields]
            entries += [] if seen.others is None else [seen.others]
            if entries:
                yield from self.between(pinned.others, joined(entries), f"{path}.*", sure)
            return
        for name, child in seen.fields.items():
            if name in pinned.fields:
                continue
            if pinned.others is None:
                yield _new(pinned, child, at(path, name), sure)
            elif any(self.between(pinned.others, child, "", sure)):
                # In a map of texts, say, a list is no entry but a field of its own.
                yield _new(pinned, child, at(path, name), sure)
        if seen.others is not None:
            if pinned.others is not None:
                yield from self.between(pinned.others, seen.others, f"{path}.*", sure)
            elif seen.is_map:
                yield _found(path, "type", "an object with fields", "a map of many keys", sure)
            else:
                yield _new(pinned, seen.others, f"{path}.*", sure)


def _strange(seen: Node, known: frozenset[str]) -> bool:
    """Whether a text is none of those known. Of more texts than are kept apart, only some may be."""
    if seen.codes is not None:
        return not seen.codes.keys() <= known
    return len(known) <= CODES_MAX or seen.kinds["text"] <= CODES_MAX


def at(path: str, name: str) -> str:
    plain = name.replace("_", "").replace("-", "").isalnum()
    shown = name if plain else f'"{name}"'
    return f"{path}.{shown}" if path else shown


def _found(path: str, what: What, before: str, now: str, sure: int) -> Difference:
    breaking = what in BREAKING
    return Difference(path, what, before, now, breaking, needs=_needs(sure, breaking=breaking))


def _needs(sure: int, *, breaking: bool) -> int:
    if sure >= SURE_MIN:
        return 1 if breaking else 2
    return 2 if breaking and sure >= 5 else 3


def _new(pinned: Node, child: Node, path: str, sure: int) -> Difference:
    needs = 3 if keeps_growing(pinned) else _needs(sure, breaking=False)
    return Difference(path, "new", "", kinds_in_words(child), breaking=False, needs=needs)


def keeps_growing(node: Node) -> bool:
    """Whether new fields came until the end of learning: then more are to be expected (Good-Turing)."""
    return node.kinds.get("object", 0) > 1 and any(child.seen == 1 for child in node.fields.values())


FORMAT_IN_WORDS: Final = {
    "number": "a number as text",
    "date": "a date",
    "date-time": "a date with a time",
    "time": "a time",
    "uuid": "a UUID",
    "e-mail": "an e-mail address",
    "url": "an address of the web",
    JSON: "JSON as text",
    PLAIN: "other text",
}
_A: Final[dict[Kind, str]] = {
    "null": "null",
    "boolean": "a boolean",
    "integer": "an integer",
    "number": "a number with a fraction",
    "text": "a text",
    "list": "a list",
    "object": "an object",
}


def kinds_in_words(node: Node) -> str:
    """As `an integer or null`; the most frequent first."""
    ordered = sorted(node.kinds, key=lambda kind: (kind == "null", -node.kinds[kind], kind))
    return " or ".join(_A[kind] for kind in ordered) or "nothing"
