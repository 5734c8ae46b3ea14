"""A replay calls an agent again with its record alone: what each kind of task comes to, and what it says otherwise."""

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from airworthy.checks import CheckContext, blocked, check, passed
from airworthy.checks import Verdict as Judged
from airworthy.core.halt import Halt
from airworthy.core.outcome import Outcome
from airworthy.policy import ContextRule, Limits, ToolRule
from airworthy.recorder import StepState
from airworthy.recorder.sealed_journal import Sealed, SealedDatabase, SealedJournal
from airworthy.runtime import Agent, Run, State, SyncRun, TaskQuery
from airworthy.runtime.attached import Opening, opened
from airworthy.runtime.replayed import Replayed, Verdict
from airworthy.runtime.replaying import Replays, ReplaysFull
from airworthy.store.lease import Owner, join
from airworthy.tools import EffectState, Tool, ToolError, Transient, tool
from tests.dump import everything
from tests.gateway.kit import FIRST, SECOND, completion, model, script
from tests.runtime.kit import Bench, bench
from tests.runtime.test_context import built_in, looks, made
from tests.virtual import run_virtual


class Outside:
    """What an agent can reach. Once it is `shut`, whatever gets here is counted, and no agent can hide it."""

    def __init__(self) -> None:
        self.shut = False
        self.touched: list[str] = []
        self.failing: list[Exception] = []

    def reach(self, what: str) -> None:
        if self.shut:
            self.touched.append(what)
            raise Touched(what)
        if self.failing:
            raise self.failing.pop(0)

    def tools(self) -> tuple[Tool, ...]:
        @tool
        async def look(what: str) -> str:
            """Looks."""
            self.reach("look")
            await asyncio.sleep(0.2)
            return f"{what} seen"

        @tool(effect="send")
        async def pay(to: str) -> str:
            """Pays."""
            self.reach("pay")
            return f"paid {to}"

        @tool(effect="send", keyed=True)
        async def mail(to: str, *, idempotency_key: str) -> str:
            """Sends."""
            self.reach(f"mail {idempotency_key}")
            return f"sent to {to}"

        return look, pay, mail


class Touched(BaseException):
    pass


async def replayed(
    b: Bench, outside: Outside, task_id: str, handler: Callable[[Any], Any] | None = None, **policy: Any
) -> Replayed:
    """`handler`: the agent's code by now; `policy`: what it says by now."""
    agent = b.agent
    if handler is not None or policy:
        changed, was = b.agent.policy.model_copy(update=policy), b.agent
        agent = Agent(changed, tools=was.tools, checks=was.checks, clients=was.clients)
        agent.task(handler if handler is not None else b.agent.handler)
    before = stored(b)
    outside.shut = True
    report = await Replays(b.app.database, b.app.payloads, {agent.name: agent}).replay(task_id)
    assert not outside.touched
    assert stored(b) == before, "a replay writes nothing"
    return report


def stored(b: Bench) -> dict[str, Any]:
    return {name: rows for name, rows in everything(b.app.database).items() if not name.startswith("texts")}


async def errand(run: Run) -> str:
    seen = await run.tool("look", what=run.text)
    return f"{seen}, {await run.tool('pay', to='ann')}"


# What each kind of task comes to.


async def test_an_answered_task_comes_to_the_same_answer_from_the_same_calls() -> None:
    outside = Outside()
    b = bench(errand, *outside.tools())
    task = await b.done("order 7")

    report = await replayed(b, outside, task.id)

    assert (report.verdict, report.differs, report.met, report.steps) == (Verdict.SAME, (), 2, 2)
    assert report.text == "The same: answered, from 2 recorded calls and nothing else."


async def test_models_time_chance_steps_and_waits_are_answered_from_the_record_too() -> None:
    outside = Outside()

    async def whole(run: Run) -> list[Any]:
        def compute() -> int:
            outside.reach("a step of the agent's own")
            return 42

        run.confidence(0.9)
        await run.sleep(30)
        reply = await run.model([{"role": "user", "content": await run.uuid()}])
        return [reply.text, str(await run.now()), await run.random(), await run.step("compute", compute)]

    client = script(completion("hello"))
    b = bench(whole, *outside.tools(), models=(model(),), clients={FIRST: client})
    task = await b.done()

    report = await replayed(b, outside, task.id)

    assert report.verdict is Verdict.SAME
    assert report.met == report.steps == 7
    assert len(client.bodies) == 1


