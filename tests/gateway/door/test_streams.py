"""Streams that fail: elsewhere while nothing was said, else told or begun anew, and always well formed and paid for."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from airworthy.gateway.errors import ModelTimeout, ModelUnreachable
from airworthy.gateway.restart import MARK
from airworthy.gateway.wire.dialect import DIALECTS
from tests.gateway.door.kit import (
    EVENTS,
    FIRST,
    LOOK,
    NEVER,
    SECOND,
    Piece,
    Say,
    ask,
    bill,
    error,
    events_of,
    header,
    house,
    rule,
    streamed,
    text_of,
    usage_said,
    whole,
)
from tests.gateway.guard.kit import event, read_stream, reply, stream

DIALECT = ("chat", "responses", "messages")
PROVIDER = {"chat": "openai", "responses": "openai", "messages": "anthropic"}
# What the caller speaks, what the provider is asked in.
WAYS = [
    ("chat", "openai", "chat"), ("responses", "openai", "responses"), ("messages", "anthropic", "messages"),
    ("chat", "anthropic", "messages"), ("responses", "anthropic", "messages"), ("messages", "openai", "chat"),
]  # fmt: skip
ERROR = {
    "chat": event({"error": {"message": "overloaded", "type": "server_error", "code": 503}}),
    "responses": event(
        {"type": "error", "code": "server_error", "message": "overloaded", "sequence_number": 9}, "error"
    ),
    "messages": event(
        {"type": "error", "error": {"type": "overloaded_error", "message": "overloaded"}}, "error"
    ),
}
BROKE = ModelTimeout("The connection broke.", billed=True)


def pieces(dialect: str, text: str = "o|n|e", calls: Sequence[Any] = ()) -> list[bytes]:
    return events_of(stream(dialect, calls, text))


def said_up_to(dialect: str, text: str = "o|n|e", deltas: int = 2) -> list[bytes]:
    """The stream until so many pieces of text have come."""
    found: list[bytes] = []
    for piece in pieces(dialect, text):
        found.append(piece)
        deltas -= (
            b'"delta":"' in piece
            or b'"content":"' in piece.replace(b'"content":""', b"")
            or b"text_delta" in piece
        )
        if not deltas:
            return found
    raise AssertionError


def flowing(*found: Piece) -> Say:
    return Say(found, headers=EVENTS)


def before_words(dialect: str) -> list[tuple[str, Say]]:
    opening = said_up_to(dialect, deltas=1)[:-1]
    return [
        ("no connection", Say(fails=ModelUnreachable("no"))),
        ("hangs before its headers", Say(delay_s=NEVER)),
        ("hangs after its headers", flowing(NEVER)),
        ("hangs after its opening", flowing(*opening, NEVER)),
        ("breaks after its opening", flowing(*opening, BROKE)),
        ("ends after its opening", flowing(*opening)),
        ("ends at once", flowing()),
        ("error at once", flowing(ERROR[dialect])),
        ("error after its opening", flowing(*opening, ERROR[dialect])),
        ("garbage", flowing(b"data: {nonsense\n\n")),
        ("html", flowing(b"<html>\n\n</html>")),
        ("only comments", flowing(*[b": ping\n\n"] * 5_000)),
        ("endless opening", flowing(*[b": " + b"x" * 100_000 + b"\n\n"] * 60)),
        ("a body with an error in a 200", Say((b'{"error":{"message":"down","type":"server_error"}}',))),
        ("a body that is no stream", Say((reply(dialect, (), "whole"),))),
        ("an outage", error(502)),
    ]


BEFORE = [
    pytest.param(dialect, say, id=f"{dialect}-{why}")
    for dialect in DIALECT
    for why, say in before_words(dialect)
]


@pytest.mark.parametrize(("dialect", "say"), BEFORE)
async def test_a_stream_that_fails_before_its_first_words_goes_elsewhere(dialect: str, say: Say) -> None:
    models = [rule(name, provider=PROVIDER[dialect]) for name in (FIRST, SECOND)]
    async with house({FIRST: say, SECOND: streamed(dialect)}, models=models) as made:
        answer, body = await made.said(dialect, ask(dialect, stream=True))
        record = await made.record()

    assert text_of(dialect, body) == "one"
    assert header(answer, "x-airworthy-model") == record["model"] == SECOND
    assert record["ended_as"] == "answered"


def breaks(theirs: str) -> list[tuple[str, Say]]:
    said = said_up_to(theirs)
    half = said[-1] + b"data: {" if theirs == "chat" else said[-1] + b"event: content_bl"
    return [
        ("connection", flowing(*said, BROKE)),
        ("connection in the middle of an event", flowing(*said[:-1], half, BROKE)),
        ("connection in the middle of the same event", flowing(*said, said[-1][:30], BROKE)),
        ("stall", flowing(*said, NEVER)),
        ("clean end without an end", flowing(*said)),
        ("clean end in the middle of an event", flowing(*said, said[-1][:30])),
        ("error event", flowing(*said, ERROR[theirs])),
        ("error event, and the line stays open", flowing(*said, ERROR[theirs], NEVER)),
        ("error event in two pieces", flowing(*said, ERROR[theirs][:12], ERROR[theirs][12:])),
        ("error event with words before it", flowing(*said[:-1], said[-1] + ERROR[theirs])),
        ("crlf", flowing(*[each.replace(b"\n", b"\r\n") for each in (*said, ERROR[theirs])])),
    ]


BREAKS = [
    pytest.param(*way, say, id=f"{way[0]}-{way[2]}-{why}") for way in WAYS for why, say in breaks(way[2])
]


def told(dialect: str, body: bytes) -> list[Any]:
    """The stream's documents. Raises when an event is not one."""
    found = []
    for block in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        data = [line[6:] for line in block.split(b"\n") if line.startswith(b"data: ")]
        assert all(
            line.startswith((b"data: ", b"event: ", b":", b"id: ")) for line in block.split(b"\n") if line
        ), block
        if data and data != [b"[DONE]"]:
            assert len(data) == 1, block
            found.append(orjson.loads(data[0]))
    return found


