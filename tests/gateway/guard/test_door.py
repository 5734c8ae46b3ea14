"""The guard in the door: the model is told, the caller gets what it may act on, and everything is paid and recorded."""

from typing import Any

import orjson
import pytest

from airworthy.gateway.errors import ModelOutage, ModelTimeout
from airworthy.store import StoreError
from tests.gateway.guard.door import Scripted, house, tables
from tests.gateway.guard.kit import (
    DELETE,
    LOOK,
    LOOK_2,
    REFUND,
    history,
    ids,
    pieces,
    read,
    read_stream,
    reply,
    request,
    stream,
    turn,
)

PLACES = [("chat", "openai"), ("responses", "openai"), ("messages", "anthropic")]
TOOLS: dict[str, list[Any]] = {
    "chat": [{"type": "function", "function": {"name": "look"}}],
    "responses": [{"type": "function", "name": "look"}],
    "messages": [{"name": "look", "input_schema": {}}],
}
BOTH = [False, True]


def asked(dialect: str, more: Any = (), *, streamed: bool = False, **fields: Any) -> bytes:
    wanted = {"stream_options": {"include_usage": True}} if dialect == "chat" and streamed else {}
    bound = {"max_tokens": 50} if dialect == "messages" else {}
    return request(dialect, more, tools=TOOLS[dialect], stream=streamed, **wanted, **bound, **fields)


def answer(dialect: str, calls: Any, text: str = "", *, streamed: bool) -> Scripted:
    return pieces(stream(dialect, calls, text), 3) if streamed else reply(dialect, calls, text)


def facts_of(dialect: str, body: bytes, *, streamed: bool) -> Any:
    return read_stream(dialect, body) if streamed else read(dialect, body)


@pytest.mark.parametrize(("dialect", "provider"), PLACES)
@pytest.mark.parametrize("streamed", BOTH)
async def test_a_reply_of_which_nothing_is_withheld_is_the_providers_own(
    dialect: str, provider: str, streamed: bool
) -> None:
    given = answer(dialect, [LOOK, LOOK_2], "Hm", streamed=streamed)
    async with house(given, model={"provider": provider}) as made:
        _, body = await made.said(dialect, asked(dialect, streamed=streamed))
        record = await made.record()

    assert body == (given if isinstance(given, bytes) else b"".join(given))  # type: ignore[arg-type]
    assert record["ended_as"] == "answered"
    assert record["notes"] == []


@pytest.mark.parametrize(("dialect", "provider"), PLACES)
@pytest.mark.parametrize("streamed", BOTH)
async def test_a_call_withheld_beside_another_is_told_in_the_next_request(
    dialect: str, provider: str, streamed: bool
) -> None:
    """Through another process, which shares nothing but the store."""
    first = answer(dialect, [REFUND, LOOK], streamed=streamed)
    last = answer(dialect, [], "Done.", streamed=streamed)
    database = tables()
    async with house(first, database=database, model={"provider": provider}) as made:
        _, body = await made.said(dialect, asked(dialect, streamed=streamed))
        record = await made.record()
    async with house(last, database=database, model={"provider": provider}) as made:
        again = asked(dialect, turn(dialect, [LOOK], results=[LOOK]), streamed=streamed)
        await made.said(dialect, again)
        (told,) = made.provider.asked

    assert ids(facts_of(dialect, body, streamed=streamed)) == ["call_a"]
    assert record["notes"] == [
        {
            "note": "withheld",
            "tool": "refund_order",
            "why": "the policy of this agent has no tool refund_order",
        }
    ]
    assert [each for _, each in history(dialect, told)] == ["call_b", "call_a"] * 2


@pytest.mark.parametrize(("dialect", "provider"), PLACES)
@pytest.mark.parametrize("streamed", BOTH)
async def test_a_model_all_of_whose_calls_are_withheld_is_asked_again(
    dialect: str, provider: str, streamed: bool
) -> None:
    answers = [
        answer(dialect, [REFUND], streamed=streamed),
        answer(dialect, [DELETE, REFUND], streamed=streamed),
        answer(dialect, [LOOK], "Then this.", streamed=streamed),
    ]
    async with house(*answers, model={"provider": provider}) as made:
        _, body = await made.said(dialect, asked(dialect, streamed=streamed))
        record = await made.record()
        spent = made.spent()

    facts = facts_of(dialect, body, streamed=streamed)
    assert (facts.text, ids(facts)) == ("Then this.", ["call_a"])
    assert history(dialect, made.provider.asked[2]) == [
        ("call", "call_b"), ("result", "call_b"),
        ("call", "call_d"), ("call", "call_b"), ("result", "call_d"), ("result", "call_b"),
    ]  # fmt: skip
    assert record["ended_as"] == "answered"
    assert record["attempts"] == 3
    assert record["tokens_in"] == 15
    assert record["cost_nano"] == spent[1] == 3 * (5 * 1_000 + 2 * 4_000)
    assert [note["tool"] for note in record["notes"]] == ["refund_order", "delete_all", "refund_order"]
    assert all(each.closed for each in made.provider.replies)


