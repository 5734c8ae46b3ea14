"""What people have switched off: one task, one agent, or everything. Stored facts that every worker reads."""

from dataclasses import dataclass

from airworthy.runtime.bell import ORDERS
from airworthy.store import Row, Tx

ALL = "all"
_COLUMNS = "scope, by_whom, reason, at_us, manual"


@dataclass(frozen=True, slots=True)
class Switch:
    """`scope` is "all" or "agent:<name>". `manual`: people do the tasks meanwhile, instead of letting them wait."""

    scope: str
    by_whom: str
    reason: str
    at_us: int
    manual: bool = False


def of_agent(name: str) -> str:
    return f"agent:{name}"


def set_off(tx: Tx, switch: Switch) -> bool:
    """False when it was off already, and in the same way: to hand the tasks to people is more than to let them wait."""
    changed = tx.execute(
        f"INSERT INTO switches ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (scope) DO UPDATE SET"
        " by_whom = excluded.by_whom, reason = excluded.reason, at_us = excluded.at_us, manual = excluded.manual"
        " WHERE switches.manual < excluded.manual",
        (switch.scope, switch.by_whom, switch.reason, switch.at_us, int(switch.manual)),
    )
    tx.notify(ORDERS)
    return changed == 1


def set_on(tx: Tx, scope: str) -> bool:
    """False when it was on already."""
    tx.notify(ORDERS)
    return tx.execute("DELETE FROM switches WHERE scope = ?", (scope,)) == 1


def listing(tx: Tx) -> list[Switch]:
    return [_switch(row) for row in tx.rows(f"SELECT {_COLUMNS} FROM switches ORDER BY scope")]


def paused(tx: Tx, agent: str) -> Switch | None:
    row = tx.row(
        f"SELECT {_COLUMNS} FROM switches WHERE scope IN (?, ?) ORDER BY manual DESC, scope LIMIT 1",
        (ALL, of_agent(agent)),
    )
    return None if row is None else _switch(row)


def _switch(row: Row) -> Switch:
    scope, by_whom, reason, at_us, manual = row
    return Switch(scope, by_whom, reason, at_us, bool(manual))
