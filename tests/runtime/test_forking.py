"""A fork begins as another task did and goes on in another way; it asks models and reads, and it never acts."""

import asyncio
from typing import Any

import pytest

from airworthy.app.build import this_process, toolbox_of
from airworthy.policy import Limits, ToolRule
from airworthy.recorder import Recorded
from airworthy.review import ItemQuery
from airworthy.runtime import QueueFull, Run, State, TaskRow
from airworthy.runtime.by_hand import ByHand
from airworthy.runtime.forking import CannotFork, Changes, Forks
from airworthy.runtime.replayed import Verdict
from airworthy.runtime.replaying import Replays
from airworthy.runtime.side_by_side import side_by_side
from airworthy.tools import EffectState, Tool, Transient, TransitionRefused, tool
from tests.gateway.kit import FIRST, SECOND, Script, completion, model, script
from tests.runtime.kit import Bench, bench


class World:
    """What was done to it, and what was read from it. Once it is `closed`, whatever acts is a broken promise."""

    def __init__(self) -> None:
        self.acts: list[str] = []
        self.reads: list[str] = []
        self.closed = False
        self.fault: Exception | None = None

    def act(self, what: str) -> None:
        assert not self.closed, f"a fork has acted: {what}"
        self.acts.append(what)
        if self.fault is not None:
            raise self.fault

    def tools(self) -> tuple[Tool, ...]:
        @tool
        async def look(what: str) -> str:
            """Looks."""
            self.reads.append(what)
            return f"{what} is here"

        async def unpay(arguments: dict[str, Any], result: str) -> str:
            self.act("took a payment back")
            return "back"

        @tool(effect="send", undo=unpay)
        async def pay(to: str) -> str:
            """Pays."""
            self.act(f"paid {to}")
            return f"paid {to}"

        @tool(effect="send", keyed=True)
        async def mail(to: str, *, idempotency_key: str) -> str:
            """Sends."""
            self.act(f"mailed {to}")
            return f"mailed {to}"

        return look, pay, mail


async def letter(run: Run) -> dict[str, Any]:
    """Asks, looks, asks again, pays."""
    first = await run.model(
        [{"role": "system", "content": "Be kind."}, {"role": "user", "content": run.text}]
    )
    found = await run.tool("look", what=first.text)
    second = await run.model(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": str(found)}], model=FIRST
    )
    return {"said": second.text, "paid": await run.tool("pay", to="ann")}


MODELS = (model(), model(SECOND))


def lettered(world: World, client: Script | None = None, **policy: Any) -> tuple[Bench, Script]:
    client = (
        client if client is not None else script(completion("teapot"), completion("yes"), completion("no"))
    )
    return bench(
        letter, *world.tools(), models=MODELS, clients={FIRST: client, SECOND: client}, **policy
    ), client  # fmt: skip


def forks(b: Bench) -> Forks:
    app = b.app
    return Forks(app.database, app.clock, app.ids, app.payloads, {b.agent.name: b.agent})


async def forked(b: Bench, world: World, task_id: str, at: int, **changes: Any) -> TaskRow:
    world.closed = True
    fork = forks(b).fork(task_id, at, Changes(**changes))
    await b.work()
    return b.task(fork.id)


def seq_of(steps: list[Recorded], name: str, occurrence: int = 0) -> int:
    return [step.seq for step in steps if step.name == name][occurrence]


async def test_it_goes_on_from_the_step_with_another_model_and_another_prompt() -> None:
    world = World()
    b, client = lettered(world)
    task = await b.done("a letter")
    fork = await forked(
        b, world, task.id, seq_of(b.steps(task.id), "chat", 1), model=SECOND, prompt="Be loud."
    )

    assert b.answer(fork.id) == {"said": "no", "paid": {"dry_run": True, "tool": "pay"}}
    assert (fork.fork_of, fork.fork_at, fork.state) == (task.id, 4, State.ANSWERED)
    assert len(client.bodies) == 3, "what came before the step was answered from the record"
    assert client.bodies[-1]["model"] == SECOND
    assert client.bodies[-1]["messages"] == [
        {"role": "system", "content": "Be loud."}, {"role": "user", "content": "teapot is here"},
    ]  # fmt: skip
    assert world.reads == ["teapot"]
    assert world.acts == ["paid ann"], "that was the origin"


