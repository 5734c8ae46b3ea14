"""The pinned shape as a fast test of one result: a result that it lets through has no difference at all.

What it does not let through is looked at again in words, by `compare`. An object's keys and the types of its values
together are looked up first: results mostly come in few variants, so that most fields cost nothing of their own.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final

from airworthy.tools.shape.compare import bytes_max, items_max, text_rule
from airworthy.tools.shape.learning import KEYS_MAX, KIND_OF, MAP_VALUES_MAX, read_inner, sampled
from airworthy.tools.shape.node import DEPTH_MAX, Node, Shape
from airworthy.tools.shape.words import JSON, MATCH, PLAIN, code_of, format_of, may_be_json

VARIANTS_MAX = 256  # Of one object, that are remembered.
LOOKED_AT_BYTES_MAX = 65_536  # So large a result may have more values than are looked at.

Test = Callable[[Any], object]
Tests = dict[type, Test | None]  # By the value's type; None: the type is all there is to know.
_TYPES: Final = {kind: type_ for type_, kind in KIND_OF.items()}


class Matcher:
    def __init__(self, pinned: Shape) -> None:
        self._bytes_max = min(bytes_max(pinned), LOOKED_AT_BYTES_MAX)
        self._root = _tests(pinned.root, pinned.results, 0)

    def fits(self, value: Any, size: int) -> bool:
        """False for whatever has to be looked at closer."""
        if size > self._bytes_max:
            return False
        return _fits(self._root, value)


def _fits(tests: Tests, value: Any) -> bool:
    try:
        test = tests[type(value)]
    except KeyError:
        return False
    return test is None or bool(test(value))


def _tests(node: Node, sure: int, depth: int) -> Tests:
    sure = min(sure, node.seen)
    made: Tests = {_TYPES[kind]: None for kind in node.kinds}
    if "number" in node.kinds:
        made[int] = None
    if "text" in node.kinds:
        made[str] = _text(node, sure, depth)
    if depth < DEPTH_MAX:
        if "object" in node.kinds:
            made[dict] = _object(node, sure, depth)
        if "list" in node.kinds:
            made[list] = _list(node, sure, depth)
    return made


def _text(node: Node, sure: int, depth: int) -> Test | None:
    rule = text_rule(node, sure)
    not_empty, formats, codes = rule.not_empty, rule.formats, rule.codes
    if formats == frozenset({JSON}) or (node.inner is not None and depth < DEPTH_MAX):
        return _inner(node, sure, depth, plain_too=formats is None, empty_too=not not_empty)
    if formats is not None:
        matches = MATCH[next(iter(formats))]
        return matches if not_empty else lambda text: not text or matches(text)
    if codes is not None:
        return lambda text: code_of(text) in codes if text else not not_empty
    return bool if not_empty else None


def _inner(node: Node, sure: int, depth: int, *, plain_too: bool, empty_too: bool) -> Test:
    within: Tests = {}
    if node.inner is not None:
        within = _tests(node.inner, min(sure, node.formats.get(JSON, 0)), depth + 1)

    def test(text: str) -> bool:
        if not text:
            return empty_too
        if may_be_json(text) and format_of(text) == PLAIN:
            inner = read_inner(text)
            if inner is not None:
                return _fits(within, inner)
        return plain_too

    return test


def _list(node: Node, sure: int, depth: int) -> Test | None:
    longest = items_max(node)
    if node.items is None:
        return None if node.lengths is None else lambda items: len(items) <= longest
    all_fit = _all_fit(_tests(node.items, min(sure, node.kinds["list"]), depth + 1))
    return lambda items: len(items) <= longest and all_fit(sampled(items))


def _all_fit(tests: Tests) -> Callable[[Iterable[Any]], bool]:
    """For values of one place, all at once: most places have one type, and for many that is all there is to test."""
    if not any(tests.values()):
        types = frozenset(tests)
        return lambda values: types.issuperset(map(type, values))
    if len(tests) == 1:
        type_, only = next(iter(tests.items()))
        assert only is not None
        return _all_alike(type_, only)

    def all_fit(values: Iterable[Any]) -> bool:
        return all(_fits(tests, value) for value in values)

    return all_fit


def _all_alike(type_: type, test: Test) -> Callable[[Iterable[Any]], bool]:
    def all_alike(values: Iterable[Any]) -> bool:
        for value in values:  # noqa: SIM110  # a generator costs more than the test of a value
            if type(value) is not type_ or not test(value):
                return False
        return True

    return all_alike


def _object(node: Node, sure: int, depth: int) -> Test | None:
    if node.is_open and not node.fields:
        return None
    fields = {name: _tests(child, sure, depth + 1) for name, child in node.fields.items()}
    required = frozenset(name for name, child in node.fields.items() if child.absent == 0)
    others = _tests(node.others, sure, depth + 1) if node.others is not None else None
    if others is not None and all(tests == others and not any(tests.values()) for tests in fields.values()):
        return _map(others, required, any_number=node.is_map)
    variants: dict[tuple[Any, ...], tuple[tuple[str, Test], ...]] = {}

    def variant(value: dict[str, Any]) -> tuple[tuple[str, Test], ...] | None:
        """The fields that have to be looked into; None when the keys or types are not those pinned."""
        if len(value) > KEYS_MAX or not required <= value.keys():
            return None
        closer = []
        for name, item in value.items():
            tests = fields.get(name, others)
            if tests is None and node.is_open:
                continue
            if tests is None or type(item) not in tests:
                return None
            test = tests[type(item)]
            if test is not None:
                closer.append((name, test))
        return tuple(closer)

    def record(value: dict[str, Any]) -> bool:
        if len(variants) < VARIANTS_MAX:
            signature = (*value, *map(type, value.values()))
            closer = variants.get(signature)
            if closer is None:
                closer = variant(value)
                if closer is not None:
                    variants[signature] = closer
        else:
            closer = variant(value)
        if closer is None:
            return False
        for name, test in closer:  # noqa: SIM110  # as above
            if not test(value[name]):
                return False
        return True

    return record


def _map(others: Tests, required: frozenset[str], *, any_number: bool) -> Test:
    """For an object whose values are all alike, whatever their keys."""
    all_fit = _all_fit(others)

    def test(value: dict[str, Any]) -> bool:
        if len(value) > KEYS_MAX:
            return any_number and all_fit(islice(value.values(), MAP_VALUES_MAX))
        return required <= value.keys() and all_fit(value.values())

    return test
