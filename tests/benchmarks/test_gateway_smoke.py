"""The arithmetic and the plumbing of the gateway benchmark; no peer is installed and no figure is looked at."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks._environment import NotTaken, Peer, answer
from benchmarks._gateway_load import Load, Order
from benchmarks._gateway_process import Server, cpu_s, free_port, on_processor, rss_kb
from benchmarks._gateway_upstream import Canned, Replay, from_simulator

from benchmarks import _gateway_sides, gateway
from benchmarks import _gateway_wire as wire

HEADERS = [("content-type", "application/json"), ("content-length", "999"), ("x-kind", "reply")]
PYTHON = Path(sys.executable)


class Wire:
    """A transport that keeps what was written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


def taken(per_s: float, p50_ms: float = 1.0, p99_ms: float = 2.0) -> dict[str, Any]:
    return {
        "per_s": per_s, "p50_ms": p50_ms, "p99_ms": p99_ms, "cpu_us": 100.0, "rss_kb": 50_000, "calls": 9,
        "bad": 0, "first_trouble": "",
    }  # fmt: skip


def findings(litellm: list[dict[str, Any] | None]) -> gateway.Findings:
    found = gateway.Findings()
    for kind, connections, names in gateway._cells():
        for name in names:
            found.taken[name, kind, connections] = [taken(1000.0), taken(1000.0), taken(1000.0)]
    found.taken[_gateway_sides.OURS, "plain", gateway.MIDDLE] = [taken(1000.0), taken(2000.0), taken(9000.0)]
    found.taken[_gateway_sides.LITELLM, "plain", gateway.MIDDLE] = litellm
    found.opened = {
        _gateway_sides.OURS: [taken(500.0, 3.0, 9.0), taken(500.0, 2.5, 8.0), taken(500.0, 4.0, 30.0)],
        gateway.DIRECT: [taken(500.0, 1.0, 2.0), taken(500.0, 1.0, 2.0), taken(500.0, 1.0, 2.0)],
    }
    return found


def order(**changed: Any) -> Order:
    return Order(**{"port": 1, "key": "k", "connections": 8, "seconds": 2.0, **changed})


def replay(canned: Canned) -> tuple[Replay, Wire]:
    made, transport = Replay(canned), Wire()
    made.connection_made(transport)  # type: ignore[arg-type]  # All that is used of one.
    return made, transport


CANNED = Canned(
    wire.whole(HEADERS, b'{"usage":1}'),
    wire.stream_head(HEADERS),
    wire.stream_parts(b"data: 1\n\ndata: [DONE]\n\n"),
)


def test_a_whole_reply_has_the_length_of_its_own_body_and_keeps_the_other_headers() -> None:
    reply = wire.whole(HEADERS, b"{}")

    assert reply.count(b"content-length") == 1
    assert wire.length_of(reply) == 2
    assert b"x-kind: reply\r\n" in reply
    assert wire.is_complete(reply)
    assert not wire.is_complete(reply[:-1])


