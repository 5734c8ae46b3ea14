"""What the index of texts makes of a text: the same words on every engine. Knows no table."""

import re
from functools import lru_cache
from typing import Final

from airworthy.store import MemoryDatabase, Tx

TOKEN_BYTES_MAX: Final = 2_046  # PostgreSQL's bound; what is longer is found by its beginning.
LEXEMES_BYTES_MAX: Final = 1_000_000  # of one entry; its bound is 2^20
_ASCII_WORD: Final = re.compile("[0-9A-Za-z]+")
_OPTIONS: Final = "content='', tokenize='unicode61'"


@lru_cache(maxsize=1)
def _tokeniser() -> MemoryDatabase:
    """SQLite itself is asked what it makes of a text: its tables of characters are not Python's."""
    database = MemoryDatabase()

    def op(tx: Tx) -> None:
        tx.execute(f"CREATE VIRTUAL TABLE texts USING fts5(words, {_OPTIONS})")
        tx.execute("CREATE VIRTUAL TABLE tokens USING fts5vocab(texts, 'instance')")
        tx.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(texts, 'row')")

    database.write_now(op)
    return database


def tokens(text: str) -> list[str]:
    """In order. Emoji and signs are none; letters with accents are told without."""
    if text.isascii():
        return [word.lower() for word in _ASCII_WORD.findall(text)]
    return _asked(text, 'SELECT term FROM tokens ORDER BY "offset"')


def lexemes(text: str) -> str:
    """Its words, each once, as PostgreSQL reads a tsvector. Of a text beyond any bound, not all."""
    if text.isascii():
        found = dict.fromkeys(_ASCII_WORD.findall(text.lower()))
    else:
        found = dict.fromkeys(_asked(text, "SELECT term FROM terms"))
    kept, size = [], 0
    for token in found:
        cut = clipped(token)
        size += len(cut.encode())
        if size > LEXEMES_BYTES_MAX:
            break
        kept.append(f"'{cut}'")
    return " ".join(kept)


def clipped(token: str) -> str:
    if len(token) * 4 <= TOKEN_BYTES_MAX:
        return token
    return token.encode()[:TOKEN_BYTES_MAX].decode(errors="ignore")


def _asked(text: str, question: str) -> list[str]:
    def op(tx: Tx) -> list[str]:
        tx.execute("INSERT INTO texts (rowid, words) VALUES (1, ?)", (text.replace("\0", " "),))
        found = [row[0] for row in tx.rows(question)]
        tx.execute("INSERT INTO texts (texts) VALUES ('delete-all')")
        return found

    return _tokeniser().write_now(op)
