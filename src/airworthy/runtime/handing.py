"""Hands the tasks of an agent that is off to people: each becomes an escalation, and is done by hand."""

from collections.abc import Sequence

from airworthy.core.outcome import Outcome, Reason, ReasonCode
from airworthy.policy import Policy
from airworthy.runtime import switches, tasks
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.machine import OPEN, State
from airworthy.runtime.switches import Switch
from airworthy.runtime.tasks import TaskQuery
from airworthy.store import Tx
from airworthy.store import lease as leases

BATCH = 200  # In one transaction; the rest follow in the next.


def reason(agent: str, switch: Switch | None, to: str = "") -> Reason:
    """`switch`: None when its policy says so."""
    if switch is None:
        return Reason(code=ReasonCode.MANUAL, text=f"By its policy people do the tasks of {agent}.", to=to)
    why = f": {switch.reason}" if switch.reason else ""
    text = f"{agent} was switched off by {switch.by_whom}{why}; people do its tasks meanwhile."
    return Reason(code=ReasonCode.MANUAL, text=text, to=to, evidence={"switched_off_us": switch.at_us})


def hand_over(tx: Tx, lifecycle: Lifecycle, agents: Sequence[str], now_us: int) -> int:
    """Those that wait for the agent now: queued, due again, or stopped with it. How many there were, up to BATCH.

    `agents` whose policy says so, beside those that a switch names. What waits for a person's decision, or for a later
    time, is handed over when that has come: until then there is nothing to do by hand. Tasks that somebody paused one
    by one stay paused.
    """
    handed = 0
    for agent, why in _off(tx, agents).items():
        if handed >= BATCH:
            break
        due = lifecycle.engine.take(tx, [agent], now_us, BATCH - handed)
        found = [task for task in (tasks.find(tx, id_) for id_ in due) if task is not None]
        stopped = TaskQuery(states=(State.PAUSED,), agent=agent, limit=BATCH - handed)
        found += [task for task in tasks.listing(tx, stopped) if not task.pause_asked]
        for task in found:
            # One that a worker holds goes on to its next step, and stops there by itself.
            if task.state in OPEN and not task.cancel_asked and leases.holder(tx, task.id) is None:
                lifecycle.end_unclaimed(tx, task, Outcome.ESCALATED, why, now_us)
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
