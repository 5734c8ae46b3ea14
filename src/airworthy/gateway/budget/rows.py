"""Budgets without a ledger: each call reserves and settles in the scopes' rows, in a transaction of its own.

All scopes of a call are checked and raised together by the single writer, so no number of concurrent calls can pass a
cap by a cent. A bill that never comes leaves its reservation standing: a crash overcounts, never undercounts.
"""

from collections.abc import Sequence

from airworthy.gateway.budget.values import Amount, Exceeded, Scope, Standing
from airworthy.store import Tx

COLUMNS = (
    "reserved_nano, settled_nano, lost_nano, reserved_tokens, settled_tokens, lost_tokens, reserved_calls, calls, "
    "lost_calls, wanted"
)
_NAMES = tuple(name.strip() for name in COLUMNS.split(","))
_CHANGE = (
    f"INSERT INTO spend (scope, {COLUMNS}) VALUES (?{', ?' * len(_NAMES)})"
    f" ON CONFLICT (scope) DO UPDATE SET {', '.join(f'{name} = spend.{name} + excluded.{name}' for name in _NAMES)}"
)


def standing(tx: Tx, scope: str) -> Standing:
    row = tx.row(f"SELECT {COLUMNS} FROM spend WHERE scope = ?", (scope,))
    return Standing() if row is None else Standing(*row)


_ADD = f"UPDATE spend SET {', '.join(f'{name} = {name} + ?' for name in _NAMES)} WHERE scope = ?"


def change(tx: Tx, scope: str, delta: Standing) -> None:
    """Adds every column of `delta` to the scope's row, which is made if there is none."""
    tx.execute(
        _CHANGE,
        (scope, *_values(delta)),
    )


def reserve(tx: Tx, scopes: Sequence[Scope], amount: Amount) -> Exceeded | None:
    """Reserves in all scopes or in none. Where only reservations are in the way, ledgers are asked for idle slices."""
    for scope in scopes:
        exceeded = standing(tx, scope.name).exceeded(scope, amount)
        if exceeded is not None:
            if exceeded.passing:
                change(tx, scope.name, Standing(wanted=1))
            return exceeded
    taken = Standing(reserved_nano=amount.nano, reserved_tokens=amount.tokens, calls=amount.calls)
    for scope in scopes:
        change(tx, scope.name, taken)
    return None


def settle(tx: Tx, scopes: Sequence[Scope], reserved: Amount, actual: Amount) -> None:
    """The bill is known. The call counts as made, whatever it came to."""
    delta = Standing(
        reserved_nano=-reserved.nano, settled_nano=actual.nano,
        reserved_tokens=-reserved.tokens, settled_tokens=actual.tokens, calls=actual.calls - reserved.calls,
    )  # fmt: skip
    # A row that is gone must not come back below zero.
    for scope in scopes:
        tx.execute(_ADD, (*_values(delta), scope.name))


def release(tx: Tx, scopes: Sequence[Scope], reserved: Amount) -> None:
    """The call was never sent: nothing is owed, and it does not count as made."""
    settle(tx, scopes, reserved, Amount(0, 0, 0))


def keep(tx: Tx, scopes: Sequence[Scope], reserved: Amount) -> None:
    """The bill will never come: the reservation stands and counts as spent, so nobody waits for it to end."""
    delta = Standing(lost_nano=reserved.nano, lost_tokens=reserved.tokens)
    for scope in scopes:
        tx.execute(_ADD, (*_values(delta), scope.name))


def begin_anew(tx: Tx, task_id: str) -> None:
    """A person opened the task again: what it spent before is remembered, and bounds it no more.

    What ledgers hold of it stays with it, because they will settle there.
    """
    name = f"task:{task_id}"
    row = standing(tx, name)
    if row == Standing():
        return
    sliced = tx.row(
        "SELECT COALESCE(SUM(nano), 0), COALESCE(SUM(tokens), 0), COALESCE(SUM(calls), 0) FROM slices WHERE scope = ?",
        (name,),
    )
    assert sliced is not None
    stays = Standing(reserved_nano=sliced[0], reserved_tokens=sliced[1], reserved_calls=sliced[2])
    change(tx, f"before:{task_id}", _minus(row, stays))
    tx.execute("DELETE FROM spend WHERE scope = ?", (name,))
    if stays != Standing():
        change(tx, name, stays)


def of_task(tx: Tx, task_id: str) -> int:
    """Nano-USD over the task's whole life; what is reserved for a bill that never came counts as spent."""
    row = tx.row(
        "SELECT COALESCE(SUM(reserved_nano + settled_nano), 0) FROM spend WHERE scope IN (?, ?)",
        (f"task:{task_id}", f"before:{task_id}"),
    )
    assert row is not None
    return int(row[0])


def spent(tx: Tx, scope: str) -> tuple[int, int]:
    """(reserved, settled) in nano-USD."""
    row = standing(tx, scope)
    return row.reserved_nano, row.settled_nano


def _values(row: Standing) -> tuple[int, ...]:
    return (
        row.reserved_nano, row.settled_nano, row.lost_nano, row.reserved_tokens, row.settled_tokens, row.lost_tokens,
        row.reserved_calls, row.calls, row.lost_calls, row.wanted,
    )  # fmt: skip


def _minus(row: Standing, part: Standing) -> Standing:
    return Standing(*(getattr(row, name) - getattr(part, name) for name in _NAMES))
