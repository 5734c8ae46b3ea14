"""Counters as Prometheus reads them."""

import re

from airworthy.gateway.server.metrics import SERIES_MAX, Gauge, Metrics
from airworthy.gateway.wire.facts import UNKNOWN, Usage

LINE = re.compile(r'[a-z_]+(\{([a-z_]+="([^"\\\n]|\\\\|\\"|\\n)*",?)*\})? [0-9.+-]+')


def lines(metrics: Metrics, name: str) -> list[str]:
    return [
        line for line in metrics.text().decode().splitlines() if line.startswith(f"airworthy_gateway_{name}")
    ]


def test_calls_are_counted_by_agent_model_and_how_they_ended() -> None:
    metrics = Metrics()
    metrics.called("support", "m-1", "answered")
    metrics.called("support", "m-1", "answered")
    metrics.called("support", "", "budget")

    assert lines(metrics, "calls_total") == [
        'airworthy_gateway_calls_total{agent="support",model="",outcome="budget"} 1',
        'airworthy_gateway_calls_total{agent="support",model="m-1",outcome="answered"} 2',
    ]


def test_each_token_is_counted_under_one_kind() -> None:
    metrics = Metrics()
    metrics.called(
        "a", "m", "answered", Usage(tokens_in=100, tokens_out=50, cached=30, reasoning=20), 1_500_000
    )

    counts = [line.rpartition(" ")[2] for line in lines(metrics, "tokens_total")]

    assert counts == ["30", "70", "30", "20"]
    assert lines(metrics, "cost_usd_total") == [
        'airworthy_gateway_cost_usd_total{agent="a",model="m"} 0.0015'
    ]


def test_a_call_whose_cost_is_unknown_is_counted_as_that_and_not_as_free() -> None:
    metrics = Metrics()
    metrics.called("a", "m", "answered", UNKNOWN)

    assert lines(metrics, "unpriced_calls_total") == [
        'airworthy_gateway_unpriced_calls_total{agent="a",model="m"} 1'
    ]
    assert lines(metrics, "cost_usd_total") == []


def test_a_histogram_is_cumulative_and_holds_its_bounds() -> None:
    metrics = Metrics()
    for took_us in (0, 1_000, 1_001, 600_000_000):
        metrics.responded("chat", 200, took_us)

    buckets = [line.rpartition(" ")[2] for line in lines(metrics, "response_seconds_bucket")]

    assert buckets[:2] == ["2", "3"]
    assert buckets[-2:] == ["3", "4"]
    assert lines(metrics, "response_seconds_count") == [
        'airworthy_gateway_response_seconds_count{path="chat"} 4'
    ]
    assert lines(metrics, "response_seconds_sum") == [
        'airworthy_gateway_response_seconds_sum{path="chat"} 600.002001'
    ]


def test_labels_cannot_forge_lines() -> None:
    metrics = Metrics()
    metrics.called('a"} 9\nairworthy_gateway_x 1', "back\\slash", "half \ud800")

    (line,) = lines(metrics, "calls_total")

    assert LINE.fullmatch(line)
    assert lines(metrics, "x") == []


def test_what_others_keep_is_read_when_the_page_is() -> None:
    waiting: dict[tuple[str, ...], float] = {("",): 3.0}
    metrics = Metrics([Gauge("waiting", "Waiting.", ("place",), lambda: waiting)])
    metrics.watch(Gauge("dropped", "Dropped.", (), lambda: {(): 7}))
    waiting["m-1",] = 1.5

    assert lines(metrics, "waiting") == [
        'airworthy_gateway_waiting{place=""} 3',
        'airworthy_gateway_waiting{place="m-1"} 1.5',
    ]
    assert lines(metrics, "dropped") == ["airworthy_gateway_dropped 7"]


def test_the_number_of_series_is_bounded_and_nothing_goes_uncounted() -> None:
    metrics = Metrics()
    for number in range(SERIES_MAX + 50):
        metrics.called(f"agent-{number}", "m", "answered")

    counted = lines(metrics, "calls_total")

    assert len(counted) == SERIES_MAX + 1
    assert 'airworthy_gateway_calls_total{agent="other",model="other",outcome="other"} 50' in counted


def test_every_line_is_a_sample_or_a_comment() -> None:
    metrics = Metrics([Gauge("breaker", "State.", ("place", "mode"), lambda: {("m-1 at x", "open"): 1})])
    metrics.called("a", "m", "answered", Usage(1, 1), 1)
    metrics.responded("chat", 200, 5)

    for line in metrics.text().decode().splitlines():
        assert line.startswith(("# HELP airworthy_gateway_", "# TYPE airworthy_gateway_")) or LINE.fullmatch(
            line
        ), line
