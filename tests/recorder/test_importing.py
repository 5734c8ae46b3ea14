"""Traces out of files: what a line says is what is stored, twice is once, and what cannot be read is told by line."""

import functools
import gzip
import io
import itertools
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks.recorded_runs import converted

from airworthy.app.build import App, assembled
from airworthy.app.importing import BadImport, How, Import, Imported
from airworthy.core.clock import ManualClock
from airworthy.recorder.importing import Defaults, lines_of
from airworthy.recorder.importing.identity import trace_id
from airworthy.recorder.importing.lines import LINE_BYTES_MAX, BadLine
from airworthy.recorder.traces import read
from airworthy.recorder.traces.filter import parse
from airworthy.recorder.traces.find import TraceRow, find
from tests.database import lasting, memory
from tests.recorder.traces.kit import emptied

DATA = Path("/work/shared/data")
KEY = "sk-ant-abcdefghij1234567890"
RUN = {
    "trace": "run-1", "name": "refund", "agent": "support", "user": "u-7", "session": "s1", "feature": "billing",
    "release": "v7", "start": "2025-11-20T08:00:00Z", "end": "2025-11-20T08:00:09Z", "outcome": "answered",
    "input": "refund the teapot", "output": "done",
    "spans": [
        {"kind": "model", "model": "gpt-5-2025-08-07", "provider": "openai", "tokens_in": 1000, "tokens_out": 200,
         "start": 1_763_625_600.5, "end": 1_763_625_602},
        {"kind": "tool", "tool": "refund", "input": {"order": 1}, "error": {"type": "timeout", "message": "30 s"},
         "spans": [{"name": "http"}]},
    ],
}  # fmt: skip


@functools.cache
def _app() -> App:
    with lasting():
        return assembled(memory(), [], clock=ManualClock())


@pytest.fixture
def app() -> App:
    emptied(_app().database)
    return _app()


def _take(app: App, lines: Iterable[Any], **how: Any) -> Imported:
    raw = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    return Import(app, How(**how), lambda _: None).take("file", io.BytesIO(raw))


def _rows(app: App, asked: str = "") -> list[TraceRow]:
    return list(
        app.database.read_now(lambda tx: find(tx, parse(asked, app.clock.now_us()), limit=1_000)).rows
    )


def _spans(app: App, row: TraceRow) -> list[tuple[int, read.SpanRow]]:
    found = app.database.read_now(lambda tx: read.spans_of(tx, row.trace_id))
    return read.arranged(found.spans)


def test_a_trace_is_stored_as_it_is_told(app: App) -> None:
    done = _take(app, [RUN])

    (row,) = _rows(
        app, "agent:support user:u-7 session:s1 feature:billing release:v7 outcome:answered origin:import"
    )
    assert (done.lines, done.spans, done.bad_count) == (1, 4, 0)
    assert (row.name, row.duration_us, row.steps, row.model_calls, row.tool_calls) == (
        "refund",
        9_000_000,
        4,
        1,
        1,
    )
    assert (row.tokens_in, row.cost_nano, row.unpriced, row.error_type) == (1000, 3_250_000, 0, "timeout")
    assert [(depth, span.kind, span.name) for depth, span in _spans(app, row)] == [
        (0, "agent", "refund"), (1, "model", "gpt-5-2025-08-07"), (1, "tool", "refund"), (2, "step", "http"),
    ]  # fmt: skip
    assert [len(_rows(app, asked)) for asked in ("teapot", "tool:refund", "error:timeout", "teapots")] == [
        1,
        1,
        1,
        0,
    ]


def test_the_same_file_twice_is_stored_once_also_without_ids(app: App) -> None:
    lines = [RUN, {"agent": "a", "input": 1}, {"agent": "a", "input": 2}, {"agent": "a", "input": 2}]

    first, second = _take(app, lines), _take(app, lines)

    assert (first.spans, first.duplicate) == (6, 1)
    assert (second.spans, second.duplicate) == (0, 7)
    assert len(_rows(app)) == 3


def test_spans_may_stand_on_lines_of_their_own_in_any_order(app: App) -> None:
    lines = [
        {"trace": "t", "id": "c", "parent": "b", "kind": "tool", "name": "look", "start": 1_763_625_603},
        {"type": "span", "trace": "t", "id": "a", "kind": "agent", "name": "root", "start": 1_763_625_600,
         "end": 1_763_625_605},
        {"trace": "t", "id": "b", "parent": "a", "name": "plan", "start": 1_763_625_601},
    ]  # fmt: skip

    _take(app, lines)

    (row,) = _rows(app)
    assert [(depth, span.name) for depth, span in _spans(app, row)] == [(0, "root"), (1, "plan"), (2, "look")]
    assert row.duration_us == 5_000_000


