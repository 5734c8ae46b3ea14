"""Operations of somebody who may see some agents alone: what is of others is not there, in the same words."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from airworthy.app.afterwards import afterwards_of
from airworthy.app.build import App, assembled
from airworthy.core.clock import ManualClock
from airworthy.core.errors import AirworthyError
from airworthy.core.ids import Ids
from airworthy.policy import Policy
from airworthy.review import Act, ItemQuery
from airworthy.review.feedback import Feedback
from airworthy.runtime import Submission, TaskQuery, within
from airworthy.runtime.afterwards import Afterwards, Told
from airworthy.runtime.by_hand import ByHand
from airworthy.runtime.forking import Forks
from airworthy.runtime.operations import Operations
from airworthy.runtime.replaying import Replays
from airworthy.runtime.reviews import Reviews
from airworthy.runtime.within import (
    AfterwardsWithin,
    ByHandWithin,
    ForksWithin,
    OperationsWithin,
    ReplaysWithin,
    ReviewsWithin,
)
from airworthy.tools import EffectState
from tests.database import memory

MINE = frozenset({"support"})
PAIRS = (
    (Operations, OperationsWithin), (Reviews, ReviewsWithin), (Afterwards, AfterwardsWithin), (ByHand, ByHandWithin),
    (Replays, ReplaysWithin), (Forks, ForksWithin),
)  # fmt: skip


@pytest.mark.parametrize(("base", "bounded"), PAIRS, ids=lambda each: each.__name__)
def test_no_operation_is_forgotten(base: type, bounded: type) -> None:
    """A new one must say here how it keeps to the agents, or that it is about none."""
    public = {name for name, value in vars(base).items() if callable(value) and not name.startswith("_")}

    assert public - set(vars(bounded)) == within.AGENTLESS[base.__name__]


def house() -> tuple[App, str, str]:
    """One task of theirs, one of somebody else's."""
    app = assembled(memory(), [], clock=ManualClock(), ids=Ids(random.Random(3)))
    ids = [
        app.operations.submit(Policy(agent=agent, purpose="tests"), Submission("hello", key="k")).task.id
        for agent in ("support", "billing")
    ]
    return app, ids[0], ids[1]


def operations(app: App) -> OperationsWithin:
    return OperationsWithin(app.operations, MINE)


CALLS: dict[str, Callable[[OperationsWithin, str], Any]] = {
    "task": lambda given, id_: given.task(id_),
    "answer": lambda given, id_: given.answer(id_),
    "steps": lambda given, id_: given.steps(id_),
    "effects": lambda given, id_: given.effects(id_),
    "forks": lambda given, id_: given.forks(id_),
    "cancel": lambda given, id_: given.cancel(id_, "dana"),
    "pause_task": lambda given, id_: given.pause_task(id_),
    "resume_task": lambda given, id_: given.resume_task(id_),
    "requeue": lambda given, id_: given.requeue(id_),
    "discard": lambda given, id_: given.discard(id_),
    "effect": lambda given, id_: given.effect(id_),
    "decide": lambda given, id_: given.decide(id_, EffectState.APPROVED, "dana"),
    "undo": lambda given, id_: given.undo(id_, "dana"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_task_of_another_agent_is_answered_as_one_that_is_not_there(
    call: Callable[[Any, str], Any],
) -> None:
    app, _, others = house()
    told = set()
    for id_ in (others, "tsk_none"):
        with pytest.raises(AirworthyError) as error:
            call(operations(app), id_)
        told.add((error.value.code, error.value.message.replace(id_, "ID"), error.value.mend))

    assert len(told) == 1
    assert app.operations.task(others).state.value == "queued"


def test_lists_and_counts_hold_what_is_theirs_alone() -> None:
    app, mine, _ = house()
    given = operations(app)

    assert [task.id for task in given.tasks(TaskQuery())] == [mine]
    assert given.tasks(TaskQuery(agent="billing")) == []
    assert (sum(given.counts().values()), given.counts("billing")) == (1, {})
    assert given.task(mine).agent == "support"


@pytest.mark.parametrize("scope", ["all", "agent:billing"])
def test_a_switch_of_others_is_not_theirs_to_throw(scope: str) -> None:
    given = operations(house()[0])
    with pytest.raises(AirworthyError, match="other agents too"):
        given.pause(scope, "dana", "why")
    with pytest.raises(AirworthyError, match="other agents too"):
        given.resume(scope)

    assert given.pause("agent:support", "dana", "why")
    assert [switch.scope for switch in given.switches()] == ["agent:support"]


def test_nothing_is_handed_in_or_approved_for_others() -> None:
    given = operations(house()[0])
    policy = Policy(agent="billing", purpose="tests")

    with pytest.raises(AirworthyError, match="other agents"):
        given.submit(policy, Submission("hello"))
    with pytest.raises(AirworthyError, match="other agents"):
        given.approve_policy(policy, "dana")
    assert given.approval("billing") is None


def test_feedback_and_results_are_of_theirs_alone() -> None:
    app, mine, others = house()
    whole = afterwards_of(app)
    given = AfterwardsWithin(whole, MINE)
    for task in (mine, others):
        whole.say(Feedback("", task, "", 0, "api", "up"))
        whole.tell(Told("resolved", task=task))

    assert [each.task_id for each in given.said()] == [mine]
    assert given.said(agent="billing") == []
    assert [tally.tasks for tally in given.tallies()] == [1]
    assert given.tallies("billing") == []
    assert [
        each.line
        for each in given.tell_all([Told("won", task=others, line=1), Told("won", task=mine, line=2)])[1]
    ] == [1]
    for act in (
        lambda: given.say(Feedback("", others, "", 0, "api", "up")), lambda: given.said_of(others),
        lambda: given.link(others), lambda: given.results_of(others),
        lambda: given.tell(Told("won", agent="billing", key="k")),
    ):  # fmt: skip
        with pytest.raises(AirworthyError, match="no task"):
            act()


async def test_the_queue_and_tools_by_hand_are_of_theirs_alone() -> None:
    app, _, others = house()
    given = ReviewsWithin(app.reviews, MINE)

    assert (given.listing(ItemQuery()), given.counts()) == ([], {})
    with pytest.raises(AirworthyError, match="no task"):
        given.check_task(others, "dana", Act.APPROVE)
