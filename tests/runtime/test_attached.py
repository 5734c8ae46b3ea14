"""A session's task reaches one outcome, through any crash, and nobody runs it again."""

import asyncio
from typing import Any

import pytest

from airworthy.core.outcome import Outcome, ReasonCode
from airworthy.policy import ToolRule
from airworthy.runtime import Agent, IllegalTransition, State
from airworthy.runtime.sessions import SESSION_KEPT_S, Close, Park, ending
from airworthy.store import lease as leases
from airworthy.tools import EffectState, TransitionRefused
from airworthy.tools.mcp.link import Ears
from tests.runtime.kit import Bench
from tests.tools.mcp.kit import ACTS, ScriptedServer, asking, proxy

S = EffectState


@pytest.mark.parametrize(
    ("states", "died", "kept_s", "became"),
    [
        ([], False, 0, (Outcome.ANSWERED, ReasonCode.DONE)),
        ([S.DONE, S.FAILED, S.REJECTED], False, 0, (Outcome.ANSWERED, ReasonCode.DONE)),
        ([], True, 0, (Outcome.CANCELLED, ReasonCode.CRASHED)),
        ([S.STARTED, S.HELD], True, 0, (Outcome.ESCALATED, ReasonCode.IN_DOUBT)),
        ([S.IN_DOUBT], False, 0, (Outcome.ESCALATED, ReasonCode.IN_DOUBT)),
        ([S.HELD], False, 0, None),
        ([S.APPROVED], True, 0, None),
        ([S.SCHEDULED, S.DONE], False, SESSION_KEPT_S - 1, None),
        ([S.HELD], False, SESSION_KEPT_S, (Outcome.CANCELLED, ReasonCode.CANCELLED)),
    ],
)
def test_how_a_session_ends(states: list[S], died: bool, kept_s: float, became: Any) -> None:
    found = ending(states, died=died, kept_s=kept_s, team="team")

    if became is None:
        assert isinstance(found, Park)
    else:
        assert isinstance(found, Close)
        assert (found.outcome, found.reason.code) == became


async def _dead(house: Any) -> None:
    """Its process is gone: no word to the store, and a lease that runs out."""
    house.watching.cancel()
    await asyncio.gather(house.watching, return_exceptions=True)
    await asyncio.sleep(leases.LEASE_S + 1)


async def _hang(message: Any, ears: Ears) -> Any:
    await asyncio.sleep(100_000)


async def test_the_session_of_a_dead_proxy_is_closed_by_a_worker_and_never_run_by_its_agent() -> None:
    """Even by one that has the agent's code: that code never made these calls."""
    ran: list[str] = []
    house = proxy(ACTS)
    await house.doorman.join()
    house.watching = asyncio.create_task(house.doorman.run())
    await house.session().call("read_file", path="a")
    await _dead(house)
    agent = Agent(house.policy)

    @agent.task
    async def handle(run: Any) -> str:
        ran.append("ran")
        return "answer"

    bench = Bench(house.app, agent)
    await bench.work()

    task = house.app.operations.task(house.task)
    assert (task.state, task.reason_code) == (State.CANCELLED, "crashed")
    assert ran == []


async def test_an_act_under_way_when_the_proxy_died_goes_to_people() -> None:
    house = proxy(
        {"write_file": ToolRule(effect="write", timeout_s=5000)},
        ScriptedServer(handlers={"tools/call": _hang}),
        escalation={"default": "team"},
    )
    await house.doorman.join()
    house.watching = asyncio.create_task(house.doorman.run())
    call = asyncio.create_task(house.session().call("write_file", path="a"))
    await asyncio.sleep(2)
    await _dead(house)
    other = proxy(ACTS, database=house.app.database, owner="mcp_2")
    async with other:
        task = other.app.operations.task(house.task)
        assert (task.state, task.reason_code, task.escalated_to) == (State.ESCALATED, "in_doubt", "team")
        assert other.effects(house.task)[0].state is S.IN_DOUBT

        other.app.operations.decide(other.effects(house.task)[0].id, S.DONE, "dana")

        assert other.app.operations.task(house.task).state is State.ESCALATED
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await house.talks[0].proxied.session.close()


async def test_a_late_record_of_a_frozen_proxy_is_refused() -> None:
    """It thaws with the answer of its act in hand; by then people have been asked."""

    async def slow(message: Any, ears: Ears) -> Any:
        await asyncio.sleep(30)
        return {"content": []}

    house = proxy(
        {"write_file": ToolRule(effect="write", timeout_s=100)}, ScriptedServer(handlers={"tools/call": slow})
    )
    await house.doorman.join()
    house.watching = asyncio.create_task(house.doorman.run())
    talk = house.session()
    call = asyncio.create_task(talk.said("write_file", path="a"))
    await asyncio.sleep(2)
    await _dead(house)
    async with proxy(ACTS, database=house.app.database, owner="mcp_2"):
        text = await call
        assert "cannot be written any more" in text
        assert house.effects()[0].state is S.IN_DOUBT
        assert "cannot be written any more" in await talk.said("read_file", path="b")
    await talk.close()


