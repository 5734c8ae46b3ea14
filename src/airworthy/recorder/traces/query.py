"""What is asked of traces, as a frozen value, and its one spelling. Knows neither how it was typed nor any table."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, assert_never

from airworthy.core.clock import US_PER_S
from airworthy.core.money import NANO_PER_USD

LABELS: Final = (
    "agent", "release", "session", "user", "feature", "outcome", "reason", "error", "tool", "model", "check",
    "origin", "id", "is",
)  # fmt: skip
AMOUNTS: Final = ("cost", "duration", "steps")
MOMENTS: Final = ("since", "until")
KEYS: Final = (*LABELS, *AMOUNTS, *MOMENTS)
ABOUT: Final[dict[str, str]] = {
    "agent": "the agent's name",
    "release": "the release, for a task of ours the first 12 characters of its policy's hash",
    "session": "the session it belongs to",
    "user": "the user it was for",
    "feature": "the feature it was part of",
    "outcome": "answered, declined, escalated, dead_lettered, cancelled, or what another program called it",
    "reason": "why a task of ours ended so, as limit_steps or agent_declined",
    "error": "the type of an error in it",
    "tool": "a tool that was called",
    "model": "a model that was called",
    "check": "the check that stopped it",
    "origin": "task (ours), otlp (sent in) or import",
    "id": "its id",
    "is": "open (has not ended), error (something in it failed), unpriced (part of its cost is not known)",
    "cost": "what it cost, in USD",
    "duration": "how long it took: us, ms, s, m, h or d",
    "steps": "how many steps it had",
    "since": "began at this time or later: 15m, 24h, 7d (ago), 2026-11-20, 2026-11-20T08:00:00Z",
    "until": "began before this time; a day alone is meant with all its hours",
}
STATES: Final = ("open", "error", "unpriced")
Comparison = Literal[">", ">=", "<", "<=", "="]
COMPARISONS: Final[tuple[Comparison, ...]] = (">=", "<=", ">", "<", "=")
US_PER_DAY: Final = 86_400 * US_PER_S
UNITS_US: Final = {
    "us": 1,
    "ms": 1_000,
    "s": US_PER_S,
    "m": 60 * US_PER_S,
    "h": 3_600 * US_PER_S,
    "d": US_PER_DAY,
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Value:
    """`prefix`: whatever begins so; with an empty text, whatever there is."""

    text: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Labels:
    """Any of the values; `negated`: none of them."""

    key: str
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Amount:
    """`number`: nano-USD, microseconds or steps. What is not known is neither more nor less nor equal."""

    key: str
    comparison: Comparison
    number: int


@dataclass(frozen=True, slots=True)
class Moment:
    """`since` is from `at_us` on, `until` is before it. `ago_us`: it was said as a distance from now."""

    key: str
    at_us: int
    ago_us: int | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """Text to search for: all of its words, wherever they stand. `prefix`: the last word may go on."""

    text: str
    prefix: bool = False
    negated: bool = False


Term = Labels | Amount | Moment | Words


@dataclass(frozen=True, slots=True)
class Query:
    """All of the terms, in the one order (`asked` puts them there). `agents`: the only agents whose traces whoever asks
    may see; None: all. It is no part of the text.
    """

    terms: tuple[Term, ...] = ()
    agents: frozenset[str] | None = None

    def only(self, agents: Iterable[str] | None) -> "Query":
        """The same for somebody who may see these agents; never more than before."""
        if agents is None:
            return self
        allowed = frozenset(agents)
        return replace(self, agents=allowed if self.agents is None else self.agents & allowed)


@dataclass(frozen=True, slots=True)
class Chip:
    """A term as people see it, and the text of what is left when it is taken away."""

    text: str
    without: str


def asked(terms: Iterable[Term], agents: frozenset[str] | None = None) -> Query:
    """In the one order, each once; so that what is asked for alike is spelled alike."""
    return Query(tuple(sorted(dict.fromkeys(map(_in_order, terms)), key=_rank)), agents)


def without_term(query: Query, term: Term) -> Query:
    return asked([each for each in query.terms if each != _in_order(term)], query.agents)


def label(key: str, *values: str) -> Labels:
    """A term such as agent:support, for a link of the console."""
    assert key in LABELS, key
    return Labels(key, tuple(Value(value) for value in values))


def chips(query: Query) -> list[Chip]:
    return [Chip(text_of_term(term), text_of(without_term(query, term))) for term in query.terms]


def text_of(query: Query) -> str:
    """What `filter.parse` reads back as the same terms (at the same moment, where times are relative)."""
    return " ".join(map(text_of_term, query.terms))


def text_of_term(term: Term) -> str:
    match term:
        case Labels():
            values = ",".join(_value_text(value) for value in term.values)
            return f"{'-' if term.negated else ''}{term.key}:{values}"
        case Amount():
            return f"{term.key}{term.comparison}{_amount_text(term)}"
        case Moment():
            return f"{term.key}:{_moment_text(term)}"
        case Words():
            return f"{'-' if term.negated else ''}{_words_text(term)}"
        case _:
            assert_never(term)


def _in_order(term: Term) -> Term:
    return replace(term, values=tuple(sorted(set(term.values)))) if isinstance(term, Labels) else term


def _rank(term: Term) -> tuple[int, int, str]:
    """Words stay in the order they came in."""
    if isinstance(term, Words):
        return len(KEYS), 0, ""
    negated = isinstance(term, Labels) and term.negated
    return KEYS.index(term.key), int(negated), text_of_term(term)


def _value_text(value: Value) -> str:
    bare = value.text and not any(
        sign in '",*\\' or not sign.isprintable() or sign.isspace() for sign in value.text
    )
    return (
        value.text if bare or (value.prefix and not value.text) else quoted(value.text)
    ) + "*" * value.prefix


def _words_text(words: Words) -> str:
    # Whatever could be read as something else goes in quotes: a key, a minus, a star.
    plain = words.text.replace("'", "").replace(".", "").replace("_", "").isalnum()
    return (words.text if plain else quoted(words.text)) + "*" * words.prefix


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _amount_text(term: Amount) -> str:
    if term.key == "cost":
        return _decimal(Decimal(term.number) / NANO_PER_USD)
    return span_text(term.number) if term.key == "duration" else str(term.number)


def span_text(us: int) -> str:
    """In the largest unit that says it in whole numbers; hours up to two days."""
    for unit in ("d", "h", "m", "s", "ms"):
        width = UNITS_US[unit]
        if us and us % width == 0 and (unit != "d" or us >= 2 * width):
            return f"{us // width}{unit}"
    return f"{us}us"


def _moment_text(term: Moment) -> str:
    if term.ago_us is not None:
        return span_text(term.ago_us)
    at_us = term.at_us
    if at_us % US_PER_DAY == 0:
        return f"{_at(at_us - US_PER_DAY if term.key == 'until' else at_us):%Y-%m-%d}"
    micros = at_us % US_PER_S
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    return f"{_at(at_us):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _at(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def _decimal(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def labels_of(query: Query) -> Iterator[Labels]:
    return (term for term in query.terms if isinstance(term, Labels))