def is_error(document: Any) -> bool:
    return bool(document.get("error")) or document.get("type") in ("error", "response.failed")


@pytest.mark.parametrize("wants_usage", [True, False])
@pytest.mark.parametrize(("dialect", "provider", "theirs", "say"), BREAKS)
async def test_a_stream_that_breaks_ends_with_one_error_that_every_reader_sees(
    dialect: str, provider: str, theirs: str, say: Say, wants_usage: bool
) -> None:
    options: dict[str, Any] = (
        {"stream_options": {"include_usage": True}} if wants_usage and dialect == "chat" else {}
    )
    async with house({FIRST: say}, models=[rule(FIRST, provider=provider)]) as made:
        _, body = await made.said(dialect, ask(dialect, stream=True, **options))
        record = await made.record()
        row = made.standing("agent:support:day:2025-11-24")

    documents = told(dialect, body)
    reader = DIALECTS[dialect].stream_reader(1_000_000)
    reader.feed(body)
    reader.close()
    assert [is_error(document) for document in documents].count(True) == 1
    assert is_error(documents[-1])
    assert reader.error is not None
    assert not reader.ended
    assert reader.facts().text in ("o", "on")
    assert record["ended_as"] == "failed"
    assert record["code"] in ("model_timeout", "model_stream_broken", "model_outage")
    assert record["cost_nano"] == row.settled_nano > 0
    assert record["estimated"] == 1
    assert row.reserved_nano == 0