_DEEP: dict[str, Any] = {"name": "x"}
for _ in range(150):
    _DEEP = {"name": "x", "spans": [_DEEP]}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"nonsense", "It is no JSON"),
        (b'{"name": "\xff"}', "It is no JSON"),
        ([], "It is no JSON object"),
        ({"colour": "red"}, "colour: there is no such field"),
        ({"sesion": "s"}, "did you mean session?"),
        ({"spans": [{"kind": "modle"}]}, "spans.0.kind: Input should be 'agent', 'model'"),
        ({"spans": [{"kind": "model", "tokens_in": -1}]}, "tokens_in"),
        ({"spans": [{"kind": "model", "cost_usd": "much"}]}, "cost_usd"),
        ({"start": "yesterday"}, "start: 'yesterday' is no time"),
        ({"start": 12}, "start: 12 is no time after 1973"),
        ({"outcome": "fine"}, "outcome"),
        ({"type": "event"}, "neither trace nor span"),
        ({"kind": "tool"}, "needs `trace`"),
        ({"error": {"typ": "x"}}, "error.type"),
        (_DEEP, "nested"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_told_and_passed_over(app: App, line: Any, why: str) -> None:
    done = _take(app, [RUN, b"", line, {"agent": "after"}])

    assert (done.bad_count, done.good) == (1, 2)
    assert done.bad[0].number == 3
    assert why in done.bad[0].why
    assert {row.agent for row in _rows(app)} == {"support", "after"}


def test_strict_ends_at_the_first_bad_line_and_keeps_what_came_before(app: App) -> None:
    with pytest.raises(BadImport, match="Line 2 of file") as caught:
        _take(app, [RUN, b"nonsense", {"agent": "after"}], strict=True)

    assert "stored" in caught.value.mend
    assert [row.agent for row in _rows(app)] == ["support"]


def test_a_dry_run_reads_and_stores_nothing(app: App) -> None:
    assert _take(app, [RUN, b"nonsense"], dry_run=True).spans == 4
    assert _rows(app) == []


def test_secrets_are_written_over_wherever_they_stand(app: App) -> None:
    line = {
        "trace": "t", "name": f"use {KEY}", "user": KEY, "input": f"my key is {KEY}",
        "error": {"type": KEY, "message": KEY},
        "attributes": {"header": f"Bearer {KEY}", KEY: 1},
        "spans": [{"kind": "tool", "tool": "call", "input": {"api_key": KEY}, "output": [KEY]}],
    }  # fmt: skip
    _take(app, [line, {"colour": KEY}, {KEY: 1}, f'{{"a": "{KEY}'.encode()])

    everything = [
        str(row)
        for table in ("traces", "facets", "spans", "docs")
        for row in app.database.read_now(lambda tx: tx.rows(f"SELECT * FROM {table}"))  # noqa: B023
    ]
    everything += [str(span.payload) for row in _rows(app) for _, span in _spans(app, row)]
    assert any("redacted:" in each for each in everything)
    assert not any(KEY in each for each in everything)
    assert _rows(app, "abcdefghij1234567890") == []
    assert not any(KEY in bad.why for bad in _take(app, [{KEY: 1}, {"start": KEY}]).bad)


def test_packed_files_and_marks_are_read_and_a_broken_one_ends_in_a_bad_line() -> None:
    raw = b'\xef\xbb\xbf{"a": 1}\r\n\n{"b": 2}'
    packed = gzip.compress(raw)

    assert [line.number for line in lines_of(io.BytesIO(raw))] == [1, 3]
    assert [line.number for line in lines_of(io.BufferedReader(io.BytesIO(packed)))] == [1, 3]
    broken = list(lines_of(io.BufferedReader(io.BytesIO(packed[:-6]))))
    assert isinstance(broken[-1], BadLine)


def test_a_line_that_is_too_long_is_skipped_in_bounded_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    # The bound is of a size that a test need not fill.
    monkeypatch.setattr("airworthy.recorder.importing.lines.LINE_BYTES_MAX", 20)
    found = list(lines_of(io.BytesIO(b'{"a": 1}\n"' + b"x" * 100 + b'"\n{"b": 2}\n' + b"y" * 30)))

    assert LINE_BYTES_MAX > 20
    assert [(type(line).__name__, line.number) for line in found] == [
        ("Line", 1), ("BadLine", 2), ("Line", 3), ("BadLine", 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "same"),
    [
        ("4bf92f3577b34da6a3ce929d0e0e4736", True),
        ("4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", False),
        ("0" * 32, False),
    ],
)
def test_ids_that_fit_are_kept(said: str, same: bool) -> None:
    assert (trace_id(said, b"") == said) == same
    assert trace_id(said, b"") == trace_id(said, b"other")
    assert len(trace_id(said, b"")) == 32


OPENAI = {
    "id": "chat-1", "model": "gpt-4.1-2025-04-14", "user": "ann", "reward": 1.0,
    "timestamp": "2025-11-20T08:00:00Z", "duration_s": 5,
    "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "where is my order?"},
        {"role": "assistant", "content": None, "usage": {"prompt_tokens": 9, "completion_tokens": 3},
         "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"order": 1}'}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "no such order", "error": True},
        {"role": "assistant", "content": "I cannot find it."},
    ],
}  # fmt: skip
ANTHROPIC = {
    "messages": [
        {"role": "user", "content": "where is my order?"},
        {"role": "assistant", "content": [{"type": "text", "text": "Let me look."},
                                          {"type": "tool_use", "id": "c1", "name": "find", "input": {"order": 1}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": "no such order", "is_error": True}]},
        {"role": "assistant", "content": "I cannot find it."},
    ]
}  # fmt: skip
FLAT = [
    {"role": "user", "content": "where is my order?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "c1", "name": "find", "arguments": {"order": 1}}],
    },
    {"role": "tool", "tool_call_id": "c1", "name": "find", "content": "no such order", "error": "missing"},
    {"role": "assistant", "content": "I cannot find it."},
]


@pytest.mark.parametrize("line", [OPENAI, ANTHROPIC, FLAT], ids=["openai", "anthropic", "flat"])
def test_messages_become_calls_of_the_model_and_of_tools(app: App, line: Any) -> None:
    _take(app, [line], form="messages", defaults=Defaults("desk", "v1"))

    (row,) = _rows(app, 'agent:desk release:v1 tool:find is:error "cannot find it" "where is my order"')
    spans = [span for _, span in _spans(app, row)]
    assert [(span.kind, span.error_type) for span in spans] == [
        ("agent", ""), ("model", ""), ("tool", "tool_error"), ("model", ""),
    ]  # fmt: skip
    assert json.loads(spans[2].payload or b"")["input"] == {"order": 1}
    assert json.loads(spans[2].payload or b"")["output"] == "no such order"
    if line is OPENAI:
        assert (row.duration_us, row.user_id, spans[1].tokens_in) == (5_000_000, "ann", 9)
        assert json.loads(spans[0].payload or b"")["attributes"]["reward"] == 1.0


@pytest.mark.parametrize("line", [{}, {"messages": "x"}, {"messages": [1]}, [{"content": "x"}], 7])
def test_what_is_no_list_of_messages_is_told(app: App, line: Any) -> None:
    assert _take(app, [line], form="messages").bad_count == 1


@pytest.mark.skipif(not DATA.exists(), reason="needs the recorded runs")
@pytest.mark.parametrize("name", ["tau_runs", "agentdyn_runs"])
def test_recorded_conversations_lose_no_call(app: App, name: str) -> None:
    """slow: real conversations of real length."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rb") as file:
        lines = list(itertools.islice(file, 60))
    expected: Counter[str] = Counter()
    for line in lines:
        for message in json.loads(line)["messages"]:
            expected["model"] += message["role"] == "assistant"
            expected["tool"] += len(message.get("tool_calls") or [])

    done = _take(app, [line.strip() for line in lines], form="messages", defaults=Defaults(name))

    rows = _rows(app)
    assert (done.bad_count, len(rows)) == (0, 60)
    assert sum(row.model_calls for row in rows) == expected["model"]
    assert sum(row.tool_calls for row in rows) == expected["tool"]
    assert all(row.cost_nano is None for row in rows)  # Nobody told the tokens, so nothing has a price.


@pytest.mark.skipif(not DATA.exists(), reason="needs the recorded runs")
@pytest.mark.parametrize(("form", "name"), [("workbench", "workbench_runs"), ("failures", "failure_traces")])
def test_other_recorded_runs_are_turned_into_lines_and_taken_in(app: App, form: str, name: str) -> None:
    lines = [line.encode() for line in itertools.islice(converted(form, DATA / f"{name}.jsonl.gz"), 40)]

    done = _take(app, lines)

    steps = [len(json.loads(line)["spans"]) for line in lines]
    assert done.bad_count == 0, done.bad
    assert sorted(row.steps for row in _rows(app)) == sorted(count + 1 for count in steps)


def test_personal_data_is_taken_out_as_of_what_comes_by_otlp(tmp_path: Path) -> None:
    (tmp_path / "recorder.toml").write_text('[redact]\nemail = "redact"\n')
    app = replace(assembled(memory(), [], clock=ManualClock()), folder=tmp_path)
    _take(app, [RUN | {"input": "mail ada@example.org", "user": "ada@example.org"}])

    (row,) = _rows(app)
    (span, *_) = app.database.read_now(lambda tx: read.spans_of(tx, row.trace_id)).spans
    assert row.user_id == "[redacted:email]"
    assert span.payload is not None
    assert b"ada@example.org" not in span.payload
    assert b"[redacted:email]" in span.payload
    assert _rows(app, '"ada example"') == []
