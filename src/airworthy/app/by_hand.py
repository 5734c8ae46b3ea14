"""A person in the agent's place: its tools on this database, held by none of its delays."""

from collections.abc import Sequence

from airworthy.app.build import App, this_process
from airworthy.policy import Policy
from airworthy.runtime import Agent
from airworthy.runtime.by_hand import ByHand
from airworthy.tools import Toolbox


def by_hand_of(app: App, agents: Sequence[Agent]) -> ByHand:
    boxes = {agent.name: Toolbox(_undelayed(agent.policy), agent.tools, app.clock) for agent in agents}
    return ByHand(
        app.database, app.clock, app.payloads, boxes, this_process(app.clock, "hand"),
        lambda _tx, _task, _by: None,
    )  # fmt: skip


def _undelayed(policy: Policy) -> Policy:
    """A delay gives people time to stop the agent; whoever calls by hand has just decided."""
    rules = {name: rule.model_copy(update={"delay_s": 0.0}) for name, rule in policy.tools.items()}
    return policy.model_copy(update={"tools": rules})
