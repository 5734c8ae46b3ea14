"""Words of a search as the index of texts knows them. Where engines differ: only here and in `text`.

Whoever searches hands over data: what could be syntax of the index's own language never reaches it as such, because
only its own tokens do, each in quotes.
"""

import re
from functools import lru_cache
from typing import Final

from airworthy.recorder.traces import cjk
from airworthy.recorder.traces.query import Words
from airworthy.recorder.traces.text import DOCS_MAX, first_of
from airworthy.store import MemoryDatabase, Tx

AT_US_MAX: Final = (1 << 62) - 1  # beyond any clock
_CODE_MAX: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)
_ASCII_WORD: Final = re.compile("[0-9A-Za-z]+")
_OPTIONS: Final = "content='', tokenize='unicode61'"


@lru_cache(maxsize=1)
def _tokeniser() -> MemoryDatabase:
    """The engine itself is asked what it makes of a text: its tables of characters are not Python's."""
    database = MemoryDatabase()

    def op(tx: Tx) -> None:
        tx.execute(f"CREATE VIRTUAL TABLE texts USING fts5(words, {_OPTIONS})")
        tx.execute("CREATE VIRTUAL TABLE tokens USING fts5vocab(texts, 'instance')")

    database.write_now(op)
    return database


def tokens(text: str) -> list[str]:
    """In order. Emoji and signs are none; letters with accents are told without."""
    if text.isascii():
        return [word.lower() for word in _ASCII_WORD.findall(text)]

    def op(tx: Tx) -> list[str]:
        tx.execute("INSERT INTO texts (rowid, words) VALUES (1, ?)", (text.replace("\0", " "),))
        found = [row[0] for row in tx.rows('SELECT term FROM tokens ORDER BY "offset"')]
        tx.execute("INSERT INTO texts (texts) VALUES ('delete-all')")
        return found

    return _tokeniser().write_now(op)


def matches(words: Words) -> list[str]:
    """One question to the index for each word, of which a trace must answer all; none: nothing can be found.

    Apart, because the spans of a trace that came in several requests are several entries of the index.
    """
    found = tokens(cjk.asked(words.text))
    # Only tokens of the engine's own come here, so a quote can be closed by no text from outside.
    asked = [f'"{token}"{"*" * cjk.is_single(token)}' for token in found]
    if words.prefix and asked:
        asked[-1] = asked[-1].removesuffix("*") + "*"
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
