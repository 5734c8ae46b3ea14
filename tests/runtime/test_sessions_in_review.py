"""What a session of an agent elsewhere has asked for stands in the same queue, with the same answers and deadlines."""

from typing import Any

import pytest

from airworthy.policy.review_rule import ReviewRules
from airworthy.review import Act, Item, ItemQuery, Kind, People
from airworthy.runtime import Agent, IllegalTransition, Operations, State
from airworthy.runtime.deciding import NotFitting
from airworthy.runtime.engine import EmbeddedEngine
from airworthy.runtime.handing import hand_over
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.reviews import Reviews
from airworthy.tools import EffectState
from tests.tools.mcp.kit import Proxy, asking, proxy

PEOPLE = People.model_validate({
    "people": {"dana": {"name": "Dana"}, "lee": {"name": "Lee"}},
    "teams": {"desk": {"members": ["dana"]}, "finance": {"members": ["lee"]}},
})  # fmt: skip
REVIEW = ReviewRules.model_validate(
    {"approvals": {"to": "desk", "deadline_s": 60.0, "on_deadline": "reject"}}
)


async def parked(house: Proxy) -> str:
    talk = house.session()
    await talk.call("write_file", path="a")
    await talk.close()
    assert house.app.operations.task(house.task).state is State.WAITING
    return house.task


def only(queue: Reviews) -> Item:
    (line,) = queue.listing(ItemQuery())
    return line.item


async def test_a_proxy_knows_whom_the_held_call_of_a_parked_session_is_for_and_until_when() -> None:
    async with proxy(asking(), review=REVIEW) as house:
        await parked(house)
        people = house.app.reviews.with_people(PEOPLE)
        before = only(people)
        queue = people.with_policy(house.policy)
        await queue.keep(house.app.clock.now_us())
        item = only(queue)

        assert (before.placed, before.to) == (False, "")
        assert (item.kind, item.placed, item.to, item.on_deadline) == (Kind.APPROVAL, True, "desk", "reject")
        await queue.keep(house.app.clock.now_us() + 61_000_000)
        (row,) = house.effects()
        assert (row.state, row.decided_by) == (EffectState.REJECTED, "airworthy")


@pytest.mark.parametrize("act", [Act.APPROVE, Act.REJECT])
async def test_it_is_decided_by_its_team_also_where_the_agents_code_is(act: Act) -> None:
    """That code has no such tool, and never had: the server behind the proxy has."""
    async with proxy(asking(), review=REVIEW) as house:
        task = await parked(house)
        agent = Agent(house.policy)
        queue = house.app.reviews.with_people(PEOPLE).with_agents([agent])
        item = only(queue)
        seal = queue.item(item.id).look.seal
        with pytest.raises(NotFitting, match="MCP server"):
            queue.edit(item.id, "dana", {"path": "b"}, seen=seal)

        decided: Any = queue.approve if act is Act.APPROVE else queue.reject
        decided(item.id, "dana", seen=seal, note="so be it")

        again = house.session(task=task)
        said = await again.said("write_file", path="a")
        await again.close()
        assert (said == "write_file done") == (act is Act.APPROVE)
        assert len(house.server.calls) == (act is Act.APPROVE)


async def test_no_door_makes_a_session_run_here() -> None:
    async with proxy(asking()) as house:
        task = await parked(house)
        operations: Operations = house.app.operations
        lifecycle = Lifecycle(EmbeddedEngine(), house.app.payloads)
        operations.pause("agent:support", "dana", "", manual=True)
        now_us = house.app.clock.now_us()
        handed = house.app.database.write_now(lambda tx: hand_over(tx, lifecycle, ["support"], now_us))
        operations.resume("agent:support")
        with pytest.raises(IllegalTransition, match="session of an agent that runs elsewhere"):
            operations.resume_task(task)
        with pytest.raises(IllegalTransition, match="session of an agent that runs elsewhere"):
            operations.requeue(task)

        assert handed == 0
        assert operations.task(task).state is State.WAITING
