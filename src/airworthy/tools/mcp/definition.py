"""A tool as its server describes it: text from outside, made harmless to read, and its fingerprint. Pure."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airworthy.core.canonical import NotSerialisable, digest, encode

TOOLS_MAX: Final = 1000
DEFINITION_BYTES_MAX: Final = 256 * 1024
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]{0,127}")  # As the policy can name it.
# What a client acts on or a model reads; the rest (icons, _meta) may change without a word.
PINNED: Final = ("name", "title", "description", "inputSchema", "outputSchema", "annotations", "execution")
_JOINERS: Final = frozenset("\u200c\u200d")
_HIDING: Final = frozenset({"Cc", "Cf", "Cs", "Co"})


@dataclass(frozen=True, slots=True)
class Definition:
    """`name` is the house's, `theirs` the server's own. `shown` is what a client may be shown."""

    name: str
    theirs: str
    shown: Mapping[str, Any]
    digest: str

    @property
    def description(self) -> str:
        return str(self.shown.get("description") or "")

    @property
    def pinned(self) -> bytes:
        """What the fingerprint is made of, as canonical JSON."""
        return encode({key: self.shown[key] for key in PINNED if key in self.shown})


@dataclass(frozen=True, slots=True)
class Unusable:
    """A definition that cannot be offered, and why."""

    name: str
    why: str


def house_name(prefix: str, theirs: str) -> str:
    return f"{prefix}.{theirs}" if prefix else theirs


def read(tools: Sequence[Any], prefix: str) -> tuple[list[Definition], list[Unusable]]:
    """`prefix`: what the server is called in the policy; empty: its tools go by their own names."""
    found: dict[str, Definition] = {}
    bad: list[Unusable] = []
    for raw in tools[:TOOLS_MAX]:
        made = _one(raw, prefix)
        if isinstance(made, Unusable):
            bad.append(made)
        elif made.name in found:
            bad.append(Unusable(made.name, "The server names it twice."))
            del found[made.name]
        elif not any(made.name == each.name for each in bad):
            found[made.name] = made
    if len(tools) > TOOLS_MAX:
        bad.append(Unusable("", f"The server has {len(tools)} tools; {TOOLS_MAX} are looked at."))
    return list(found.values()), bad


def _one(raw: Any, prefix: str) -> Definition | Unusable:
    theirs = raw.get("name") if isinstance(raw, dict) else None
    if not isinstance(theirs, str):
        return Unusable("", "A tool has no name.")
    name = house_name(prefix, theirs)
    if not _NAME.fullmatch(name):
        return Unusable(harmless(name)[:128], "Its name is none that a policy could use.")
    schema = raw.get("inputSchema")
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        return Unusable(name, "It has no input schema for an object.")
    if not isinstance(raw.get("outputSchema", {}), dict):
        return Unusable(name, "Its output schema is none.")
    try:
        shown = harmless({**raw, "name": theirs})
        made = Definition(name, theirs, shown, "")
        pinned = made.pinned
    except (NotSerialisable, RecursionError):
        return Unusable(name, "Its definition cannot be stored.")
    if len(pinned) > DEFINITION_BYTES_MAX:
        return Unusable(name, f"Its definition has {len(pinned)} bytes; {DEFINITION_BYTES_MAX} are allowed.")
    return Definition(name, theirs, shown, digest(pinned).hex())


def harmless(value: Any) -> Any:
    """Every text in it without characters that hide, move the cursor or turn the direction of reading."""
    match value:
        case str():
            if value.isascii() and value.isprintable():
                return value
            return "".join(ascii(char)[1:-1] if _hides(char) else char for char in value)
        case dict():
            return {harmless(str(key)): harmless(each) for key, each in value.items()}
        case list():
            return [harmless(each) for each in value]
        case _:
            return value


def _hides(char: str) -> bool:
    return char not in "\n\t" and char not in _JOINERS and unicodedata.category(char) in _HIDING