@pytest.mark.parametrize(("dialect", "provider"), PLACES)
@pytest.mark.parametrize("streamed", BOTH)
@pytest.mark.parametrize("retells", [0, 2])
async def test_after_so_many_times_the_caller_reads_what_was_withheld(
    dialect: str, provider: str, streamed: bool, retells: int
) -> None:
    answers = [answer(dialect, [REFUND], streamed=streamed)] * (retells + 1)
    async with house(*answers, model={"provider": provider}, retell_max=retells) as made:
        got, body = await made.said(dialect, asked(dialect, streamed=streamed))

    facts = facts_of(dialect, body, streamed=streamed)
    assert got.status == 200
    assert facts.finish == "stop"
    assert facts.text == (
        "[A tool call was withheld. refund_order: the policy of this agent has no tool refund_order.]"
    )
    assert len(made.provider.asked) == retells + 1


@pytest.mark.parametrize(("dialect", "provider"), PLACES)
async def test_a_stream_that_has_said_something_ends_with_what_was_withheld(
    dialect: str, provider: str
) -> None:
    async with house(
        answer(dialect, [REFUND], "I will.", streamed=True), model={"provider": provider}
    ) as made:
        _, body = await made.said(dialect, asked(dialect, streamed=True))

    facts = read_stream(dialect, body)
    assert facts.text.startswith("I will.")
    assert "refund_order: the policy" in facts.text
    assert facts.finish == "stop"
    assert len(made.provider.asked) == 1


@pytest.mark.parametrize("error", [ModelOutage("down"), ModelTimeout("late", billed=True)])
async def test_a_stream_whose_model_cannot_be_told_ends_with_what_was_withheld(error: Exception) -> None:
    async with house(answer("chat", [REFUND], streamed=True), error) as made:
        _, body = await made.said("chat", asked("chat", streamed=True))
        record = await made.record()

    assert "refund_order: the policy" in read_stream("chat", body).text
    assert record["ended_as"] == "answered"
    assert record["code"] == ""
    assert any("could not be told" in str(note.get("note")) for note in record["notes"])


@pytest.mark.parametrize("streamed", BOTH)
async def test_telling_the_model_needs_room_in_the_budget_like_any_call(streamed: bool) -> None:
    """The first question fits the task's limit; the second, which holds the refusal as well, does not."""
    async with house(answer("chat", [REFUND], streamed=streamed), cost_usd=0.0008) as made:
        got, body = await made.said("chat", asked("chat", streamed=streamed))
        record = await made.record()

    facts = facts_of("chat", body, streamed=streamed)
    assert got.status == 200
    assert len(made.provider.asked) == 1
    assert record["cost_nano"] == 13_000
    if streamed:
        assert "refund_order: the policy" in facts.text
    else:
        assert facts.text.startswith("Stopped: ")
        assert record["code"] == "limit_cost"


@pytest.mark.parametrize("dialect", ["chat", "responses"])
@pytest.mark.parametrize("streamed", BOTH)
async def test_a_caller_of_another_protocol_is_guarded_the_same(dialect: str, streamed: bool) -> None:
    """The model speaks Messages; what is judged, told and remembered is in the caller's words."""
    answers = [
        answer("messages", [REFUND], streamed=streamed),
        answer("messages", [DELETE, LOOK], streamed=streamed),
        answer("messages", [], "Done.", streamed=streamed),
    ]
    async with house(*answers, model={"provider": "anthropic"}) as made:
        _, body = await made.said(dialect, asked(dialect, streamed=streamed))
        seen = facts_of(dialect, body, streamed=streamed)
        (call,) = seen.tool_calls
        kept = type(LOOK)(call.id, call.name, call.arguments)
        await made.said(dialect, asked(dialect, turn(dialect, [kept], results=[kept]), streamed=streamed))

    assert call.name == "look"
    assert [kind for kind, _ in history("messages", made.provider.asked[1])] == ["call", "result"]
    assert [kind for kind, _ in history("messages", made.provider.asked[2])] == [
        "call",
        "call",
        "result",
        "result",
    ]
    assert b"The call of delete_all was not made" in made.provider.asked[2]


@pytest.mark.parametrize("streamed", BOTH)
async def test_half_a_call_of_a_broken_stream_is_nobodys(streamed: bool) -> None:
    whole = stream("chat", [REFUND])
    cut = whole[: whole.index(b"A-1")]
    pieces_: Scripted = [cut, ModelTimeout("late", billed=True)] if streamed else [cut]
    async with house(pieces_) as made:
        _, body = await made.said("chat", asked("chat", streamed=True))
        record = await made.record()

    assert b"refund_order" not in body.replace(b"the policy", b"")
    assert b'"error"' in body
    assert record["ended_as"] == "failed"


