"""One run read whole for its page: the task and its journal, or another program's trace; and what hangs on it.

Reads only, and only as much as a page can show.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from urllib.parse import quote

import orjson

from airworthy.console.access import Caller
from airworthy.console.parts import Parts
from airworthy.core.errors import InputError
from airworthy.core.outcome import Reason
from airworthy.recorder import Recorded, sentences, view, waterfall
from airworthy.recorder.traces import find, read
from airworthy.recorder.traces.find import NoSuchTrace, TraceRow
from airworthy.recorder.traces.read import Place, SpanPage, SpanRow
from airworthy.recorder.traces.span import Score
from airworthy.recorder.view import Entry
from airworthy.recorder.waterfall import Waterfall
from airworthy.review import ItemQuery, Kind
from airworthy.review.feedback import Feedback
from airworthy.review.results import Result
from airworthy.runtime import documents, tasks
from airworthy.runtime.looking import Look
from airworthy.runtime.machine import OPEN
from airworthy.runtime.tasks import NoSuchTask, TaskRow
from airworthy.store import Tx
from airworthy.tools import EffectRow

ENTRIES_MAX: Final = 500  # on one page
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}")
ITEMS_MAX: Final = 50
FORKS_MAX: Final = 20


class NoSuchEntry(InputError):
    """The run has no such step."""

    code: ClassVar[str] = "no_such_trace"


@dataclass(slots=True)
class Told:
    """`task` None: another program's trace; then `row` is there. `row` None: the task is in no index yet.

    `more`: where the next page of spans begins. `waits`: the open items of the review queue about this task.
    """

    id: str
    agent: str
    trace_id: str
    task: TaskRow | None
    row: TraceRow | None
    sentence: str
    steps: Sequence[Recorded] = ()
    effects: Sequence[EffectRow] = ()
    entries: list[Entry] = field(default_factory=list)
    fall: Waterfall = field(default_factory=lambda: waterfall.drawn((), 0))
    more: Place | None = None
    span_count: int = 0
    scores: Sequence[Score] = ()
    waits: Sequence[Look] = ()
    forks: Sequence[TaskRow] = ()
    said: Sequence[Feedback] = ()
    results: Sequence[Result] = ()

    @property
    def path(self) -> str:
        return f"/traces/{quote(self.id, safe='')}"

    @property
    def is_open(self) -> bool:
        return self.task is not None and self.task.state in OPEN

    @property
    def why(self) -> Reason | None:
        return self.task.why if self.task is not None else None

    @property
    def outcome(self) -> str:
        """A task's state while it is open; of a trace what its sender said, or how its root ended."""
        if self.task is not None:
            return self.task.state.value
        assert self.row is not None
        if self.row.outcome or self.row.ended_us is None:
            return self.row.outcome or ""
        return "failed" if self.row.error_type else "ended"

    @property
    def cost_nano(self) -> int | None:
        if self.task is None:
            return self.row.cost_nano if self.row is not None else None
        return documents.cost_of(self.task, self.steps)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The runs before and after it in the same session; "" where there is none."""

    before: str = ""
    after: str = ""


def told(
    given: Parts, who: Caller, id_: str, *, after: Place | None = None, unfolded: Collection[str] = ()
) -> Told:
    """Raises: NoSuchTrace, also for what the caller may not see: that it exists is nobody's business."""
    made = _begun(given, who, id_)
    room = max(1, ENTRIES_MAX - len(made.steps[:ENTRIES_MAX])) if after is None else ENTRIES_MAX

    def spans_of(tx: Tx) -> SpanPage:
        made.scores = read.scores_of(tx, made.trace_id)
        return read.spans_of(tx, made.trace_id, room, after, payloads=False)

    page = given.database.read_now(spans_of)
    made.more, made.span_count = page.after, page.total
    deeds = documents.deeds_of(made.effects)
    steps = view.of_steps(made.steps, deeds) if after is None else []
    made.entries = [*steps, *view.of_spans(page.spans)]
    made.fall = waterfall.drawn(made.entries, given.clock.now_us(), unfolded)
    if made.task is not None:
        _people(given, who, made, made.task)
    return made