def test_each_event_is_a_chunk_and_only_the_last_ends_the_stream() -> None:
    parts = wire.stream_parts(b"data: 1\n\ndata: [DONE]\n\n")

    assert parts == [b"9\r\ndata: 1\n\n\r\n", b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"]
    assert not wire.is_complete(wire.stream_head(HEADERS) + parts[0])
    assert wire.is_complete(wire.stream_head(HEADERS) + b"".join(parts))


@pytest.mark.parametrize(
    ("reply", "streamed", "good", "why"),
    [
        (wire.whole(HEADERS, b'{"usage":{}}'), False, True, "a whole answer says what it used"),
        (wire.whole(HEADERS, b'{"error":{}}'), False, False, "an error in a 200 is no answer"),
        (b"HTTP/1.1 429 Too Many\r\n\r\n", False, False, "a refusal is no answer"),
        (CANNED.burst, True, True, "a stream that ended"),
        (CANNED.head + CANNED.parts[0] + wire.END_OF_CHUNKS, True, False, "a stream that was cut"),
    ],
)
def test_only_a_whole_answer_counts_as_good(reply: bytes, streamed: bool, good: bool, why: str) -> None:
    assert wire.is_good(reply, streamed) is good, why


def test_the_simulators_answers_survive_being_replayed() -> None:
    canned = from_simulator()

    body = json.loads(canned.whole.partition(wire.END_OF_HEAD)[2])
    assert body["choices"][0]["message"]["content"] == wire.SPOKEN
    assert body["model"] == wire.MODEL
    assert wire.is_good(canned.burst, streamed=True)
    assert wire.is_complete(canned.burst)
    assert len(canned.parts) > 40
    assert b"ratelimit" not in canned.whole + canned.head


def test_requests_that_come_in_pieces_or_together_are_each_answered() -> None:
    plain, streamed = (wire.request("k", wire.question(each)) for each in (False, True))
    upstream, transport = replay(CANNED)

    upstream.data_received(plain[:50])
    upstream.data_received(plain[50:] + streamed + plain)

    assert transport.written == [CANNED.whole, CANNED.burst, CANNED.whole]


async def test_a_spaced_stream_comes_event_by_event() -> None:
    upstream, transport = replay(CANNED)
    loop = asyncio.get_running_loop()
    began = loop.time()

    upstream.data_received(wire.request("k", wire.question(streamed=True, spaced=True)))
    assert transport.written == [CANNED.head, CANNED.parts[0]]
    await asyncio.sleep(1)

    assert transport.written == [CANNED.head, *CANNED.parts]
    assert loop.time() == began + 1


def test_a_caller_who_leaves_ends_the_stream() -> None:
    asyncio.run(_left())


async def _left() -> None:
    upstream, _ = replay(CANNED)
    upstream.data_received(wire.request("k", wire.question(streamed=True, spaced=True)))
    timer = upstream._timer

    upstream.connection_lost(None)

    assert timer is not None
    assert timer.cancelled()


@pytest.mark.parametrize(
    "given", [order(), order(streamed=True, spaced=True), order(rate=500.0, calls=7, pid=3)]
)
def test_an_order_reaches_the_child_as_it_was_given(given: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["child", *given.arguments()])

    assert Order.parse() == given


def test_streams_count_by_their_bytes_and_plain_calls_by_their_number() -> None:
    for streamed, calls in ((True, 2.5), (False, 2.0)):
        load = Load(order(streamed=streamed))
        load.reply_bytes, load.tally.bytes_in, load.tally.answered = 100, 250, 2

        assert load.calls() == calls


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    figures = gateway._figures(findings([taken(100.0), taken(100.0), taken(100.0)]))

    assert figures["rps"] == 2000.0
    assert figures["rps_ratio_litellm"] == 20.0
    assert figures["share_of_ceiling"] == 2.0
    assert (figures["added_p50_ms"], figures["added_p99_ms"]) == (2.0, 7.0)
    assert figures["by_connections"]["64"]["plain"]["ours"]["per_s_by_round"] == [1000.0, 2000.0, 9000.0]


def test_a_peer_that_never_ran_has_null_and_not_a_number() -> None:
    figures = gateway._figures(findings([None, None, None]))

    assert figures["rps_ratio_litellm"] is None
    assert figures["by_connections"]["64"]["plain"]["litellm"]["per_s"] is None
    assert figures["stream_rps_ratio_litellm"] == 1.0


def test_nothing_measured_at_all_is_null_throughout() -> None:
    figures = gateway._figures(gateway.Findings())

    assert figures["rps"] is None
    assert figures["added_p99_ms"] is None


def test_a_measurement_with_a_failed_call_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = taken(1.0) | {"bad": 1, "first_trouble": "HTTP/1.1 500"}
    monkeypatch.setattr(gateway, "answer", lambda *_: failed)
    found = gateway.Findings()

    assert gateway._attempt("ours plain at 8", order(), found) is None
    assert found.notes == ["ours plain at 8: 1 of its calls failed: HTTP/1.1 500"]


def test_a_side_that_cannot_be_set_up_is_left_out_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(peer: Peer) -> Path:
        raise NotTaken("no room")

    monkeypatch.setattr(_gateway_sides, "prepared", refuse)

    with pytest.raises(NotTaken, match="no room"):
        _gateway_sides.litellm(tmp_path, 1)
    with pytest.raises(NotTaken, match="no command"):
        _gateway_sides.ours(tmp_path, 1, tmp_path / "python")


def test_the_peers_settings_bind_its_key_to_a_budget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_gateway_sides, "prepared", lambda peer: tmp_path / "python")

    side = _gateway_sides.litellm(tmp_path, 4321)

    config = json.loads((tmp_path / "litellm.yaml").read_text())
    assert config["general_settings"]["custom_auth_run_common_checks"] is True
    assert config["model_list"][0]["litellm_params"]["api_base"] == "http://127.0.0.1:4321/v1"
    assert side.environment["AIRWORTHY_BENCH_KEY"] == side.key
    assert (tmp_path / "litellm_hooks.py").exists()


def test_a_process_has_a_size_and_has_used_time_and_none_has_neither() -> None:
    assert rss_kb(os.getpid()) > 1_000
    assert cpu_s(os.getpid()) > 0
    assert (rss_kb(0), cpu_s(0)) == (0, 0)


def test_the_processors_of_the_benchmark_itself_are_given_back() -> None:
    before = os.sched_getaffinity(0)

    with on_processor(min(before)):
        within = os.sched_getaffinity(0)

    assert len(within) == 1
    assert os.sched_getaffinity(0) == before


@pytest.mark.process
def test_a_server_that_ends_at_once_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such port')"]

    with Server("broken", command, tmp_path, {}, 0) as server:
        with pytest.raises(NotTaken, match="no such port"):
            server.said()
        with pytest.raises(NotTaken, match="ended with 1"):
            server.ready(free_port(), b"")


@pytest.mark.slow
@pytest.mark.process
def test_load_reaches_the_upstream_through_the_ceiling(tmp_path: Path) -> None:
    """Three real processes, as in a measurement; slow because each starts an interpreter."""
    with Server(
        "upstream", [sys.executable, "-m", "benchmarks._gateway_upstream"], tmp_path, {}, 1
    ) as upstream:
        side = _gateway_sides.ceiling(upstream.said()["port"])
        with Server(side.name, side.command, tmp_path, {}, 0) as server:
            server.ready(side.port, wire.request(side.key, wire.question(streamed=False)))
            server.pause()
            with server.awake():
                found = [
                    answer(PYTHON, gateway.LOAD_MODULE, given.arguments(), 30.0)
                    for given in (
                        Order(side.port, side.key, 4, 0.1, 0.0, pid=server.pid),
                        Order(side.port, side.key, 4, 0.1, 0.0, streamed=True, pid=server.pid),
                        Order(side.port, side.key, 4, 0.1, 0.0, rate=100.0, pid=server.pid),
                        Order(side.port, side.key, 4, 30.0, calls=40, pid=server.pid),
                    )
                ]

    assert [(each["bad"], each["first_trouble"]) for each in found] == [(0, "")] * 4
    assert all(each["calls"] > 0 for each in found)
    assert found[3]["calls"] >= 40
    assert len(found[3]["rss_kb_by_part"]) > 10