async def test_a_tool_that_the_provider_runs_is_refused_before_the_call() -> None:
    async with house() as made:
        got, body = await made.said("responses", request("responses", tools=[{"type": "code_interpreter"}]))
        record = await made.record()

    assert got.status == 400
    assert b"code_interpreter" in body
    assert (b"x-should-retry", b"false") in got.headers
    assert record["code"] == "hosted_tool_withheld"
    assert made.provider.asked == []


async def test_switched_off_the_caller_gets_whatever_the_model_proposes() -> None:
    async with house(reply("chat", [REFUND]), guard_tools=False) as made:
        _, body = await made.said("chat", asked("chat"))

    assert body == reply("chat", [REFUND])


@pytest.mark.parametrize("streamed", BOTH)
async def test_an_answer_without_a_withheld_call_is_not_kept_for_others(streamed: bool) -> None:
    answers = [
        answer("chat", [LOOK, REFUND], streamed=streamed),
        answer("chat", [], "Fresh.", streamed=streamed),
    ]
    cache = {"enabled": True, "with_tools": True}
    async with house(*answers, cache=cache) as made:
        await made.said("chat", asked("chat", streamed=streamed), user="ann")
        _, body = await made.said("chat", asked("chat", streamed=streamed), user="ann")

    assert facts_of("chat", body, streamed=streamed).text == "Fresh."


@pytest.mark.parametrize("streamed", BOTH)
async def test_an_answer_kept_under_another_policy_is_judged_by_this_one(streamed: bool) -> None:
    answers = [answer("chat", [REFUND], streamed=streamed), answer("chat", [], "Fresh.", streamed=streamed)]
    cache = {"enabled": True, "with_tools": True}
    database = tables()
    async with house(answers[0], database=database, cache=cache, guard_tools=False) as made:
        await made.said("chat", asked("chat", streamed=streamed), user="ann")
    async with house(answers[1], database=database, cache=cache) as made:
        _, body = await made.said("chat", asked("chat", streamed=streamed), user="ann")

    assert facts_of("chat", body, streamed=streamed).text == "Fresh."


async def test_a_memory_that_fails_costs_no_answer() -> None:
    async with house(reply("chat", [LOOK, REFUND]), reply("chat", [], "Done.")) as made:

        async def broken(*_: Any) -> Any:
            raise StoreError("gone")

        memory = made.shared.withheld
        memory.remember = memory.recalled = broken  # type: ignore[union-attr,method-assign]
        _, first = await made.said("chat", asked("chat"))
        noted = await made.record()
        _, second = await made.said("chat", asked("chat", turn("chat", [LOOK], results=[LOOK])))

    assert ids(read("chat", first)) == ["call_a"]
    assert read("chat", second).text == "Done."
    assert noted["notes"][-1] == {"note": "what was withheld could not be kept", "why": "gone"}


async def test_callers_without_a_run_are_told_apart_by_key_user_and_session() -> None:
    answers = [reply("chat", [LOOK, REFUND]), *[reply("chat", [], "x")] * 3]
    async with house(*answers) as made:
        again = asked("chat", turn("chat", [LOOK], results=[LOOK]))
        await made.said("chat", asked("chat"), run="", user="ann", session="s1")
        for user, session in (("bob", "s1"), ("ann", "s2"), ("ann", "s1")):
            await made.said("chat", again, run="", user=user, session=session)

    counts = [len(history("chat", raw)) for raw in made.provider.asked[1:]]
    assert counts == [2, 2, 4]


async def test_notes_of_what_was_withheld_are_part_of_the_record_of_any_choice() -> None:
    body = orjson.loads(reply("chat", [REFUND]))
    body["choices"].append({**body["choices"][0], "index": 1})
    async with house(orjson.dumps(body)) as made:
        _, seen = await made.said("chat", asked("chat", n=2))
        record = await made.record()

    choices = orjson.loads(seen)["choices"]
    assert ["tool_calls" in each["message"] for each in choices] == [False, False]
    assert all("refund_order" in each["message"]["content"] for each in choices)
    assert len(record["notes"]) == 2


@pytest.mark.parametrize("streamed", BOTH)
async def test_a_conversation_that_was_made_to_fit_still_fits_when_the_model_is_told(streamed: bool) -> None:
    long = [
        {"role": role, "content": f"{at} " + "word " * 80}
        for at in range(8)
        for role in ("user", "assistant")
    ]
    answers = [
        answer("chat", [REFUND], streamed=streamed),
        answer("chat", [], "Then not.", streamed=streamed),
    ]
    async with house(*answers, model={"window": 1500}, on_overflow="truncate") as made:
        _, body = await made.said(
            "chat", asked("chat", [*long, {"role": "user", "content": "go"}], streamed=streamed)
        )
        first, second = (orjson.loads(raw)["messages"] for raw in made.provider.asked)

    assert facts_of("chat", body, streamed=streamed).text == "Then not."
    assert len(first) < len(long)
    assert second[: len(first)] == first
    assert [message["role"] for message in second[len(first) :]] == ["assistant", "tool"]
