"""Traces leave in pieces: JSON lines or CSV, with or without their steps, however many there are. Writes no file.

A page at a time is read, each by itself, so that an export neither holds the store nor fills the memory. Whatever is
written here was stored with its secrets written over.
"""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Final

from airworthy.policy.chars import printable
from airworthy.recorder import read_steps
from airworthy.recorder.traces import read
from airworthy.recorder.traces.documents import Document, span_document, trace_document
from airworthy.recorder.traces.find import Cursor, TraceRow, find
from airworthy.recorder.traces.query import Query
from airworthy.runtime.documents import step_document
from airworthy.store import Database

PAGE: Final = 200
SPANS: Final = 100  # of one reading; with their payloads
CELL_CHARS_MAX: Final = 32_000  # A spreadsheet takes 32,767.
TRACE_COLUMNS: Final = (
    "id", "origin", "trace_id", "agent", "release", "session", "user", "feature", "name", "summary", "at", "started",
    "ended", "seconds", "state", "outcome", "error", "steps", "model_calls", "tool_calls", "errors", "retries",
    "tokens_in", "tokens_out", "cost_usd", "unpriced",
)  # fmt: skip
STEP_COLUMNS: Final = (
    "trace", "agent", "step", "parent", "kind", "name", "state", "started", "ended", "error", "model", "tokens_in",
    "tokens_out", "cost_usd",
)  # fmt: skip
# A cell that begins so is run as a formula, by one spreadsheet or another.
_FORMULAS: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def traces(database: Database, query: Query, before: Cursor | None = None) -> Iterator[TraceRow]:
    """All of them, the newest first; those that come in meanwhile are newer, and not among them."""
    while True:
        page = database.read_now(lambda tx: find(tx, query, before=before, limit=PAGE))  # noqa: B023  # run at once
        yield from page.rows
        if page.next is None:
            return
        before = page.next


def steps_of(database: Database, row: TraceRow) -> Iterator[Document]:
    """The journal of a task of ours, then spans: those that its own process sent, or of a trace from elsewhere."""
    if row.origin == "task":
        for step in database.read_now(lambda tx: read_steps(tx, row.id)):
            yield step_document(step)
    after: read.Place | None = None
    while True:
        page = database.read_now(lambda tx: read.spans_of(tx, row.trace_id, SPANS, after))  # noqa: B023  # run at once
        for span in page.spans:
            whole = span
            if span.payload is None:  # Too large to be read with others.
                found = database.read_now(lambda tx: read.span_of(tx, span.trace_id, span.span_id))  # noqa: B023
                whole = found if found is not None else span
            yield span_document(whole)
        if page.after is None:
            return
        after = page.after


def json_lines(database: Database, query: Query, *, steps: bool) -> Iterator[str]:
    """A line for each trace, in one piece or in several. All but printable ASCII is escaped."""
    for row in traces(database, query):
        line = json.dumps(trace_document(row), ensure_ascii=True)
        if not steps:
            yield line + "\n"
            continue
        yield line[:-1] + ', "journal": ['
        for number, step in enumerate(steps_of(database, row)):
            yield (", " if number else "") + json.dumps(step, ensure_ascii=True)
        yield "]}\n"


def csv_lines(database: Database, query: Query, *, steps: bool) -> Iterator[str]:
    """A header, then a line for each trace; or for each of its steps, without what went in and out of them."""
    if not steps:
        yield _line(TRACE_COLUMNS)
        for row in traces(database, query):
            document = trace_document(row)
            yield _line([document[name] for name in TRACE_COLUMNS])
        return
    yield _line(STEP_COLUMNS)
    for row in traces(database, query):
        for step in steps_of(database, row):
            yield _line([row.id, row.agent, *_step_cells(step)])


def _step_cells(step: Document) -> list[Any]:
    """Of a journal's step or of a span, which differ in what they call some things."""
    error = step["error"]
    if isinstance(error, dict):
        error = error.get("type")
    return [
        step.get("seq", step.get("id")), step.get("parent"), step["kind"], step["name"],
        step.get("state", "failed" if error else "done"), step["started"], step["ended"], error, step["model"],
        step["tokens_in"], step["tokens_out"], step["cost_usd"],
    ]  # fmt: skip


def _line(cells: "list[Any] | tuple[str, ...]") -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([_cell(cell) for cell in cells])
    return written.getvalue()


def _cell(value: Any) -> Any:
    """Text from outside is shown, never run: an apostrophe before it makes a spreadsheet take it as text."""
    if not isinstance(value, str):
        return value
    text = printable(value[:CELL_CHARS_MAX])
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULAS) else text
