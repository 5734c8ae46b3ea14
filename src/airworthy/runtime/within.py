"""The operations of one caller who may see and touch some agents' tasks alone: what is of others is not there.

A test holds that every public method of each class below is here, or said to be about no agent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from airworthy.core.errors import InputError
from airworthy.policy import Approval, Policy
from airworthy.recorder import Recorded
from airworthy.review import Act, Command, Item, ItemQuery, Kind, feedback, items, results
from airworthy.review.feedback import Feedback, Thumb
from airworthy.review.items import NoSuchItem
from airworthy.review.links import LINK_S_DEFAULT, Link
from airworthy.review.results import Result, Tally
from airworthy.runtime import tasks
from airworthy.runtime.admission.view import QueueView
from airworthy.runtime.afterwards import Afterwards, Told
from airworthy.runtime.by_hand import ByHand, Called
from airworthy.runtime.deciding import Wish
from airworthy.runtime.forking import Changes, Forks
from airworthy.runtime.looking import Look
from airworthy.runtime.machine import State
from airworthy.runtime.operations import Accepted, Operations, Submission, no_such_effect
from airworthy.runtime.replayed import Replayed
from airworthy.runtime.replaying import Replays
from airworthy.runtime.reviews import Reviews, Whole
from airworthy.runtime.switches import Switch, of_agent
from airworthy.runtime.tasks import NoSuchTask, TaskQuery, TaskRow
from airworthy.store import Database, Tx
from airworthy.tools import EffectRow, EffectState, Tool, outbox

# What is about no single agent, or is the system's own: nothing to hide, or refused below as a whole.
AGENTLESS: Final[Mapping[str, frozenset[str]]] = {
    "Operations": frozenset({"hand_over", "hand_over_in_loop"}),
    "Reviews": frozenset({
        "with_agents", "with_people", "with_engine", "with_policy", "check_command", "keep_up", "keep",
        "approve", "edit", "reject", "answer", "reopen", "hold", "settle", "assign",  # All of them by `_decide`.
    }),
    "Afterwards": frozenset({"linked", "tell", "tell_all"}),  # A link is its own word; the others go by `_put`.
    "ByHand": frozenset(),
    "Replays": frozenset({"replay"}),  # What `replay_now` runs, on a loop of its own.
    "Forks": frozenset(),
}  # fmt: skip


class OtherAgents(InputError):
    """It is about agents that the caller has nothing to do with."""

    code = "not_allowed"


class OperationsWithin(Operations):
    """`agents`: at least one."""

    def __init__(self, inner: Operations, agents: frozenset[str]) -> None:
        self.__dict__.update(vars(inner))
        self._agents = agents

    def submit(self, policy: Policy, submission: Submission) -> Accepted:
        self._own(policy.agent)
        return super().submit(policy, submission)

    async def submit_in_loop(self, policy: Policy, submission: Submission) -> Accepted:
        self._own(policy.agent)
        return await super().submit_in_loop(policy, submission)

    def task(self, task_id: str) -> TaskRow:
        return self.database.read_now(lambda tx: own_task(tx, task_id, self._agents))

    def answer(self, task_id: str) -> Any:
        self.task(task_id)
        return super().answer(task_id)

    def steps(self, task_id: str) -> list[Recorded]:
        self.task(task_id)
        return super().steps(task_id)

    def effects(self, task_id: str) -> list[EffectRow]:
        self.task(task_id)
        return super().effects(task_id)

    def tasks(self, query: TaskQuery) -> list[TaskRow]:
        return super().tasks(replace(query, agents=tuple(sorted(self._agents))))

    def forks(self, task_id: str) -> list[TaskRow]:
        self.task(task_id)
        return super().forks(task_id)

    def counts(self, agent: str = "") -> dict[State, int]:
        found = dict[State, int]()
        for each in self._asked(agent):
            for state, count in super().counts(each).items():
                found[state] = found.get(state, 0) + count
        return found

    def queues(self) -> list[QueueView]:
        return [view for view in super().queues() if view.agent in self._agents]

    def cancel(self, task_id: str, by: str, why: str = "") -> bool:
        self.task(task_id)
        return super().cancel(task_id, by, why)

    def pause_task(self, task_id: str) -> bool:
        self.task(task_id)
        return super().pause_task(task_id)

    def resume_task(self, task_id: str) -> State:
        self.task(task_id)
        return super().resume_task(task_id)

    def requeue(self, task_id: str) -> None:
        self.task(task_id)
        super().requeue(task_id)

    def discard(self, task_id: str) -> None:
        self.task(task_id)
        super().discard(task_id)

    def pause(self, scope: str, by: str, reason: str, *, manual: bool = False) -> bool:
        self._own_scope(scope)
        return super().pause(scope, by, reason, manual=manual)

    def resume(self, scope: str) -> int | None:
        self._own_scope(scope)
        return super().resume(scope)

    def switches(self) -> list[Switch]:
        """Those that stop an agent of theirs, by name or with all the others."""
        mine = {of_agent(agent) for agent in self._agents}
        return [switch for switch in super().switches() if switch.scope in mine or ":" not in switch.scope]

    def outbox(self, states: Sequence[EffectState], limit: int) -> list[EffectRow]:
        agents = tuple(sorted(self._agents))
        return self.database.read_now(lambda tx: outbox.listing(tx, states, limit, agents))

    def effect(self, effect_id: str) -> EffectRow:
        row = super().effect(effect_id)
        if row.agent not in self._agents:
            raise no_such_effect(effect_id)
        return row

    def decide(
        self, effect_id: str, to: EffectState, by: str, note: str = "", result: bytes = b""
    ) -> EffectRow:
        self.effect(effect_id)
        return super().decide(effect_id, to, by, note, result)

    def undo(self, effect_id: str, by: str, why: str = "") -> EffectRow:
        self.effect(effect_id)
        return super().undo(effect_id, by, why)

    def approve_policy(self, policy: Policy, approver: str, note: str = "") -> Approval:
        self._own(policy.agent)
        return super().approve_policy(policy, approver, note)

    def approval(self, agent: str) -> Approval | None:
        return super().approval(agent) if agent in self._agents else None

    def _asked(self, agent: str) -> list[str]:
        return sorted(self._agents & {agent} if agent else self._agents)

    def _own_scope(self, scope: str) -> None:
        """Raises: OtherAgents."""
        if scope not in {of_agent(agent) for agent in self._agents}:
            raise OtherAgents(
                f"{scope} is about other agents too.",
                mend=f"You have to do with {', '.join(sorted(self._agents))}.",
            )

    def _own(self, agent: str) -> None:
        """Raises: OtherAgents."""
        self._own_scope(of_agent(agent))


class ReviewsWithin(Reviews):
    """The queue as far as it is about these agents."""

    def __init__(self, inner: Reviews, only: frozenset[str]) -> None:
        self.__dict__.update(vars(inner))
        self._only = only

    def listing(self, query: ItemQuery, by: str = "") -> list[Look]:
        return super().listing(replace(query, agents=tuple(sorted(self._only))), by)

    def counts(self) -> dict[Kind, int]:
        self.keep_up()
        return self.database.read_now(lambda tx: items.counts(tx, tuple(sorted(self._only))))

    def item(self, item_id: str, by: str = "") -> Whole:
        self._own_item(item_id)
        return super().item(item_id, by)

    def item_of(self, subject: str) -> Item | None:
        found = super().item_of(subject)
        return found if found is not None and found.agent in self._only else None

    def check_may(self, subject: str, by: str, act: Act) -> None:
        found = super().item_of(subject)
        if found is not None:
            self._own_item(found.id)
        super().check_may(subject, by, act)

    def check_task(
        self, task_id: str, by: str, act: Act, otherwise: Command | None = Command.OPERATE
    ) -> None:
        self.database.read_now(lambda tx: own_task(tx, task_id, self._only))
        super().check_task(task_id, by, act, otherwise)

    def check_hands(self, tx: Tx, task: TaskRow, by: str) -> None:
        own_task(tx, task.id, self._only)
        super().check_hands(tx, task, by)

    def _decide(self, item_id: str, wish: Wish) -> Whole:
        self._own_item(item_id)
        return super()._decide(item_id, wish)

    def _own_item(self, item_id: str) -> None:
        """Raises: NoSuchItem, in the very words for one that is not there."""
        found = self.database.read_now(lambda tx: items.find(tx, item_id))
        if found is not None and found.agent not in self._only:
            raise NoSuchItem(
                f"Nothing in the review queue has the id {item_id!r}.",
                mend="List it with `airworthy review list`.",
            )


class AfterwardsWithin(Afterwards):
    """Feedback and results of these agents' tasks."""

    def __init__(self, inner: Afterwards, agents: frozenset[str]) -> None:
        self.__dict__.update(vars(inner))
        self._agents = agents

    def say(self, said: Feedback) -> Feedback:
        self._own(said.task_id)
        return super().say(said)

    def said_of(self, task_id: str) -> list[Feedback]:
        self._own(task_id)
        return super().said_of(task_id)

    def said(
        self, *, agent: str = "", thumb: Thumb | None = None, before: str = "", limit: int = 50
    ) -> list[Feedback]:
        agents = tuple(sorted(self._agents))
        return self._database.read_now(lambda tx: feedback.listing(tx, agent, thumb, before, limit, agents))

    def link(self, task_id: str, seconds: float = LINK_S_DEFAULT) -> tuple[str, Link]:
        self._own(task_id)
        return super().link(task_id, seconds)

    def results_of(self, task_id: str) -> list[Result]:
        self._own(task_id)
        return super().results_of(task_id)

    def tallies(self, agent: str = "") -> list[Tally]:
        asked = self._agents & {agent} if agent else self._agents
        return self._database.read_now(lambda tx: results.tallies(tx, sorted(asked))) if asked else []

    def _task_of(self, tx: Tx, told: Told) -> TaskRow:
        return own_task(tx, super()._task_of(tx, told).id, self._agents)

    def _own(self, task_id: str) -> None:
        self._database.read_now(lambda tx: own_task(tx, task_id, self._agents))


