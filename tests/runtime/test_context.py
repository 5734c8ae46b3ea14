"""Conversations kept under their share of the window: cut before the call, on record, and alike on every replay."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from airworthy.core.outcome import Outcome, ReasonCode
from airworthy.gateway import ContextOverflow, ModelOutage, ModelRefusedRequest
from airworthy.policy import ContextRule, Limits
from airworthy.recorder import Recorded
from airworthy.runtime import Run, SyncRun
from airworthy.tools import tool
from tests.gateway.kit import FIRST, SECOND, Script, completion, model, script
from tests.runtime.kit import Bench, bench
from tests.runtime.test_own_loop import proposes

WINDOW = 4_000
DONE = "All looked at."


@tool
async def look(number: str) -> str:
    """Looks."""
    return f"{number}: " + "and then it rained. " * 60


@tool(effect="send")
async def mail(to: str) -> str:
    """Sends."""
    return f"sent to {to}, " + "with many regards. " * 20


async def built_in(run: Run) -> str:
    return await run.loop(instructions="You look.", prompt="Look at all of them.")


def bounds(**settings: Any) -> Limits:
    return Limits.model_validate({"steps": 60, "tool_calls": 40, "tokens_in": WINDOW, **settings})


def looks(count: int, *after: bytes) -> list[bytes]:
    return [*(proposes(("look", f'{{"number": "{n}"}}')) for n in range(count)), *after, completion(DONE)]


def made(
    handler: Callable[[Any], Any],
    client: Script,
    context: ContextRule | None,
    *,
    other: Script | None = None,
    **more: Any,
) -> Bench:
    settings: dict[str, Any] = {"limits": bounds(), **more}
    models = settings.pop("models", (model(window=WINDOW), model(SECOND, window=WINDOW)))
    return bench(
        handler, look, mail, clients={FIRST: client, SECOND: other or client}, models=models, context=context, **settings,
    )  # fmt: skip


def cuts(b: Bench, task_id: str) -> list[Recorded]:
    return [step for step in b.steps(task_id) if step.kind == "context"]


def roles(body: dict[str, Any]) -> list[str]:
    return [message["role"] for message in body["messages"]]


def answered(body: dict[str, Any]) -> bool:
    """Each result right after its call."""
    messages = body["messages"]
    return all(
        messages[index - 1].get("tool_calls")
        for index, message in enumerate(messages)
        if message["role"] == "tool"
    )


async def test_the_built_in_loop_drops_old_results_and_goes_on() -> None:
    client = script(*looks(12))
    b = made(built_in, client, ContextRule())
    task = await b.done()

    assert (task.outcome, b.answer(task.id)) == (Outcome.ANSWERED, DONE)
    last = client.bodies[-1]
    contents = [message["content"] for message in last["messages"] if message["role"] == "tool"]
    assert len(contents) == 12
    assert contents[0] == "[A result of 1,205 characters was left out to fit the model's window.]"
    assert contents[-1].startswith('"11: ')
    assert last["messages"][:2] == client.bodies[0]["messages"]
    assert all(answered(body) for body in client.bodies)
    steps = cuts(b, task.id)
    assert 1 <= len(steps) <= 6  # Not at every call.
    assert all(step.result["tokens"] > step.result["room"] >= step.result["tokens_left"] for step in steps)
    assert {step.result["strategy"] for step in steps} == {"drop_results"}


async def test_without_the_section_nothing_is_cut() -> None:
    client = script(*looks(12))
    b = made(built_in, client, None)
    task = await b.done()

    assert (task.outcome, task.reason_code) == (Outcome.DEAD_LETTERED, ReasonCode.MODEL_FAILURE)
    assert cuts(b, task.id) == []


async def test_turns_that_are_not_kept_go_and_acts_stay() -> None:
    client = script(proposes(("mail", '{"to": "ann"}')), *looks(12))
    b = made(built_in, client, ContextRule(strategy="keep_selected"))
    task = await b.done()

    assert task.outcome is Outcome.ANSWERED
    messages = client.bodies[-1]["messages"]
    assert messages[:2] == client.bodies[0]["messages"]
    assert "earlier messages were left out" in messages[2]["content"]
    assert set(messages[2]) == {"role", "content"}  # Our marks are not sent.
    assert messages[3]["tool_calls"][0]["function"]["name"] == "mail"
    assert "sent to ann" in messages[4]["content"]
    assert all(answered(body) for body in client.bodies)


async def test_a_summary_is_one_call_of_the_named_model_and_stands_in_the_note() -> None:
    client, writer = script(*looks(12)), script(completion("Nos. 0 to 3: rain.", tokens=(500, 20)))
    b = made(built_in, client, ContextRule(strategy="summarise", summary_model=SECOND), other=writer)
    task = await b.done()

    assert task.outcome is Outcome.ANSWERED
    note = client.bodies[-1]["messages"][2]["content"]
    assert note.endswith("A summary of them:]\nNos. 0 to 3: rain.\n[End of the summary.]")
    steps = cuts(b, task.id)
    assert len(steps) == len(writer.bodies) >= 1
    assert steps[0].result["summary"] == "Nos. 0 to 3: rain."
    models = [step for step in b.steps(task.id) if step.kind == "model"]
    assert len(models) == 13 + len(writer.bodies)
    if len(writer.bodies) > 1:  # What was summarised before goes into the next summary.
        assert "Nos. 0 to 3: rain." in writer.bodies[1]["messages"][1]["content"]


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (ModelRefusedRequest("no"), "no summary could be made: no"),
        (completion("  "), "the model wrote no summary"),
    ],
)
async def test_without_a_summary_the_turns_go_all_the_same(answer: Any, note: str) -> None:
    client = script(*looks(12))
    rule = ContextRule(strategy="summarise", summary_model=SECOND)
    b = made(built_in, client, rule, other=script(answer))
    task = await b.done()

    assert task.outcome is Outcome.ANSWERED
    step = cuts(b, task.id)[0]
    assert (step.result["summary"], step.result["note"]) == ("", note)
    assert client.bodies[-1]["messages"][2]["content"].endswith("left out to fit the model's window.]")


async def test_a_summary_longer_than_what_it_stands_for_is_not_used() -> None:
    short = [{"role": "system", "content": "s"}, {"role": "user", "content": "Begin."}]
    for number in range(40):
        short += [{"role": "assistant", "content": f"{number}"}, {"role": "user", "content": "Go on."}]
    short[-1] = {"role": "user", "content": "Now this: " + "it rained. " * 480}

    async def handler(run: Run) -> str:
        return (await run.model(short)).text

    rule = ContextRule(strategy="summarise", summary_model=SECOND, keep_turns=1)
    b = made(handler, script(completion(DONE)), rule, other=script(completion("very long " * 900)))
    task = await b.done()

    assert task.outcome is Outcome.ANSWERED
    assert "no shorter" in cuts(b, task.id)[0].result["note"]


async def test_instructions_that_fill_the_share_alone_are_refused_before_the_call() -> None:
    async def handler(run: Run) -> str:
        return await run.loop(instructions="Be kind. " * 2_000, prompt="Hello")

    for strategy in ("drop_results", "keep_selected", "summarise", "none"):
        client = script(completion(DONE))
        b = made(handler, client, ContextRule.model_validate({"strategy": strategy}))
        task = await b.done()

        assert (task.outcome, task.reason_code) == (Outcome.DEAD_LETTERED, ReasonCode.MODEL_FAILURE)
        assert task.why is not None
        assert f"50% of the window of {FIRST} allows 2000" in task.why.text
        assert client.bodies == []


async def test_beyond_the_limit_of_one_call_the_limit_stops_the_task() -> None:
    async def handler(run: Run) -> str:
        return await run.loop(instructions="Be kind. " * 2_000, prompt="Hello")

    client = script(completion(DONE))
    b = made(handler, client, ContextRule(), limits=bounds(tokens_in=1_000))
    task = await b.done()

    assert (task.outcome, task.reason_code) == (Outcome.ESCALATED, ReasonCode.LIMIT_TOKENS_IN)
    assert client.bodies == []


async def test_a_conversation_is_kept_under_the_limit_of_one_call_too() -> None:
    client = script(*looks(12))
    b = made(built_in, client, ContextRule(share=1.0), limits=bounds(tokens_in=1_800))
    task = await b.done()

    assert task.outcome is Outcome.ANSWERED
    assert {step.result["room"] for step in cuts(b, task.id)} == {1_800}


async def test_one_huge_result_goes_once_it_is_old_and_is_refused_while_it_is_new() -> None:
    def talk(huge_at: int) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = [{"role": "user", "content": "Look."}]
        for number in range(4):
            call = {"id": f"c{number}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
            told.append({"role": "assistant", "content": None, "tool_calls": [call]})
            size = 90_000 if number == huge_at else 10
            told.append({"role": "tool", "tool_call_id": f"c{number}", "content": "z" * size})
        return told

    caught: list[str] = []

    async def handler(run: Run) -> str:
        fitted = await run.fit(talk(0))
        assert [m for m in fitted if m["role"] == "tool"][0]["content"].startswith("[A result of 90,000")
        try:
            await run.fit(talk(3))
        except ContextOverflow as error:
            caught.append(str(error))
        return (await run.model(fitted)).text

    b = made(handler, script(completion(DONE)), ContextRule())
    task = await b.done()

    assert task.outcome is Outcome.ANSWERED
    assert len(caught) == 1
    assert "what must stay of it is longer" in caught[0]


async def test_a_loop_of_ones_own_is_cut_by_fit_or_at_the_call_and_never_twice() -> None:
    told: list[Any] = [{"role": "user", "content": "Begin.", "airworthy_keep": True}]
    for number in range(20):
        told += [
            {"role": "assistant", "content": f"{number}? " + "it rained " * 60},
            {"role": "user", "content": "y"},
        ]
    told[5]["airworthy_keep"] = True

    async def handler(run: Run) -> str:
        once = await run.fit(told)
        assert await run.fit(once) == once
        assert await run.fit(told) == once
        assert told[5] in once
        await run.model(once)
        return (await run.model(told)).text

    client = script(completion(DONE))
    b = made(handler, client, ContextRule(strategy="keep_selected"))
    task = await b.done()

    assert task.outcome is Outcome.ANSWERED
    assert len(cuts(b, task.id)) == 1
    assert client.bodies[0]["messages"] == client.bodies[1]["messages"]
    assert all(set(message) == {"role", "content"} for message in client.bodies[0]["messages"])


async def test_a_loop_in_a_thread_fits_too() -> None:
    def handler(run: SyncRun) -> str:
        told = [{"role": "user", "content": "Begin."}]
        for _ in range(30):
            told += [{"role": "assistant", "content": "it rained " * 60}, {"role": "user", "content": "y"}]
        return f"{len(run.fit(told)) < len(told)}"

    b = made(handler, script(completion(DONE)), ContextRule(strategy="keep_selected"))
    task = await b.done()

    assert b.answer(task.id) == "True"


@pytest.mark.parametrize("strategy", ["drop_results", "keep_selected", "summarise"])
async def test_a_crash_at_any_moment_changes_no_message(strategy: str) -> None:
    """Also between a cut and its call, and between a summary and its cut."""
    rule = ContextRule.model_validate(
        {"strategy": strategy, **({"summary_model": SECOND} if strategy == "summarise" else {})}
    )

    async def through(crash_at_s: float | None) -> tuple[list[Any], int]:
        client = script(*looks(9), delay_s=1)
        writer = script(completion("It rained."), delay_s=1)
        b = made(built_in, client, rule, other=writer)
        task_id = b.submit()
        if crash_at_s is not None:
            worker = b.worker()
            working = asyncio.create_task(worker.run())
            await asyncio.sleep(crash_at_s)
            worker.abort()
            await working
            await asyncio.sleep(5)  # A request that was on its way has consumed its line of the script.
        await b.work()
        assert b.task(task_id).outcome is Outcome.ANSWERED
        models = [step for step in b.steps(task_id) if step.kind == "model" and step.result is not None]
        return [step.arguments for step in models], len(cuts(b, task_id))

    whole, count = await through(None)
    assert count >= 1
    for crash_at_s in (2.5, 4.5, 5.5, 6.5, 7.5, 8.5):
        replayed, again = await through(crash_at_s)
        assert again == count
        assert replayed[: len(replayed)] == replayed
        # The model's line that was lost in the crash is lost to the script; the cuts before it are the same.
        assert replayed[:4] == whole[:4]


async def test_a_resumed_run_cuts_as_before_though_the_policy_changed() -> None:
    """Or the models would be asked anew, and the run would leave the path on which it acted."""
    for before, after in ((0.5, 1.0), (1.0, 0.4), (0.5, None)):
        client = script(*looks(8), ModelOutage("away"))
        client.answers.insert(8, ModelOutage("away"))
        clients = {FIRST: client, SECOND: client}
        context = ContextRule(share=before)
        b = made(built_in, client, context, models=(model(window=WINDOW, attempts=1, fallback=()),))
        task_id = b.submit()
        first = b.worker()
        working = asyncio.create_task(first.run())
        await asyncio.sleep(2)
        first.abort()
        await working
        asked = len(client.bodies)
        policy = b.agent.policy.model_copy(
            update={"context": None if after is None else ContextRule(share=after)}
        )
        b.agent.policy = policy
        b.agent.clients = clients
        client.answers[:] = [completion(DONE)]
        await b.work()

        assert b.task(task_id).outcome is Outcome.ANSWERED
        assert len(client.bodies) == asked + 1, (before, after)  # Only the call that had failed is made.


async def test_cuts_count_for_no_step_and_are_bounded() -> None:
    async def handler(run: Run) -> str:
        for number in range(10_000):
            told = [{"role": "user", "content": f"{number}"}]
            for _ in range(30):
                told += [
                    {"role": "assistant", "content": "it rained " * 60},
                    {"role": "user", "content": "y"},
                ]
            await run.fit(told)
        return DONE

    b = made(
        handler,
        script(completion(DONE)),
        ContextRule(strategy="keep_selected"),
        limits=bounds(steps=2, tool_calls=2, identical_calls=2),
    )
    task = await b.done()

    assert (task.outcome, task.reason_code) == (Outcome.ESCALATED, ReasonCode.LIMIT_STEPS)
    assert len(cuts(b, task.id)) == 100


async def test_a_window_that_the_policy_does_not_say_is_what_the_list_of_prices_says() -> None:
    """gpt-4 has 8192 tokens; 128,000 would be assumed."""
    seen: list[str] = []

    async def handler(run: Run) -> str:
        try:
            await run.fit([{"role": "user", "content": "it rained " * 4_000}])
        except ContextOverflow as error:
            seen.append(error.message)
        return DONE

    client = script(completion(DONE))
    rule = model("gpt-4-0613", input_usd_per_mtok=None, output_usd_per_mtok=None)
    b = bench(handler, clients={"gpt-4-0613": client}, models=(rule,), context=ContextRule(share=1.0))
    await b.done()

    assert "allows 8092" in seen[0]  # Without the 100 of the answer.