async def test_a_session_with_a_held_call_is_parked_and_gone_on_with() -> None:
    async with proxy(asking()) as house:
        talk = house.session()
        await talk.call("write_file", path="a")
        await talk.close()
        assert house.app.operations.task(house.task).state is State.WAITING
        house.decide(S.APPROVED)

        again = house.session(task=house.task)
        other = await again.said("read_file", path="x")
        done = await again.said("write_file", path="a")
        await again.close()

        assert (other, done) == ("read_file done", "write_file done")
        assert [call["name"] for call in house.server.calls] == ["read_file", "write_file"]
        assert house.app.operations.task(house.task).state is State.ANSWERED


async def test_a_parked_session_remembers_what_counted_against_its_limits() -> None:
    from airworthy.policy import Limits

    async with proxy(asking(), limits=Limits(steps=4, tool_calls=2)) as house:
        talk = house.session()
        await talk.call("write_file", path="a")
        await talk.call("read_file", path="a")
        await talk.close()

        again = house.session(task=house.task)

        assert "its limit" in await again.said("read_file", path="b")


async def test_a_parked_session_that_nobody_comes_back_to_is_cancelled_with_what_it_proposed() -> None:
    async with proxy(asking()) as house:
        talk = house.session()
        await talk.call("write_file", path="a")
        await talk.close()

    await asyncio.sleep(SESSION_KEPT_S + 60)
    async with proxy(asking(), database=house.app.database, owner="mcp_2"):
        assert house.app.operations.task(house.task).state is State.CANCELLED
        assert house.effects()[0].state is S.CANCELLED


async def test_a_parked_session_closes_by_itself_when_its_last_effect_is_decided() -> None:
    async with proxy(asking()) as house:
        talk = house.session()
        await talk.call("write_file", path="a")
        await talk.close()
        house.decide(S.REJECTED, "no")

        await house.until("answered")


async def test_a_delayed_effect_of_a_session_that_ended_is_carried_out_by_the_server_s_next_proxy() -> None:
    rules = {"write_file": ToolRule(effect="send", delay_s=600)}
    async with proxy(rules) as house:
        talk = house.session()
        await talk.call("write_file", path="a")
        await talk.close()
    other = proxy(rules, database=house.app.database, owner="mcp_2")
    async with other:
        await asyncio.sleep(700)

        assert other.effects(house.task)[0].state is S.DONE
        assert [call["name"] for call in other.server.calls] == ["write_file"]
        assert other.app.operations.task(house.task).state is State.ANSWERED


async def test_a_delayed_call_is_not_made_twice_by_a_session_that_is_gone_on_with() -> None:
    """The client was told that the very same call says what has become of it."""
    async with proxy({"write_file": ToolRule(effect="send", delay_s=600)}) as house:
        talk = house.session()
        await talk.call("write_file", path="a")
        await talk.close()

        again = house.session(task=house.task)
        text = await again.said("write_file", path="a")
        await asyncio.sleep(700)
        became = await again.said("write_file", path="a")

        assert "still scheduled" in text
        assert became == "write_file done"
        assert len(house.effects()) == len(house.server.calls) == 1
        assert "not done yet" in await again.said(
            "write_file", path="a"
        )  # Once told, it is a call of its own.


async def test_what_a_delayed_call_came_to_while_its_session_was_parked_is_told_in_place_of_another() -> None:
    async with proxy({"write_file": ToolRule(effect="send", delay_s=600)}) as house:
        talk = house.session()
        await talk.call("write_file", path="a")
        await asyncio.sleep(500)
        await talk.call("write_file", path="b")
        await talk.close()
        await asyncio.sleep(200)

        again = house.session(task=house.task)

        assert await again.said("write_file", path="a") == "write_file done"
        assert len(house.effects()) == 2


async def test_what_a_delayed_call_came_to_is_told_once_and_not_again_after_a_pause() -> None:
    async with proxy({"write_file": ToolRule(effect="send", delay_s=600)}) as house:
        talk = house.session()
        await talk.call("write_file", path="a")
        await asyncio.sleep(700)
        await talk.call("write_file", path="a")
        await talk.call("write_file", path="b")
        await talk.close()

        again = house.session(task=house.task)

        assert "not done yet" in await again.said("write_file", path="a")


