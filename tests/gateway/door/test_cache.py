"""What was answered once may be answered again, to whom and for as long as the policy says, and never by mistake."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from airworthy.store import StoreError
from tests.gateway.door.kit import (
    FIRST,
    LOOK,
    SECOND,
    House,
    Say,
    ask,
    error,
    header,
    house,
    rule,
    streamed,
    tables,
    text_of,
    whole,
)

ON: dict[str, Any] = {"enabled": True}
TOOLS = [{"type": "function", "function": {"name": "look"}}]


def cached(**rules: Any) -> dict[str, Any]:
    return {"cache": {**ON, **rules}}


async def hits(made: House, *asks: tuple[bytes, str]) -> list[bool]:
    """(request, user) each; whether it was answered from the cache."""
    found = []
    for raw, user in asks:
        answer, _ = await made.said(raw=raw, user=user)
        found.append(header(answer, "x-airworthy-cache") == "hit")
    return found


@pytest.mark.parametrize("record", ["full", "facts"])
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
async def test_the_same_question_of_the_same_user_is_answered_at_no_cost(
    dialect: str, streams: bool, record: str
) -> None:
    """Byte for byte, a stream as a stream; whether bodies are recorded has nothing to do with it."""
    provider = "anthropic" if dialect == "messages" else "openai"
    say = (streamed if streams else whole)(dialect, "one")
    gateway = {**cached(), "record": record}
    async with house({FIRST: say}, models=[rule(provider=provider)], gateway=gateway) as made:
        raw = ask(dialect, stream=streams)
        first, body = await made.said(dialect, raw, user="ann")
        again, same = await made.said(dialect, raw, user="ann")
        records = await made.records()
        row = made.standing("agent:support:day:2025-11-24")

    assert body == same
    assert text_of(dialect, same) == "one"
    assert (header(first, "x-airworthy-cache"), header(again, "x-airworthy-cache")) == (None, "hit")
    assert header(again, "x-airworthy-cost-usd") == "0"
    assert header(again, "content-type") == header(first, "content-type")
    assert [(each["ended_as"], each["cost_nano"]) for each in records][1] == ("cached", 0)
    assert records[1]["model"] == FIRST
    assert row.calls == 1
    assert len(made[FIRST].asked) == 1


@pytest.mark.parametrize(
    ("rules", "asks", "expected"),
    [
        ({}, [(ask(), "ann"), (ask(), "bob"), (ask(), "ann")], [False, False, True]),
        ({}, [(ask(), ""), (ask(), "")], [False, False]),
        ({"shared": True}, [(ask(), "ann"), (ask(), "bob"), (ask(), "")], [False, True, True]),
        ({"enabled": False}, [(ask(), "ann"), (ask(), "ann")], [False, False]),
        ({}, [(ask(), "ann"), (ask(stream=True), "ann")], [False, False]),
        ({}, [(ask(), "ann"), (ask(n=2), "ann")], [False, False]),
        ({}, [(ask(seed=1), "ann"), (ask(seed=2), "ann")], [False, False]),
        ({}, [(ask(), "ann"), (ask(metadata={"x": "y"}, store=False), "ann")], [False, True]),
        ({"temperature_max": 0.2}, [(ask(temperature=0.9), "ann")] * 2, [False, False]),
        ({"temperature_max": 0.2}, [(ask(temperature=0.1), "ann")] * 2, [False, True]),
        ({}, [(ask(tools=TOOLS), "ann")] * 2, [False, False]),
        ({}, [(ask(functions=[{"name": "look"}]), "ann")] * 2, [False, False]),
        ({"with_tools": True}, [(ask(tools=TOOLS), "ann")] * 2, [False, True]),
    ],
)
async def test_who_is_answered_from_the_cache(rules: Any, asks: Any, expected: list[bool]) -> None:
    say = Say(whole(text="one").pieces)
    async with house({FIRST: say}, gateway=cached(**rules)) as made:
        if any(b'"stream":true' in raw for raw, _ in asks):
            made[FIRST].answers = [say, streamed()]
        assert await hits(made, *asks) == expected


async def test_a_stream_with_usage_and_one_without_are_two_answers() -> None:
    async with house({FIRST: streamed()}, gateway=cached()) as made:
        plain, usage = ask(stream=True), ask(stream=True, stream_options={"include_usage": True})
        bodies = [(await made.said(raw=raw, user="ann"))[1] for raw in (plain, usage, plain, usage)]

    assert [b'"usage"' in body for body in bodies] == [False, True, False, True]
    assert len(made[FIRST].asked) == 2


@pytest.mark.parametrize(
    ("why", "say", "rules"),
    [
        ("an error", error(503), {}),
        ("an error", error(400, "odd"), {}),
        ("cut short", Say((whole(text="one").pieces[0].replace(b'"stop"', b'"length"'),)), {}),  # type: ignore[union-attr]
        ("filtered", Say((whole(text="one").pieces[0].replace(b'"stop"', b'"content_filter"'),)), {}),  # type: ignore[union-attr]
        ("a call of a tool that nobody declared", whole(calls=[LOOK]), {}),
        ("too long", whole(text="x" * 1_100_000), {}),
    ],
)
async def test_what_is_never_kept(why: str, say: Say, rules: Any) -> None:
    async with house({FIRST: say}, gateway=cached(**rules)) as made:
        assert await hits(made, (ask(), "ann"), (ask(), "ann")) == [False, False], why


@pytest.mark.parametrize("cut", [2, 3])
async def test_half_a_stream_is_never_kept(cut: int) -> None:
    whole_ = streamed()
    half = Say([*whole_.pieces[:cut]], headers=whole_.headers)
    async with house({FIRST: [half, whole_, whole_]}, gateway=cached()) as made:
        assert await hits(made, *[(ask(stream=True), "ann")] * 3) == [False, False, True]


async def test_a_stream_its_reader_left_is_never_kept() -> None:
    async with house({FIRST: streamed()}, gateway=cached()) as made:
        answer = await made.door.answer(made.call(raw=ask(stream=True), user="ann"))
        assert not isinstance(answer.body, bytes)
        await anext(answer.body)
        await answer.body.aclose()
        assert await hits(made, (ask(stream=True), "ann")) == [False]


async def test_an_answer_is_used_for_so_long_and_no_longer() -> None:
    async with house({FIRST: whole()}, gateway=cached(ttl_s=60.0)) as made:
        found = await hits(made, (ask(), "ann"))
        await asyncio.sleep(59)
        found += await hits(made, (ask(), "ann"))
        await asyncio.sleep(2)
        found += await hits(made, (ask(), "ann"))

    assert found == [False, True, False]


async def test_another_process_answers_from_the_same_cache_and_a_restart_keeps_it() -> None:
    database = tables()
    async with house({FIRST: whole(text="one")}, database=database, gateway=cached()) as made:
        await hits(made, (ask(), "ann"))
    async with house({FIRST: error(503)}, database=database, owner="gwy_2", gateway=cached()) as made:
        _, body = await made.said(user="ann")
        assert text_of("chat", body) == "one"


CHANGES: list[tuple[str, Callable[[], list[dict[str, Any]]]]] = [
    ("another pin", lambda: [rule(SECOND, aliases=["large"])]),
    ("another address", lambda: [rule(FIRST, aliases=["large"], base_url="http://127.0.0.1:9/v1")]),
    ("another fallback", lambda: [rule(FIRST, aliases=["large"]), rule(SECOND)]),
]


@pytest.mark.parametrize("change", [each for _, each in CHANGES], ids=[name for name, _ in CHANGES])
async def test_a_policy_that_names_other_models_is_not_answered_by_the_old_ones(
    change: Callable[[], list[dict[str, Any]]],
) -> None:
    """The callers go on asking for the alias, which means something else now."""
    database = tables()
    raw = ask(model="large")
    says = {FIRST: whole(text="new"), SECOND: whole(text="new")}
    async with house(
        {FIRST: whole(text="old")},
        models=[rule(FIRST, aliases=["large"])],
        database=database,
        gateway=cached(),
    ) as made:
        await hits(made, (raw, "ann"))
        assert await hits(made, (raw, "ann")) == [True]
    async with house(says, models=change(), database=database, owner="gwy_2", gateway=cached()) as made:
        _, body = await made.said(raw=raw, user="ann")

    assert text_of("chat", body) == "new"


async def test_what_a_fallback_answered_is_kept_under_its_own_name() -> None:
    async with house({FIRST: error(503), SECOND: whole(text="one")}, gateway=cached()) as made:
        await made.said(user="ann")
        answer, _ = await made.said(user="ann")

    assert header(answer, "x-airworthy-cache") == "hit"
    assert header(answer, "x-airworthy-model") == SECOND


async def test_a_request_with_another_beta_is_another_request() -> None:
    async with house(
        {FIRST: whole("messages")}, models=[rule(provider="anthropic")], gateway=cached()
    ) as made:
        found = []
        for beta in ("", "one", "one", "two"):
            call = made.call("messages", user="ann")
            call.headers = {"anthropic-beta": beta} if beta else {}
            found.append(header(await made.door.answer(call), "x-airworthy-cache"))

    assert found == [None, None, "hit", None]


async def test_a_cache_that_fails_is_passed_by() -> None:
    class Failing:
        async def read(self, query: Any) -> Any:
            raise StoreError("the disk said no")

    async with house({FIRST: whole(text="one")}, gateway=cached()) as made:
        made.shared.cache._database = Failing()  # type: ignore[attr-defined]
        _, body = await made.said(user="ann")

    assert text_of("chat", body) == "one"


async def test_an_agent_that_is_paused_or_out_of_room_gets_nothing_from_the_cache() -> None:
    async with house({FIRST: whole()}, gateway=cached()) as made:
        await made.said(user="ann")
        made.paused.append("wrong answers")
        answer, body = await made.said(user="ann")

    assert b"wrong answers" in body
    assert header(answer, "x-airworthy-cache") is None
