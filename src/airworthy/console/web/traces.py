"""The list of traces: what was asked for, as words and as chips; each run in a sentence; a page at a time."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from airworthy.console import ways
from airworthy.console.parts import Given
from airworthy.console.web import pages
from airworthy.console.web.visitor import Visiting
from airworthy.core.errors import InputError
from airworthy.recorder.traces import query as asked
from airworthy.recorder.traces.filter import CHARS_MAX, FilterError, parse
from airworthy.recorder.traces.find import Cursor, Page, TraceRow, count, find
from airworthy.runtime import tasks
from airworthy.store import Tx

router = APIRouter(include_in_schema=False)
PAGE: Final = 50
COUNTED_MAX: Final = 500
# Ways in, for who does not know the language yet.
STARTS: Final = (
    ("Needs a person", "outcome:escalated,dead_lettered since:24h"),
    ("Errors", "is:error since:24h"),
    ("Still open", "is:open"),
    ("Over 1 USD", "cost>1 since:7d"),
    ("Over a minute", "duration>1m since:24h"),
    ("Unpriced", "is:unpriced since:7d"),
)
EXAMPLES: Final = (
    ("agent:support outcome:escalated since:24h", "escalated tasks of support in the last 24 hours"),
    ("tool:refund -outcome:answered", "refund was called and the task was not answered"),
    ("model:gpt-5* cost>0.05", "a model whose name begins so, and more than 5 cents"),
    ('"parcel lost" user:u17', "both words in its texts, and this user"),
)


@router.get("/traces")
def page(
    request: Request,
    given: Given,
    who: Visiting,
    *,
    q: Annotated[str, Query(max_length=4 * CHARS_MAX)] = "",
    before: Annotated[str, Query(max_length=500)] = "",
) -> HTMLResponse:
    """`q`: the filter language. `before`: where the page before ended."""
    now_us = given.clock.now_us()
    try:
        query = parse(q, now_us).only(who.caller.agents or None)
        place = Cursor.of(before) if before else None
    except InputError as error:
        return _refused(request, who, q, error)

    def read(tx: Tx) -> tuple[Page, int | None, Mapping[str, str]]:
        found = find(tx, query, before=place, limit=PAGE)
        many = count(tx, query, COUNTED_MAX) if place is None and found.next is not None else None
        return found, many, _states(tx, found.rows)

    found, many, states = given.database.read_now(read)
    return pages.render(
        request,
        "traces.html",
        who=who,
        title="Traces",
        twin="/api/v1/traces?" + urlencode({"q": q} | ({"before": before} if before else {})),
        **_page(q),
        chips=[(chip.text, _at(chip.without)) for chip in asked.chips(query)],
        rows=found.rows,
        states=states,
        ways=ways,
        found=_found(found, many, first=place is None),
        newest=_at(q) if place is not None else "",
        older=_at(q, str(found.next)) if found.next is not None else "",
        stopped_us=found.stopped_us,
        error=None,
    )


def _refused(request: Request, who: Visiting, q: str, error: InputError) -> HTMLResponse:
    """What was typed stands in its field still, with what is wrong with it."""
    at = error.at if isinstance(error, FilterError) else None
    return pages.render(
        request, "traces.html", who=who, status=400, title="Traces", **_page(q, at), chips=[], rows=[], states={},
        ways=ways, found="", newest="", older="", stopped_us=None, error=error,
    )  # fmt: skip


def _page(q: str, at: int | None = None) -> dict[str, Any]:
    """`at`: the character at which it stops being a filter."""
    return {
        "q": q,
        "q_chars_max": CHARS_MAX,
        "starts": [(words, _at(text), text == q.strip()) for words, text in STARTS],
        "keys": asked.ABOUT,
        "examples": [(text, words, _at(text)) for text, words in EXAMPLES],
        "wrong": None if at is None or at >= len(q) else (q[max(0, at - 60) : at], q[at : at + 60]),
    }


def _at(q: str, before: str = "") -> str:
    fields = ({"q": q} if q else {}) | ({"before": before} if before else {})
    return "/traces?" + urlencode(fields) if fields else "/traces"


def _found(found: Page, many: int | None, *, first: bool) -> str:
    if many is not None:
        return f"{many:,}{' or more' if many >= COUNTED_MAX or found.stopped_us is not None else ''} found"
    if not first:
        return f"{len(found.rows)} on this page"
    return f"{len(found.rows)} found" if found.rows else ""


def _states(tx: Tx, rows: Sequence[TraceRow]) -> Mapping[str, str]:
    """How tasks of ours stand that are open: in line, under way, or waiting for somebody."""
    ids = [row.id for row in rows if row.origin == "task" and row.outcome is None]
    return {task.id: task.state.value for id_ in ids if (task := tasks.find(tx, id_)) is not None}
