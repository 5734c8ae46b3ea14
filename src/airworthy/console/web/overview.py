"""The overview: a sentence, what needs a person, how each agent fares; and the stream that keeps it so."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from airworthy.console import ways
from airworthy.console.overview import Seen, seen
from airworthy.console.parts import Given, Parts
from airworthy.console.web import pages, shown
from airworthy.console.web.trend import Trend, change, moved, trend
from airworthy.console.web.visitor import Visiting, Visitor
from airworthy.recorder.overview import WINDOW_DEFAULT, WINDOWS, Line, Sums, Window, window_of
from airworthy.recorder.traces.query import Amount, Term, label
from airworthy.runtime.machine import State

router = APIRouter(include_in_schema=False)
TICK_S: Final = 1.0
# So that a proxy between does not take it for dead, and one whose reader is gone is noticed.
ALIVE_S: Final = 15.0
# Then it is opened anew by the page, if whoever looks is signed in still and may see what they saw.
STREAM_S_MAX: Final = 600.0
FULL_RETRY_S: Final = 30
NEEDS_MAX: Final = 30
_PIECES: Final = (
    ("answered", "good"), ("declined", "no"), ("escalated", "person"), ("dead_lettered", "bad"), ("failed", "bad"),
    ("cancelled", "off"),
)  # fmt: skip

Wanted = Annotated[str, Query(max_length=10)]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what ended. `words` has the share."""

    part: float
    kind: str
    words: str
    count: int
    link: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with what is to be said of it, and where it leads. `notes`: the first alone where there is no room."""

    name: str
    text: str
    notes: Sequence[str]
    change: str
    link: str
    trend: Trend
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """One agent, or all of them."""

    agent: str
    link: str
    troubles: Sequence[str]
    paused: bool
    open: Sequence[tuple[str, str]]
    pieces: Sequence[Piece]
    figures: Sequence[Figure]
    errors: int
    errors_link: str
    retries: int
    unpriced: int
    unpriced_link: str


@router.get("/")
def page(request: Request, given: Given, who: Visiting, window: Wanted = WINDOW_DEFAULT) -> HTMLResponse:
    chosen = window_of(window)
    now_us = given.clock.now_us()
    return pages.render(
        request, "overview.html", who=who, title="Overview", twin=f"/api/v1/overview?window={chosen.name}",
        **_values(seen(given, given.readings, who.caller, chosen), now_us),
    )  # fmt: skip


@router.get("/events")
async def events(given: Given, who: Visiting, window: Wanted = WINDOW_DEFAULT) -> Response:
    """The part of the page that changes, whenever it does. It ends with the server."""
    chosen = window_of(window)
    headers = {**pages.HEADERS, "X-Accel-Buffering": "no"}
    if given.streams.full:
        return Response(status_code=503, headers={**headers, "Retry-After": str(FULL_RETRY_S)})
    return StreamingResponse(_stream(given, who, chosen), media_type="text/event-stream", headers=headers)


async def _stream(given: Parts, who: Visitor, window: Window) -> AsyncIterator[bytes]:
    over = given.streams.opened()
    loop = asyncio.get_running_loop()
    begun_s = silent_since_s = loop.time()
    last = ""
    try:
        while not over.is_set() and loop.time() - begun_s < STREAM_S_MAX:
            part = await run_in_threadpool(_part, given, who, window)
            if part != last:
                last, silent_since_s = part, loop.time()
                yield _event(part)
            elif loop.time() - silent_since_s >= ALIVE_S:
                silent_since_s = loop.time()
                yield b": alive\n\n"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), TICK_S)
    finally:
        given.streams.closed(over)


def _part(given: Parts, who: Visitor, window: Window) -> str:
    """The same for all who may see the same, so it is made once for them."""
    now_us = given.clock.now_us()

    def made() -> str:
        whole = seen(given, given.readings, who.caller, window)
        return pages.text("overview_live.html", **_values(whole, now_us))

    key = ("page", window.name, who.caller.agents)
    return given.readings.get(key, TICK_S / 2, now_us, made)


def _event(text: str) -> bytes:
    return "".join(f"data: {line}\n" for line in text.splitlines()).encode() + b"\n"


def _values(whole: Seen, now_us: int) -> dict[str, Any]:
    window = whole.figures.window
    rows = [_row(whole, agent, whole.figures.line(agent), now_us) for agent in whole.agents]
    return {
        "now_us": now_us,
        "said": whole.said,
        "needs": whole.needs[:NEEDS_MAX],
        "more": whole.more_items,
        "more_needs": max(0, len(whole.needs) - NEEDS_MAX),
        "rows": rows,
        "total": _row(whole, None, whole.all, now_us),
        "quiet": not whole.all.now["opened"] and not whole.all.before["opened"],
        "window": window,
        "windows": WINDOWS.values(),
    }


def _row(whole: Seen, agent: str | None, line: Line, now_us: int) -> Row:
    window, now = whole.figures.window, line.now
    about: tuple[Term, ...] = (ways.since(window.seconds, now_us),)
    if agent is not None:
        about = (label("agent", agent), *about) if agent else about
    stands, name = whole.standing, agent or ""
    waits = [
        (f"{shown.count(tasks.count)} {word}", ways.traces(label("is", "open"), *about[:-1]))
        for state, word in ((State.QUEUED, "in line"), (State.RUNNING, "under way"), (State.PAUSED, "paused"))
        if agent is not None and (tasks := stands.open.get(state, {}).get(name)) is not None
    ]
    return Row(
        agent=name,
        link=ways.traces(*about),
        troubles=whole.troubles.get(name, ()) if agent is not None else (),
        paused=agent is not None and stands.paused(name) is not None,
        open=waits,
        pieces=_pieces(now, about),
        figures=_figures(line, window, about),
        errors=now["errors"],
        errors_link=ways.traces(label("is", "error"), *about),
        retries=now["retries"],
        unpriced=now["unpriced"],
        unpriced_link=ways.traces(label("is", "unpriced"), *about),
    )


def _pieces(now: Sums, about: tuple[Term, ...]) -> list[Piece]:
    found = []
    for name, kind in _PIECES:
        part = now.share(name)
        if now[name] and part is not None:
            # What failed has no outcome of its own: its sender told of an error, and nothing else.
            term = label("is", "error") if name == "failed" else label("outcome", name)
            words = f"{shown.share(part)} {name.replace('dead_lettered', 'dead letters')}"
            found.append(Piece(part, kind, words, now[name], ways.traces(term, *about)))
    others = now.others
    if others:
        part = others / now["ended"]
        found.append(
            Piece(part, "none", f"{shown.share(part)} ended, nobody said how", others, ways.traces(*about))
        )
    return found


def _figures(line: Line, window: Window, about: tuple[Term, ...]) -> list[Figure]:
    now, before, points = line.now, line.before, line.points
    link = ways.traces(*about)
    sample = min(now["ended"], before["ended"])
    p50, p95 = now.duration_us(0.5), now.duration_us(0.95)
    slow = ways.traces(Amount("duration", ">", round(p95)), *about) if p95 else link
    of = f"over {window.words}"
    began = min(now["opened"], before["opened"])
    per_task, per_hour = now.cost_per_task_nano, now.cost_per_hour_nano
    return [
        Figure(
            "Tasks", shown.count(now["opened"]), [f"{shown.count(now.tasks_per_hour)} per hour"],
            change(now.tasks_per_hour, before.tasks_per_hour, sample=began),
            link, trend([point["opened"] for point in points]), f"Tasks {of}",
        ),
        Figure(
            "Escalated", shown.share(now.share("escalated")),
            [f"{shown.count(now['escalated'])} of {shown.count(now['ended'])}"],
            moved(now.share("escalated"), before.share("escalated"), sample=sample),
            ways.traces(label("outcome", "escalated"), *about),
            trend([point.share("escalated") for point in points]), f"Share of escalated tasks {of}",
        ),
        Figure(
            "Duration", shown.duration(p50), [f"1 in 20 over {shown.duration(p95)}"] if p95 is not None else [],
            change(p95, before.duration_us(0.95), sample=sample),
            slow, trend([point.duration_us(0.95) for point in points]), f"Duration that 95 % of tasks stay below {of}",
        ),
        Figure(
            "Cost", _cost(now),
            [] if per_task is None else [f"{shown.money(per_task)} a task", f"{shown.money(per_hour)} an hour"],
            change(per_hour, before.cost_per_hour_nano, sample=began),
            link, trend([point.cost_nano for point in points]), f"Cost {of}",
        ),
    ]  # fmt: skip


def _cost(sums: Sums) -> str:
    """Of no call at all nothing is unpriced, and nothing cost."""
    return "–" if sums.cost_nano is None and not sums["unpriced"] else shown.money(sums.cost_nano)
