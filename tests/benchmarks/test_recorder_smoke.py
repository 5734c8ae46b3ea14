"""The arithmetic and the load of the recorder benchmark; no peer is installed and no figure is looked at."""

from pathlib import Path
from typing import Any

from benchmarks._recorder_load import store, stored
from benchmarks._recorder_sides import MLFLOW, OURS, PHOENIX
from benchmarks._recorder_spans import SPANS_PER_REQUEST, SPANS_PER_TRACE, Writer, requests

from airworthy.core.redact import Redactor
from airworthy.recorder.otel import Reading, decode_traces
from airworthy.recorder.traces.span import SpanKind
from benchmarks import recorder

NOW_US = 1_764_000_000_000_000


def round_(per_s: float) -> dict[str, Any]:
    return {"readable_per_s": per_s, "answered_per_s": per_s, "p50_ms": 1.0, "cpu_us": 100.0, "rss_mb": 90.0}


def test_the_load_is_whole_traces_of_a_known_size() -> None:
    (request,) = requests(Writer(3), 1, NOW_US, 1_000)
    found = decode_traces(request, "application/x-protobuf", "", Reading(Redactor()), NOW_US + 60_000_000)
    kinds = [span.kind for span in found.spans[:SPANS_PER_TRACE]]

    assert (len(found.spans), found.rejected) == (SPANS_PER_REQUEST, 0)
    assert len({span.trace_id for span in found.spans}) == SPANS_PER_REQUEST // SPANS_PER_TRACE
    assert 2_000 < len(request) / SPANS_PER_REQUEST < 2_500
    assert [kinds.count(kind) for kind in (SpanKind.AGENT, SpanKind.MODEL, SpanKind.TOOL)] == [1, 3, 3]
    assert found.spans[SPANS_PER_TRACE - 1].parent_id == ""


def test_requests_are_read_back_from_their_file(tmp_path: Path) -> None:
    store(tmp_path / "requests", [b"one", b"", b"three"])

    assert list(stored(tmp_path / "requests")) == [b"one", b"", b"three"]


def test_ratios_are_taken_within_a_round_and_what_could_not_be_taken_stays_missing() -> None:
    findings = recorder.Findings(
        taken={
            OURS: [round_(100), round_(300), None],
            PHOENIX: [round_(10), round_(20), round_(1)],
            MLFLOW: [None] * 3,
        }
    )
    figures = recorder._figures(findings, recorder.QUICK)

    assert figures["ingest_ratio_phoenix"] == 12.5
    assert figures["readable_spans_per_s"] == 200
    assert figures["ingest_ratio_mlflow"] is None
    assert figures["lost_after_ack"] is None
    assert figures["list_p95_ms_1m"] is None
    assert set(figures) >= {
        "readable_spans_per_s", "ingest_ratio_phoenix", "ingest_ratio_mlflow", "cpu_us_per_span", "bytes_per_span",
        "lost_after_ack", "list_p95_ms_1m", "filter_p95_ms_1m", "text_p95_ms_1m", "dashboard_ms_1m",
    }  # fmt: skip