async def test_it_pays_for_its_own_part_alone_and_counts_as_a_task_of_its_own() -> None:
    world = World()
    b, _ = lettered(world)
    task = await b.done("a letter")
    fork = await forked(b, world, task.id, 4, model=SECOND)

    assert task.cost_nano == 2 * (10 * 1_000 + 5 * 4_000)
    assert fork.cost_nano == 10 * 1_000 + 5 * 4_000
    assert (fork.tokens, fork.steps) == (15, 3)
    assert fork.trace_id != task.trace_id


async def test_its_own_limits_bound_what_it_spends() -> None:
    world = World()

    async def talkative(run: Run) -> str:
        while True:
            await run.model([{"role": "user", "content": await run.uuid()}])

    client = script(completion(tokens=(100, 100)))
    b = bench(
        talkative,
        models=MODELS,
        clients={FIRST: client, SECOND: client},
        limits=Limits(cost_usd=0.002, steps=99),
    )
    task = await b.done()
    fork = await forked(b, world, task.id, seq_of(b.steps(task.id), "chat"), model=SECOND)

    assert (task.reason_code, fork.reason_code) == ("limit_cost", "limit_cost")
    assert fork.cost_nano is not None
    assert 0 < fork.cost_nano <= 2_000_000


@pytest.mark.parametrize(
    ("name", "result", "answer"),
    [
        ("look", "the teapot is broken", {"said": "no", "paid": {"dry_run": True, "tool": "pay"}}),
        ("pay", "paid nobody", {"said": "yes", "paid": "paid nobody"}),
    ],
)
async def test_a_tool_is_said_to_have_answered_otherwise(name: str, result: str, answer: Any) -> None:
    world = World()
    b, client = lettered(world)
    task = await b.done("a letter")
    fork = await forked(b, world, task.id, seq_of(b.steps(task.id), name), result=result)

    assert b.answer(fork.id) == answer
    assert result in client.bodies[-1]["messages"][-1]["content"] or name == "pay"


async def test_a_model_is_said_to_have_answered_otherwise() -> None:
    world = World()
    b, _ = lettered(world)
    task = await b.done("a letter")
    fork = await forked(b, world, task.id, 2, result="kettle")

    assert world.reads == ["teapot", "kettle"]
    assert fork.state is State.ANSWERED


async def test_another_input_asks_anew_what_hangs_on_it() -> None:
    world = World()
    b, client = lettered(world)
    task = await b.done("a letter")
    fork = await forked(b, world, task.id, 2, input="a postcard")

    assert client.bodies[2]["messages"][-1]["content"] == "a postcard"
    assert b.steps(fork.id)[0].arguments == "a postcard"


async def test_code_that_takes_another_path_before_the_step_is_told_as_divergence() -> None:
    world = World()

    async def early(run: Run) -> str:
        await run.tool("pay", to=run.text)
        await run.tool("look", what="it")
        return str(await run.tool("pay", to="bob"))

    b = bench(early, *world.tools())
    task = await b.done("ann")
    fork = await forked(b, world, task.id, 3, input="eve")

    assert (fork.state, fork.reason_code) == (State.ESCALATED, "divergence")


async def test_what_people_had_said_is_said_to_the_fork_as_well() -> None:
    world = World()

    async def told(run: Run) -> str:
        if not run.word:
            run.escalate("Whom?")
        await run.tool("look", what=run.word)
        return str(await run.tool("pay", to=run.word))

    b = bench(told, *world.tools())
    task_id = b.submit()
    await b.work()
    item = b.waiting().look
    b.app.reviews.reopen(item.item.id, "dana", "ann", seen=item.seal)
    await b.work()
    fork = await forked(b, world, task_id, seq_of(b.steps(task_id), "pay"))

    assert fork.state is State.ANSWERED
    assert world.reads == ["ann"]


