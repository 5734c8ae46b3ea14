"""Conversations kept under their share of the window: cut before the call, on record, and alike on every replay."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from airworthy.cli.step_view import show_step
from airworthy.core.outcome import Outcome, ReasonCode
from airworthy.gateway import ContextOverflow, ModelClient, ModelRefusedRequest
from airworthy.policy import ContextRule, Limits
from airworthy.recorder import Recorded
from airworthy.runtime import Run, SyncRun
from airworthy.tools import tool
from tests.gateway.kit import FIRST, SECOND, Script, completion, model, script
from tests.runtime.kit import Bench, bench
from tests.runtime.test_own_loop import proposes

WINDOW = 8_000
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
    return await run.loop(instructions="You look.", prompt="Look at all of them.", turns_max=30)


def bounds(**settings: Any) -> Limits:
    return Limits.model_validate(
        {"steps": 60, "tool_calls": 40, "tokens_in": WINDOW, "no_progress": 40, "off_track": 40, **settings}
    )


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
    clients: dict[str, ModelClient] = {FIRST: client, SECOND: other or client}
    return bench(handler, look, mail, clients=clients, models=models, context=context, **settings)


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
    client = script(*looks(24))
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


async def test_an_earlier_summary_stays_when_no_new_one_can_be_made() -> None:
    client = script(*looks(25))
    writer = script(completion("Promised: a call on Monday."), ModelRefusedRequest("no"))
    b = made(built_in, client, ContextRule(strategy="summarise", summary_model=SECOND), other=writer)
    task = await b.done()

    assert task.outcome is Outcome.ANSWERED
    first, *others = cuts(b, task.id)
    assert "note" not in first.result
    assert others
    for step in others:
        assert step.result["note"] == "no summary could be made: no"
        assert step.result["summary"] == "Promised: a call on Monday."
    assert "Promised: a call on Monday." in client.bodies[-1]["messages"][2]["content"]


async def test_a_summary_is_never_longer_than_what_it_stands_for() -> None:
    client, writer = script(*looks(12)), script(completion("very long " * 9_000))
    b = made(built_in, client, ContextRule(strategy="summarise", summary_model=SECOND), other=writer)
    task = await b.done()

    assert task.outcome is Outcome.ANSWERED
    for step in cuts(b, task.id):
        assert step.result["summary"].endswith(" [...]")
        assert step.result["tokens_left"] <= step.result["room"] < step.result["tokens"]


async def test_instructions_that_fill_the_share_alone_are_refused_before_the_call() -> None:
    async def handler(run: Run) -> str:
        return await run.loop(instructions="Be kind. " * 2_000, prompt="Hello")

    for strategy in ("drop_results", "keep_selected", "summarise", "none"):
        client = script(completion(DONE))
        b = made(handler, client, ContextRule.model_validate({"strategy": strategy}))
        task = await b.done()

        assert (task.outcome, task.reason_code) == (Outcome.DEAD_LETTERED, ReasonCode.MODEL_FAILURE)
        assert task.why is not None
        assert f"50% of the window of {FIRST} allows 4000" in task.why.text
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
    b = made(built_in, client, ContextRule(share=1.0), limits=bounds(tokens_in=3_000))
    task = await b.done()

    assert task.outcome is Outcome.ANSWERED
    assert {step.result["room"] for step in cuts(b, task.id)} == {3_000}


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
        assert next(m for m in fitted if m["role"] == "tool")["content"].startswith("[A result of 90,000")
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


class Looker:
    """Asks for one number after another. What it says hangs on the conversation alone, as a crash may lose any call."""

    def __init__(self, until: int) -> None:
        self.bodies: list[Any] = []
        self._until = until

    async def complete(self, body: bytes, timeout_s: float) -> bytes:
        asked = json.loads(body)
        self.bodies.append(asked)
        await asyncio.sleep(1)
        calls = [call for message in asked["messages"] for call in message.get("tool_calls") or ()]
        number = json.loads(calls[-1]["function"]["arguments"])["number"] + 1 if calls else 0
        said = completion(DONE) if number == self._until else proposes(("count", f'{{"number": {number}}}'))
        # More than is assumed, so that the gateway learns: what is cut must not hang on what a process has learnt.
        usage = {"prompt_tokens": round(len(body) * 0.36), "completion_tokens": 5}
        return json.dumps({**json.loads(said), "usage": usage}).encode()

    async def aclose(self) -> None:
        return


@tool
async def count(number: int) -> str:
    """Counts."""
    return f"{number}: " + "and then it rained. " * 60


def looked(context: ContextRule | None, client: Looker, writer: Script) -> Bench:
    models = (model(window=WINDOW), model(SECOND, window=WINDOW))
    clients: dict[str, ModelClient] = {FIRST: client, SECOND: writer}
    return bench(built_in, count, clients=clients, models=models, context=context, limits=bounds())


async def crashed(b: Bench, at_s: float) -> None:
    worker = b.worker()
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(at_s)
    worker.abort()
    await working


@pytest.mark.parametrize("strategy", ["drop_results", "keep_selected", "summarise"])
async def test_a_crash_at_any_moment_changes_no_message(strategy: str) -> None:
    """Also between a cut and its call, and between a summary and its cut."""
    other = {"summary_model": SECOND} if strategy == "summarise" else {}
    rule = ContextRule.model_validate({"strategy": strategy, **other})

    async def through(*crashes_s: float) -> tuple[list[Any], list[Any]]:
        b = looked(rule, Looker(14), script(completion("It rained."), delay_s=1))
        task_id = b.submit()
        for at_s in crashes_s:
            await crashed(b, at_s)
        await b.work()
        assert b.task(task_id).outcome is Outcome.ANSWERED
        steps = b.steps(task_id)
        return [s.arguments for s in steps if s.kind == "model"], [s.result for s in cuts(b, task_id)]

    whole = await through()
    assert len(whole[1]) >= 1
    for crashes_s in [(at_s,) for at_s in (6.5, 7.5, 8.5, 9.5, 10.5, 12.5)] + [(8.5, 1.5, 1.5)]:
        assert await through(*crashes_s) == whole


async def test_a_crash_between_the_summary_and_the_call_does_not_pay_for_it_twice() -> None:
    rule = ContextRule(strategy="summarise", summary_model=SECOND)
    client, writer = Looker(14), script(completion("It rained."))
    b = looked(rule, client, writer)
    b.submit()
    working = asyncio.create_task((worker := b.worker()).run())
    while not writer.bodies:
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)  # The summary is on record; the call that needed it is on its way.
    worker.abort()
    await working
    made_before = len(writer.bodies)
    client._until = 10
    await b.work()

    assert made_before == 1
    assert len({str(body) for body in writer.bodies}) == len(writer.bodies)


@pytest.mark.parametrize(("before", "after"), [(0.5, 1.0), (1.0, 0.5), (0.5, None)])
async def test_a_resumed_run_asks_as_before_though_the_policy_changed(
    before: float, after: float | None
) -> None:
    """Or the models would be asked anew, and the run would leave the path on which it acted."""
    client = Looker(12)
    b = looked(ContextRule(share=before), client, script(completion("-")))
    task_id = b.submit()
    await crashed(b, 11.5)
    asked = len(client.bodies)
    changed = {"context": None if after is None else ContextRule(share=after)}
    b.agent.policy = b.agent.policy.model_copy(update=changed)
    await b.work()

    assert asked == 12
    assert b.task(task_id).outcome is Outcome.ANSWERED
    assert len(client.bodies) == asked + 2  # The call that was lost, and the next.


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
    assert (
        len(cuts(b, task.id)) == 99
    )  # 50 for each step that is allowed, and one was the check of the input.


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


async def test_a_person_reads_what_was_cut(capsys: pytest.CaptureFixture[str]) -> None:
    b = made(built_in, script(*looks(12)), ContextRule())
    task = await b.done()

    show_step(cuts(b, task.id)[0], full=False)

    said = capsys.readouterr().out
    assert re.search(
        r"cut +4,\d{3} tokens became 3,\d{3}, of 4,000 allowed; \d results left out; drop_results", said
    )


async def test_acts_go_too_where_the_policy_says_so() -> None:
    client = script(proposes(("mail", '{"to": "ann"}')), *looks(12))
    b = made(built_in, client, ContextRule(strategy="keep_selected", keep_acts=False))
    task = await b.done()

    assert task.outcome is Outcome.ANSWERED
    assert "sent to ann" not in json.dumps(client.bodies[-1])
