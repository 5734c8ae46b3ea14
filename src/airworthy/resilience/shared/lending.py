"""Rates in the store: how many calls of a name were lent in each slice of time, to whichever process."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from airworthy.store.database import Tx

SLOTS: Final = 50  # of a window; so much finer than a window its end is seen


@dataclass(frozen=True, slots=True)
class Ask:
    """At most `calls` of `name` in any window. `back`: what was lent and not used, by slot."""

    name: str
    calls: int
    window_us: int
    want: int
    back: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Lent:
    """`until_us`: to be begun by then, or given back. `free_us`: when there may be more, for who got too few."""

    calls: int
    slot: int
    until_us: int
    free_us: int


def lend(tx: Tx, ask: Ask, now_us: int) -> Lent:
    """Counts from the slot it is lent in until a whole window after the last moment it may be used."""
    slot_us = max(1, ask.window_us // SLOTS)
    slot = now_us // slot_us
    for before, count in ask.back:
        tx.execute("UPDATE paces SET used = used - ? WHERE name = ? AND slot = ?", (count, ask.name, before))
    oldest = slot - SLOTS - 1
    rows = tx.rows(
        "SELECT slot, used FROM paces WHERE name = ? AND slot >= ? ORDER BY slot", (ask.name, oldest)
    )
    given = min(ask.want, max(0, ask.calls - sum(used for _, used in rows)))
    if given:
        tx.execute("DELETE FROM paces WHERE name = ? AND slot < ?", (ask.name, oldest))
        tx.execute(
            "INSERT INTO paces (name, slot, used) VALUES (?, ?, ?)"
            " ON CONFLICT (name, slot) DO UPDATE SET used = paces.used + excluded.used",
            (ask.name, slot, given),
        )
    first = next((each for each, used in rows if used > 0), slot)
    free_us = (first + SLOTS + 2) * slot_us if given < ask.want else 0
    return Lent(given, slot, (slot + 2) * slot_us, free_us)


def hold(tx: Tx, name: str, until_us: int, now_us: int) -> None:
    """Nobody calls it before; a hold in force is never shortened."""
    tx.execute("DELETE FROM pace_holds WHERE until_us <= ?", (now_us,))
    tx.execute(
        "INSERT INTO pace_holds (name, until_us) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET until_us ="
        " CASE WHEN excluded.until_us > pace_holds.until_us THEN excluded.until_us ELSE pace_holds.until_us END",
        (name, until_us),
    )


def holds(tx: Tx, now_us: int) -> dict[str, int]:
    return dict(tx.rows("SELECT name, until_us FROM pace_holds WHERE until_us > ?", (now_us,)))