async def test_a_fork_is_replayed_like_any_task_and_forked_like_any_task() -> None:
    world = World()
    b, _ = lettered(world)
    task = await b.done("a letter")
    fork = await forked(b, world, task.id, 4, model=SECOND, prompt="Be loud.")
    second = await forked(b, world, fork.id, seq_of(b.steps(fork.id), "pay"))
    replays = Replays(b.app.database, b.app.payloads, {b.agent.name: b.agent})

    assert (await replays.replay(fork.id)).verdict is Verdict.SAME
    assert (await replays.replay(second.id)).verdict is Verdict.SAME
    assert (second.fork_of, b.answer(second.id)) == (fork.id, b.answer(fork.id))


async def test_both_stand_side_by_side() -> None:
    world = World()
    b, _ = lettered(world)
    task = await b.done("a letter")
    fork = await forked(b, world, task.id, 4, model=SECOND)
    found = b.app.database.read_now(lambda tx: side_by_side(tx, fork.id))

    assert found is not None
    assert (found.origin.cost_nano, found.fork.cost_nano) == (30_000, 30_000)
    assert (found.origin.steps, found.fork.steps, found.same) == (2, 2, False)
    assert any(line.startswith("+") and "no" in line for line in found.diff)
    assert b.app.database.read_now(lambda tx: side_by_side(tx, task.id)) is None


# Invariant 5: a shadow run can never act. What tries to break out.


@pytest.mark.parametrize(
    "rule",
    [
        ToolRule(), ToolRule(approval="always"), ToolRule(delay_s=60), ToolRule(approval="always", delay_s=60),
        ToolRule(dry_run=False), ToolRule(critical=True),
    ],
    ids=["plain", "approval", "delay", "approval and delay", "dry run off", "critical"],
)  # fmt: skip
async def test_invariant_5_no_rule_of_the_policy_lets_a_fork_act(rule: ToolRule) -> None:
    world = World()

    async def two(run: Run) -> list[Any]:
        await run.tool("look", what="it")
        return [await run.tool("pay", to="ann"), await run.tool("mail", to="bob")]

    b = bench(two, *world.tools(), tools={"look": ToolRule(), "pay": rule, "mail": rule})
    task_id = b.submit()
    await b.work()
    fork = await forked(b, world, task_id, 2)
    effects = b.app.operations.effects(fork.id)

    assert [row.state for row in effects] == [EffectState.REHEARSED] * 2
    assert fork.state is State.ANSWERED, "nobody was asked, and nothing waits"
    for row in effects:
        for to in (EffectState.APPROVED, EffectState.DONE, EffectState.CANCELLED):
            with pytest.raises(TransitionRefused):
                b.app.operations.decide(row.id, to, "eve")
        with pytest.raises(TransitionRefused):
            b.app.operations.undo(row.id, "eve")
    await asyncio.sleep(600)
    await b.work()


@pytest.mark.parametrize("state", ["in doubt", "scheduled"])
async def test_invariant_5_what_was_open_before_the_step_is_rehearsed_by_the_fork(state: str) -> None:
    world = World()

    async def two(run: Run) -> str:
        paying = asyncio.ensure_future(run.tool("pay", to="ann"))
        await asyncio.sleep(0)
        await asyncio.gather(paying, run.step("read", str, "it"))
        return str(await run.tool("look", what="more"))

    rules = {
        "held": ToolRule(approval="always"),
        "in doubt": ToolRule(attempts=1),
        "scheduled": ToolRule(delay_s=999),
    }
    b = bench(two, *world.tools(), tools={"pay": rules[state], "look": ToolRule()})
    world.fault = Transient("reset", happened="maybe") if state == "in doubt" else None
    task_id = b.submit()
    await b.work()
    fork = await forked(b, world, task_id, seq_of(b.steps(task_id), "read"))
    ours = {row.state for row in b.app.operations.effects(fork.id)}

    assert b.effect(task_id).state.value.replace("_", " ") == state, "the origin's stays as it is"
    assert ours <= {EffectState.REHEARSED}
    assert fork.state is State.ANSWERED


