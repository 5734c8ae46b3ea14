"""What a trace's row, facets and sums say of its spans, and what happens with spans that are late, double or odd."""

from functools import partial
from typing import Any

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.recorder.rollups import bucket_of
from airworthy.recorder.traces import fold
from airworthy.recorder.traces.gather import Batch, gather
from airworthy.recorder.traces.read import intake_counts
from airworthy.recorder.traces.span import Score, Span, SpanKind
from airworthy.recorder.traces.write import Written, write
from airworthy.store import Database, StoreError, StoreFull, Tx
from tests.recorder.traces import kit
from tests.recorder.traces.kit import NOON_US, TRACE, put, row, span, store

MODEL, TOOL = SpanKind.MODEL, SpanKind.TOOL
DAY_US = 86_400 * US_PER_S


@pytest.mark.parametrize(
    ("spans", "column", "said", "why"),
    [
        ([span(1, agent="a"), span(2, agent="b")], "agent", "a", "the root says it"),
        ([span(1), span(3, agent="c"), span(2, agent="b")], "agent", "b", "else who says it first in time"),
        ([span(1, started_us=NOON_US + 9, agent="a"), span(2, agent="b")], "agent", "a", "the root, even if later"),
        ([span(2, name="lookup")], "name", "lookup", "a trace without a root has a name all the same"),
        ([span(1), span(2, session="s")], "session", "s", "a label of a span is one of its trace"),
        ([span(2, started_us=NOON_US - 5), span(1)], "started_us", NOON_US - 5, "the earliest, not the root's"),
        ([span(2)], "ended_us", None, "without a root nobody knows that it ended"),
        ([span(1), span(2, ended_us=NOON_US + 10**9)], "ended_us", NOON_US + 1_001, "it ends with its root"),
        ([span(1)], "duration_us", 1_000, "the root's"),
        ([span(1, ended_us=5)], "duration_us", 0, "an end before the start is none"),
        ([span(1), span(2, error_type="E")], "error_type", "E", "an error that the root got over is still told"),
        ([span(1, error_type="R"), span(2, error_type="E")], "error_type", "R", "the root's before others"),
        (
            [span(2, error_type="X", ended_us=NOON_US + 10), span(3, error_type="Y", ended_us=NOON_US + 20)],
            "error_type", "Y", "else the last",
        ),
        ([span(1, error_type="E")], "outcome", None, "an error is no outcome"),
        ([span(1, outcome="declined", error_type="E")], "outcome", "declined", "what the sender says stands"),
        ([span(1), span(2, kind=MODEL)], "cost_nano", None, "a cost that nobody knows is not 0"),
        ([span(1), span(2, kind=MODEL)], "unpriced", 1, "and the call is counted as unpriced"),
        ([span(2, kind=MODEL, cost_nano=0)], "cost_nano", 0, "a price of 0 is a price"),
        ([span(2, kind=MODEL, cost_nano=5), span(3, kind=MODEL)], "cost_nano", 5, "of those that have one"),
        ([span(1, tokens_in=9), span(2, kind=MODEL, tokens_in=4)], "tokens_in", 4, "only calls of models use tokens"),
        ([span(1), span(2, kind=TOOL), span(3, kind=TOOL)], "tool_calls", 2, "by kind"),
        ([span(1), span(2, kind=SpanKind.EMBEDDING)], "model_calls", 1, "an embedding is a call of a model"),
    ],
)  # fmt: skip
def test_a_row_says(spans: list[Span], column: str, said: object, why: str) -> None:
    database = store()
    put(database, spans)

    assert row(database)[column] == said, why


@pytest.mark.parametrize(
    ("started_us", "at_us", "why"),
    [
        (NOON_US, NOON_US, "where it began"),
        (NOON_US + 30 * DAY_US, NOON_US + 60, "a clock that goes ahead puts nothing above what is newer"),
        (NOON_US - 400 * DAY_US, NOON_US - 400 * DAY_US, "an old trace stands where it belongs"),
        (0, NOON_US + 60, "no time at all is now"),
        (-5, NOON_US + 60, "nor is one before there were any"),
    ],
)
def test_a_trace_has_its_place_in_lists(started_us: int, at_us: int, why: str) -> None:
    database = store()
    put(database, [span(1, started_us=started_us, ended_us=started_us + 5)], received_us=NOON_US + 60)

    assert row(database)["at_us"] == at_us, why


