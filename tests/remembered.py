"""Answers of a database that nobody else changes: true until one of the tables that they rest on is written."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from airworthy.store.database import Row

ANSWERS_MAX: Final = 100  # What polls ask again and again is few; tests weigh what a worker holds.
# What the product's statements call by name is in small letters.
_NAME: Final = re.compile(r"[a-z_][a-z_0-9]*")
_WRITTEN: Final = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+([a-z_][a-z_0-9]*)")
_CALLED: Final = re.compile(r"\b([a-z_][a-z_0-9]*)\(")  # SQL's own functions are in capitals.
_HARMLESS: Final = frozenset({"to_regclass"})
_VERBS: Final = ("INSERT ", "UPDATE ", "DELETE ", "WITH ")
Key = tuple[object, ...]


class Remembered:
    """Of one connection. A worker in virtual time looks for work thousands of times where there is none."""

    def __init__(self) -> None:
        self._answers: dict[Key, list[Row]] = {}
        self._of_name: dict[str, set[Key]] = {}

    def answer(self, sql: str, params: Sequence[object]) -> list[Row] | None:
        found = self._answers.get(_key(sql, params))
        return None if found is None else list(found)

    def keep(self, sql: str, params: Sequence[object], rows: list[Row]) -> None:
        if len(self._answers) >= ANSWERS_MAX:
            self.clear()
        key = _key(sql, params)
        self._answers[key] = list(rows)
        for name in _names(sql):
            self._of_name.setdefault(name, set()).add(key)

    def changed(self, sql: str) -> None:
        """`sql` was carried out, or is about to be."""
        written = _written(sql)
        if not written:
            self.clear()
        for name in written:
            for key in self._of_name.pop(name, ()):
                self._answers.pop(key, None)

    def clear(self) -> None:
        self._answers.clear()
        self._of_name.clear()


@lru_cache(maxsize=4096)
def changes(sql: str) -> bool:
    """Whether it may change what is stored, as far as a statement of this product tells."""
    if not sql.startswith(("SELECT ", "WITH ")) or _WRITTEN.search(sql):
        return True
    return not _HARMLESS.issuperset(_CALLED.findall(sql))


def _key(sql: str, params: Sequence[object]) -> Key:
    return (sql, *(tuple(each) if isinstance(each, list) else each for each in params))


@lru_cache(maxsize=4096)
def _names(sql: str) -> frozenset[str]:
    """Of tables, and whatever else is called by a name: one that is no table is never written."""
    return frozenset(_NAME.findall(sql))


@lru_cache(maxsize=4096)
def _written(sql: str) -> frozenset[str]:
    """The tables that it changes; none: it may be anything."""
    found = frozenset(_WRITTEN.findall(sql)) if sql.startswith(_VERBS) else frozenset()
    # What is written to a part of a table is found in the whole.
    return frozenset() if any(re.search(r"\d", each) for each in found) else found