async def test_an_agent_in_a_thread_is_replayed_like_any_other() -> None:
    outside = Outside()

    def plain(run: SyncRun) -> str:
        return f"{run.tool('look', what=run.text)} at {run.now():%H}"

    b = bench(plain, *outside.tools())
    task = await b.done("order 7")

    assert (await replayed(b, outside, task.id)).verdict is Verdict.SAME


async def test_a_retried_task_is_explained_by_the_try_that_went_well() -> None:
    outside = Outside()
    outside.failing = [Transient("down"), Transient("down"), Transient("down")]
    b = bench(errand, *outside.tools(), tools={"look": ToolRule(attempts=1, critical=True)})
    task = await b.done()

    assert task.run > 1, "its failed steps were superseded"
    assert (await replayed(b, outside, task.id)).verdict is Verdict.SAME


async def test_a_task_that_gave_up_after_its_attempts_gives_up_again() -> None:
    outside = Outside()
    outside.failing = [Transient("down")] * 50
    b = bench(
        errand,
        *outside.tools(),
        tools={"look": ToolRule(attempts=1, critical=True)},
        runtime={"attempts_max": 2},
    )
    task = await b.done()
    report = await replayed(b, outside, task.id)

    assert (task.reason_code, report.verdict) == ("tool_failure", Verdict.SAME)


async def test_approvals_and_answers_of_people_are_on_record() -> None:
    outside = Outside()

    async def asking(run: Run) -> str:
        whom = await run.ask("Whom?")
        return str(await run.tool("pay", to=whom))

    b = bench(asking, *outside.tools(), tools={"pay": ToolRule(approval="always")})
    task_id = b.submit()
    await b.work()
    item = b.waiting().look
    b.app.reviews.answer(item.item.id, "dana", "ann", seen=item.seal)
    await b.work()
    b.decide(task_id, EffectState.APPROVED)
    await b.work()

    assert b.answer(task_id) == "paid ann"
    assert (await replayed(b, outside, task_id)).verdict is Verdict.SAME


async def test_a_call_that_a_person_changed_is_replayed_as_the_agent_made_it() -> None:
    outside = Outside()
    b = bench(errand, *outside.tools(), tools={"pay": ToolRule(approval="always")})
    task_id = b.submit()
    await b.work()
    item = b.waiting().look
    b.app.reviews.edit(item.item.id, "dana", {"to": "bob"}, seen=item.seal)
    await b.work()

    assert b.answer(task_id) == "hello seen, paid bob"
    assert (await replayed(b, outside, task_id)).verdict is Verdict.SAME


async def test_an_act_in_doubt_ends_the_replay_where_it_ended_the_run() -> None:
    outside = Outside()
    b = bench(errand, *outside.tools(), tools={"pay": ToolRule(attempts=1)})
    outside.failing = []
    task_id = b.submit()
    pay = b.agent.tools[1]
    outside.failing = [Transient("reset", happened="maybe")]
    looked = outside.reach

    def reach(what: str) -> None:
        if what != "look":
            looked(what)

    outside.reach = reach  # type: ignore[method-assign]  # only the act meets the fault
    await b.work()
    outside.reach = looked  # type: ignore[method-assign]
    report = await replayed(b, outside, task_id)

    assert pay.effect.acts
    assert b.task(task_id).reason_code == "in_doubt"
    assert report.verdict is Verdict.SAME
    assert report.replayed is not None
    assert report.replayed.outcome is Outcome.ESCALATED


async def test_a_task_opened_again_with_a_word_is_told_that_word() -> None:
    outside = Outside()

    async def told(run: Run) -> str:
        if not run.word:
            run.escalate("Whom?")
        return str(await run.tool("pay", to=run.word))

    b = bench(told, *outside.tools())
    task_id = b.submit()
    await b.work()
    item = b.waiting().look
    b.app.reviews.reopen(item.item.id, "dana", "ann", seen=item.seal)
    await b.work()

    assert b.answer(task_id) == "paid ann"
    assert (await replayed(b, outside, task_id)).verdict is Verdict.SAME