async def test_a_worker_leaves_the_delayed_effects_of_a_server_to_its_proxies() -> None:
    rules = {"write_file": ToolRule(effect="send", delay_s=5)}
    async with proxy(rules) as house:
        talk = house.session()
        await talk.call("write_file", path="a")
        await talk.close()
    agent = Agent(house.policy)

    @agent.task
    async def handle(run: Any) -> str:
        return "answer"

    bench = Bench(house.app, agent)
    worker = bench.worker()
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(60)
    worker.stop()
    await working

    assert house.effects()[0].state is S.SCHEDULED


@pytest.mark.parametrize("deed", ["requeue", "resume_task"])
async def test_nobody_can_have_a_closed_session_run_again(deed: str) -> None:
    async with proxy(ACTS, ScriptedServer(handlers={"tools/call": _hang})) as house:
        talk = house.session()
        await talk.call("write_file", path="a")
        await talk.close()
        assert house.app.operations.task(house.task).state is State.ESCALATED

        with pytest.raises(IllegalTransition):
            getattr(house.app.operations, deed)(house.task)


async def test_a_session_in_use_cannot_be_taken_up_twice() -> None:
    async with proxy(ACTS) as house:
        await house.session().call("read_file", path="a")

        answer = await house.session(task=house.task).ask(
            "tools/call", {"name": "read_file", "arguments": {}}
        )

        assert "cannot be gone on with" in answer["error"]["message"]


async def test_a_held_call_cannot_be_decided_twice() -> None:
    async with proxy(asking()) as house:
        await house.session().call("write_file", path="a")
        effect = house.effects()[0].id
        house.app.operations.decide(effect, S.APPROVED, "dana")

        with pytest.raises(TransitionRefused):
            house.app.operations.decide(effect, S.REJECTED, "kim")


async def test_an_effect_in_doubt_of_a_closed_session_is_done_again_by_the_next_proxy_if_a_person_says_so() -> (
    None
):
    rules = {"write_file": ToolRule(effect="write", timeout_s=5)}
    async with proxy(rules, ScriptedServer(handlers={"tools/call": _hang})) as house:
        talk = house.session()
        await talk.call("write_file", path="a")
        await talk.close()
    other = proxy(rules, database=house.app.database, owner="mcp_2")
    async with other:
        other.app.operations.decide(other.effects(house.task)[0].id, S.APPROVED, "dana")
        await asyncio.sleep(30)

        assert other.effects(house.task)[0].state is S.DONE
        assert [call["arguments"] for call in other.server.calls] == [{"path": "a"}]
        assert other.app.operations.task(house.task).state is State.ESCALATED


@pytest.mark.parametrize("seed", range(12))
async def test_any_mixture_of_calls_decisions_and_a_death_acts_once_each_and_ends(seed: int) -> None:
    """Seeded: agents call, people decide, the proxy dies at some moment; at the end nothing was done twice."""
    import random

    chance = random.Random(seed)

    async def serve(message: Any, ears: Ears) -> Any:
        await asyncio.sleep(chance.choice([0, 0.5, 3]))
        return {"content": [{"type": "text", "text": "ok"}]}

    server = ScriptedServer(handlers={"tools/call": serve})
    rules = {**asking(), "write_file": ToolRule(effect="write", approval="always", timeout_s=20)}
    house = proxy(rules, server)
    await house.doorman.join()
    house.watching = asyncio.create_task(house.doorman.run())
    talk = house.session()
    approved: set[str] = set()
    calls: list[asyncio.Task[Any]] = []
    for _ in range(40):
        match chance.choice(["write", "write", "read", "decide", "wait"]):
            case "write":
                calls.append(asyncio.create_task(talk.call("write_file", path=chance.choice("abc"))))
            case "read":
                calls.append(asyncio.create_task(talk.call("read_file", path=chance.choice("abc"))))
            case "decide" if house.tasks:
                held = [row for row in house.effects() if row.state is S.HELD]
                if held:
                    row = chance.choice(held)
                    to = chance.choice([S.APPROVED, S.APPROVED, S.REJECTED])
                    house.app.operations.decide(row.id, to, "dana", "why")
                    approved |= {row.id} if to is S.APPROVED else set()
            case _:
                await asyncio.sleep(chance.choice([0.1, 1, 5]))
    await asyncio.sleep(chance.choice([0, 0.2, 2]))
    await _dead(house)
    async with proxy(rules, database=house.app.database, owner="mcp_2"):
        await asyncio.sleep(SESSION_KEPT_S / 1000)
        await asyncio.gather(*calls, return_exceptions=True)
        await talk.close()
        writes = [call for call in server.calls if call["name"] == "write_file"]
        task = house.app.operations.task(house.task)
        effects = house.effects()
        began = [row for row in effects if row.state in (S.DONE, S.IN_DOUBT)]
        assert len(writes) == len(began) <= len(approved)
        assert {row.id for row in began} <= approved
        assert task.outcome is not None or task.state is State.WAITING
        assert (task.state is State.ESCALATED) == any(row.state is S.IN_DOUBT for row in effects)
