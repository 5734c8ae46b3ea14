"""What came of a task in the business later: resolved, refunded, corrected. One value for each name, the latest."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from airworthy.core.errors import InputError
from airworthy.store import Tx

_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
PER_TASK_MAX = 50


class ResultRefused(InputError):
    """The result cannot be kept as it was given; nothing was stored."""

    code = "result_refused"


@dataclass(frozen=True, slots=True)
class Result:
    """`value`: 1 for yes, 0 for no, or any number: an amount, a rating. `at_us`: when it happened, not when told."""

    task_id: str
    agent: str
    name: str
    value: float
    at_us: int
    told_us: int
    by: str = ""


_COLUMNS = "task_id, agent, name, value, at_us, told_us, by_whom"


def checked(result: Result) -> Result:
    """Raises: ResultRefused."""
    if _NAME.fullmatch(result.name) is None:
        raise ResultRefused(
            f"A result cannot be called {result.name[:100]!r}.",
            mend="Use small letters, digits and _ . - and begin with a letter: resolved, refund_usd.",
        )
    if not math.isfinite(result.value):
        raise ResultRefused(f"The value of {result.name} is {result.value}.", mend="Give a finite number.")
    if result.at_us < 0:
        raise ResultRefused(
            f"{result.name} happened before 1970.", mend="Give the time in UTC, or leave it out."
        )
    return result


def put(tx: Tx, result: Result) -> bool:
    """False when a later one is there already: results may be told in any order, and more than once.

    Raises: ResultRefused when the task has as many names as one task can have.
    """
    known = tx.row("SELECT at_us FROM results WHERE task_id = ? AND name = ?", (result.task_id, result.name))
    if known is not None and known[0] > result.at_us:
        return False
    if known is None:
        row = tx.row("SELECT COUNT(*) FROM results WHERE task_id = ?", (result.task_id,))
        if row is not None and row[0] >= PER_TASK_MAX:
            raise ResultRefused(
                f"Task {result.task_id} has {row[0]} results.", mend="Use the names that are there."
            )
    tx.execute(
        f"INSERT INTO results ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (task_id, name) DO UPDATE SET"
        " value = excluded.value, at_us = excluded.at_us, told_us = excluded.told_us, by_whom = excluded.by_whom",
        (
            result.task_id, result.agent, result.name, result.value, result.at_us, result.told_us, result.by,
        ),
    )  # fmt: skip
    return True


def of_task(tx: Tx, task_id: str) -> list[Result]:
    rows = tx.rows(f"SELECT {_COLUMNS} FROM results WHERE task_id = ? ORDER BY name", (task_id,))
    return [Result(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Tally:
    """One name over all tasks of an agent: how many have it, and the mean of its values."""

    name: str
    tasks: int
    mean: float


def tallies(tx: Tx, agents: Sequence[str] = ()) -> list[Tally]:
    """Of these agents; empty: of all."""
    where = f"WHERE agent IN ({', '.join('?' for _ in agents)})" if agents else ""
    params = list(agents)
    rows = tx.rows(
        f"SELECT name, COUNT(*), AVG(value) FROM results {where} GROUP BY name ORDER BY name", params
    )
    return [Tally(*row) for row in rows]