def _begun(given: Parts, who: Caller, id_: str) -> Told:
    row = given.database.read_now(lambda tx: found_row(tx, id_))
    task = _task(given, row.id if row is not None else id_) if row is None or row.origin == "task" else None
    if (row is None and task is None) or not who.sees(
        task.agent if task is not None else row.agent if row else ""
    ):
        raise NoSuchTrace(f"There is no trace {id_!r}.", mend="Look for it in the list of traces.")
    if task is None:
        assert row is not None
        sentence = row.sentence or given.database.read_now(lambda tx: sentences.of_trace(tx, row))
        return Told(row.id, row.agent, row.trace_id, None, row, sentence)
    steps, effects = given.operations.steps(task.id), given.operations.effects(task.id)
    sentence = documents.sentence_of(task, steps, effects)
    return Told(task.id, task.agent, task.trace_id, task, row, sentence, steps, effects)


def found_row(tx: Tx, id_: str) -> TraceRow | None:
    """By its id, or by the trace id that a task of ours runs under."""
    try:
        return find.get(tx, id_)
    except NoSuchTrace:
        row = tx.row("SELECT id FROM traces WHERE trace_id = ? AND origin = 'task'", (id_,))
        return find.get(tx, str(row[0])) if row is not None else None


def _task(given: Parts, id_: str) -> TaskRow | None:
    try:
        return given.operations.task(id_)
    except NoSuchTask:
        return None


def _people(given: Parts, who: Caller, made: Told, task: TaskRow) -> None:
    query = ItemQuery(kinds=tuple(Kind), task_id=task.id, limit=ITEMS_MAX)
    made.waits = given.reviews().listing(query, who.person)
    made.forks = given.database.read_now(lambda tx: tasks.forks_of(tx, task.id, FORKS_MAX))
    made.said = given.afterwards.said_of(task.id)
    made.results = given.afterwards.results_of(task.id)


def neighbours(tx: Tx, made: Told, who: Caller) -> Neighbours:
    row = made.row
    if row is None or not row.session:
        return Neighbours()

    def beside(comparison: str, order: str) -> str:
        rows = tx.rows(
            "SELECT t.id, t.agent FROM facets f JOIN traces t ON t.id = f.ref WHERE f.field = 'session' AND f.value = ?"
            f" AND (f.at_us, f.ref) {comparison} (?, ?) ORDER BY f.at_us {order}, f.ref {order} LIMIT 20",
            (row.session, row.at_us, row.id),
        )
        return next((str(id_) for id_, agent in rows if who.sees(str(agent))), "")

    return Neighbours(beside("<", "DESC"), beside(">", "ASC"))


@dataclass(frozen=True, slots=True)
class Opened:
    """One entry with all that was recorded of it. `raw`: the whole as a document; `whole`: the same as JSON."""

    entry: Entry
    asked: Any
    came: Any
    raw: dict[str, Any]
    whole: bytes


def opened(given: Parts, made: Told, key: str) -> Opened:
    """`key`: of an entry. Raises: NoSuchEntry."""
    if key.startswith(view.SPAN_PREFIX):
        return _opened_span(given, made, key.removeprefix(view.SPAN_PREFIX))
    step = next((step for step in made.steps if str(step.seq) == key), None)
    if step is None:
        raise NoSuchEntry(f"Run {made.id} has no step {key!r}.", mend="Go back to the run.")
    (entry,) = view.of_steps([step], documents.deeds_of(made.effects))
    document = documents.step_document(step)
    return Opened(entry, step.arguments, step.result, document, json.dumps(document, default=str).encode())


def _opened_span(given: Parts, made: Told, span_id: str) -> Opened:
    def span_of(tx: Tx) -> SpanRow | None:
        return read.span_of(tx, made.trace_id, span_id) if _SPAN_ID.fullmatch(span_id) else None

    span = given.database.read_now(span_of)
    if span is None:
        raise NoSuchEntry(f"Trace {made.id} has no span {span_id!r}.", mend="Go back to the trace.")
    (entry,) = view.of_spans([span])
    payload = orjson.loads(span.payload) if span.payload is not None else {}
    payload = payload if isinstance(payload, dict) else {"input": payload}
    return Opened(
        entry,
        payload.get("input"),
        payload.get("output"),
        {"span": span_id, **payload},
        span.payload or b"{}",
    )


def begun(given: Parts, who: Caller, id_: str) -> Told:
    """Without its waterfall: for one of its entries, and for what is done with it. Raises: NoSuchTrace."""
    return _begun(given, who, id_)
