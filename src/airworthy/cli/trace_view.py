"""Traces for a person: a page of them as a table, one of another program as a waterfall of its spans."""

from collections.abc import Sequence
from typing import Final

from airworthy.app.build import App
from airworthy.cli import show
from airworthy.core.clock import US_PER_S
from airworthy.core.money import usd_text
from airworthy.recorder.traces import find, read
from airworthy.recorder.traces.documents import ended_as, span_document, trace_document
from airworthy.recorder.traces.find import Page, TraceRow
from airworthy.recorder.traces.query import span_text
from airworthy.recorder.traces.read import SpanRow

BAR_CHARS: Final = 24
WHAT_CHARS_MAX: Final = 70
DEPTH_MAX: Final = 12  # Deeper ones stand where this one stands.
PAYLOAD_CHARS_MAX: Final = 2_000


def show_page(page: Page, why: Sequence[str], *, as_json: bool) -> None:
    """`why`: what may be the reason that there is nothing."""
    if as_json:
        for row in page.rows:
            show.emit(trace_document(row), line=True)
    elif page.rows:
        show.table(
            ("id", "agent", "ended", "what", "began", "took", "cost"),
            [
                (
                    row.id, row.agent, ended_as(row), show.clipped(row.sentence or row.name, WHAT_CHARS_MAX),
                    show.when(row.at_us), took(row.duration_us), cost(row),
                )
                for row in page.rows
            ],
        )  # fmt: skip
    elif page.stopped_us is None:
        show.note("No trace is like that.")
        for sentence in why:
            show.note(sentence)
    if page.stopped_us is not None:
        show.note(f"Searched back to {show.when(page.stopped_us)} so far; go on: add --before {page.next}")
    elif page.next is not None:
        show.note(f"There are more: add --before {page.next}")


def show_trace(app: App, id_: str, *, full: bool, as_json: bool) -> None:
    from airworthy.cli.task_view import View

    row = app.database.read_now(lambda tx: find.get(tx, id_))
    spans = app.database.read_now(lambda tx: read.spans_of(tx, row.trace_id, payloads=full or as_json))
    if row.origin == "task":
        view = View(app, id_)
        if as_json:
            show.emit({**view.document(), "spans": [span_document(span) for span in spans.spans]})
            return
        view.show(full=full)
        if spans.spans:
            show.say()
            show.say("Spans that came by OTLP", style="dim")
            _waterfall(spans.spans, full=full)
    elif as_json:
        scores = app.database.read_now(lambda tx: read.scores_of(tx, row.trace_id))
        more = {"spans": [span_document(span) for span in spans.spans], "scores": scores}
        show.emit({**trace_document(row), **more})
    else:
        show.say(f"{row.name or row.agent or row.id}: {ended_as(row)}.", style="bold")
        show.say()
        _facts(row)
        show.say()
        _waterfall(spans.spans, full=full)
    if spans.after is not None:
        show.note(
            f"These are {len(spans.spans):,} of {spans.total:,} spans. All: airworthy trace export id:{row.id} --steps"
        )


def took(us: int | None) -> str:
    """To what matters of it: whole microseconds of an hour do not."""
    if us is None:
        return ""
    if us < US_PER_S:
        return span_text(us // 1_000 * 1_000) if us >= 1_000 else f"{us}us"
    seconds = us / US_PER_S
    return f"{seconds:.1f}s" if seconds < 60 else f"{seconds // 60:.0f}m{seconds % 60:02.0f}s"


def cost(row: TraceRow) -> str:
    """Of what has a price; and whether something has none."""
    if row.cost_nano is None:
        return usd_text(None) if row.unpriced else ""
    return usd_text(row.cost_nano) + (" + unpriced" if row.unpriced else "")


def _facts(row: TraceRow) -> None:
    show.facts(
        [
            ("Trace", row.id),
            ("Came by", row.origin),
            ("Agent", row.agent),
            ("Release", row.release),
            ("Session", row.session),
            ("User", row.user_id),
            ("Feature", row.feature),
            ("Ended", ended_as(row)),
            ("Error", row.error_type or ""),
            ("Began", show.when(row.started_us)),
            ("Took", took(row.duration_us)),
            ("Steps", f"{row.steps}, with {row.model_calls} model calls and {row.tool_calls} tool calls"),
            (
                "Tokens",
                f"{row.tokens_in} in, {row.tokens_out} out" if row.tokens_in or row.tokens_out else "",
            ),
            ("Cost", cost(row)),
        ]
    )


def _waterfall(spans: Sequence[SpanRow], *, full: bool) -> None:
    """Each span under its parent, with where it lies in the time of all."""
    if not spans:
        show.note("It has no spans yet.")
        return
    began_us = min(span.started_us for span in spans)
    whole_us = max(1, max(span.ended_us for span in spans) - began_us)
    for depth, span in read.arranged(spans):
        indent = "  " * min(depth, DEPTH_MAX)
        bar = _bar(span, began_us, whole_us)
        about = ", ".join(part for part in _about(span) if part)
        line = f"{bar}  {indent}{span.kind} {span.name}  {took(span.ended_us - span.started_us)}"
        show.say(line + (f"  ({about})" if about else ""), style="red" if span.error_type else "")
        if full and span.payload is not None:
            text = show.clipped(show.readable(span_document(span)["payload"]), PAYLOAD_CHARS_MAX)
            show.say(f"{' ' * BAR_CHARS}  {indent}  {text}", style="dim")


def _bar(span: SpanRow, began_us: int, whole_us: int) -> str:
    first = (span.started_us - began_us) * BAR_CHARS // whole_us
    last = (span.ended_us - began_us) * BAR_CHARS // whole_us
    first = min(max(first, 0), BAR_CHARS - 1)
    width = min(max(last - first, 1), BAR_CHARS - first)
    return "·" * first + "#" * width + "·" * (BAR_CHARS - first - width)


def _about(span: SpanRow) -> list[str]:
    return [
        f"error {span.error_type}" if span.error_type else "",
        span.model,
        f"{span.tokens_in}+{span.tokens_out or 0} tokens" if span.tokens_in is not None else "",
        usd_text(span.cost_nano) if span.kind in ("model", "embedding") else "",
    ]