async def test_what_people_ended_is_held_against_the_end_of_its_run() -> None:
    outside = Outside()

    async def asks(run: Run) -> str:
        run.escalate("Not mine.")

    b = bench(asks, *outside.tools())
    task_id = b.submit()
    await b.work()
    item = b.waiting().look
    b.app.reviews.answer(item.item.id, "dana", "by hand", seen=item.seal)
    report = await replayed(b, outside, task_id)

    assert b.task(task_id).state is State.ANSWERED
    assert report.verdict is Verdict.SAME
    assert report.recorded is not None
    assert report.recorded.outcome is Outcome.ESCALATED
    assert report.text.endswith("People ended it afterwards.")


def looping(limit: str) -> Callable[[Run], Any]:
    async def steps(run: Run) -> str:
        for number in range(20):
            await run.tool("look", what=f"{number}")
        return "never"

    async def same(run: Run) -> str:
        while True:
            await run.tool("look", what="it")

    async def seconds(run: Run) -> str:
        while True:
            await run.tool("look", what=await run.uuid())
            await asyncio.sleep(2)

    async def between(run: Run) -> str:
        await run.tool("look", what="it")
        await asyncio.sleep(1000)
        return "never"

    async def scope(run: Run) -> str:
        while True:
            try:
                await run.tool("steal", what="all")
            except ToolError:
                continue

    return {"steps": steps, "identical": same, "seconds": seconds, "between": between, "scope": scope}[limit]


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("steps", "limit_steps"),
        ("identical", "loop_identical"),
        ("seconds", "limit_seconds"),
        ("between", "limit_seconds"),
        ("scope", "out_of_scope"),
    ],
)
async def test_what_was_put_to_a_run_from_outside_stands_as_it_was(limit: str, code: str) -> None:
    outside = Outside()
    limits = Limits(steps=8, seconds=10, no_progress=100, off_track=100)
    b = bench(looping(limit), *outside.tools(), limits=limits)
    task = await b.done()
    report = await replayed(b, outside, task.id)

    assert (task.reason_code, report.verdict) == (code, Verdict.SAME), report.text


async def test_a_budget_that_was_used_up_ends_the_replay_too() -> None:
    outside = Outside()

    async def talkative(run: Run) -> str:
        while True:
            await run.model([{"role": "user", "content": await run.uuid()}])

    b = bench(
        talkative, *outside.tools(), models=(model(),), clients={FIRST: script(completion(tokens=(100, 100)))},
        limits=Limits(cost_usd=0.002, steps=100),
    )  # fmt: skip
    task = await b.done()
    report = await replayed(b, outside, task.id)

    assert (task.reason_code, report.verdict) == ("limit_cost", Verdict.SAME), report.text


@pytest.mark.parametrize("when", ["before it began", "while it slept"])
async def test_a_cancelled_task_is_cancelled_again(when: str) -> None:
    outside = Outside()

    async def slow(run: Run) -> str:
        await run.tool("look", what="it")
        await run.sleep(3600)
        return "late"

    b = bench(slow, *outside.tools())
    task_id = b.submit()
    if when == "while it slept":
        working = asyncio.create_task(b.work())
        await asyncio.sleep(5)
        b.app.operations.cancel(task_id, "dana")
        await working
    else:
        b.app.operations.cancel(task_id, "dana")
    report = await replayed(b, outside, task_id)

    assert (report.verdict, b.task(task_id).state) == (Verdict.SAME, State.CANCELLED), report.text


async def test_a_task_declined_at_the_door_is_judged_again_by_todays_policy() -> None:
    outside = Outside()
    b = bench(errand, *outside.tools(), input={"bytes_max": 10})
    task_id = b.submit("much too long for that")
    wider = b.agent.policy.input.model_copy(update={"bytes_max": 1000})

    assert (await replayed(b, outside, task_id)).verdict is Verdict.SAME
    report = await replayed(b, outside, task_id, input=wider)
    assert (report.verdict, report.differs) == (Verdict.DIFFERS, ("outcome",))
    assert report.other_policy


async def test_a_check_that_calls_out_is_not_asked_again_and_its_verdict_stands() -> None:
    outside = Outside()

    @check(on="input")
    def spam(value: Any, context: CheckContext) -> Judged:
        outside.reach("a service for spam")
        return blocked("Spam.") if "buy" in str(value) else passed()

    @check(on="output")
    def nice(value: Any, context: CheckContext) -> Judged:
        outside.reach("a service for manners")
        return blocked("Rude.") if "damn" in str(value) else passed()

    async def echo(run: Run) -> str:
        return run.text

    b = bench(echo, *outside.tools(), checks=[spam, nice])
    tasks = [await b.done(text) for text in ("hello", "buy now", "damn")]
    reports = [await replayed(b, outside, task.id) for task in tasks]

    assert [task.reason_code for task in tasks] == ["done", "blocked_input", "blocked_output"]
    assert [report.verdict for report in reports] == [Verdict.SAME] * 3

    async def milder(run: Run) -> str:
        return "darn"

    assert (await replayed(b, outside, tasks[2].id, milder)).differs == ("answer",)


