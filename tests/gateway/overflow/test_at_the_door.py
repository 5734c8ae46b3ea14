"""Calls over HTTP that fit no model: what is sent instead, what it costs, and what the caller and the record say."""

from typing import Any

import orjson
import pytest

from airworthy.gateway.errors import ContextOverflow, ModelOutage
from airworthy.gateway.overflow.summary import INSTRUCTIONS, OUTPUT_TOKENS_MAX
from tests.gateway.guard.door import MODEL, Scripted, house
from tests.gateway.guard.kit import NAMES, reply, stream
from tests.gateway.overflow.conversations import KEY, Step, Turn, body_of, dumped

SMALL = {"window": 4000}
SERVED: dict[str, dict[str, Any]] = {
    "chat": SMALL,
    "responses": SMALL,
    "messages": {**SMALL, "provider": "anthropic"},
}
SAID = [Turn(80), Turn(80), Turn(80), Turn(80), Turn(80), Turn(80), Turn(80), Turn(80), Turn(3)]
LONG_TASK = [Turn(3, (Step((400,)), Step((400,)), Step((400,))))]


def asked(raw: bytes) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(raw)
    return found


def last_words(dialect: str, body: dict[str, Any]) -> str:
    return str([each for each in body[KEY[dialect]] if each.get("role") == "user"])


@pytest.mark.parametrize("dialect", NAMES)
async def test_refused_as_long_as_the_policy_says_nothing_and_no_model_is_asked(dialect: str) -> None:
    async with house(model=SMALL) as h:
        answer, said = await h.said(dialect, dumped(body_of(dialect, SAID)))

        assert answer.status == 400
        assert b"window" in said
        assert b"4000" in said
        assert h.provider.asked == []
        assert (await h.record())["code"] == "context_overflow"


@pytest.mark.parametrize("said", [SAID, LONG_TASK], ids=["many turns", "one long task"])
@pytest.mark.parametrize("dialect", NAMES)
async def test_truncated_once_and_noted(dialect: str, said: list[Turn]) -> None:
    async with house(reply(dialect, [], "fine"), model=SERVED[dialect], on_overflow="truncate") as h:
        answer, body = await h.said(dialect, dumped(body_of(dialect, said)))

        assert answer.status == 200
        assert b"fine" in body
        (sent,) = map(asked, h.provider.asked)
        assert "left out to fit the model's window.]" in last_words(dialect, sent)
        assert f"question {len(said) - 1}." in last_words(dialect, sent)
        record = await h.record()
        (note,) = [note for note in record["notes"] if note.get("note") == "earlier messages were left out"]
        assert note["messages"] == len(body_of(dialect, said)[KEY[dialect]]) - len(sent[KEY[dialect]])
        assert note["tokens"] > 3900 > note["tokens_left"]


@pytest.mark.parametrize("dialect", NAMES)
async def test_summarised_by_a_call_that_is_bounded_paid_and_recorded(dialect: str) -> None:
    answers = [reply(dialect, [], "They spoke of lorem."), reply(dialect, [], "fine")]
    async with house(*answers, model=SERVED[dialect], on_overflow="summarise") as h:
        answer, body = await h.said(dialect, dumped(body_of(dialect, SAID)))

        assert answer.status == 200
        assert b"fine" in body
        first, second = map(asked, h.provider.asked)
        assert INSTRUCTIONS in str(first)
        assert "question 0." in str(first)
        assert "tools" not in first
        assert not first.get("stream")
        bound = (
            first.get("max_tokens") or first.get("max_completion_tokens") or first.get("max_output_tokens")
        )
        assert bound == 100 < OUTPUT_TOKENS_MAX, "what the policy allows is the bound of a summary too"
        words = last_words(dialect, second)
        assert "A summary of them:]" in words
        assert "They spoke of lorem." in words
        record = await h.record()
        usage = [note for note in record["notes"] if note.get("note") == "a summary was made"]
        assert len(usage) == 1
        assert record["attempts"] == 2

    assert h.spent() == (0, record["cost_nano"])
    assert record["cost_nano"] == 2 * 13_000, "both bills"


async def test_two_calls_of_one_conversation_need_one_summary() -> None:
    answers: list[Scripted] = [reply("chat", [], "So far so good."), *[reply("chat", [], "fine")] * 2]
    async with house(*answers, model=SMALL, on_overflow="summarise") as h:
        await h.said("chat", dumped(body_of("chat", SAID)))
        await h.said("chat", dumped(body_of("chat", [*SAID, Turn(2)])))

        assert len(h.provider.asked) == 3
        assert "So far so good." in last_words("chat", asked(h.provider.asked[2]))


# what, the provider's first answer, why
WITHOUT: list[tuple[str, Scripted, str]] = [
    ("failed", ModelOutage("down"), "a summary is worth less than an answer"),
    ("empty", reply("chat", [], " "), "a model that thought and said nothing"),
    ("too long", ContextOverflow("too long"), "the summary's own request was refused"),
]


@pytest.mark.parametrize(("what", "first", "why"), WITHOUT, ids=[case[0] for case in WITHOUT])
async def test_without_a_summary_the_oldest_turns_are_left_out(what: str, first: Scripted, why: str) -> None:
    async with house(first, reply("chat", [], "fine"), model=SMALL, on_overflow="summarise") as h:
        answer, _ = await h.said("chat", dumped(body_of("chat", SAID)))

        assert answer.status == 200, why
        words = last_words("chat", asked(h.provider.asked[1]))
        assert "left out to fit" in words
        assert "summary" not in words


async def test_a_budget_stops_the_summary_like_any_call() -> None:
    async with house(model=SMALL, on_overflow="summarise", cost_usd=0.000_5) as h:
        await h.said("chat", dumped(body_of("chat", SAID)))

        assert h.provider.asked == []
        assert (await h.record())["ended_as"] == "stopped"


async def test_a_stream_is_shortened_too() -> None:
    raw = dumped({**body_of("chat", SAID), "stream": True})
    async with house([stream("chat", [], "fine")], model=SMALL, on_overflow="truncate") as h:
        answer, body = await h.said("chat", raw)

        assert answer.status == 200
        assert b"fine" in body
        assert "left out to fit" in last_words("chat", asked(h.provider.asked[0]))


OVER = ContextOverflow("This model's maximum context length is 2000 tokens.")


async def test_a_provider_that_counts_more_than_we_is_asked_again_with_less() -> None:
    async with house(OVER, reply("chat", [], "fine"), on_overflow="truncate") as h:
        answer, _ = await h.said("chat", dumped(body_of("chat", SAID)))

        assert answer.status == 200
        first, second = h.provider.asked
        assert len(second) < 0.75 * len(first)


async def test_a_provider_that_refuses_all_sizes_is_asked_three_times() -> None:
    async with house(OVER, OVER, OVER, on_overflow="truncate") as h:
        answer, _ = await h.said("chat", dumped(body_of("chat", SAID)))

        assert answer.status == 400
        assert [len(raw) for raw in h.provider.asked] == sorted(map(len, h.provider.asked), reverse=True)
        assert len(h.provider.asked) == 3


async def test_what_cannot_be_made_to_fit_is_refused_and_no_summary_is_bought() -> None:
    body = {"messages": [*body_of("chat", SAID)["messages"], {"role": "user", "content": "word " * 9000}]}
    async with house(model=SMALL, on_overflow="summarise") as h:
        answer, said = await h.said("chat", dumped(body))

        assert answer.status == 400
        assert MODEL.encode() in said
        assert h.provider.asked == []
        notes = (await h.record())["notes"]
        assert any("nothing more may be left out" in str(note.get("note")) for note in notes)