@pytest.mark.parametrize("wants_usage", [True, False])
@pytest.mark.parametrize(
    ("dialect", "provider", "theirs", "say"), [each for each in BREAKS if each.values[0] != "responses"]
)
async def test_a_stream_that_breaks_can_begin_anew_in_one_well_formed_stream(
    dialect: str, provider: str, theirs: str, say: Say, wants_usage: bool
) -> None:
    """At a provider of either protocol; the caller reads what came, the mark, and the whole of the second answer."""
    options: dict[str, Any] = (
        {"stream_options": {"include_usage": True}} if wants_usage and dialect == "chat" else {}
    )
    models = [rule(FIRST, provider=provider, broken_stream="restart"), rule(SECOND, provider="anthropic")]
    async with house({FIRST: say, SECOND: streamed("messages", "t|wo")}, models=models) as made:
        _, body = await made.said(dialect, ask(dialect, stream=True, **options))
        record = await made.record()

    facts = read_stream(dialect, body)
    first, _, second = facts.text.partition(MARK)
    assert first in ("o", "on")
    assert second == "two"
    assert not any(is_error(document) for document in told(dialect, body))
    assert (record["ended_as"], record["model"], record["attempts"]) == ("answered", SECOND, 2)
    assert any(note.get("model") == FIRST and "error" in note for note in record["notes"])


async def test_a_restart_that_the_budget_has_no_room_for_ends_with_the_error() -> None:
    models = [
        rule(FIRST, broken_stream="restart"),
        rule(SECOND, output_usd_per_mtok=400.0),
    ]
    say = flowing(*said_up_to("chat"), BROKE)
    async with house({FIRST: say, SECOND: streamed()}, models=models, budgets={"day_usd": 0.01}) as made:
        _, body = await made.said(raw=ask(stream=True))
        record = await made.record()

    assert is_error(told("chat", body)[-1])
    assert made[SECOND].asked == []
    assert record["ended_as"] == "failed"


@pytest.mark.parametrize("dialect", ["chat", "messages"])
async def test_a_stream_that_had_begun_a_call_never_begins_anew(dialect: str) -> None:
    half = pieces(dialect, "Hm", [LOOK])
    cut = next(at for at, piece in enumerate(half) if b'"{\\"x' in piece or b'partial_json":"{' in piece)
    models = [
        rule(FIRST, provider=PROVIDER[dialect], broken_stream="restart"),
        rule(SECOND, provider=PROVIDER[dialect]),
    ]
    async with house(
        {FIRST: flowing(*half[: cut + 1], BROKE), SECOND: streamed(dialect)}, models=models
    ) as made:
        _, body = await made.said(dialect, ask(dialect, stream=True))

    assert is_error(told(dialect, body)[-1])
    assert made[SECOND].asked == []


async def test_a_second_break_is_told() -> None:
    say = flowing(*said_up_to("chat"), BROKE)
    models = [
        rule(FIRST, broken_stream="restart"),
        rule(SECOND, broken_stream="restart"),
        rule("sim-3-2026-11-01"),
    ]
    async with house({FIRST: say, SECOND: say, "sim-3-2026-11-01": streamed()}, models=models) as made:
        _, body = await made.said(raw=ask(stream=True))

    assert is_error(told("chat", body)[-1])
    assert made["sim-3-2026-11-01"].asked == []


@pytest.mark.parametrize("words", ["event: content_block_start", 'He said "error": 5', '{"type":"error"}'])
async def test_words_about_the_protocol_are_words(words: str) -> None:
    """A model that writes of events and errors neither breaks its stream nor confuses the counting of blocks."""
    said = said_up_to("messages", f"o|{words}")
    models = [
        rule(FIRST, provider="anthropic", broken_stream="restart"),
        rule(SECOND, provider="anthropic"),
    ]
    whole_ = streamed("messages", f"{words}|!")
    async with house({FIRST: [whole_, flowing(*said, BROKE)], SECOND: whole_}, models=models) as made:
        _, first = await made.said("messages", ask("messages", stream=True))
        _, second = await made.said("messages", ask("messages", stream=True))

    assert text_of("messages", first) == f"{words}!"
    assert text_of("messages", second) == f"o{words}{MARK}{words}!"


