"""A YAML or JSON text as plain data, with the line of every key. Bounded in size, depth and what aliases unfold to.

Values are read by YAML 1.2's rules: `no`, `12:30`, `0123` and dates stay the text they are.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

DEPTH_MAX: Final = 40
EVENTS_MAX: Final = 1_000_000
ALIASES_MAX: Final = 1_000
UNFOLDED_MAX: Final = 50_000  # values that aliases repeat, over those that are written
_INT: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(
    r"[-+]?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]{1,3})?|[-+]?(0|[1-9][0-9]*)([eE][-+]?[0-9]{1,3}|\.)"
)
_PLAIN_TAGS: Final = frozenset(
    {"str", "int", "float", "bool", "null", "timestamp", "merge", "value", "map", "seq"}
)
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path = tuple[str | int, ...]


class Unreadable(ValueError):
    """`line` counts from 1; 0: the whole text."""

    def __init__(self, line: int, says: str, mend: str = "") -> None:
        super().__init__(says)
        self.line, self.says, self.mend = line, says, mend


@dataclass(slots=True)
class Document:
    data: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """Of a key, or of the closest thing around it that is written."""
        for length in range(len(path), -1, -1):
            line = self.lines.get(path[:length])
            if line is not None:
                return line
        return 1


def read_yaml(text: str) -> Document:
    """Raises: Unreadable."""
    try:
        count = _bound(text)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        what = " ".join(str(error.problem or error.context or "it is no YAML").split())[:200]
        mend = "Put text in quotes where it holds : or #, and indent lists alike."
        if "expected a single document" in f"{error.context} {error.problem}":
            what, mend = "it holds several documents", "Keep one document in a file."
        raise Unreadable(line, f"Not valid YAML: {what}.", mend) from error
    except yaml.YAMLError as error:
        raise Unreadable(
            0, f"Not valid YAML: {' '.join(str(error).split())[:200]}.", "Save it as UTF-8 text."
        ) from error
    walk = _Walk(count + UNFOLDED_MAX)
    if root is not None:
        walk.document.data = walk.value(root, (), 0)
    return walk.document


def _bound(text: str) -> int:
    """How many events it has. Comes before building, which works by recursion and unfolds aliases."""
    depth = aliases = count = 0
    for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        line = event.start_mark.line + 1 if event.start_mark is not None else 0
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        if depth > DEPTH_MAX:
            raise Unreadable(line, f"It is nested more than {DEPTH_MAX} deep.", "Write it flatter.")
        if aliases > ALIASES_MAX:
            raise Unreadable(
                line, f"It has more than {ALIASES_MAX} aliases.", "Write values out, or use defaults."
            )
        if count > EVENTS_MAX:
            raise Unreadable(line, "It holds too much for one file.", "Split it into several.")
    return count


class _Walk:
    def __init__(self, nodes_max: int) -> None:
        self._nodes_max = nodes_max
        self.document = Document(None)
        self._nodes = 0

    def value(self, node: Any, path: Path, depth: int) -> Any:
        line = node.start_mark.line + 1
        self.document.lines.setdefault(path, line)
        self._nodes += 1
        if self._nodes > self._nodes_max or depth > DEPTH_MAX:
            raise Unreadable(line, "Its aliases unfold to too much.", "Write values out, or use defaults.")
        tag = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if tag not in _PLAIN_TAGS:
            raise Unreadable(
                line,
                f"The tag {str(node.tag)[:80]!r} is not taken.",
                "Write plain text, numbers, lists and mappings.",
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each, (*path, at), depth + 1) for at, each in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> Mapping[str, Any]:
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise Unreadable(line, "A key is a list or a mapping.", "Keys are text.")
            key = str(key_node.value)
            if key == "<<" and not key_node.style:
                raise Unreadable(
                    line, "Merge keys (<<) are not taken.", "Write the values out, or use `defaults`."
                )
            if key in made:
                raise Unreadable(line, f"The key {key[:80]!r} stands twice.", "Delete or merge the second.")
            self.document.lines[(*path, key)] = line
            made[key] = self.value(value_node, (*path, key), depth + 1)
        return made


def _scalar(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    if node.style:  # None or empty: it stands without quotes.
        return text
    if text in {"", "~", "null", "Null", "NULL"}:
        return None
    if text in {"true", "True", "TRUE"}:
        return True
    if text in {"false", "False", "FALSE"}:
        return False
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
