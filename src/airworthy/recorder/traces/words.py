"""Words of a search as the index of texts knows them, in the engine's own language.

Whoever searches hands over data: what could be syntax of the index's own language never reaches it as such, because
only its own tokens do, each in quotes.
"""

from dataclasses import dataclass
from typing import Final

from airworthy.recorder.traces import cjk
from airworthy.recorder.traces.days import first_of
from airworthy.recorder.traces.query import Words
from airworthy.recorder.traces.text import DOCS_MAX
from airworthy.recorder.traces.tokens import clipped, tokens

AT_US_MAX: Final = (1 << 62) - 1  # beyond any clock
_CODE_MAX: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Index:
    """`id`: the column of an entry's number. `holds`: whether an entry has the word that is asked for. `parted`: by
    that number.
    """

    id: str
    holds: str
    word: str
    beginning: str
    parted: bool = False


INDEXES: Final = {
    "sqlite": Index("rowid", "texts MATCH ?", '"{}"', '"{}"*'),
    "postgresql": Index("id", "words @@ CAST(? AS tsquery)", "'{}'", "'{}':*", parted=True),
}


def matches(words: Words, dialect: str) -> list[str]:
    """One question to the index for each word, of which a trace must answer all; none: nothing can be found.

    Apart, because the spans of a trace that came in several requests are several entries of the index.
    """
    index = INDEXES[dialect]
    found = tokens(cjk.asked(words.text))
    last = len(found) - 1
    # Only tokens of the engine's own come here, so a quote can be closed by no text from outside.
    asked = [
        (index.beginning if cjk.is_single(token) or (words.prefix and number == last) else index.word).format(
            token if dialect == "sqlite" else clipped(token)
        )
        for number, token in enumerate(found)
    ]
    return list(dict.fromkeys(asked))


def rowids(from_us: int, until_us: int) -> tuple[int, int]:
    """All that begins within [from, until) has its rowid in [first, end); there is more in it at both ends."""
    low, high = (max(0, min(at_us, AT_US_MAX)) for at_us in (from_us, until_us))
    return first_of(low), first_of(high) + DOCS_MAX


def after(beginning: str) -> str | None:
    """The least text that is after all that begin so; None: there is none."""
    while beginning:
        code = ord(beginning[-1]) + 1
        if code <= _CODE_MAX:
            return beginning[:-1] + chr(_SURROGATES.stop if code in _SURROGATES else code)
        beginning = beginning[:-1]
    return None