@pytest.mark.parametrize(("dialect", "provider", "theirs"), WAYS)
async def test_garbage_across_protocols_is_an_error_and_never_a_whole_answer(
    dialect: str, provider: str, theirs: str
) -> None:
    """Within one protocol bytes are handed on unread; what is translated must be understood."""
    say = flowing(*said_up_to(theirs), b"data: {nonsense\n\n", *pieces(theirs)[-3:])
    async with house({FIRST: say}, models=[rule(FIRST, provider=provider)]) as made:
        _, body = await made.said(dialect, ask(dialect, stream=True))
        record = await made.record()

    if dialect == theirs:
        assert b"nonsense" in body
        assert any("not well formed" in str(note.get("note")) for note in record["notes"])
    else:
        assert is_error(told(dialect, body)[-1])
        assert record["ended_as"] == "failed"


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("missing", lambda usage: None),
        ("no object", lambda usage: 7),
        ("negative", lambda usage: dict.fromkeys(usage, -5)),
        ("absurd", lambda usage: dict.fromkeys(usage, 10**15)),
        ("text", lambda usage: dict.fromkeys(usage, "many")),
        ("fractions", lambda usage: dict.fromkeys(usage, 1.5)),
        ("nested nonsense", lambda usage: {**usage, "prompt_tokens_details": {"cached_tokens": -9}}),
    ],
)
@pytest.mark.parametrize(("dialect", "provider", "theirs"), WAYS)
@pytest.mark.parametrize("streams", [True, False])
async def test_usage_that_is_missing_or_nonsense_costs_what_was_reserved(
    dialect: str, provider: str, theirs: str, why: str, change: Any, streams: bool
) -> None:
    say = usage_said((streamed if streams else whole)(theirs, "one"), change)
    async with house({FIRST: say}, models=[rule(FIRST, provider=provider)]) as made:
        answer, body = await made.said(dialect, ask(dialect, stream=streams))
        record = await made.record()
        row = made.standing("agent:support:day:2025-11-24")

    assert answer.status == 200
    assert text_of(dialect, body) == "one"
    if why == "nested nonsense" and theirs != "chat":
        assert record["cost_nano"] == bill()
    elif record["cost_nano"] is None:
        assert row.lost_nano == row.reserved_nano > 0
        assert (row.settled_nano, record["tokens_in"]) == (0, None)
    else:  # Some is known from the stream's beginning.
        assert row.settled_nano == record["cost_nano"] > 0


async def test_a_bill_above_the_bound_is_counted_whole() -> None:
    """The provider wrote more than it was asked for; the money is gone all the same."""
    say = usage_said(
        whole(text="one"),
        lambda usage: {"prompt_tokens": 5, "completion_tokens": 10**6, "total_tokens": 10**6 + 5},
    )
    async with house({FIRST: say}, budgets={"day_usd": 1.0}) as made:
        await made.said()
        _, second = await made.said()
        row = made.standing("agent:support:day:2025-11-24")

    assert row.settled_nano == bill(5, 10**6)
    assert b"Stopped" in second


async def test_a_stream_that_never_ends_is_ended_with_the_tasks_time() -> None:
    """Each piece comes in time, and none is the last."""
    said = said_up_to("chat")
    trickle: list[Piece] = []
    for _ in range(1_000):
        trickle += [5.0, said[-1]]
    async with house({FIRST: flowing(*said, *trickle)}, limits={"seconds": 60.0}) as made:
        _, body = await made.said(raw=ask(stream=True))
        record = await made.record()

    assert is_error(told("chat", body)[-1])
    assert b"limits.seconds" in body
    assert record["code"] == "model_timeout"
    assert 10 <= len(told("chat", body)) <= 20


async def test_a_stream_of_one_long_event_is_handed_on_whole() -> None:
    long = "x" * 3_000_000
    raw = stream("chat", (), long)
    chunks = [raw[at : at + 65_536] for at in range(0, len(raw), 65_536)]
    async with house({FIRST: flowing(*chunks)}) as made:
        _, body = await made.said(raw=ask(stream=True, stream_options={"include_usage": True}))

    assert body == raw
