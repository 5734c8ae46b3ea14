"""What stands open at one moment, by agent: tasks in line, under way, paused, and stuck. Bounded, whatever there is."""

from dataclasses import dataclass
from typing import Final

from airworthy.core.clock import US_PER_S
from airworthy.runtime.machine import State
from airworthy.store import Tx

# A task is taken up within a second of its time, unless nobody works, all hands are full, or its queue holds it.
STUCK_S: Final = 300
COUNTED_MAX: Final = 10_000  # of each state; more than that is told as that many
_IN_LINE: Final = (
    "SELECT agent, changed_us AS due_us FROM tasks WHERE state = 'queued' AND changed_us < ?"
    " ORDER BY changed_us LIMIT ?"
)
_OVERSLEPT: Final = (
    "SELECT agent, wake_us AS due_us FROM tasks WHERE state = 'waiting' AND wake_us < ? ORDER BY wake_us"
    " LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Tasks:
    """How many of an agent's tasks are in a state, and since when the first of them is."""

    agent: str
    count: int
    oldest_us: int


def open_tasks(tx: Tx, state: State) -> list[Tasks]:
    """By agent. Those that changed last are left out where there are more than COUNTED_MAX."""
    rows = tx.rows(
        "SELECT agent, COUNT(*), MIN(changed_us) FROM (SELECT agent, changed_us FROM tasks WHERE state = ?"
        " ORDER BY changed_us LIMIT ?) t GROUP BY agent ORDER BY agent",
        (state.value, COUNTED_MAX),
    )
    return [Tasks(*row) for row in rows]


def stuck(tx: Tx, now_us: int) -> list[Tasks]:
    """Tasks whose turn came STUCK_S ago and which nobody has taken up. `oldest_us`: when the first one's turn came.

    Those of an agent that is paused are among them; whoever asks knows what is paused.
    """
    due_us = now_us - STUCK_S * US_PER_S
    found: dict[str, Tasks] = {}
    for sql in (_IN_LINE, _OVERSLEPT):
        rows = tx.rows(
            f"SELECT agent, COUNT(*), MIN(due_us) FROM ({sql}) t GROUP BY agent", (due_us, COUNTED_MAX)
        )
        for agent, count, oldest_us in rows:
            known = found.get(agent)
            found[agent] = (
                Tasks(agent, count, oldest_us)
                if known is None
                else Tasks(agent, known.count + count, min(known.oldest_us, oldest_us))
            )
    return [found[agent] for agent in sorted(found)]
