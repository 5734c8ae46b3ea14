"""What was withheld beside calls that were made, kept in the store for the requests that will tell of them."""

from collections.abc import Sequence
from typing import Final

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.redact import Redactor
from airworthy.gateway.guard.parts import Dropped, fit
from airworthy.store import Database, Tx

KEEP_US: Final = 30 * 86_400 * US_PER_S
KNOWN_MAX: Final = 50_000  # Ids whose rows, or whose having none, this process remembers.
_BATCH: Final = 200
_INSERT: Final = (
    "INSERT INTO withheld (agent, scope, sibling, place, mark, dialect, call_id, call, reason, at_us)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (agent, scope, sibling, place) DO UPDATE SET"
    " mark = excluded.mark, dialect = excluded.dialect, call_id = excluded.call_id, call = excluded.call,"
    " reason = excluded.reason, at_us = excluded.at_us"
)


class Memory:
    """One per process; used from one event loop. `scope` is the run, or what else holds a caller's conversations."""

    def __init__(self, database: Database, clock: Clock, redactor: Redactor | None = None) -> None:
        """`redactor`: takes secrets out of the calls before they are stored."""
        self._database = database
        self._clock = clock
        self._redactor = redactor
        self._known: dict[tuple[str, str, str], tuple[Dropped, ...]] = {}

    async def remember(self, agent: str, scope: str, dropped: Sequence[Dropped]) -> None:
        """On disk when it returns: the caller's next request may come through another process. Raises: StoreError."""
        now_us = self._clock.now_us()
        by_sibling: dict[str, list[Dropped]] = {}
        for each in dropped:
            by_sibling.setdefault(each.sibling, []).append(each)

        def op(tx: Tx) -> None:
            tx.execute("DELETE FROM withheld WHERE at_us < ?", (now_us - KEEP_US,))
            for sibling, kept in by_sibling.items():
                tx.execute(
                    "DELETE FROM withheld WHERE agent = ? AND scope = ? AND sibling = ?",
                    (agent, scope, sibling),
                )
                for place, each in enumerate(_in_order(kept)):
                    tx.execute(_INSERT, (
                        agent, scope, sibling, _packed(each.place, place), each.mark, each.dialect, each.call_id,
                        self._clean(each.call).decode(), each.reason, now_us,
                    ))  # fmt: skip

        await self._database.write(op)
        for sibling, kept in by_sibling.items():
            self._learn((agent, scope, sibling), tuple(_in_order(kept)))

    def _clean(self, call: bytes) -> bytes:
        return call if self._redactor is None else self._redactor.redact_bytes(call)[0]

    async def recalled(self, agent: str, scope: str, ids: Sequence[str]) -> dict[str, tuple[Dropped, ...]]:
        """What was dropped beside these calls; ids with nothing are left out. Raises: StoreError."""
        known = self._known
        unknown = [each for each in ids if (agent, scope, each) not in known and fit(each)]
        if unknown:
            read = await self._database.read(lambda tx: _read(tx, agent, scope, unknown))
            for each in unknown:
                self._learn((agent, scope, each), tuple(read.get(each, ())))
        return {each: rows for each in ids if (rows := known.get((agent, scope, each), ()))}

    def _learn(self, key: tuple[str, str, str], rows: tuple[Dropped, ...]) -> None:
        while len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[key] = rows


def _in_order(dropped: Sequence[Dropped]) -> list[Dropped]:
    return sorted(dropped, key=lambda each: each.place)  # Stable: those on one side stay in their order.


def _packed(side: int, place: int) -> int:
    """Order and side in one column: negative before the sibling."""
    return place + 1 if side > 0 else place - 1_000_000


def _read(tx: Tx, agent: str, scope: str, ids: Sequence[str]) -> dict[str, list[Dropped]]:
    found: dict[str, list[Dropped]] = {}
    for start in range(0, len(ids), _BATCH):
        part = ids[start : start + _BATCH]
        rows = tx.rows(
            "SELECT sibling, place, mark, dialect, call_id, call, reason FROM withheld WHERE agent = ? AND scope = ?"
            f" AND sibling IN ({', '.join('?' * len(part))}) ORDER BY sibling, place",
            (agent, scope, *part),
        )
        for sibling, place, mark, dialect, call_id, call, reason in rows:
            side = 1 if place > 0 else -1
            found.setdefault(sibling, []).append(
                Dropped(dialect, sibling, mark, side, call_id, call.encode(), reason)
            )
    return found