async def test_a_bug_of_the_agent_is_met_again() -> None:
    outside = Outside()

    async def buggy(run: Run) -> str:
        await run.tool("look", what="it")
        raise KeyError("price")

    async def otherwise(run: Run) -> str:
        await run.tool("look", what="it")
        raise TypeError("price")

    b = bench(buggy, *outside.tools())
    task = await b.done()

    assert (await replayed(b, outside, task.id)).verdict is Verdict.SAME
    assert (await replayed(b, outside, task.id, otherwise)).differs == ("reason",)


async def test_a_failed_step_is_caught_by_the_same_name_as_the_first_time() -> None:
    outside = Outside()

    async def careful(run: Run) -> str:
        def broken() -> NoReturn:
            raise KeyError("price")

        try:
            await run.step("read", broken)
        except KeyError:
            return "no price"
        return "a price"

    b = bench(careful, *outside.tools())
    task = await b.done()

    assert b.answer(task.id) == "no price"
    assert (await replayed(b, outside, task.id)).verdict is Verdict.SAME


async def test_an_agents_own_patience_ends_at_the_moment_at_which_it_did() -> None:
    outside = Outside()

    async def impatient(run: Run) -> str:
        try:
            async with asyncio.timeout(0.1):
                return str(await run.tool("look", what="it"))
        except TimeoutError:
            return "too slow"

    b = bench(impatient, *outside.tools())
    task = await b.done()

    assert b.answer(task.id) == "too slow"
    assert (await replayed(b, outside, task.id)).verdict is Verdict.SAME


async def test_parallel_branches_are_told_in_the_order_in_which_they_were() -> None:
    outside = Outside()

    @tool
    async def fetch(seconds: float) -> float:
        """Takes its time."""
        outside.reach("fetch")
        await asyncio.sleep(seconds)
        return seconds

    async def racing(run: Run) -> list[float]:
        calls = [asyncio.ensure_future(run.tool("fetch", seconds=each)) for each in (0.3, 0.1, 0.2)]
        return [await done for done in asyncio.as_completed(calls)]

    b = bench(racing, fetch)
    task = await b.done()

    assert b.answer(task.id) == [0.1, 0.2, 0.3]
    assert (await replayed(b, outside, task.id)).verdict is Verdict.SAME


async def test_a_run_that_left_its_path_leaves_it_again() -> None:
    outside = Outside()
    paths = ["ann", "bob", "bob"]

    async def wavering(run: Run) -> str:
        await run.tool("pay", to=paths.pop(0))
        await run.ask("Go on?")
        return "never"

    b = bench(wavering, *outside.tools())
    task_id = b.submit()
    await b.work()
    item = b.waiting().look
    b.app.reviews.answer(item.item.id, "dana", "yes", seen=item.seal)
    await b.work()
    report = await replayed(b, outside, task_id)

    assert b.task(task_id).reason_code == "divergence"
    assert report.replayed is not None
    assert report.replayed.outcome is Outcome.ESCALATED
    assert report.differs == ("steps",), "what was paid to ann is on record, and this code never paid it"


@pytest.mark.parametrize("strategy", ["drop_results", "summarise"])
async def test_a_conversation_is_cut_as_it_was_and_by_nobody_else(strategy: str) -> None:
    writer = script(completion("Some were looked at."))
    other = {"summary_model": SECOND} if strategy == "summarise" else {}
    rule = ContextRule.model_validate({"strategy": strategy, **other})
    b = made(built_in, script(*looks(12)), rule, other=writer)
    task = await b.done()
    asked = len(writer.bodies)
    report = await Replays(b.app.database, b.app.payloads, {b.agent.name: b.agent}).replay(task.id)

    assert any(step.kind == "context" for step in b.steps(task.id))
    assert (report.verdict, report.differs) == (Verdict.SAME, ()), report.text
    assert len(writer.bodies) == asked


