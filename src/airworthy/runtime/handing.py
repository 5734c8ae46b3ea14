"""Hands the tasks of an agent that is off to people: each becomes an escalation, and is done by hand."""

from collections.abc import Sequence
from typing import Final

from airworthy.core.outcome import Outcome, Reason, ReasonCode
from airworthy.policy import Policy
from airworthy.runtime import switches, tasks
from airworthy.runtime.admission import queue
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.machine import OPEN
from airworthy.runtime.switches import Switch
from airworthy.store import Tx
from airworthy.store import lease as leases

# By the switch, not one by one: those would fill every batch and hide the others.
_STOPPED: Final = (
    "SELECT id FROM tasks WHERE agent = ? AND state = 'paused' AND pause_asked = 0 ORDER BY id LIMIT ?"
)
BATCH = 100  # Of each kind and agent in one transaction; the rest follow in the next.


def reason(agent: str, switch: Switch | None, to: str = "") -> Reason:
    """`switch`: None when its policy says so."""
    if switch is None:
        return Reason(code=ReasonCode.MANUAL, text=f"By its policy people do the tasks of {agent}.", to=to)
    why = f": {switch.reason}" if switch.reason else ""
    text = f"{agent} was switched off by {switch.by_whom}{why}; people do its tasks meanwhile."
    return Reason(code=ReasonCode.MANUAL, text=text, to=to, evidence={"switched_off_us": switch.at_us})


def hand_over(tx: Tx, lifecycle: Lifecycle, agents: Sequence[str], now_us: int) -> int:
    """Those that wait for the agent now: queued, due again, or stopped with it. How many there were; 0: none is left.

    `agents` whose policy says so, beside those that a switch names. What waits for a person's decision, or for a later
    time, is handed over when that has come: until then there is nothing to do by hand. Tasks that somebody paused one
    by one stay paused.
    """
    handed = 0
    for agent, why in _off(tx, agents).items():
        stopped = tx.rows(_STOPPED, (agent, BATCH))
        due = [
            *queue.waiting(tx, agent, BATCH), *lifecycle.engine.take(tx, [agent], now_us, BATCH),
            *(row[0] for row in stopped),
        ]  # fmt: skip
        for task in [tasks.find(tx, id_) for id_ in dict.fromkeys(due)]:
            # One that a worker holds goes on to its next step, and stops there by itself.
            if (
                task is not None
                and task.state in OPEN
                and not task.cancel_asked
                and leases.holder(tx, task.id) is None
            ):
                lifecycle.close_unclaimed(tx, task, Outcome.ESCALATED, why, now_us)
                handed += 1
    return handed


def at_the_door(tx: Tx, policy: Policy) -> Reason | None:
    """Why a new task goes straight to people; None when the agent does it."""
    to = policy.escalation.default or ""
    if policy.manual:
        return reason(policy.agent, None, to)
    switch = switches.paused(tx, policy.agent)
    return reason(policy.agent, switch, to) if switch is not None and switch.manual else None


def anything(tx: Tx, agents: Sequence[str]) -> bool:
    """Whether any agent is off in this way; cheap, for whoever asks every second."""
    return bool(_off(tx, agents))


def _off(tx: Tx, agents: Sequence[str]) -> dict[str, Reason]:
    found = {agent: reason(agent, None) for agent in agents}
    for switch in switches.listing(tx):
        if not switch.manual:
            continue
        if switch.scope == switches.ALL:
            rows = tx.rows("SELECT DISTINCT agent FROM tasks WHERE state IN ('queued', 'waiting', 'paused')")
            found.update({agent: reason(agent, switch) for (agent,) in rows})
        else:
            agent = switch.scope.removeprefix("agent:")
            found[agent] = reason(agent, switch)
    return found
