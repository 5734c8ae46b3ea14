"""What each fault of a stream, of its bytes and of its count makes of an answer; as values, without a line."""

from typing import Any

import orjson
import pytest

from airworthy.gateway.errors import ModelTimeout
from airworthy.gateway.simulator import KINDS, Answer, FaultPlan, SimulatedModel, Simulator
from airworthy.gateway.simulator.spoiling import ANNOUNCED_TOO_MUCH
from airworthy.gateway.simulator.streaming import STREAM
from tests.gateway.simulator.protocols import (
    CHAT,
    MESSAGES,
    PATHS,
    RESPONSES,
    asked,
    events,
    faulty,
    joined,
    sent,
)

END = {CHAT: b"data: [DONE]\n\n", MESSAGES: b'data: {"type":"message_stop"}\n\n'}


def stream(simulator: Simulator, path: str, text: str = "Hi", **extra: Any) -> Answer:
    usage: dict[str, Any] = {"stream_options": {"include_usage": True}} if path == CHAT else {}
    return sent(simulator, path, asked(path, text, stream=True, **usage, **extra))


def right(path: str) -> list[bytes]:
    return [piece.data for piece in stream(Simulator(), path).pieces]


def data(answer: Answer) -> list[bytes]:
    return [piece.data for piece in answer.pieces]


def has_words(event: bytes) -> bool:
    return b'"content":"Y' in event or b"_delta" in event or b"_text.delta" in event


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_that_is_cut_ends_where_it_is_said_and_is_not_whole(path: str) -> None:
    whole = right(path)
    early, late, reset = (stream(faulty(f"stream_cut:{form}"), path) for form in ("early", "late", "reset"))

    assert (early.ending, late.ending, reset.ending) == ("cut", "cut", "reset")
    assert data(early) == whole[: len(early.chunks)]
    assert not any(map(has_words, data(early)))
    assert data(late) == data(reset) == whole[: len(late.chunks)]
    assert any(map(has_words, data(late)))
    assert len(early.chunks) < len(late.chunks) < len(whole) - 3


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_can_end_cleanly_without_its_last_event_or_without_a_finish(path: str) -> None:
    whole = right(path)
    no_done, no_finish = (stream(faulty(f"stream_no_end:{form}"), path) for form in ("no_done", "no_finish"))

    assert no_done.ending == no_finish.ending == "whole"
    assert data(no_done) == whole[:-1]
    assert data(no_finish) == whole[: {CHAT: -3, MESSAGES: -2, RESPONSES: -1}[path]]


@pytest.mark.parametrize("path", PATHS)
def test_waits_are_where_they_are_said_and_change_no_byte(path: str) -> None:
    wait, stall, trickle = (stream(faulty(f"stream_{form}:3"), path) for form in ("wait", "stall", "trickle"))

    assert data(wait) == data(stall) == data(trickle) == right(path)
    (waited,) = [index for index, piece in enumerate(wait.pieces) if piece.delay_s]
    (stalled,) = [index for index, piece in enumerate(stall.pieces) if piece.delay_s]
    assert not any(map(has_words, data(wait)[:waited]))
    assert has_words(data(wait)[waited])
    assert any(map(has_words, data(stall)[:stalled]))
    assert {piece.delay_s for piece in (*wait.pieces, *stall.pieces)} == {0.0, 3.0}
    assert {piece.delay_s for piece in trickle.pieces} == {3.0}


@pytest.mark.parametrize("path", PATHS)
def test_garbage_is_one_event_too_many_that_is_not_json(path: str) -> None:
    made = data(stream(faulty("stream_garbage"), path))

    (odd,) = [event for event in made if event not in right(path)]
    assert [event for event in made if event != odd] == right(path)
    assert odd.endswith(b"\n\n")
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(odd.rpartition(b"data: ")[2])


@pytest.mark.parametrize("path", PATHS)
def test_an_error_event_is_the_last_of_a_stream_that_began_well(path: str) -> None:
    early, late = (stream(faulty(f"stream_error:{form}"), path) for form in ("early", "late"))

    for answer, spoke in ((early, False), (late, True)):
        assert (answer.status, answer.ending) == (200, "whole")
        assert data(answer)[:-1] == right(path)[: len(answer.chunks) - 1]
        assert any(map(has_words, data(answer)[:-1])) is spoke
        last = events(joined(answer))[-1]
        if path == RESPONSES:
            assert (last["type"], last["sequence_number"]) == ("error", len(answer.chunks) - 1)
        else:
            kind = last["error"]["type"]
            assert kind == ("server_error" if path == CHAT else "overloaded_error")


@pytest.mark.parametrize("path", PATHS)
def test_faults_of_the_bytes_spoil_a_stream_in_its_own_way(path: str) -> None:
    whole = b"".join(right(path))
    slow, truncated, broken, called = (
        stream(faulty(fault), path) for fault in ("slow:2", "truncated", "invalid_json", "content_type")
    )

    assert (slow.delay_s, joined(slow)) == (2.0, whole)
    assert truncated.ending == "cut"
    assert whole.startswith(joined(truncated))
    assert not joined(truncated).endswith(b"\n\n")
    assert b"data: {" not in joined(broken)
    assert (called.headers["content-type"], joined(called)) == ("text/html; charset=utf-8", whole)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("streamed", [False, True])
