"""What one run was told and by whom; grows with the run and is built again from its record. Judges nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from airworthy.tools.provenance import text as forms
from airworthy.tools.provenance.known import Known

Kind = Literal["user", "source", "person"]
INDEX_CHARS_MAX: Final = 4_000_000  # Of what sources said; what comes after cannot be looked into.
LEAVES_MAX: Final = 100_000
RECORDS_MAX: Final = 100
NESTED_CHARS_MAX: Final = 1_000_000  # A text that is JSON itself is read as such up to this.


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether all a source says is trusted, or what stands at the dotted paths alone; lists are passed through."""

    whole: bool = False
    fields: tuple[str, ...] = ()


NOBODY: Final = Trust()


@dataclass(slots=True)
class Entry:
    """`said` is a JSON value, or its bytes until somebody looks. `name`: the tool or step it came from."""

    seq: int
    kind: Kind
    name: str
    said: Any

    @property
    def size(self) -> int:
        """About so many characters; for a bound."""
        return len(self.said) if isinstance(self.said, bytes | str) else len(orjson.dumps(self.said))

    def value(self) -> Any:
        if isinstance(self.said, bytes):
            self.said = orjson.loads(self.said)
        return self.said


@dataclass(slots=True)
class _Index:
    """What was made of the entries so far; each part no earlier than somebody asks for it.

    `loose`: the text of untrusted sources, for explaining. `blocks`: parts of that text.
    """

    upto: int = 0
    said: list[str] = field(default_factory=list)
    known: Known | None = None
    untrusted: list[Entry] = field(default_factory=list)
    chars: int = 0
    full: bool = False
    loose: dict[int, str] = field(default_factory=dict)
    blocks: dict[str, Entry] = field(default_factory=dict)
    blocks_upto: int = 0


class Ledger:
    """One per run; used from one event loop. `trust` says whom the policy believes; by default nobody is."""

    def __init__(self, trust: Callable[[str], Trust] = lambda _: NOBODY) -> None:
        self.trust = trust  # Set by the toolbox that has the policy; what was heard before counts as well.
        self._entries: dict[int, Entry] = {}
        self._index = _Index()

    def hear(self, seq: int, kind: Kind, name: str, said: Any) -> None:
        """Twice for one step: the later one stands, as in the record. `said`: a JSON value or its bytes."""
        known = self._entries.get(seq)
        self._entries[seq] = Entry(seq, kind, name, said)
        if known is not None:
            self._index = _Index()

    @property
    def has_untrusted(self) -> bool:
        return bool(self._read().untrusted)

    @property
    def full(self) -> bool:
        """More was said than can be looked into."""
        return self._read().full

    def known(self) -> Known:
        index = self._read()
        if index.known is None:
            index.known = Known(index.said)
        return index.known

    def records(self, value: str | float) -> list[Mapping[str, Any]]:
        """The records in which an untrusted source said exactly this, and nothing else, in a field of its own."""
        wanted, found, index = _field_key(value), _Found(), self._read()
        part = forms.loose(wanted)
        for entry in index.untrusted:
            if part in self._loose(index, entry):  # Cheaper than to look at each field.
                _look_for(wanted, entry.value(), {}, 0, found)
        return found.records

    def heard_in(self, part: str) -> Iterator[Entry]:
        """Untrusted entries whose text holds `part`, a loose form; the newest first."""
        index = self._read()
        return (entry for entry in reversed(index.untrusted) if part in self._loose(index, entry))

    def copied(self, loose: str, chars: int) -> Entry | None:
        """The source of a run of at least twice `chars` letters of `loose`, if there is one the user did not write."""
        index = self._read()
        while index.blocks_upto < len(index.untrusted):
            entry = index.untrusted[index.blocks_upto]
            text = self._loose(index, entry)
            for start in range(0, len(text) - chars + 1, chars):
                index.blocks.setdefault(text[start : start + chars], entry)
            index.blocks_upto += 1
        # A run of twice the length holds a whole block, wherever the blocks begin.
        for start in range(len(loose) - chars + 1):
            found = index.blocks.get(loose[start : start + chars])
            if found is None:
                continue
            run = _longest(loose, start, chars, self._loose(index, found))
            if len(run) >= 2 * chars and run not in self.known().loose:
                return found
        return None

    def _loose(self, index: _Index, entry: Entry) -> str:
        found = index.loose.get(entry.seq)
        if found is None:
            parts, deep = forms.gathered(entry.value())
            index.full = index.full or deep
            found = index.loose[entry.seq] = forms.loose(" ".join(map(str, parts)))
        return found

    def _read(self) -> _Index:
        """Takes in what was said since the last look."""
        index = self._index
        if index.upto < len(self._entries):
            for entry in list(self._entries.values())[index.upto :]:
                self._take_in(index, entry)
            index.upto = len(self._entries)
        return index

    def _take_in(self, index: _Index, entry: Entry) -> None:
        index.chars += entry.size
        if index.chars > INDEX_CHARS_MAX:
            index.full, entry.said = True, None
        trust = self.trust("" if entry.kind == "user" else entry.name)
        said = len(index.said)
        if entry.kind == "person" or trust.whole:
            index.said += map(str, forms.leaves(entry.value()))
        else:
            for path in trust.fields:
                for at in _at(entry.value(), path.split(".")):
                    index.said += map(str, forms.leaves(at))
            index.untrusted.append(entry)
        if len(index.said) > said:
            index.known = None


def _field_key(value: str | float) -> str:
    return forms.exact(value).strip() if isinstance(value, str) else f"{value:.15g}"


@dataclass(slots=True)
class _Found:
    records: list[Mapping[str, Any]] = field(default_factory=list)
    leaves: int = 0


def _look_for(wanted: str, value: Any, record: Mapping[str, Any], depth: int, found: _Found) -> None:
    """A text that is JSON itself is looked into as well. What lies too deep or too far behind is not found."""
    if depth > forms.DEPTH_MAX or found.leaves > LEAVES_MAX or len(found.records) >= RECORDS_MAX:
        return
    if isinstance(value, dict):
        for each in value.values():
            _look_for(wanted, each, value, depth + 1, found)
    elif isinstance(value, list):
        for each in value:
            _look_for(wanted, each, record, depth + 1, found)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        found.leaves += 1
        if isinstance(value, str) and value[:1] in ("{", "["):
            inner = _nested(value)
            if inner is not None:
                _look_for(wanted, inner, record, depth + 1, found)
        if value == wanted or (not _is_plain(value) and _field_key(value) == wanted):
            found.records.append(record)


def _is_plain(value: str | float) -> bool:
    """It stands as it would be spelt anyway; spelling each field anew is what costs."""
    return (
        isinstance(value, str)
        and value.isascii()
        and value[:1] > " "
        and value[-1:] > " "
        and "  " not in value
    )


def _nested(text: str) -> Any:
    if text[:1] not in ("{", "[") or len(text) > NESTED_CHARS_MAX:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _at(value: Any, path: list[str]) -> Iterable[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _at(each, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _longest(text: str, start: int, chars: int, source: str) -> str:
    """The longest run of `text` around a block found in `source` that stands there as it is, up to twice the block."""
    begin, end = start, start + chars
    while end < len(text) and end - begin < 2 * chars and text[begin : end + 1] in source:
        end += 1
    while begin > 0 and end - begin < 2 * chars and text[begin - 1 : end] in source:
        begin -= 1
    return text[begin:end]
