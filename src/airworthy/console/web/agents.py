"""The page of agents: how each stands, and the switches for who may use them."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from airworthy.console import agents, ways
from airworthy.console.agents import Pausing, Resuming
from airworthy.console.parts import Given
from airworthy.console.web import pages
from airworthy.console.web.visitor import Visiting, VisitOperating
from airworthy.core.errors import InputError
from airworthy.recorder.traces.query import label
from airworthy.runtime.machine import State
from airworthy.runtime.switches import ALL

router = APIRouter(include_in_schema=False)
WHY_CHARS_MAX = 500
Agent = Annotated[str, Form(max_length=200)]


@router.get("/agents")
def page(request: Request, given: Given, who: Visiting) -> HTMLResponse:
    found, whole = agents.states(given, who.caller)
    stands = whole.standing
    rows = []
    # Those that somebody here can do something about come first.
    for state in sorted(found, key=lambda each: each.elsewhere):
        open_ = [
            (tasks.count, word)
            for kind, word in (
                (State.QUEUED, "in line"),
                (State.RUNNING, "under way"),
                (State.PAUSED, "paused"),
            )
            if (tasks := stands.open.get(kind, {}).get(state.agent)) is not None
        ]
        waiting = sum(count for (name, _), count in stands.waiting.items() if name == state.agent)
        rows.append(
            {
                "state": state,
                "all_off": state.off is not None and state.off.scope == ALL,
                "open": open_,
                "open_link": ways.traces(label("is", "open"), label("agent", state.agent)),
                "traces": ways.traces(label("agent", state.agent)),
                "waiting": waiting,
            }
        )
    off = next((row for row in given.operations.switches() if row.scope == ALL), None)
    may = who.caller.may("operate")
    return pages.render(
        request, "agents.html", who=who, title="Agents", twin="/api/v1/agents", rows=rows, off=off,
        may_switch=may, may_switch_all=may and not who.caller.agents, why_chars_max=WHY_CHARS_MAX,
        workers=stands.workers, sees_all=not who.caller.agents,
    )  # fmt: skip


@router.post("/agents/pause")
def pause(
    given: Given,
    who: VisitOperating,
    *,
    agent: Agent = "",
    why: Annotated[str, Form(max_length=WHY_CHARS_MAX)] = "",
    to_people: Annotated[bool, Form()] = False,
) -> RedirectResponse:
    """A reason is asked for, because whoever finds it paused at night will ask."""
    if not why.strip():
        raise InputError(
            "A pause needs a reason.", mend="Go back and say why; it is shown wherever the pause is."
        )
    agents.paused(given, who.caller, Pausing(agent=agent, why=why, to_people=to_people))
    return RedirectResponse("/agents", 303)


@router.post("/agents/resume")
def resume(given: Given, who: VisitOperating, *, agent: Agent = "") -> RedirectResponse:
    agents.resumed(given, who.caller, Resuming(agent=agent))
    return RedirectResponse("/agents", 303)
