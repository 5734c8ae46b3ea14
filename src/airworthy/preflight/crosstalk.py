"""Whether something of one session came up in another that was worked on at the same time. Pure.

Two kinds of mark are looked for: a canary, a word that was written into one input and stands nowhere else, and what is
one customer's own by its nature (addresses, numbers of records) and was not in the other's own trial when it was alone.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from airworthy.core.canonical import encode
from airworthy.evals import Case, Finding
from airworthy.preflight.stage.script import Played

CROSS_TALK: Final = "cross_talk"
FINDINGS_MAX: Final = 20
MARKS_MAX: Final = 200
_SYLLABLES: Final = ("ba", "de", "fi", "go", "lu", "ma", "ne", "po", "ri", "sa", "te", "vo")
_ADDRESS: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,63}){1,4}")
_ID_KEY: Final = re.compile(
    r"(?:^|_)(?:id|number|no|key|token|iban|phone|email|address|account)$", re.IGNORECASE
)
_PLAIN: Final = frozenset({"true", "false", "none", "null", "unknown"})


@dataclass(frozen=True, slots=True)
class Session:
    """One of the runs at once. `alone`: the same case when nothing else was going on; None: it never was.

    `whose`: two sessions of the same are no strangers, and what they know of each other is theirs.
    """

    label: str
    whose: str
    canary: str
    played: Played
    alone: Played | None = None


def canary(seed: int, number: int) -> str:
    """A word that nobody else writes, that reads like a reference and that no tool takes for a number."""
    chance = random.Random(f"canary {seed}/{number}")  # noqa: S311 -- a repeatable word, nothing secret
    return "-".join("".join(chance.choices(_SYLLABLES, k=4)) for _ in range(2))


def with_canary(case: Case, word: str, session: str) -> Case:
    """The case in a session of its own, with the word at the end of its text; an input without text stays as it is."""
    return case.model_copy(
        update={"input": _marked(case.input, f"\n\n(Reference: {word})"), "session": session}
    )


@dataclass(frozen=True, slots=True)
class _Heard:
    """`places`: of what a session did and was told, in small letters; `whole`: all of it, to look quickly."""

    places: tuple[tuple[str, int, str], ...]
    whole: str
    own: str

    @classmethod
    def of(cls, session: Session) -> "_Heard":
        places = tuple((place, seq, text.casefold()) for place, seq, text in _places(session.played))
        return cls(places, "\n".join(text for _, _, text in places), _own_text(session).casefold())

    def seen(self, marks: Sequence[str]) -> "_Seen | None":
        """The gravest place in which one of the marks came up that this session cannot know by itself."""
        strange = []
        for mark in marks:
            small = mark.casefold()
            if small not in self.whole:
                continue
            word = re.compile(rf"(?<![\w@.-]){re.escape(small)}(?![\w@-])")
            if not word.search(self.own):
                strange.append((mark, small, word))
        for rank, (place, seq, text) in enumerate(self.places):
            for mark, small, word in strange:
                if small in text and word.search(text):
                    return _Seen(rank, place, seq, mark)
        return None


class _Seen(NamedTuple):
    """`rank`: the lower, the graver the place."""

    rank: int
    place: str
    seq: int
    mark: str


def cross_talk(sessions: Sequence[Session]) -> list[Finding]:
    """Each pair of sessions once, what left the house first, at most so many."""
    heard = [_Heard.of(session) for session in sessions]
    marks = [_marks(session) for session in sessions]
    found: list[tuple[int, Finding]] = []
    for at, session in enumerate(sessions):
        for other_at, other in enumerate(sessions):
            if other_at == at or (session.whose and session.whose == other.whose):
                continue
            seen = heard[at].seen(marks[other_at])
            if seen is not None:
                text = f"{seen.mark!r}, which belongs to {other.label}, stands in {seen.place} of {session.label}."
                found.append((seen.rank, Finding(CROSS_TALK, text, seen.seq)))
    found.sort(key=lambda each: each[0])
    return [finding for _, finding in found[:FINDINGS_MAX]]


def _places(played: Played) -> Iterator[tuple[str, int, str]]:
    """(where, step, text) of all that the run did and was told, the gravest first: what left the house."""
    trial = played.trial
    for act in trial.acts:
        yield f"what was done ({act.tool})", 0, _text(dict(act.arguments))
    yield "the answer", 0, f"{_text(trial.answer)}\n{trial.text}"
    for use in trial.tools:
        yield f"a call of {use.name}", use.seq, _text(dict(use.arguments))
        if use.name not in trial.made_up:
            yield f"a result of {use.name}", use.seq, _text(use.result)
    for step in played.recording.steps:
        if step.kind == "model":
            yield "what the model was asked", step.seq, _text(step.arguments)


def _marks(session: Session) -> list[str]:
    found = [session.canary] if session.canary else []
    if session.alone is not None:
        for value in _values_of(session.alone):
            if value not in found:
                found.append(value)
    return found[:MARKS_MAX]


def _own_text(session: Session) -> str:
    """All that this session may know by itself: its input, and what it met when it was alone."""
    parts = [_text(step.arguments) for step in session.played.recording.steps if step.kind == "input"]
    if session.alone is not None:
        parts += [text for _, _, text in _places(session.alone)]
        parts += [_text(step.arguments) for step in session.alone.recording.steps if step.kind == "input"]
        parts += session.alone.trial.heard
    return "\n".join(parts)


def _values_of(alone: Played) -> Iterator[str]:
    for step in alone.recording.steps:
        if step.kind == "input":
            yield from _ADDRESS.findall(_text(step.arguments))
    for use in alone.trial.tools:
        # What a stand-in gives for an act is made of what was recorded, so its numbers are nobody's own.
        if use.effect == "read" and use.name not in alone.trial.made_up:
            yield from _ids("", use.result)
        for name, value in use.arguments.items():
            yield from _ids(name, value)


def _ids(name: str, value: Any) -> Iterator[str]:
    """Values under a name that says that they stand for one record or person, and addresses wherever they are."""
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from _ids(str(key), inner)
        case list() | tuple():
            for inner in value:
                yield from _ids(name, inner)
        case str():
            yield from _ADDRESS.findall(value)
            if _ID_KEY.search(name) and len(value) >= 4 and value.lower() not in _PLAIN and len(value) <= 100:
                yield value
        case int() if not isinstance(value, bool) and _ID_KEY.search(name) and value >= 1000:
            yield str(value)


def _marked(value: Any, words: str) -> Any:
    if isinstance(value, str):
        return value + words
    if isinstance(value, Mapping):
        texts = [key for key, inner in value.items() if isinstance(inner, str)]
        if texts:
            longest = max(texts, key=lambda key: len(value[key]))
            return {**value, longest: value[longest] + words}
    return value


def _text(value: Any) -> str:
    """As it reads: line ends within texts are line ends, so that a word at an end of a line is still a word."""
    return value if isinstance(value, str) else _unescaped(encode(value))


def _unescaped(raw: bytes) -> str:
    return "\n".join(_leaves(orjson.loads(raw)))


def _leaves(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                yield str(key)
                yield from _leaves(inner)
        case list():
            for inner in value:
                yield from _leaves(inner)
        case None:
            return
        case _:
            yield str(value)