@pytest.mark.parametrize("door", ["requeue", "resume", "by hand", "erased input", "forked once more"])
async def test_invariant_5_no_door_for_people_lets_a_fork_act(door: str) -> None:
    world = World()
    fails = [True]

    async def failing(run: Run) -> str:
        await run.tool("look", what="it")
        if run.input["end"] == "escalate" and fails:
            run.escalate("Ask somebody.")
        if fails:
            raise RuntimeError("a bug")
        return str(await run.tool("mail", to="ann"))

    b = bench(failing, *world.tools(), tools={"look": ToolRule(), "mail": ToolRule(), "pay": ToolRule()})
    end = "escalate" if door in ("resume", "by hand") else "raise"
    task = await b.done({"end": end})
    fork = await forked(b, world, task.id, 2)
    fails.clear()

    match door:
        case "requeue":
            b.app.operations.requeue(fork.id)
        case "erased input":
            b.app.database.write_now(
                lambda tx: tx.execute(
                    "UPDATE payloads SET body = ? WHERE task_id = ? AND seq = 0",
                    (b.app.payloads.pack(b'{"arguments":{"end":"raise"}}'), fork.id),
                )
            )
            b.app.operations.requeue(fork.id)
        case "resume":
            b.app.operations.resume_task(fork.id)
        case "by hand":
            hands = ByHand(
                b.app.database, b.app.clock, b.app.payloads, {b.agent.name: toolbox_of(b.app, b.agent, b.agent.policy)},
                this_process(b.app.clock, "hand"), lambda *_: None,
            )  # fmt: skip
            called = await hands.call(fork.id, "pay", {"to": "eve"}, "eve")
            assert called.result == {"dry_run": True, "tool": "pay"}
        case _:
            fork = await forked(b, world, fork.id, seq_of(b.steps(fork.id), "look"))
    await b.work()

    assert not world.acts
    if door != "by hand":
        assert b.answer(fork.id) == str({"dry_run": True, "tool": "mail"})


async def test_a_fork_that_ends_badly_is_on_nobodys_list() -> None:
    world = World()

    async def asks(run: Run) -> str:
        await run.tool("look", what="it")
        run.escalate("Ask somebody.")

    b = bench(asks, *world.tools())
    task = await b.done()
    fork = await forked(b, world, task.id, 2)
    listed = [look.item.task_id for look in b.app.reviews.listing(ItemQuery())]

    assert fork.state is State.ESCALATED
    assert listed == [task.id]


# What cannot be forked.


@pytest.mark.parametrize(
    ("at", "changes", "says"),
    [
        (99, {}, "Step 99"),
        (1, {}, "is a check"),
        (6, {}, "is a check"),
        (3, {"result": {"no": "text"}}, "no result of step 3"),
        (2, {"result": 17}, "no result of step 2"),
        (2, {"result": {"tool_calls": "all"}}, "no result of step 2"),
        (3, {"result": "sk-ant-api03-" + "x" * 40}, "secret"),
        (3, {"prompt": "Use sk-ant-api03-" + "x" * 40}, "secret"),
        (3, {"prompt": "x" * 200_001}, "200001"),
        (2, {"model": "sim-huge-2026-11-01"}, "not in the policy"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_stored(
    at: int, changes: dict[str, Any], says: str
) -> None:
    world = World()
    b, _ = lettered(world)
    task = await b.done("a letter")

    with pytest.raises(CannotFork, match=says):
        forks(b).fork(task.id, at, Changes(**changes))

    assert sum(b.app.operations.counts().values()) == 1


async def test_an_agent_whose_tasks_people_do_is_not_forked_and_a_full_queue_takes_none() -> None:
    world = World()
    b = bench(letter, *world.tools(), models=MODELS, clients=dict.fromkeys((FIRST, SECOND), script(completion("hi"))),
              admission={"queue_max": 1})  # fmt: skip
    task = await b.done("a letter")
    forks(b).fork(task.id, 2, Changes())

    with pytest.raises(QueueFull):
        forks(b).fork(task.id, 2, Changes())
    b.app.operations.pause("agent:support", "dana", "off", manual=True)
    with pytest.raises(CannotFork, match="People do"):
        forks(b).fork(task.id, 2, Changes())
