"""A disk that fills up, readers beside a writer, a trace that never ends: nothing is lost, and nothing waits long."""

import threading
from pathlib import Path

import pytest

from airworthy.recorder.tables import MIGRATIONS
from airworthy.recorder.traces.read import spans_of
from airworthy.store import SQLiteDatabase, StoreFull, Tx, migrate
from tests.recorder.traces import kit
from tests.recorder.traces.kit import NOON_US, TRACE, put, span

pytestmark = pytest.mark.slow


def database(folder: Path) -> SQLiteDatabase:
    made = SQLiteDatabase(folder / "traces.db")
    migrate(made, MIGRATIONS)
    return made


def test_a_full_disk_keeps_what_was_acknowledged_and_takes_more_once_there_is_room(tmp_path: Path) -> None:
    """Slow: a real database that may not grow beyond so many pages."""
    store = database(tmp_path)
    (pages,) = store.read_now(lambda tx: tx.row("PRAGMA page_count")) or (0,)
    store.write_now(lambda tx: tx.rows(f"PRAGMA max_page_count = {pages + 40}"))
    acknowledged = 0

    def fill() -> None:
        nonlocal acknowledged
        for number in range(1_000):
            spans = [span(1, trace_id=f"{number:032x}", text=f"word{number} " * 50)]
            acknowledged += put(store, spans).accepted

    with pytest.raises(StoreFull):
        fill()
    left = kit.counts(store, "spans"), kit.counts(store, "traces"), kit.counts(store, "docs")
    store.write_now(lambda tx: tx.rows("PRAGMA max_page_count = 1000000"))
    put(store, [span(1, trace_id="f" * 32)])
    store.close()
    again = database(tmp_path)

    assert acknowledged > 10
    assert left == (acknowledged,) * 3
    assert kit.counts(again, "spans") == acknowledged + 1
    assert kit.words(again, f"word{acknowledged - 1}") == [f"{acknowledged - 1:032x}"]
    assert again.read_now(lambda tx: tx.row("PRAGMA integrity_check")) == ("ok",)
    again.close()


def test_readers_beside_a_writer_see_whole_transactions_only(tmp_path: Path) -> None:
    """Slow: a thread reads while another writes."""
    store = database(tmp_path)
    done = threading.Event()
    seen: list[tuple[int, int]] = []

    def look(tx: Tx) -> tuple[int, int]:
        spans, steps = (
            tx.row("SELECT COUNT(*) FROM spans"),
            tx.row("SELECT COALESCE(SUM(steps), 0) FROM traces"),
        )
        assert spans is not None
        assert steps is not None
        return spans[0], steps[0]

    def read() -> None:
        while not done.is_set():
            seen.append(store.read_now(look))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        put(store, [span(n, trace_id=f"{number % 7:032x}") for n in range(8 * number + 1, 8 * number + 9)])
    done.set()
    reader.join()
    store.close()

    assert len(seen) > 3
    assert all(spans == steps for spans, steps in seen)
    assert seen == sorted(seen)


def test_a_trace_of_very_many_spans_is_written_and_read_in_even_steps(tmp_path: Path) -> None:
    """Slow: twenty thousand spans. The million of them was done by hand, see the page on performance."""
    store = database(tmp_path)
    for start in range(1, 20_001, 500):
        put(store, [span(n) for n in range(start, start + 500)])
    plan = store.read_now(
        lambda tx: tx.rows(
            "EXPLAIN QUERY PLAN SELECT span FROM spans WHERE trace = ? AND started_us >= ?"
            " AND (started_us > ? OR span > ?) ORDER BY started_us, span LIMIT 500",
            (b"", 0, 0, b""),
        )
    )
    page = store.read_now(lambda tx: spans_of(tx, TRACE, 100, (NOON_US + 19_899, f"{19_899:016x}")))
    total = store.read_now(lambda tx: spans_of(tx, TRACE, 1)).total
    store.close()

    assert total == 20_000
    assert [row.span_id for row in page.spans] == [f"{n:016x}" for n in range(19_900, 20_000)]
    assert "spans_by_start (trace=? AND started_us>?)" in plan[0][3]
    assert not any("TEMP B-TREE" in row[3] for row in plan)