class ByHandWithin(ByHand):
    """Asks the one it stands before, whose bounds hold for all callers together."""

    def __init__(self, inner: ByHand, database: Database, agents: frozenset[str]) -> None:
        self._inner = inner
        self._store = database
        self._agents = agents

    async def aclose(self) -> None:
        await self._inner.aclose()

    def tools(self, task_id: str) -> Sequence[Tool]:
        self._store.read_now(lambda tx: own_task(tx, task_id, self._agents))
        return self._inner.tools(task_id)

    async def call(
        self, task_id: str, name: str, arguments: Mapping[str, Any], by: str, *, again: bool = False
    ) -> Called:
        await self._store.read(lambda tx: own_task(tx, task_id, self._agents))
        return await self._inner.call(task_id, name, arguments, by, again=again)


class ReplaysWithin(Replays):
    """Asks the one it stands before, whose bounds hold for all callers together."""

    def __init__(self, inner: Replays, database: Database, agents: frozenset[str]) -> None:
        self._inner = inner
        self._store = database
        self._only = agents

    def replay_now(self, task_id: str, *, spare_process: bool = False) -> Replayed:
        self._store.read_now(lambda tx: own_task(tx, task_id, self._only))
        return self._inner.replay_now(task_id, spare_process=spare_process)


class ForksWithin(Forks):
    """Forks of these agents' tasks."""

    def __init__(self, inner: Forks, agents: frozenset[str]) -> None:
        self.__dict__.update(vars(inner))
        self._only = agents

    def fork(self, task_id: str, at: int, changes: Changes) -> TaskRow:
        self._database.read_now(lambda tx: own_task(tx, task_id, self._only))
        return super().fork(task_id, at, changes)


def own_task(tx: Tx, task_id: str, agents: frozenset[str]) -> TaskRow:
    """Raises: NoSuchTask, in the very words for one that is not there."""
    row = tasks.get(tx, task_id)
    if agents and row.agent not in agents:
        raise NoSuchTask(f"There is no task {task_id!r}.", mend="List them with `airworthy task list`.")
    return row
