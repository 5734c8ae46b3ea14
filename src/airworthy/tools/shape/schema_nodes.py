"""JSON Schema, keyword by keyword, as places of a shape. Pure; bounded in depth, places and steps.

Every place is made from one schema with its local references and its `allOf` folded in. Counts mean little here:
ALWAYS stands for "each time", the same number of absences for "not each time".
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from airworthy.tools.shape.compare import at
from airworthy.tools.shape.learning import KIND_OF
from airworthy.tools.shape.node import DEPTH_MAX, FIELDS_MAX, Kind, Node
from airworthy.tools.shape.words import EMPTY, PLAIN, code_of, format_of, is_name

ALWAYS: Final = 1_000  # Above every number of results that a rule about shapes asks for.
PLACES_MAX: Final = 2_000
STEPS_MAX: Final = 20_000
ENUM_MAX: Final = 256
LEFT_MAX: Final = 20
AGAIN_MAX: Final = 2  # How often a reference is followed within itself.

_KINDS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "null": ("null",), "boolean": ("boolean",), "integer": ("integer",), "number": ("number", "integer"),
    "string": ("text",), "array": ("list",), "object": ("object",),
}  # fmt: skip
# Whose every valid text is one that the shape knows as this format.
_FORMATS: Final = {"date": "date", "date-time": "date-time", "uuid": "uuid"}
_OF_OBJECTS: Final = (
    "properties", "required", "additionalProperties", "unevaluatedProperties", "patternProperties",
)  # fmt: skip
_OPENING: Final = (
    "patternProperties",
    "if",
    "dependentSchemas",
    "dependencies",
    "$dynamicRef",
    "$recursiveRef",
)
_LEFT: Final = (
    "pattern", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems",
    "maxItems", "uniqueItems", "contains", "prefixItems", "unevaluatedItems", "minProperties", "maxProperties",
    "propertyNames", "dependentRequired", "not", *_OPENING,
)  # fmt: skip
_FOLDED: Final = frozenset({"$ref", "allOf"})
_SILENT: Final = frozenset({
    "title", "description", "default", "examples", "example", "$comment", "$schema", "$id", "$anchor", "$defs",
    "definitions", "deprecated", "readOnly", "writeOnly", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary",
})  # fmt: skip


class Unusable(ValueError):
    """`at`: where in the schema, as a pointer."""

    def __init__(self, at: str, says: str, mend: str) -> None:
        super().__init__(f"{at}: {says} {mend}")
        self.at, self.says, self.mend = at, says, mend


def node_of(schema: Mapping[str, Any]) -> tuple[Node, tuple[str, ...]]:
    """The place of a whole result, and what of the schema is left out. Raises: Unusable."""
    reader = _Reader(schema)
    node = reader.place(schema, "", 0, ())
    left = list(reader.left)
    more = len(left) - LEFT_MAX
    return node, (*left[:LEFT_MAX], *([f"and {more} more"] if more > 0 else ()))


def anything() -> Node:
    kinds = dict.fromkeys(KIND_OF.values(), ALWAYS)
    return Node(kinds, formats={PLAIN: ALWAYS, EMPTY: ALWAYS}, codes=None, is_open=True)


class _Reader:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._places = 0
        self._steps = 0
        self.left: dict[str, None] = {}

    def place(self, schema: Any, path: str, depth: int, refs: tuple[str, ...]) -> Node:
        """`path` as people are told it. `refs`: the references on the way here."""
        self._places += 1
        if depth >= DEPTH_MAX or self._places > PLACES_MAX:
            self._leave(path, "so deep or large a part")
            return anything()
        said, refs, again = self._folded(schema, refs)
        if again:
            self._leave(path, "what refers to itself, further down")
            return anything()
        for key in _LEFT:
            if key in said:
                self._leave(path, key)
        if isinstance(said.get("minLength"), int) and said["minLength"] > 1:
            self._leave(path, "minLength")
        choices = [*said.get("anyOf", ()), *said.get("oneOf", ())]
        narrow = any(key in said for key in ("type", "enum", "const", "items", *_OF_OBJECTS))
        if choices and not narrow:
            return self._nullable(
                self._either([self.place(each, path, depth, refs) for each in choices], path), said
            )
        node = self._one(said, path, depth, refs)
        if choices:
            self._leave(path, "anyOf" if "anyOf" in said else "oneOf")
            node.is_open = True
        return self._nullable(node, said)

    def _nullable(self, node: Node, said: Mapping[str, Any]) -> Node:
        if said.get("nullable") is True:  # As OpenAPI 3.0 says it.
            node.kinds["null"] = ALWAYS
        return node

    def _one(self, said: Mapping[str, Any], path: str, depth: int, refs: tuple[str, ...]) -> Node:
        if "enum" in said or "const" in said:
            return self._enum(said["enum"] if "enum" in said else [said["const"]], path)
        types = _types(said)
        if types is None:
            return anything()
        node = Node({kind: ALWAYS for name in types for kind in _KINDS[name]})
        if "string" in types:
            self._text(node, said, path)
        if "object" in types:
            self._object(node, said, path, depth, refs)
        if "array" in types:
            items = said.get("items")
            if isinstance(items, list):
                self._leave(path, "items in an order")
            elif isinstance(items, dict) and "prefixItems" not in said:
                node.items = self.place(items, f"{path}[]", depth + 1, refs)
        return node

    def _text(self, node: Node, said: Mapping[str, Any], path: str) -> None:
        name = said.get("format")
        known = _FORMATS.get(name) if isinstance(name, str) else None
        node.formats, node.codes = {known or PLAIN: ALWAYS}, None
        if name is not None and known is None:
            self._leave(path, f"format {name}")
        if known is None and not said.get("minLength"):
            node.formats[EMPTY] = ALWAYS

    def _object(
        self, node: Node, said: Mapping[str, Any], path: str, depth: int, refs: tuple[str, ...]
    ) -> None:
        fields = {name: each for name, each in said.get("properties", {}).items() if each is not False}
        required = said.get("required", ())
        required = set(required) if isinstance(required, list) else set()
        fields |= dict.fromkeys(sorted(required - fields.keys()), True)
        for name in [name for name in fields if not is_name(name)]:
            self._leave(at(path, name), "a name that looks like a value")
            node.is_open = True
            del fields[name]
        if len(fields) > FIELDS_MAX:
            self._leave(path, f"more than {FIELDS_MAX} fields")
            fields, node.is_open = {}, True
        for name, each in fields.items():
            child = node.fields[name] = self.place(each, at(path, name), depth + 1, refs)
            child.absent = 0 if name in required else ALWAYS
        extra = said.get("additionalProperties", said.get("unevaluatedProperties"))
        if any(key in said for key in _OPENING) or extra in (True, {}) or (extra is None and not fields):
            node.is_open = True
        elif isinstance(extra, dict):
            node.others, node.is_map = self.place(extra, f"{path}.*", depth + 1, refs), True

    def _enum(self, values: Sequence[Any], path: str) -> Node:
        node = Node(dict.fromkeys((KIND_OF[type(each)] for each in values), ALWAYS))
        texts = [each for each in values if isinstance(each, str)]
        if "object" in node.kinds:
            node.is_open = True
        if node.kinds.keys() - {"text", "null", "boolean"}:
            self._leave(path, "which of the values of enum or const")
        if not texts:
            return node
        codes = {code_of(each): ALWAYS for each in texts if each and format_of(each) == PLAIN}
        known = {code: count for code, count in codes.items() if code is not None}
        if len(known) == len({each for each in texts if each}) and len(known) <= ENUM_MAX:
            node.codes, node.formats = known, {PLAIN: ALWAYS}
            if "" in texts:
                node.formats[EMPTY] = ALWAYS
        else:
            self._leave(path, "which of the texts of enum or const")
            node.codes, node.formats = None, {PLAIN: ALWAYS, EMPTY: ALWAYS}
        return node

    def _either(self, nodes: Sequence[Node], path: str) -> Node:
        """What may stand at a place for which there are several schemas."""
        total = Node(dict.fromkeys((kind for node in nodes for kind in node.kinds), ALWAYS))
        texts = [node for node in nodes if "text" in node.kinds]
        if texts:
            total.formats = {name: ALWAYS for node in texts for name in node.formats}
            codes = [node.codes for node in texts if node.codes is not None]
            total.codes = _united(codes) if len(codes) == len(texts) else None
        objects = [node for node in nodes if "object" in node.kinds]
        if len(objects) == 1:
            total.fields, total.others = objects[0].fields, objects[0].others
            total.is_map, total.is_open = objects[0].is_map, objects[0].is_open
        elif objects:
            self._leave(path, "which of several objects")
            total.is_open = True
        lists = [node for node in nodes if "list" in node.kinds]
        if len(lists) == 1:
            total.items = lists[0].items
        elif lists:
            self._leave(path, "which of several lists")
        return total

    def _folded(self, schema: Any, refs: tuple[str, ...]) -> tuple[dict[str, Any], tuple[str, ...], bool]:
        """One schema without `$ref` and `allOf`, the references followed, and whether one was followed too often."""
        total: dict[str, Any] = {}
        waiting = [schema]
        while waiting:
            self._steps += 1
            if self._steps > STEPS_MAX:
                raise Unusable("#", f"it takes more than {STEPS_MAX} steps to read.", "Write it simpler.")
            each = waiting.pop(0)
            if not isinstance(each, dict):
                continue
            ref = each.get("$ref")
            if isinstance(ref, str):
                if refs.count(ref) >= AGAIN_MAX:
                    return total, refs, True
                refs = (*refs, ref)
                waiting.append(self._target(ref))
            waiting += each.get("allOf", ())
            _fold(total, each)
        return total, refs, False

    def _target(self, ref: str) -> Any:
        found: Any = self._root
        pointer = ref.removeprefix("#")
        if pointer and not pointer.startswith("/"):
            found = _anchored(self._root, pointer)
        else:
            for part in pointer.split("/")[1:]:
                name = part.replace("~1", "/").replace("~0", "~")
                if isinstance(found, list) and name.isdigit() and int(name) < len(found):
                    found = found[int(name)]
                else:
                    found = found.get(name) if isinstance(found, dict) else None
        if not isinstance(found, dict | bool):
            raise Unusable(
                ref, "there is no schema at the end of this reference.", "Add it, or correct the reference."
            )
        return found

    def _leave(self, path: str, what: str) -> None:
        self.left[f"{path or 'the result'}: {what}"] = None


def _types(said: Mapping[str, Any]) -> list[str] | None:
    """None: any. A schema of fields means an object, one of items a list, though it need not say so."""
    if "type" in said:
        return [said["type"]] if isinstance(said["type"], str) else list(said["type"])
    if any(key in said for key in _OF_OBJECTS):
        return ["object"]
    return ["array"] if "items" in said else None


def _fold(total: dict[str, Any], part: Mapping[str, Any]) -> None:
    """Both hold. Where both say what one schema cannot, the first is kept: looser, never stricter."""
    for key, value in part.items():
        if key in _FOLDED or key in _SILENT:
            continue
        if key not in total:
            total[key] = value
            continue
        before = total[key]
        if before == value:
            continue
        if key == "properties":
            both = {name: {"allOf": [before[name], each]} for name, each in value.items() if name in before}
            total[key] = {**before, **value, **both}
        elif key == "required" and isinstance(before, list) and isinstance(value, list):
            total[key] = [*before, *value]
        elif key == "type":
            total[key] = _common(before, value)
        elif key == "enum":
            total[key] = [each for each in before if each in value]
        elif key in ("items", "additionalProperties", "unevaluatedProperties"):
            schemas = isinstance(before, dict) and isinstance(value, dict)
            total[key] = {"allOf": [before, value]} if schemas else before and value


def _common(one: Any, other: Any) -> list[str]:
    ones, others = ([each] if isinstance(each, str) else list(each) for each in (one, other))
    wide = [*ones, *(["integer"] if "number" in ones else [])]
    both = [name for name in others if name in wide]
    return both + (["integer"] if "number" in others and "integer" in ones and "integer" not in both else [])


def _united(codes: Iterable[dict[str, int]]) -> dict[str, int] | None:
    total = {code: ALWAYS for each in codes for code in each}
    return total if len(total) <= ENUM_MAX else None


def _anchored(schema: Any, name: str) -> Any:
    """The schema with this `$anchor`; None where there is none."""
    left = [schema]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            if name in (each.get("$anchor"), each.get("$dynamicAnchor")):
                return each
            left += each.values()
        elif isinstance(each, list):
            left += each
    return None
