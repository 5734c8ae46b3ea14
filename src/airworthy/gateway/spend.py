"""Budgets: the worst case is reserved before a call, the bill is settled after it, and an unknown bill stays reserved.

All scopes of a call are checked and raised in one transaction of the single writer, so no number of concurrent
calls can pass a cap by a cent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from airworthy.core.money import nano_from_usd, usd_text
from airworthy.core.task import TaskRef
from airworthy.policy import Policy
from airworthy.store import Tx


@dataclass(frozen=True, slots=True)
class Scope:
    """One budget a call counts against; None as a cap counts without bounding."""

    name: str
    label: str
    cap_nano: int | None = None
    calls_max: int | None = None


@dataclass(frozen=True, slots=True)
class Exceeded:
    """Which budget the call does not fit into. Nothing was reserved.

    `passing`: it would fit beside what is spent; only reservations of other calls are in its way, and they end.
    """

    scope: Scope
    text: str
    passing: bool = False


def scopes_of(policy: Policy, task: TaskRef, now_us: int) -> tuple[Scope, ...]:
    """Every budget of the policy that bounds this task's calls, the task's own first. Days and months are UTC."""
    budgets = policy.budgets
    day = datetime.fromtimestamp(now_us / 1e6, UTC).strftime("%Y-%m-%d")
    agent = f"agent:{task.agent}"
    scopes = [
        Scope(f"task:{task.id}", "this task", nano_from_usd(policy.limits.cost_usd)),
        Scope(f"{agent}:day:{day}", f"{task.agent} on {day}", _nano(budgets.day_usd), budgets.calls_per_day),
        Scope(f"{agent}:month:{day[:7]}", f"{task.agent} in {day[:7]}", _nano(budgets.month_usd)),
    ]
    if task.user and budgets.user_day_usd is not None:
        scopes.append(
            Scope(
                f"{agent}:user:{task.user}:{day}", f"user {task.user} on {day}", _nano(budgets.user_day_usd)
            )
        )
    if task.feature and budgets.feature_day_usd is not None:
        name = f"{agent}:feature:{task.feature}:{day}"
        scopes.append(Scope(name, f"feature {task.feature} on {day}", _nano(budgets.feature_day_usd)))
    return tuple(scopes)


def reserve(tx: Tx, scopes: Sequence[Scope], amount_nano: int) -> Exceeded | None:
    """Reserves in all scopes or in none."""
    for scope in scopes:
        row = tx.row("SELECT reserved_nano, settled_nano, calls FROM spend WHERE scope = ?", (scope.name,))
        reserved_nano, settled_nano, calls = row if row is not None else (0, 0, 0)
        used_nano = reserved_nano + settled_nano
        if scope.cap_nano is not None and used_nano + amount_nano > scope.cap_nano:
            return Exceeded(
                scope,
                f"The next model call may cost {usd_text(amount_nano)}; of {usd_text(scope.cap_nano)} for "
                f"{scope.label} {usd_text(used_nano)} is spent or reserved.",
                passing=settled_nano + amount_nano <= scope.cap_nano,
            )
        if scope.calls_max is not None and calls >= scope.calls_max:
            return Exceeded(
                scope, f"{calls} model calls were made for {scope.label}; {scope.calls_max} are allowed."
            )
    for scope in scopes:
        tx.execute(
            "INSERT INTO spend (scope, reserved_nano, settled_nano, calls) VALUES (?, ?, 0, 1)"
            " ON CONFLICT (scope) DO UPDATE SET reserved_nano = spend.reserved_nano + excluded.reserved_nano,"
            " calls = spend.calls + 1",
            (scope.name, amount_nano),
        )
    return None


def settle(tx: Tx, scopes: Sequence[Scope], reserved_nano: int, actual_nano: int) -> None:
    """The bill is known: 0 for a call that was refused before any work."""
    for scope in scopes:
        tx.execute(
            "UPDATE spend SET reserved_nano = reserved_nano - ?, settled_nano = settled_nano + ? WHERE scope = ?",
            (reserved_nano, actual_nano, scope.name),
        )


def begin_anew(tx: Tx, task_id: str) -> None:
    """A person opened the task again: what it spent before is remembered, and bounds it no more."""
    row = tx.row("SELECT reserved_nano, settled_nano, calls FROM spend WHERE scope = ?", (f"task:{task_id}",))
    if row is None:
        return
    tx.execute(
        "INSERT INTO spend (scope, reserved_nano, settled_nano, calls) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (scope) DO UPDATE SET reserved_nano = spend.reserved_nano + excluded.reserved_nano,"
        " settled_nano = spend.settled_nano + excluded.settled_nano, calls = spend.calls + excluded.calls",
        (f"before:{task_id}", *row),
    )
    tx.execute("DELETE FROM spend WHERE scope = ?", (f"task:{task_id}",))


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
    row = tx.row("SELECT reserved_nano, settled_nano FROM spend WHERE scope = ?", (scope,))
    return (0, 0) if row is None else (row[0], row[1])


def _nano(usd: float | None) -> int | None:
    return None if usd is None else nano_from_usd(usd)
