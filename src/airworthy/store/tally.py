"""Sums that a commit adds to shared rows: of each row once, and of all rows in one order. Knows no dialect."""

from collections.abc import Sequence
from typing import Any


class Tally:
    """What one transaction has still to add. The order keeps two commits from waiting for each other crosswise."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[tuple[Any, ...], list[int]]] = {}

    def add(self, sql: str, key: Sequence[Any], amounts: Sequence[int]) -> None:
        rows = self._sums.setdefault(sql, {})
        sums = rows.get(tuple(key))
        if sums is None:
            rows[tuple(key)] = list(amounts)
        else:
            for place, amount in enumerate(amounts):
                sums[place] += amount

    def poured(self) -> list[tuple[str, list[tuple[Any, ...]]]]:
        """Statements with their rows, in order; nothing is left."""
        sums, self._sums = self._sums, {}
        return [
            (sql, [(*key, *sums[sql][key]) for key in sorted(sums[sql]) if any(sums[sql][key])])
            for sql in sorted(sums)
        ]

    def clear(self) -> None:
        self._sums = {}