def test_usage_can_be_missing_negative_huge_or_words(path: str, streamed: bool) -> None:
    def usages(fault: str) -> list[Any]:
        simulator = faulty(fault)
        answer = stream(simulator, path) if streamed else sent(simulator, path, asked(path, "Hi"))
        bodies = events(joined(answer)) if streamed else [orjson.loads(answer.body)]
        found = [body for body in bodies if body != "[DONE]"]
        found += [body[name] for body in found for name in ("message", "response") if name in body]
        return [body["usage"] for body in found if body.get("usage")]

    assert usages("no_usage") == []
    for form, fits in (
        ("negative", lambda count: count < 0),
        ("huge", lambda count: count >= 10**15),
        ("words", lambda count: count == "many"),
    ):
        made = usages(f"odd_usage:{form}")
        assert made
        for usage in made:
            counts = [value for name, value in usage.items() if name.endswith("_tokens")]
            assert all(map(fits, counts))


def test_where_usage_is_not_asked_for_there_is_none_to_spoil() -> None:
    simulator = faulty("no_usage")

    sent(simulator, CHAT, asked(CHAT, "Hi", stream=True))

    assert not simulator.calls_by_fault


@pytest.mark.parametrize("kind", sorted(STREAM))
def test_a_fault_of_streams_is_passed_over_in_a_plain_answer(kind: str) -> None:
    simulator = Simulator(faults=FaultPlan.when(".", kind) | FaultPlan.when(".", "refusal"))

    plain = sent(simulator, CHAT, asked(CHAT, "Hi"))
    sent(simulator, CHAT, asked(CHAT, "Hi", stream=True))

    assert plain.headers["x-sim-fault"] == "refusal"
    assert simulator.calls_by_fault == {"refusal": 1, kind: 1}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_huge_answer_has_its_megabytes_and_is_right_otherwise(path: str, streamed: bool) -> None:
    simulator = faulty("huge:1.5")
    answer = stream(simulator, path) if streamed else sent(simulator, path, asked(path))

    assert len(joined(answer)) > 1_500_000
    assert len(answer.pieces) < 1_100
    assert events(joined(answer)) if streamed else orjson.loads(answer.body)


@pytest.mark.parametrize("path", PATHS)
def test_a_length_can_be_too_short_or_too_long_and_in_a_stream_there_is_none(path: str) -> None:
    whole = sent(Simulator(), path, asked(path)).body
    short = sent(faulty("content_length:short"), path, asked(path))
    long = sent(faulty("content_length:long"), path, asked(path))

    assert joined(short) + short.stray == whole
    assert (len(joined(short)), short.ending) == (len(whole) // 2, "whole")
    assert (joined(long), long.stray) == (whole, b"")
    assert (long.announced, long.ending) == (len(whole) + ANNOUNCED_TOO_MUCH, "open")
    assert data(stream(faulty("content_length"), path)) == right(path)


@pytest.mark.parametrize("path", PATHS)
def test_a_hanging_provider_gives_nothing_at_all(path: str) -> None:
    for answer in (stream(faulty("hang:5"), path), sent(faulty("hang:5"), path, asked(path))):
        assert (answer.status, answer.delay_s, answer.ending, joined(answer)) == (0, 5.0, "reset", b"")


def test_a_form_is_drawn_by_seed_if_none_is_named() -> None:
    made = {stream(faulty("stream_cut", seed=seed), CHAT).ending for seed in range(20)}

    assert made == {"cut", "reset"}
    assert data(stream(faulty("stream_cut"), CHAT)) == data(stream(faulty("stream_cut"), CHAT))


def test_every_kind_is_answered_in_every_protocol_whole_and_streamed() -> None:
    for kind in KINDS.keys() - {"huge"} | {"huge:0.01"}:
        for path in PATHS:
            for body in (asked(path, looked_up=True), asked(path, stream=True), asked(path)):
                assert sent(faulty(kind), path, body).status in {0, 200, 429, 500, 503, 529}


async def test_the_model_client_without_a_socket_meets_the_same_endings() -> None:
    body = orjson.dumps(asked(CHAT, "Hi"))
    for fault in ("hang:9", "content_length:long"):
        with pytest.raises(ModelTimeout, match="within 1 s"):
            await SimulatedModel(faulty(fault)).complete(body, 1.0)
    with pytest.raises(ModelTimeout, match="broke"):
        await SimulatedModel(faulty("hang:0.5")).complete(body, 1.0)
    short = await SimulatedModel(faulty("content_length:short")).complete(body, 1.0)
    assert (await SimulatedModel(Simulator()).complete(body, 1.0)).startswith(short)
    told = await SimulatedModel(Simulator()).complete(orjson.dumps(asked(CHAT, "Hi", stream=True)), 1.0)
    assert told.endswith(END[CHAT])
