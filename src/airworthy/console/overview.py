"""The overview for the API and for its page: one reading of the store for all who look, and what each may see of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from airworthy.console import attention, standing
from airworthy.console.access import Caller
from airworthy.console.attention import Need, Said
from airworthy.console.live import Readings
from airworthy.console.parts import Given, Looking, Parts
from airworthy.console.standing import Standing
from airworthy.core.clock import US_PER_S, iso
from airworthy.recorder import overview
from airworthy.recorder.overview import OUTCOMES, WINDOW_DEFAULT, Line, Overview, Sums, Window, window_of
from airworthy.review import items
from airworthy.runtime.documents import Document, usd
from airworthy.runtime.looking import look_at
from airworthy.runtime.machine import State
from airworthy.runtime.telling import line as line_of
from airworthy.store import Tx
from airworthy.store.lease import this_host

router = APIRouter(tags=["overview"])
# How old a reading may be that is shown; long windows move slowly and cost more to read.
FRESH_S: Final[Mapping[str, float]] = {"1h": 2.0, "24h": 5.0, "7d": 60.0, "30d": 60.0}
STANDING_FRESH_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything on the overview, for one who may see it. `agents`: all they may see, troubled ones first."""

    said: Said
    needs: Sequence[Need]
    more_items: int
    figures: Overview
    all: Line
    agents: Sequence[str]
    troubles: Mapping[str, Sequence[str]]
    standing: Standing


def seen(given: Parts, readings: Readings, who: Caller, window: Window) -> Seen:
    """Reads the store if what was read last has grown old. Blocks; call it in a thread."""
    now_us = given.clock.now_us()
    figures = readings.get(
        ("figures", window.name), FRESH_S[window.name], now_us,
        lambda: given.database.read_now(lambda tx: overview.read(tx, window, now_us)),
    ).of(who.sees)  # fmt: skip
    stands = readings.get(("standing",), STANDING_FRESH_S, now_us, lambda: _standing(given, now_us)).of(
        who.sees, sees_all=not who.agents
    )
    agents = {name for name in (*given.policies, *figures.lines, *stands.agents()) if who.sees(name)}
    wrong = {agent: words for agent, words in attention.troubles(stands).items() if agent in agents}
    lines = given.database.read_now(lambda tx: _lines(tx, stands))
    ranked = sorted(agents, key=lambda name: (name not in wrong, -figures.line(name).now["opened"], name))
    return Seen(
        attention.sentence(stands, agents), attention.needs(stands, lines), attention.unnamed(stands), figures,
        figures.all(), ranked, wrong, stands,
    )  # fmt: skip


def _standing(given: Parts, now_us: int) -> Standing:
    reviews = given.reviews()
    reviews.keep_up()
    host = this_host()
    return given.database.read_now(lambda tx: standing.read(tx, host, now_us, reviews.unread))


def _lines(tx: Tx, stands: Standing) -> Mapping[str, str]:
    """What the items that are named are about. One that was decided meanwhile has none."""
    found = {}
    for item in attention.named_items(stands):
        now = items.find(tx, item.id)
        if now is not None:
            found[item.id] = line_of(look_at(tx, now))
    return found


@router.get("/overview")
def read(
    given: Given,
    who: Looking,
    window: Annotated[str, Query(description="1h, 24h, 7d or 30d")] = WINDOW_DEFAULT,
) -> Document:
    """How each agent has fared in the window and in the one before it, what stands open, and what needs a person."""
    return document(seen(given, given.readings, who, window_of(window)))


def document(shown: Seen) -> Document:
    figures, stands = shown.figures, shown.standing
    return {
        "window": figures.window.name,
        "from": iso(figures.from_us),
        "until": iso(figures.until_us),
        "trend_step_s": figures.window.step_us // US_PER_S,
        "state": {"text": shown.said.text, "level": shown.said.level},
        "needs": [_need(need) for need in shown.needs],
        "all": _line(shown.all),
        "agents": [
            {
                "agent": agent,
                "troubles": list(shown.troubles.get(agent, ())),
                "paused": stands.paused(agent) is not None,
                **opened_of(stands, agent),
                **_line(figures.line(agent)),
            }
            for agent in shown.agents
        ],
        "workers": stands.workers,
        "spans_not_kept_today": dict(stands.spoiled),
    }


def _need(need: Need) -> Document:
    return {
        "what": need.word, "weight": need.weight.name.lower(), "title": need.title, "about": need.about,
        "agent": need.agent or None, "since": iso(need.since_us), "deadline": iso(need.deadline_us), "page": need.link,
    }  # fmt: skip


def opened_of(stands: Standing, agent: str) -> Document:
    def number(state: State) -> int:
        tasks = stands.open.get(state, {}).get(agent)
        return tasks.count if tasks is not None else 0

    tasks = stands.stuck.get(agent)
    return {
        "queued": number(State.QUEUED),
        "running": number(State.RUNNING),
        "paused_tasks": number(State.PAUSED),
        "stuck": tasks.count if tasks is not None else 0,
        "waiting_for_people": {
            kind.value: count for (name, kind), count in stands.waiting.items() if name == agent
        },
    }


def _line(line: Line) -> Document:
    return {
        **_sums(line.now),
        "before": _sums(line.before),
        "trend": {
            "opened": [point["opened"] for point in line.points],
            "ended": [point["ended"] for point in line.points],
            "escalated": [point["escalated"] for point in line.points],
            "troubled": [point["dead_lettered"] + point["failed"] for point in line.points],
            "errors": [point["errors"] for point in line.points],
            "cost_usd": [usd(point.cost_nano) for point in line.points],
            "duration_p50_s": [_seconds(point.duration_us(0.5)) for point in line.points],
            "duration_p95_s": [_seconds(point.duration_us(0.95)) for point in line.points],
        },
    }


def _sums(sums: Sums) -> Document:
    names = (
        "opened",
        "ended",
        "errors",
        "retries",
        "steps",
        "model_calls",
        "tool_calls",
        "tokens_in",
        "tokens_out",
    )
    found: dict[str, Any] = {name: sums[name] for name in names}
    found["outcomes"] = {name: {"count": sums[name], "share": sums.share(name)} for name in OUTCOMES}
    return {
        **found,
        "tasks_per_hour": sums.tasks_per_hour,
        "escalation_share": sums.share("escalated"),
        "cost_usd": usd(sums.cost_nano),
        "cost_usd_per_task": usd(sums.cost_per_task_nano),
        "cost_usd_per_hour": usd(sums.cost_per_hour_nano),
        "unpriced_calls": sums["unpriced"],
        "duration_p50_s": _seconds(sums.duration_us(0.5)),
        "duration_p95_s": _seconds(sums.duration_us(0.95)),
    }


def _seconds(us: float | None) -> float | None:
    return None if us is None else round(us / US_PER_S, 6)
