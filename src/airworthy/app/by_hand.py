"""A person in the agent's place: its tools on this database, held by none of its delays."""

from collections.abc import Callable, Sequence

from airworthy.app.build import App, this_process, toolbox_of
from airworthy.policy import Policy
from airworthy.runtime import Agent
from airworthy.runtime.by_hand import ByHand
from airworthy.runtime.reviews import Reviews
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Tx


def by_hand_of(app: App, agents: Sequence[Agent], reviews: Callable[[], Reviews] | None = None) -> ByHand:
    """`reviews`: asked at each call who may; left out: those of `app`."""
    boxes = {agent.name: toolbox_of(app, agent, _undelayed(agent.policy)) for agent in agents}

    def may(tx: Tx, task: TaskRow, by: str) -> None:
        (reviews() if reviews is not None else app.reviews).check_hands(tx, task, by)

    return ByHand(app.database, app.clock, app.payloads, boxes, this_process(app.clock, "hand", ""), may)


def _undelayed(policy: Policy) -> Policy:
    """A delay gives people time to stop the agent; whoever calls by hand has just decided."""
    rules = {name: rule.model_copy(update={"delay_s": 0.0}) for name, rule in policy.tools.items()}
    return policy.model_copy(update={"tools": rules})