def test_the_place_of_a_trace_never_changes() -> None:
    database = store()
    put(database, [span(2)])
    place = row(database)["at_us"]
    put(database, [span(1, started_us=NOON_US - DAY_US)])

    assert row(database)["at_us"] == place
    assert row(database)["started_us"] == NOON_US - DAY_US


def test_the_same_span_again_is_counted_as_such_and_changes_nothing() -> None:
    database = store()
    first = put(database, [span(1), span(2), span(2)])
    steps, chunks = row(database)["steps"], kit.counts(database, "chunks")
    again = put(database, [span(2), span(3), span(3)])

    assert (first, again) == (Written(2, 0, 0), Written(1, 0, 1))
    assert row(database)["steps"] == steps + 1
    assert kit.counts(database, "chunks") == chunks + 1
    assert list(database.read_now(intake_counts).values()) == [{"accepted": 3, "duplicate": 3}]


def test_a_request_that_was_stored_already_stores_nothing() -> None:
    database = store()
    put(database, [span(1, agent="a"), span(2)])
    tables = ("spans", "chunks", "facets", "docs", "rollups", "rollup_bins", "traces")
    before = [kit.counts(database, table) for table in tables], kit.sums(database)
    put(database, [span(1, agent="a"), span(2)])

    assert ([kit.counts(database, table) for table in tables], kit.sums(database)) == before


def test_two_requests_of_one_commit_may_hold_the_same_span_and_the_same_trace() -> None:
    database = store()
    batches = [
        gather([span(2, agent="b"), span(3)], [], NOON_US + 60),
        gather([span(1, agent="a"), span(2, agent="b")], [], NOON_US + 61),
    ]
    done = database.write_now(lambda tx: write(tx, batches))

    assert done == [Written(2, 0, 0), Written(1, 0, 1)]
    assert row(database)["agent"] == "a"
    assert kit.facets(database) == {("agent", "a"), ("origin", "otlp")}
    assert kit.sums(database)["b", "", "", "opened"] == 0


def test_a_label_that_comes_late_moves_the_trace_in_facets_and_sums() -> None:
    database = store()
    put(database, [span(2, agent="guess", kind=MODEL, cost_nano=7, tokens_in=3)])
    put(database, [span(1, agent="support", session="s1")])

    assert kit.facets(database) == {("agent", "support"), ("session", "s1"), ("origin", "otlp")}
    totals = kit.sums(database)
    assert {key[0] for key in totals} == {"support"}
    assert totals["support", "", "", "cost_nano"] == 7
    assert totals["support", "", "", "opened"] == totals["support", "", "", "ended"] == 1


@pytest.mark.parametrize(
    ("root", "counted"),
    [
        ({"error_type": "E"}, "failed"),
        ({"outcome": "answered"}, "answered"),
        ({"outcome": "answered", "error_type": "E"}, "answered"),
        ({}, None),
        ({"outcome": "a word of its own"}, None),
    ],
)
def test_an_end_is_counted_by_its_outcome_or_as_failed(root: dict[str, Any], counted: str | None) -> None:
    database = store()
    put(database, [span(2)])
    open_ = kit.sums(database)
    put(database, [span(1, **root)])
    totals = kit.sums(database)
    words = ("answered", "declined", "escalated", "dead_lettered", "cancelled", "failed")

    assert open_["", "", "", "ended"] == 0
    assert totals["", "", "", "ended"] == 1
    assert [word for word in words if totals["", "", "", word]] == ([counted] if counted else [])


def test_usage_is_counted_when_it_was_and_never_before_its_trace_or_after_it_was_heard_of() -> None:
    database = store()
    hour = 3_600 * US_PER_S
    call = {"kind": MODEL, "tokens_in": 1}
    put(database, [span(1), span(2, started_us=NOON_US + hour, **call)], received_us=NOON_US + 2 * hour)
    put(database, [span(3, started_us=NOON_US - hour, **call)], received_us=NOON_US + 2 * hour)
    put(database, [span(4, started_us=NOON_US + 9 * hour, **call)], received_us=NOON_US + 2 * hour)
    found = database.read_now(
        lambda tx: tx.rows(
            "SELECT bucket_us, tokens_in FROM rollups WHERE width_s = 3600 AND tokens_in > 0 ORDER BY 1"
        )
    )

    noon = bucket_of(NOON_US, 3_600)
    assert found == [(noon, 1), (noon + hour, 1), (noon + 2 * hour, 1)]


