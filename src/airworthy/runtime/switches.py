"""What people have switched off: one task, one agent, or everything. Stored facts that every worker reads."""

from dataclasses import dataclass

from airworthy.store import Tx

ALL = "all"


@dataclass(frozen=True, slots=True)
class Switch:
    """`scope` is "all" or "agent:<name>"."""

    scope: str
    by_whom: str
    reason: str
    at_us: int


def of_agent(name: str) -> str:
    return f"agent:{name}"


def set_off(tx: Tx, switch: Switch) -> bool:
    """False when it was off already."""
    return (
        tx.execute(
            "INSERT INTO switches (scope, by_whom, reason, at_us) VALUES (?, ?, ?, ?) ON CONFLICT (scope) DO NOTHING",
            (switch.scope, switch.by_whom, switch.reason, switch.at_us),
        )
        == 1
    )


def set_on(tx: Tx, scope: str) -> bool:
    """False when it was on already."""
    return tx.execute("DELETE FROM switches WHERE scope = ?", (scope,)) == 1


def listing(tx: Tx) -> list[Switch]:
    return [
        Switch(*row) for row in tx.rows("SELECT scope, by_whom, reason, at_us FROM switches ORDER BY scope")
    ]


def paused(tx: Tx, agent: str) -> Switch | None:
    row = tx.row(
        "SELECT scope, by_whom, reason, at_us FROM switches WHERE scope IN (?, ?) ORDER BY scope LIMIT 1",
        (ALL, of_agent(agent)),
    )
    return None if row is None else Switch(*row)
