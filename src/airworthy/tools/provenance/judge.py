"""Whether a call may be made without asking, by where its values came from. Pure; allows only what traces.

A value is allowed because the user, the policy or a trusted source said it. That it stands in an untrusted text never
decides anything, so no spelling of an attacker's can change the answer; it only explains it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from airworthy.tools.provenance import text as forms
from airworthy.tools.provenance.known import Known
from airworthy.tools.provenance.ledger import Entry, Ledger

Mode = Literal["off", "friendlier", "strict"]
MODES: Final[tuple[Mode, ...]] = ("off", "friendlier", "strict")
COPIED_CHARS: Final = 20  # Half of the letters in a row that make a passage a copied one.
CONTENT_CHARS_MAX: Final = 200_000
FINDINGS_MAX: Final = 8
VALUE_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Source:
    """Where an untrusted value was read."""

    step: int
    tool: str
    how: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason to ask. `value` is what a person endorses by a yes; `text` tells them, as half a sentence."""

    rule: str
    argument: str
    value: str
    text: str
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A call that would act. `destinations`: arguments that say whereto; None: every argument does.

    `words`: any of them in the user's text shows that this tool was asked for; none given: not judged.
    `constants`: values that the policy or the code names, and nobody else chose; names and addresses in small letters.
    """

    tool: str
    mode: Mode
    arguments: Mapping[str, Any]
    destinations: tuple[str, ...] | None = None
    words: tuple[str, ...] = ()
    constants: frozenset[str | float] = frozenset()

    def names(self, leaf: str | float) -> bool:
        if leaf in self.constants:
            return True
        return isinstance(leaf, str) and "/" not in leaf and leaf.strip().casefold() in self.constants


def judge(
    ledger: Ledger, question: Question, endorsed: Collection[tuple[str, str]] = ()
) -> tuple[Finding, ...]:
    """Why a person should look first; empty when nobody need. `endorsed`: (rule, value) pairs somebody said yes to.

    `strict` asks whatever the run has read; `friendlier` only once something untrusted has been read.
    """
    if question.mode == "off" or (question.mode == "friendlier" and not ledger.has_untrusted):
        return ()
    found = [each for each in _findings(ledger, question) if (each.rule, each.value) not in endorsed]
    return tuple(found[:FINDINGS_MAX])


def _findings(ledger: Ledger, question: Question) -> Iterator[Finding]:
    known = ledger.known()
    strict = question.mode == "strict"
    if ledger.has_untrusted and question.words and not known.asks_with(question.words):
        text = f"nobody asked for {question.tool}: the input holds none of {', '.join(question.words)}"
        yield Finding("unasked", "", question.tool, text)
    if ledger.full or forms.too_deep(question.arguments):
        text = "more was read than can be traced"
        yield Finding("untraceable", "", question.tool, text)
    for name, value in question.arguments.items():
        if question.destinations is None or name in question.destinations:
            yield from _destination(ledger, known, question, name, value)
        elif strict:
            yield from _content(ledger, known, question, name, value)


def _destination(
    ledger: Ledger, known: Known, question: Question, name: str, value: Any
) -> Iterator[Finding]:
    for leaf in dict.fromkeys(forms.leaves(value)):
        if leaf == "" or question.names(leaf) or known.holds(leaf):
            continue
        if question.mode == "friendlier" and _in_a_record(ledger, known, leaf):
            continue
        yield _untraced(ledger, name, leaf)


def _content(ledger: Ledger, known: Known, question: Question, name: str, value: Any) -> Iterator[Finding]:
    """What a message says may lead elsewhere as well as where it goes."""
    for leaf in forms.leaves(value):
        if not isinstance(leaf, str) or question.names(leaf) or known.holds(leaf):
            continue
        if len(leaf) > CONTENT_CHARS_MAX:
            yield Finding("untraceable", name, question.tool, f"{name} is too long to be traced")
            continue
        for each in forms.identifiers(leaf):
            if not known.holds(each) and not question.names(each):
                yield _untraced(ledger, name, each)
        source = ledger.copied(forms.loose(leaf), COPIED_CHARS)
        if source is not None:
            text = f"a passage of {name} was copied from {_whence(source)}"
            yield Finding("copied", name, _shown(leaf), text, (_source(source),))


def _in_a_record(ledger: Ledger, known: Known, leaf: str | float) -> bool:
    """A whole field of a record is taken as it is: a number or a name at once, an address if the user named the record.

    Whoever owns such a field (their own sender's address, say) can use this; hence it is not the strict rule.
    """
    if isinstance(leaf, str) and forms.hides(leaf):
        return False
    records = ledger.records(leaf)
    if not isinstance(leaf, str) or not forms.identifiers(leaf):
        return bool(records)
    return any(_is_named(known, record, leaf) for record in records)


def _is_named(known: Known, record: Mapping[str, Any], leaf: str) -> bool:
    return any(
        isinstance(other, str) and other != leaf and len(other) >= 3 and known.holds(other)
        for other in record.values()
    )


def _untraced(ledger: Ledger, name: str, leaf: str | float) -> Finding:
    value = _shown(leaf)
    sources = _sources(ledger, str(leaf))
    whole = _shown(leaf, whole=True)
    if sources:
        where = " and ".join(
            f"the {'input' if not each.tool else f'result of {each.tool}'} (step {each.step}{each.how})"
            for each in sources
        )
        return Finding(
            "destination",
            name,
            whole,
            f"{name} is {value}, which came from {where}, not from the user",
            sources,
        )
    text = f"{name} is {value}, which neither the user nor a trusted source has named"
    return Finding("destination", name, whole, text)


SOURCES_MAX: Final = 2


def _sources(ledger: Ledger, leaf: str) -> tuple[Source, ...]:
    """Only to explain: what was not found may have been put together from parts."""
    for form, how in forms.disguises(leaf[:VALUE_CHARS_MAX]):
        if len(form) < 2:
            continue
        entries = [entry for entry, _ in zip(ledger.heard_in(form), range(SOURCES_MAX), strict=False)]
        if entries:
            return tuple(_source(entry, how) for entry in reversed(entries))
    return ()


def _source(entry: Entry, how: str = "") -> Source:
    return Source(entry.seq, "" if entry.kind == "user" else entry.name, how)


def _whence(entry: Entry) -> str:
    return f"the {'input' if entry.kind == 'user' else f'result of {entry.name}'} (step {entry.seq})"


def _shown(leaf: str | float, *, whole: bool = False) -> str:
    """The value for a person's eyes: a look-alike or hidden character is spelt out. `whole`: not shortened."""
    if not isinstance(leaf, str):
        return f"{leaf:.15g}"
    text = leaf
    if forms.hides(text) or forms.lookalike(text):
        text = text.encode("ascii", "backslashreplace").decode()
        text = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return text if whole or len(text) <= VALUE_CHARS_MAX else text[:VALUE_CHARS_MAX] + "..."
