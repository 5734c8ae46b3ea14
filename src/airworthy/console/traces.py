"""Traces over HTTP: found by the filter language, a page at a time or all of them as a file; one with its steps."""

import re
from collections.abc import Iterator
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from airworthy.console.access import Caller
from airworthy.console.parts import FOUND_MAX, Given, Looking, Parts
from airworthy.core.clock import iso
from airworthy.recorder.traces import query as asking
from airworthy.recorder.traces import read
from airworthy.recorder.traces.documents import Document, span_document, trace_document
from airworthy.recorder.traces.filter import CHARS_MAX, parse
from airworthy.recorder.traces.find import Cursor, find, get, unknown
from airworthy.recorder.traces.hints import hints
from airworthy.recorder.traces.span import Score
from airworthy.runtime.documents import record_document, task_document
from airworthy.runtime.exporting import csv_lines, json_lines
from airworthy.store import Tx

router = APIRouter(tags=["traces"])
BASE: Final = "/api/v1/traces"
_SPAN: Final = re.compile("[0-9a-f]{16}")
Filter = Annotated[str, Query(max_length=CHARS_MAX, description="The filter language; empty: all of them.")]


@router.get("/traces")
def traces(
    given: Given,
    who: Looking,
    response: Response,
    *,
    q: Filter = "",
    before: Annotated[str, Query(max_length=500, description="`next` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=FOUND_MAX)] = 50,
) -> Document:
    """The newest first. `next`: the place of the next page, which the header Link has as an address; null at the end.

    `searched_back_to`: the search stopped there for now, since it would have had to look at very many; `next` goes on.
    `hints`: why there may be nothing. `query`: the same filter in its one spelling.
    """
    query = _asked(given, who, q)
    place = Cursor.of(before) if before else None
    page = given.database.read_now(lambda tx: find(tx, query, before=place, limit=limit))
    if page.next is not None:
        more = urlencode({"q": q, "before": str(page.next), "limit": limit})
        response.headers["Link"] = f'<{BASE}?{more}>; rel="next"'
    return {
        "query": asking.text_of(query),
        "traces": [trace_document(row) for row in page.rows],
        "next": None if page.next is None else str(page.next),
        "searched_back_to": iso(page.stopped_us),
        "hints": [] if page.rows else given.database.read_now(lambda tx: hints(tx, query)),
    }


@router.get("/traces.jsonl", response_class=StreamingResponse)
def as_json_lines(given: Given, who: Looking, *, q: Filter = "", steps: bool = False) -> StreamingResponse:
    """All that is found, a JSON document a line; `steps`: each with its journal and spans."""
    pieces = json_lines(given.database, _asked(given, who, q), steps=steps)
    return _file(pieces, "application/x-ndjson", "traces.jsonl")


@router.get("/traces.csv", response_class=StreamingResponse)
def as_csv(given: Given, who: Looking, *, q: Filter = "", steps: bool = False) -> StreamingResponse:
    """All that is found, for a spreadsheet; `steps`: a line for each step. What looks like a formula is made text."""
    pieces = csv_lines(given.database, _asked(given, who, q), steps=steps)
    return _file(pieces, "text/csv; charset=utf-8", "traces.csv")


@router.get("/traces/{trace_id}")
def trace(
    trace_id: str,
    given: Given,
    who: Looking,
    response: Response,
    request: Request,
    *,
    after: Annotated[str, Query(max_length=100, description="`next` of the piece before.")] = "",
) -> Document:
    """With its spans in order of time, a piece at a time; a task of ours with its journal, too."""
    place = _place(after) if after else None

    def look(tx: Tx) -> Document:
        row = get(tx, trace_id)
        if not who.sees(row.agent):
            raise unknown(trace_id)
        page = read.spans_of(tx, row.trace_id, after=place)
        more = None if page.after is None else f"{page.after[0]}.{page.after[1]}"
        return {
            **trace_document(row),
            "spans": [span_document(span) for span in page.spans],
            "spans_total": page.total,
            "scores": [_score(score) for score in read.scores_of(tx, row.trace_id)],
            "next": more,
        }

    found = given.database.read_now(look)
    if found["next"] is not None:
        response.headers["Link"] = f'<{request.url.path}?{urlencode({"after": found["next"]})}>; rel="next"'
    if found["origin"] == "task" and place is None:
        operations = given.operations
        record = record_document(operations.steps(trace_id), operations.effects(trace_id))
        found |= {"task": task_document(operations.task(trace_id)), **record}
    return found


def _asked(given: Parts, who: Caller, q: str) -> asking.Query:
    """Raises: FilterError."""
    return parse(q, given.clock.now_us()).only(who.agents or None)


def _place(text: str) -> read.Place:
    at, _, span = text.partition(".")
    valid = (
        at.isascii()
        and at.isdigit()
        and len(at) < 19
        and len(span) == 16
        and set(span) <= set("0123456789abcdef")
    )
    if not valid:
        Cursor.of("")  # Raises what a place that is none raises elsewhere.
    return int(at), span


def _score(score: Score) -> Document:
    return {
        "span": score.span_id or None,
        "name": score.name,
        "value": score.value,
        "label": score.label or None,
        "explanation": score.explanation or None,
        "at": iso(score.at_us),
    }


def _file(pieces: Iterator[str], kind: str, name: str) -> StreamingResponse:
    return StreamingResponse(
        pieces, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