def test_a_trace_of_more_periods_than_are_told_apart_counts_the_rest_where_it_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bound is made small, for want of days to fill."""
    monkeypatch.setattr(fold, "PERIODS_MAX", 2)
    database = store()
    spans = [span(n, started_us=NOON_US + n * 300 * US_PER_S, kind=TOOL) for n in range(1, 8)]
    for piece in (spans[:2], spans[2:]):
        put(database, piece, received_us=NOON_US + DAY_US)
    put(database, [span(9, parent_id="", agent="late", started_us=NOON_US + 300 * US_PER_S)])

    assert kit.sums(database)["late", "", "", "tool_calls"] == 7
    assert {key[0] for key in kit.sums(database)} == {"late"}
    assert kit.counts(database, "rollups WHERE width_s = 300 AND tool_calls > 0") == 3


def task(database: Database) -> None:
    """A task of ours with this trace id, as its own room writes it."""
    database.write_now(
        lambda tx: tx.execute(
            "INSERT INTO traces (id, origin, trace_id, agent, release, session, user_id, feature, name, at_us,"
            " started_us, steps, model_calls, tool_calls, errors, retries, tokens_in, tokens_out, unpriced)"
            " VALUES ('tsk_1', 'task', ?, 'support', 'r1', '', '', '', 'support', ?, ?, 3, 0, 0, 0, 0, 0, 0, 0)",
            (TRACE, NOON_US, NOON_US),
        )
    )


def test_spans_of_a_task_of_ours_are_kept_with_it_and_counted_nowhere() -> None:
    database = store()
    task(database)
    before = row(database, "tsk_1")
    spans = [span(1, agent="other"), span(2, kind=TOOL, tool="lookup", error_type="E", text="zanzibar")]
    first, again = put(database, spans), put(database, spans)

    assert (first, again) == (Written(2, 2, 0), Written(0, 0, 2))
    assert row(database, "tsk_1") == before
    assert kit.counts(database, "traces") == 1
    assert not kit.sums(database)
    assert kit.facets(database, "tsk_1") == {("tool", "lookup")}
    assert kit.words(database, "zanzibar") == ["tsk_1"]


def test_a_score_is_kept_whether_or_not_its_trace_was_heard_of_and_once() -> None:
    database = store()
    score = Score("b" * 32, "", "helpful", 0.5, "fair", "it helped", NOON_US)
    put(database, [], scores=[score, score])

    assert kit.counts(database, "scores") == 1


def test_a_batch_whose_write_fails_leaves_nothing_behind() -> None:
    database = store()

    def op(tx: Any) -> None:
        write(tx, [gather([span(1)], [], NOON_US)])
        raise StoreFull("No room.")

    with pytest.raises(StoreError):
        database.write_now(op)

    assert [kit.counts(database, table) for table in ("spans", "traces", "docs", "intake", "series")] == [
        0
    ] * 5


def test_writing_asks_for_no_more_when_the_trace_is_large() -> None:
    """What a batch costs is counted in the rows that its questions give back: by its own size, not the trace's."""
    database = store()
    asked: list[int] = []

    class Counting:
        def __init__(self, tx: Any) -> None:
            self._tx = tx

        def __getattr__(self, name: str) -> Any:
            return getattr(self._tx, name)

        def rows(self, sql: str, params: Any = ()) -> Any:
            found = self._tx.rows(sql, params)
            asked.append(len(found))
            return found

    def _counted(batch: Batch, tx: Tx) -> None:
        write(Counting(tx), [batch])

    for start in range(1, 1_001, 50):
        batch = gather([span(n) for n in range(start, start + 50)], [], NOON_US + 60)
        database.write_now(partial(_counted, batch))

    assert row(database)["steps"] == 1_000
    assert max(asked) <= 1
