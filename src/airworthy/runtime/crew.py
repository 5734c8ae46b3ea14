"""Who is at work on a database: each living process, on whatever machine, with what it holds. Only reads."""

from dataclasses import dataclass
from typing import Final

from airworthy.store import Tx
from airworthy.store.lease import Alive, alive

CHORE: Final = "chore:"  # What the claim on a chore is called before its name.
HELD_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Hand:
    """One process. `tasks`: under way, the id and the agent of each; `acts`: effects that it carries out right now."""

    owner: Alive
    tasks: tuple[tuple[str, str], ...]
    acts: tuple[str, ...]
    chores: tuple[str, ...]


def crew(tx: Tx, host: str, now_us: int) -> list[Hand]:
    """The longest running first. `host`: as `this_host` names it, so that the dead of this machine are left out."""
    tasks: dict[str, list[tuple[str, str]]] = {}
    acts: dict[str, list[str]] = {}
    chores: dict[str, list[str]] = {}
    rows = tx.rows(
        "SELECT c.owner, c.name, t.agent FROM claims c LEFT JOIN tasks t ON t.id = c.name"
        " WHERE c.owner IS NOT NULL ORDER BY c.owner, c.name LIMIT ?",
        (HELD_MAX,),
    )
    for owner, name, agent in rows:
        if agent is not None:
            tasks.setdefault(owner, []).append((name, agent))
        elif name.startswith(CHORE):
            chores.setdefault(owner, []).append(name.removeprefix(CHORE))
        elif name.startswith("eff_"):
            acts.setdefault(owner, []).append(name)
    hands = [
        Hand(
            each, tuple(tasks.get(each.id, ())), tuple(acts.get(each.id, ())), tuple(chores.get(each.id, ()))
        )
        for each in alive(tx, host, now_us)
    ]
    return [hand for hand in hands if _at_work(hand)]


def _at_work(hand: Hand) -> bool:
    """Some are known by two ids, one of which does nothing. Versions from before say neither role nor version."""
    says = bool(hand.owner.roles) or not hand.owner.version
    return says or bool(hand.tasks or hand.acts or hand.chores)