async def test_a_fallbacks_own_call_is_no_call_of_the_agent() -> None:
    outside = Outside()
    outside.failing = [Transient("down")]

    @tool
    async def archive(what: str) -> str:
        """Looks in the archive."""
        return f"{what} as of last year"

    rules = {"look": ToolRule(attempts=1, critical=False, fallback="tool:archive"), "archive": ToolRule()}
    b = bench(errand, *outside.tools(), archive, tools={**rules, "pay": ToolRule()})
    task = await b.done("order 7")

    assert b.answer(task.id) == "order 7 as of last year, paid ann"
    assert (await replayed(b, outside, task.id)).verdict is Verdict.SAME


async def test_a_secret_that_is_not_on_record_is_no_reason_to_ask_the_world_again() -> None:
    outside = Outside()
    secret = "sk-ant-api03-" + "x" * 40

    async def secretive(run: Run) -> str:
        token = await run.tool("look", what=secret)
        await run.tool("pay", to=token)
        return f"{len(token)} letters"

    b = bench(secretive, *outside.tools(), tools={"pay": ToolRule(), "look": ToolRule()})
    task = await b.done()

    assert not all(step.exact for step in b.steps(task.id))
    report = await replayed(b, outside, task.id)
    assert (report.differs, report.met) == (("answer",), 2), (
        "it sees what was kept, and calls alike with that"
    )


@pytest.mark.slow  # On PostgreSQL, where each of its many looks is a journey.
def test_on_its_own_loop_a_replay_waits_for_no_clock_but_for_the_agents_computing() -> None:
    outside = Outside()

    def plain(run: SyncRun) -> str:
        first = run.tool("look", what="a")
        total = sum(range(200_000))
        return f"{first} {run.tool('look', what=str(total))}"

    async def dawdling(run: Run) -> str:
        await asyncio.sleep(3600)
        return str(await run.tool("look", what=str(await asyncio.to_thread(sum, range(200_000)))))

    for handler in (plain, dawdling):
        outside.shut = False

        async def story(handler: Callable[[Any], Any] = handler) -> tuple[Bench, str]:
            b = bench(handler, *outside.tools(), limits=Limits(seconds=9999))
            return b, (await b.done()).id

        b, task_id = run_virtual(story())
        outside.shut = True
        report = Replays(b.app.database, b.app.payloads, {b.agent.name: b.agent}).replay_now(task_id)
        assert report.verdict is Verdict.SAME, report.text


# What is told when it differs.


async def test_the_first_call_that_is_not_on_record_is_named_beside_the_nearest_that_is() -> None:
    outside = Outside()

    async def edited(run: Run) -> str:
        seen = await run.tool("look", what=f"{run.text}!")
        return f"{seen}, {await run.tool('pay', to='ann')}"

    b = bench(errand, *outside.tools())
    task = await b.done("order 7")
    report = await replayed(b, outside, task.id, edited)

    assert report.verdict is Verdict.DIFFERS
    assert report.call is not None
    assert (report.call.name, report.call.arguments) == ("look", {"what": "order 7!"})
    assert report.call.near is not None
    assert report.call.near.seq == 2
    assert [(each.path, each.recorded, each.now) for each in report.call.places] == [
        ("what", '"order 7"', '"order 7!"')
    ]
    assert [step.name for step in report.unmet] == ["look", "pay"]
    assert {"call", "steps", "outcome"} == set(report.differs)
    assert "the record has no answer for that" in report.text


async def test_a_call_that_is_made_no_more_is_named() -> None:
    outside = Outside()

    async def shorter(run: Run) -> str:
        await run.tool("pay", to="ann")
        return "order 7 seen, paid ann"

    b = bench(errand, *outside.tools())
    task = await b.done("order 7")
    report = await replayed(b, outside, task.id, shorter)

    assert report.differs == ("steps",)
    assert [str(step) for step in report.unmet] == ["tool look (step 2)"]


async def test_another_answer_is_shown_as_a_diff() -> None:
    outside = Outside()

    async def politer(run: Run) -> str:
        return f"{await errand(run)}\nThank you."

    b = bench(errand, *outside.tools())
    task = await b.done("order 7")
    report = await replayed(b, outside, task.id, politer)

    assert report.differs == ("answer",)
    assert "+Thank you." in report.diff


