"""What stands at one moment and may need a person, read in one transaction: work, queue, alerts, switches, intake.

Decides nothing; see `attention`. It is of all agents; `Standing.of` leaves those that somebody may see.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from airworthy.core.clock import utc_text
from airworthy.core.errors import AirworthyError
from airworthy.recorder import alerts
from airworthy.recorder.alerts import AlertRow
from airworthy.resilience import Mode, shared
from airworthy.resilience.shared import BreakerRow
from airworthy.review import Item, Kind, items
from airworthy.runtime import standing, switches
from airworthy.runtime.machine import State
from airworthy.runtime.standing import Tasks
from airworthy.runtime.switches import ALL, Switch, of_agent
from airworthy.store import Tx
from airworthy.store.lease import Alive, alive

ITEMS_MAX: Final = 500
ALERTS_MAX: Final = 500
AT_WORK: Final = "wkr_"  # How the ids of those begin who work on tasks.
_UNHARMED: Final = ("accepted", "duplicate")
_TROUBLE: Final = (State.QUEUED, State.RUNNING, State.PAUSED)


@dataclass(frozen=True, slots=True)
class Standing:
    """`items`: the most pressing of the queue; `waiting`: how many of each kind, by agent. `stuck`: without those of
    paused agents. `spoiled`: spans that came today and were not kept, by what became of them.
    `unread`: why people.toml cannot be read.
    """

    now_us: int
    open: Mapping[State, Mapping[str, Tasks]]
    stuck: Mapping[str, Tasks]
    items: Sequence[Item]
    waiting: Mapping[tuple[str, Kind], int]
    alerts: Sequence[AlertRow]
    switches: Sequence[Switch]
    breakers: Sequence[BreakerRow]
    workers: int
    spoiled: Mapping[str, int]
    unread: AirworthyError | None = None

    def of(self, sees: Callable[[str], bool], *, sees_all: bool) -> "Standing":
        """`sees_all`: nothing is hidden from them, so neither is what concerns no agent, nor the house itself."""
        if sees_all:
            return self
        return replace(
            self,
            open={state: _seen(tasks, sees) for state, tasks in self.open.items()},
            stuck=_seen(self.stuck, sees),
            items=[item for item in self.items if sees(item.agent)],
            waiting={key: count for key, count in self.waiting.items() if sees(key[0])},
            alerts=[row for row in self.alerts if sees(row.agent)],
            switches=[row for row in self.switches if row.scope == ALL or sees(_agent_of(row))],
            breakers=(),
            spoiled={},
        )

    def agents(self) -> frozenset[str]:
        """All that are named here."""
        named = {agent for tasks in self.open.values() for agent in tasks}
        named |= {agent for agent, _ in self.waiting} | {row.agent for row in self.alerts if row.agent}
        return frozenset(named | {_agent_of(row) for row in self.switches if row.scope != ALL})

    def paused(self, agent: str) -> Switch | None:
        wanted = (of_agent(agent), ALL)
        found = [row for scope in wanted for row in self.switches if row.scope == scope]
        return found[0] if found else None

    def count(self, kinds: Sequence[Kind], agent: str | None = None) -> int:
        return sum(
            count
            for (name, kind), count in self.waiting.items()
            if kind in kinds and (agent is None or name == agent)
        )


def read(tx: Tx, host: str, now_us: int, unread: AirworthyError | None) -> Standing:
    """`host`: of this machine, as `store.lease` knows it."""
    off = switches.listing(tx)
    held = {row.scope for row in off}
    stuck = [
        each for each in standing.stuck(tx, now_us) if ALL not in held and of_agent(each.agent) not in held
    ]
    return Standing(
        now_us=now_us,
        open={state: {each.agent: each for each in standing.open_tasks(tx, state)} for state in _TROUBLE},
        stuck={each.agent: each for each in stuck},
        items=items.pressing(tx, ITEMS_MAX),
        waiting=items.counts_by_agent(tx),
        alerts=alerts.listing(tx, limit=ALERTS_MAX),
        switches=off,
        breakers=[row for row in shared.listing(tx) if row.state.mode is Mode.OPEN],
        workers=sum(_works(row) for row in alive(tx, host, now_us)),
        spoiled=_spoiled(tx, now_us),
        unread=unread,
    )


def _works(row: Alive) -> bool:
    return row.id.startswith(AT_WORK)


def _agent_of(row: Switch) -> str:
    return row.scope.removeprefix("agent:")


def _seen(tasks: Mapping[str, Tasks], sees: Callable[[str], bool]) -> Mapping[str, Tasks]:
    return {agent: each for agent, each in tasks.items() if sees(agent)}


def _spoiled(tx: Tx, now_us: int) -> Mapping[str, int]:
    day = utc_text(now_us)[:10]
    rows = tx.rows("SELECT what, count FROM intake WHERE day = ? ORDER BY what", (day,))
    return {what: count for what, count in rows if what not in _UNHARMED and count > 0}
