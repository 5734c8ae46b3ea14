"""Where the words of an input stand, so that they can be exchanged and all else stays; knows no agent."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

# A letter's head: lines `Name: value`, then an empty line.
_HEAD: Final = re.compile(r"\A(?:[A-Za-z][\w-]{0,40}:[^\n]*\n){1,20}\n")
_SUBJECT: Final = re.compile(r"(?im)^((?:subject|title|topic|betreff|objet|asunto): *)[^\n]+")
DEPTH_MAX: Final = 12


@dataclass(frozen=True, slots=True)
class Wording:
    """An input whose words can be exchanged: `head` is kept before them, `path` says where in the data they stand."""

    value: Any
    words: str
    head: str = ""
    path: tuple[str | int, ...] = ()

    def saying(self, words: str) -> Any:
        """The same input with other words."""
        return replaced(self.value, self.path, self.head + words)

    def about(self, words: str) -> Any:
        """An input about something else: a subject in its head no longer speaks of the old one."""
        return replaced(self.value, self.path, _SUBJECT.sub(r"\1A question", self.head) + words)


def wording_of(value: Any) -> Wording | None:
    """The text itself without its head, or the longest text of several words in the data; None: there is none."""
    if isinstance(value, str):
        found = _HEAD.match(value)
        head = found[0] if found else ""
        return Wording(value, value[len(head) :], head)
    prose = [(path, text) for path, text in leaves(value) if isinstance(text, str) and " " in text.strip()]
    if not prose:
        return None
    path, text = max(prose, key=lambda each: len(each[1]))
    return Wording(value, text, path=path)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every scalar of JSON data with its place, in order; deeper than `DEPTH_MAX` nothing is looked at."""
    if len(path) > DEPTH_MAX:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from leaves(inner, (*path, str(name)))
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for at, inner in enumerate(value):
            yield from leaves(inner, (*path, at))
    else:
        yield path, value


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """The same data with another leaf at `path`; nothing of `value` is changed."""
    if not path:
        return new
    first, *rest = path
    if isinstance(value, Mapping):
        return {
            name: replaced(inner, tuple(rest), new) if name == first else inner
            for name, inner in value.items()
        }
    return [replaced(inner, tuple(rest), new) if at == first else inner for at, inner in enumerate(value)]


def exchanged(value: Any, old: str, new: str) -> Any:
    """Every occurrence of a text inside of the data's texts."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, Mapping):
        return {name: exchanged(inner, old, new) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [exchanged(inner, old, new) for inner in value]
    return value


def plain(value: Any) -> str:
    """All texts and numbers of it, one a line."""
    if isinstance(value, str):
        return value
    return "\n".join(
        str(leaf) for _, leaf in leaves(value) if leaf is not None and not isinstance(leaf, bool)
    )