async def test_a_crash_of_the_code_of_today_is_shown_with_its_trace() -> None:
    outside = Outside()

    async def broken(run: Run) -> str:
        await run.tool("look", what=run.text)
        return 1 / 0  # type: ignore[return-value]  # the bug

    b = bench(errand, *outside.tools())
    task = await b.done()
    report = await replayed(b, outside, task.id, broken)

    assert set(report.differs) == {"steps", "outcome"}
    assert report.replayed is not None
    assert report.replayed.error is not None
    assert "ZeroDivisionError" in report.replayed.error.trace


async def test_an_agent_that_hides_its_halt_is_stopped_all_the_same() -> None:
    outside = Outside()

    async def stubborn(run: Run) -> str:
        try:
            await run.tool("pay", to="bob")
        except BaseException:  # what no agent should do
            return "order 7 seen, paid ann"
        return ""

    b = bench(errand, *outside.tools())
    task = await b.done("order 7")
    report = await replayed(b, outside, task.id, stubborn)

    assert "call" in report.differs


async def test_an_act_that_is_not_waited_for_is_told_too() -> None:
    outside = Outside()
    left: list[Any] = []

    async def sly(run: Run) -> str:
        left.append(asyncio.ensure_future(run.tool("mail", to="eve")))
        return await errand(run)

    b = bench(errand, *outside.tools())
    task = await b.done("order 7")
    report = await replayed(b, outside, task.id, sly)

    assert report.call is not None
    assert report.call.name == "mail"


# What cannot be replayed.


async def test_what_has_no_end_or_no_code_is_not_replayed_and_says_why() -> None:
    outside = Outside()
    b = bench(errand, *outside.tools())
    open_ = await replayed(b, outside, b.submit())
    nowhere = await Replays(b.app.database, b.app.payloads, {}).replay(
        (b.app.operations.tasks(TaskQuery()))[0].id
    )

    assert (open_.verdict, nowhere.verdict) == (Verdict.CANNOT, Verdict.CANNOT)
    assert "queued" in open_.text
    assert open_.mend


async def test_a_session_has_no_code_here_that_could_be_called() -> None:
    outside = Outside()
    b = bench(errand, *outside.tools())
    owner, now_us = Owner("mcp_1", "", 1, ""), b.app.clock.now_us()

    def begin(tx: Any) -> str:
        join(tx, owner, now_us)
        opening = Opening(policy=b.agent.policy, about={}, session="", user="", source="")
        return opened(tx, b.app.payloads, b.app.ids, opening, owner.id, now_us).task.id

    report = await replayed(b, outside, b.app.database.write_now(begin))

    assert report.verdict is Verdict.CANNOT
    assert "session" in report.text


async def test_what_people_did_from_the_start_is_no_run_of_the_agent() -> None:
    outside = Outside()
    b = bench(errand, *outside.tools())
    b.app.operations.pause("agent:support", "dana", "off", manual=True)

    report = await replayed(b, outside, b.submit())

    assert (report.verdict, report.text) == (
        Verdict.CANNOT,
        "People did it; no run of its agent came to an end.",
    )


# The seal itself.


async def test_a_sealed_journal_writes_nothing_whoever_asks() -> None:
    outside = Outside()
    b = bench(errand, *outside.tools())
    task = await b.done()
    steps = b.steps(task.id)
    journal = SealedJournal(b.app.clock, b.app.payloads, task.ref, 1, steps)
    slot = journal.slot("tool", "pay", b'{"to":"ann"}')

    writes: tuple[Callable[[], Any], ...] = (
        lambda: journal.record(slot, StepState.DONE, result=b"1"),
        lambda: journal.open(slot, StepState.STARTED),
        lambda: journal.close(slot, StepState.DONE, result=b"1"),
        lambda: SealedDatabase().read(lambda _: None),
    )
    for write in writes:
        with pytest.raises(Sealed):
            await write()
    with pytest.raises(Sealed):
        journal.ride(slot, StepState.DONE, b"1")
    assert issubclass(Sealed, Halt), "no framework can turn it into text for a model"


def test_replays_in_threads_of_their_own_are_bounded() -> None:
    """So that whoever serves over HTTP has threads left."""

    async def story() -> tuple[Bench, str]:
        outside = Outside()
        b = bench(errand, *outside.tools())
        return b, (await b.done()).id

    b, task_id = run_virtual(story())
    replays = Replays(b.app.database, b.app.payloads, {b.agent.name: b.agent})

    assert replays.replay_now(task_id).verdict is Verdict.SAME
    for _ in range(4):
        replays._places.acquire()
    with pytest.raises(ReplaysFull):
        replays.replay_now(task_id)
