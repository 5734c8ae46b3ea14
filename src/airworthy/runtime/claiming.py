"""What a worker takes up next: due tasks of the engine, then queues whose turn it is, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airworthy.runtime.admission import queue
from airworthy.runtime.admission.look import Look
from airworthy.runtime.claimed import Claimed
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.store import Tx

MOVED_MAX = 1000  # Due tasks that are put into a queue in one transaction.


@dataclass(frozen=True, slots=True)
class Hands:
    """Whose worker takes, and how many tasks it can take. `attempts_max`: by agent."""

    owner_id: str
    free: int
    attempts_max: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Taken:
    """`next_us`: when a queue is to be looked at again, as far as time alone decides."""

    claimed: list[Claimed]
    next_us: int | None = None


def take_due(tx: Tx, lifecycle: Lifecycle, agents: Sequence[str], hands: Hands, now_us: int) -> Taken:
    """At most `hands.free` tasks, claimed."""
    found: dict[str, Claimed | None] = {}
    queues: dict[str, None] = {}

    def take(name: str) -> None:
        agent = queue.agent_of(name)
        if agent is None:
            found[name] = lifecycle.claim(tx, name, hands.owner_id, now_us, hands.attempts_max)
            if found[name] is not None:
                return
            agent = queue.agent_of_waiting(tx, name)
        if agent is not None:
            queues[agent] = None

    names = lifecycle.engine.take(tx, agents, now_us, hands.free)
    if lifecycle.admission:
        for name in names:  # They share places and a queue.
            take(name)
    else:
        tx.each(take, names)
    claimed = [each for name in names if (each := found.get(name)) is not None]
    times = []
    for agent in queues:
        claimed += _returning(tx, lifecycle, agent, hands, now_us, hands.free - len(claimed))
        taken = _admitted(tx, lifecycle, agent, hands, now_us, hands.free - len(claimed))
        claimed += taken.claimed
        times += [] if taken.next_us is None else [taken.next_us]
    return Taken(claimed, min(times, default=None))


def _returning(
    tx: Tx, lifecycle: Lifecycle, agent: str, hands: Hands, now_us: int, free: int
) -> list[Claimed]:
    """Due tasks that had begun before go ahead of new ones; those without a place go to the head of the queue."""
    claimed: list[Claimed] = []
    moved = 0
    while len(claimed) < free and moved < MOVED_MAX:
        names = lifecycle.engine.take(tx, [agent], now_us, free - len(claimed))
        if not names:
            break
        moved += len(names)
        for name in names:
            if queue.agent_of(name) is not None:
                continue  # Lined up just now; it is looked at next.
            found = lifecycle.claim(tx, name, hands.owner_id, now_us, hands.attempts_max)
            claimed += [] if found is None else [found]
    return claimed


def _admitted(tx: Tx, lifecycle: Lifecycle, agent: str, hands: Hands, now_us: int, free: int) -> Taken:
    look = Look(tx, agent, lifecycle.admission.get(agent), now_us)
    claimed: list[Claimed] = []
    while len(claimed) < free:
        chosen = look.choose()
        if chosen is None:
            break
        task_id, lane = chosen
        found = lifecycle.claim(tx, task_id, hands.owner_id, now_us, hands.attempts_max, admitted=True)
        if found is None:
            look.passed_over(task_id)
            continue
        look.began(task_id, lane, found.fence)
        claimed.append(found)
    next_us = look.next_us(out_of_hands=len(claimed) >= free)
    if next_us is None:
        lifecycle.engine.forget(tx, queue.wake_id(agent))
    else:
        lifecycle.wake_queue(tx, agent, next_us, now_us)
    return Taken(claimed, next_us)
