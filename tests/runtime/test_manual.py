"""When the agent is off, its tasks go to people, who do them with the same tools; nothing waits, nothing is lost."""

import asyncio
import random
from typing import Any

import pytest

from airworthy.core.outcome import Outcome, ReasonCode
from airworthy.policy import ToolRule
from airworthy.runtime import Run, State, switches
from airworthy.runtime.by_hand import CALLS_MAX, ByHand, DoneBefore, HandsFull, InOtherHands
from airworthy.runtime.handing import BATCH
from airworthy.runtime.machine import IllegalTransition
from airworthy.store import lease as leases
from airworthy.store.lease import Owner
from airworthy.tools import EffectState, Tool, Toolbox, tool
from tests.runtime.kit import Bench, bench

AGENT = switches.of_agent("support")


class Shop:
    """What the tools talk to."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.looks = 0

    def tools(self) -> list[Tool]:
        @tool(effect="send")
        async def send(to: str) -> str:
            """Sends."""
            if to == "lost":
                raise ConnectionResetError("the line went dead")
            self.sent.append(to)
            return f"sent to {to}"

        @tool
        async def look(order: str) -> int:
            """Looks."""
            self.looks += 1
            return self.looks

        return [send, look]


def world(handler: Any, shop: Shop, **policy: Any) -> tuple[Bench, ByHand]:
    made = bench(handler, *shop.tools(), escalation={"default": "team"}, **policy)
    box = Toolbox(made.agent.policy, made.agent.tools, made.app.clock)
    hands = ByHand(
        made.app.database, made.app.clock, made.app.payloads, {"support": box}, Owner("hand_1", "", 1, ""),
        lambda _tx, _task, _by: None,
    )  # fmt: skip
    return made, hands


async def escalating(run: Run) -> str:
    await run.tool("send", to="ada")
    await run.tool("look", order="7")
    run.escalate("I do not know")


async def echo(run: Run) -> str:
    return run.text


async def test_a_task_for_an_agent_that_is_off_goes_to_people_at_once() -> None:
    made, _ = world(echo, Shop())
    made.app.operations.pause(AGENT, "dana", "wrong prices", manual=True)

    task = made.task(made.submit())

    assert (task.outcome, task.escalated_to) == (Outcome.ESCALATED, "team")
    assert task.why is not None
    assert task.why.code is ReasonCode.MANUAL
    assert "dana: wrong prices" in task.why.text


async def test_a_policy_that_says_so_needs_no_switch_and_no_worker() -> None:
    made, _ = world(echo, Shop(), manual=True)

    assert made.task(made.submit()).reason_code == ReasonCode.MANUAL


async def test_what_waited_is_handed_over_and_what_one_paused_alone_stays() -> None:
    made, _ = world(echo, Shop())
    queued, alone, cancelled = made.submit("a"), made.submit("b"), made.submit("c")
    made.app.operations.pause_task(alone)
    made.app.operations.cancel(cancelled, "ann")

    made.app.operations.pause(AGENT, "dana", "", manual=True)

    assert [made.task(id_).state for id_ in (queued, alone, cancelled)] == [
        State.ESCALATED, State.PAUSED, State.CANCELLED,
    ]  # fmt: skip


async def test_a_pause_becomes_a_hand_over_and_a_thousand_tasks_are_handed_over_in_batches() -> None:
    made, _ = world(echo, Shop())
    tasks = [made.submit(str(number)) for number in range(1_000)]
    made.app.operations.pause(AGENT, "dana", "")
    before = made.app.operations.counts()
    changed = made.app.operations.pause(AGENT, "dana", "", manual=True)
    again = made.app.operations.pause(AGENT, "lee", "", manual=True)

    assert before == {State.QUEUED: 1_000}
    assert (changed, again) == (True, False)
    assert made.app.operations.counts() == {State.ESCALATED: len(tasks)}


async def test_a_running_task_stops_before_its_next_step_and_is_handed_over() -> None:
    shop = Shop()
    begun = asyncio.Event()

    async def slow(run: Run) -> str:
        await run.tool("send", to="ada")
        begun.set()
        await asyncio.sleep(5)
        await run.tool("send", to="bob")
        return "done"

    made, _ = world(slow, shop)
    task = made.submit()
    worker = made.worker()
    working = asyncio.create_task(worker.run())
    await begun.wait()
    made.app.operations.pause(AGENT, "dana", "", manual=True)
    await asyncio.sleep(20)
    worker.stop()
    await working

    assert made.task(task).reason_code == ReasonCode.MANUAL
    assert shop.sent == ["ada"]


async def test_a_task_whose_worker_died_is_handed_over_and_its_act_is_in_doubt() -> None:
    shop = Shop()
    stuck = asyncio.Event()

    async def hangs(run: Run) -> str:
        await run.step("hang", stuck.wait)
        return "done"

    made, _ = world(hangs, shop)
    task = made.submit()
    working = asyncio.create_task(made.worker().run())
    await asyncio.sleep(1)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    made.app.database.write_now(lambda tx: leases.leave(tx, "wkr_1"))
    made.app.operations.pause(AGENT, "dana", "", manual=True)
    worker = made.worker()
    again = asyncio.create_task(worker.run())
    await asyncio.sleep(10)
    worker.stop()
    await again

    assert made.task(task).outcome is Outcome.ESCALATED


async def test_resuming_the_agent_leaves_what_people_have_with_people() -> None:
    made, _ = world(echo, Shop())
    made.app.operations.pause(AGENT, "dana", "", manual=True)
    task = made.submit("first")
    made.app.operations.resume(AGENT)
    after = await made.done("second")

    assert made.task(task).state is State.ESCALATED
    assert after.outcome is Outcome.ANSWERED


async def test_a_person_calls_the_same_tools_and_each_call_is_recorded_with_their_name() -> None:
    shop = Shop()
    made, hands = world(escalating, shop)
    task = (await made.done()).id

    sent = await hands.call(task, "send", {"to": "bob"}, "dana")
    looked = [(await hands.call(task, "look", {"order": "7"}, "dana")).result for _ in range(2)]

    steps = [step for step in made.steps(task) if step.by_hand]
    assert (sent.result, looked, shop.sent) == ("sent to bob", [2, 3], ["ada", "bob"])
    assert [(step.name, step.by_hand) for step in steps] == [
        ("send", "dana"),
        ("look", "dana"),
        ("look", "dana"),
    ]
    assert made.task(task).state is State.ESCALATED


async def test_rules_about_what_the_agent_read_and_how_sure_it_is_ask_nobody_about_a_persons_own_call() -> (
    None
):
    async def reading(run: Run) -> str:
        await run.tool("look", order="7")
        run.escalate("I do not know")

    shop = Shop()
    rule = ToolRule(approval_untrusted="strict", approval_below_confidence=0.9, asked_words=("send",))
    made, hands = world(reading, shop, tools={"send": rule})
    task = (await made.done()).id
    sent = await hands.call(task, "send", {"to": "bob"}, "dana")

    assert (sent.result, shop.sent) == ("sent to bob", ["bob"])


async def test_a_task_handed_in_as_a_rehearsal_stays_one_by_hand() -> None:
    shop = Shop()
    made, hands = world(escalating, shop)
    task = (await made.done(dry_run=True)).id
    rehearsed = await hands.call(task, "send", {"to": "bob"}, "dana")

    assert (rehearsed.result, shop.sent) == ({"dry_run": True, "tool": "send"}, [])


async def test_what_the_agent_did_is_not_done_twice_by_mistake() -> None:
    shop = Shop()
    made, hands = world(escalating, shop)
    task = (await made.done()).id

    with pytest.raises(DoneBefore, match="the agent called send with the same arguments in step"):
        await hands.call(task, "send", {"to": "ada"}, "dana")
    once_more = await hands.call(task, "send", {"to": "ada"}, "dana", again=True)

    assert once_more.result == "sent to ada"
    assert shop.sent == ["ada", "ada"]


async def test_an_agent_that_goes_on_finds_what_was_done_by_hand_and_does_not_repeat_it() -> None:
    shop = Shop()
    told: list[str] = []

    async def twice(run: Run) -> str:
        told.append("run")
        if len(told) == 1:
            run.escalate("who is it for?")
        return str(await run.tool("send", to="bob"))

    made, hands = world(twice, shop)
    task = (await made.done()).id
    await hands.call(task, "send", {"to": "bob"}, "dana")
    await hands.call(task, "send", {"to": "eve"}, "dana")
    made.app.operations.resume_task(task)
    await made.work()

    assert made.task(task).outcome is Outcome.ANSWERED
    assert made.answer(task) == "sent to bob"
    assert shop.sent == ["bob", "eve"]


async def test_a_call_that_needs_a_yes_waits_for_it_and_is_then_made_once() -> None:
    shop = Shop()
    made, hands = world(escalating, shop, tools={"send": ToolRule(approval="always"), "look": ToolRule()})
    task = made.submit()
    made.app.operations.pause(AGENT, "dana", "", manual=True)

    first = await hands.call(task, "send", {"to": "bob"}, "dana")
    still = await hands.call(task, "send", {"to": "bob"}, "dana")
    made.decide(task, EffectState.APPROVED)
    then = await hands.call(task, "send", {"to": "bob"}, "dana")
    with pytest.raises(DoneBefore, match="dana called send"):
        await hands.call(task, "send", {"to": "bob"}, "dana")

    assert "decide on send" in first.waiting
    assert first == still
    assert (then.result, shop.sent) == ("sent to bob", ["bob"])


async def test_a_lost_result_is_in_doubt_for_a_person_as_for_the_agent() -> None:
    shop = Shop()
    made, hands = world(escalating, shop, tools={"send": ToolRule(attempts=1), "look": ToolRule()})
    task = made.submit()
    made.app.operations.pause(AGENT, "dana", "", manual=True)

    lost = await hands.call(task, "send", {"to": "lost"}, "dana")

    assert "may or may not have happened" in lost.error
    assert made.effect(task).state is EffectState.IN_DOUBT
    with pytest.raises(DoneBefore, match="in_doubt"):
        await hands.call(task, "send", {"to": "lost"}, "dana")


async def test_a_task_that_the_agent_has_is_not_done_by_hand() -> None:
    made, hands = world(echo, Shop())
    queued = made.submit()
    answered = (await made.done("b")).id

    for task in (queued, answered):
        with pytest.raises(IllegalTransition, match="not in people's hands"):
            await hands.call(task, "look", {"order": "7"}, "dana")


async def test_two_people_at_once_take_turns() -> None:
    shop = Shop()
    slow = asyncio.Event()

    @tool(effect="send")
    async def send(to: str) -> str:
        """Sends."""
        await slow.wait()
        shop.sent.append(to)
        return to

    made = bench(escalating, send)
    made.app.operations.pause(AGENT, "dana", "", manual=True)
    task = made.submit()
    box = Toolbox(made.agent.policy, made.agent.tools, made.app.clock)
    both = [
        ByHand(
            made.app.database, made.app.clock, made.app.payloads, {"support": box}, Owner(name, "", 1, ""),
            lambda _tx, _task, _by: None,
        )
        for name in ("hand_1", "hand_2")
    ]  # fmt: skip
    first = asyncio.create_task(both[0].call(task, "send", {"to": "bob"}, "dana"))
    await asyncio.sleep(0.1)
    with pytest.raises(InOtherHands):
        await both[1].call(task, "send", {"to": "bob"}, "lee")
    slow.set()
    await first

    assert shop.sent == ["bob"]


@pytest.mark.parametrize("seed", range(40))
async def test_however_switches_workers_and_people_interleave_each_task_ends_once_and_each_mail_goes_once(
    seed: int,
) -> None:
    chance = random.Random(seed)
    shop = Shop()

    async def mails(run: Run) -> str:
        await asyncio.sleep(chance.random() * 3)
        await run.tool("send", to=run.text)
        await asyncio.sleep(chance.random() * 3)
        return "done"

    made, _ = world(mails, shop)
    tasks = [made.submit(str(number)) for number in range(12)]
    worker = made.worker(concurrency=3)
    working = asyncio.create_task(worker.run())
    for _ in range(4):
        await asyncio.sleep(chance.random() * 4)
        if chance.random() < 0.5:
            made.app.operations.pause(AGENT, "dana", "", manual=chance.random() < 0.7)
        else:
            made.app.operations.resume(AGENT)
    made.app.operations.resume(AGENT)
    await asyncio.sleep(30)
    worker.stop()
    await working

    states = [made.task(id_).state for id_ in tasks]
    assert set(states) <= {State.ANSWERED, State.ESCALATED}
    assert len(shop.sent) == len(set(shop.sent))
    for id_, state in zip(tasks, states, strict=True):
        outcomes = [step for step in made.steps(id_) if step.kind == "outcome"]
        assert len(outcomes) == 1, state


async def test_a_call_that_takes_longer_than_a_lease_keeps_its_result_while_workers_bury_the_dead() -> None:
    @tool(effect="send")
    async def send(to: str) -> str:
        """Sends, slowly."""
        await asyncio.sleep(3 * leases.LEASE_S)
        return f"sent to {to}"

    shop = Shop()
    shop.tools = lambda: [send]  # type: ignore[method-assign]
    made, hands = world(escalating, shop, tools={"send": ToolRule(timeout_s=100)})
    made.app.operations.pause(AGENT, "dana", "", manual=True)
    task = made.submit()
    worker = made.worker()
    working = asyncio.create_task(worker.run())
    called = await hands.call(task, "send", {"to": "bob"}, "dana")
    worker.stop()
    await working

    assert called.result == "sent to bob"
    assert made.effect(task).state is EffectState.DONE


@pytest.mark.parametrize(("keyed", "became"), [(True, EffectState.DONE), (False, EffectState.IN_DOUBT)])
async def test_a_call_whose_caller_died_goes_on_under_its_key_or_into_doubt(
    keyed: bool, became: EffectState
) -> None:
    keys: list[str] = []
    stuck = [True]

    async def sends(to: str, idempotency_key: str = "") -> str:
        """Sends."""
        keys.append(idempotency_key)
        if stuck:
            await asyncio.Event().wait()
        return f"sent to {to}"

    async def with_key(to: str, *, idempotency_key: str) -> str:
        """Sends."""
        return await sends(to, idempotency_key)

    async def without(to: str) -> str:
        """Sends."""
        return await sends(to)

    send = (
        tool(name="send", effect="send", keyed=True)(with_key)
        if keyed
        else tool(name="send", effect="send")(without)
    )
    shop = Shop()
    shop.tools = lambda: [send]  # type: ignore[method-assign]
    made, hands = world(escalating, shop, tools={"send": ToolRule(timeout_s=100)})
    made.app.operations.pause(AGENT, "dana", "", manual=True)
    task = made.submit()
    calling = asyncio.create_task(hands.call(task, "send", {"to": "bob"}, "dana"))
    await asyncio.sleep(1)
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    stuck.clear()
    again = await hands.call(task, "send", {"to": "bob"}, "dana")

    assert made.effect(task).state is became
    assert len(set(keys)) == 1
    assert (again.result == "sent to bob") == keyed


async def test_a_session_of_an_agent_elsewhere_is_nobodys_to_go_on_with() -> None:
    made, hands = world(escalating, Shop())
    task = (await made.done()).id
    made.app.database.write_now(
        lambda tx: tx.execute("UPDATE tasks SET kind = 'session' WHERE id = ?", (task,))
    )

    with pytest.raises(IllegalTransition, match="a session of an agent that runs elsewhere"):
        await hands.call(task, "look", {"order": "7"}, "dana")


async def test_as_many_calls_at_once_as_may_be_and_the_next_is_told() -> None:
    slow = asyncio.Event()

    @tool
    async def look(order: str) -> str:
        """Looks."""
        await slow.wait()
        return order

    shop = Shop()
    shop.tools = lambda: [look]  # type: ignore[method-assign]
    made, hands = world(escalating, shop, tools={"look": ToolRule(timeout_s=100)})
    made.app.operations.pause(AGENT, "dana", "", manual=True)
    tasks = [made.submit(str(number)) for number in range(CALLS_MAX + 1)]
    calls = [asyncio.create_task(hands.call(id_, "look", {"order": id_}, "dana")) for id_ in tasks[:-1]]
    await asyncio.sleep(0.5)
    with pytest.raises(HandsFull):
        await hands.call(tasks[-1], "look", {"order": "7"}, "dana")
    slow.set()

    assert [called.result for called in await asyncio.gather(*calls)] == tasks[:-1]
    assert (await hands.call(tasks[-1], "look", {"order": "7"}, "dana")).result == "7"


async def test_a_person_is_told_what_did_not_answer_and_what_took_its_place() -> None:
    @tool
    async def stock(item: str) -> int:
        """Looks."""
        raise ConnectionRefusedError(item)

    shop = Shop()
    shop.tools = lambda: [stock]  # type: ignore[method-assign]
    rule = ToolRule(attempts=1, critical=False, fallback="nothing")
    made, hands = world(escalating, shop, tools={"stock": rule})
    made.app.operations.pause(AGENT, "dana", "", manual=True)
    called = await hands.call(made.submit(), "stock", {"item": "tea"}, "dana")

    assert called.result is None
    (gap,) = called.document()["gaps"]
    assert gap["text"] == "stock did not answer; nothing took its place"


async def test_what_many_paused_one_by_one_hides_nothing_that_the_switch_stopped() -> None:
    async def slow(run: Run) -> str:
        await asyncio.sleep(5)
        return str(await run.tool("look", order="7"))

    made, _ = world(slow, Shop())
    first = made.submit("first")
    worker = made.worker()
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(1)
    made.app.operations.pause(AGENT, "dana", "")
    await asyncio.sleep(10)
    worker.stop()
    await working
    assert made.task(first).state is State.PAUSED
    alone = [made.submit(str(number)) for number in range(BATCH + 1)]
    for id_ in alone:
        made.app.operations.pause_task(id_)

    made.app.operations.pause(AGENT, "dana", "", manual=True)

    assert made.task(first).state is State.ESCALATED
    assert {made.task(id_).state for id_ in alone} == {State.PAUSED}
