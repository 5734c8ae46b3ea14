"""The page of one run, its steps one by one, and what a person does with the whole of it from there."""

import re
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from airworthy.console import ways
from airworthy.console.access import Caller
from airworthy.console.parts import Given, Parts
from airworthy.console.web import chat, review_page
from airworthy.console.web.pages import render
from airworthy.console.web.told_run import Opened, Told, begun, neighbours, opened, told
from airworthy.console.web.visitor import VisitDeciding, Visiting, VisitOperating
from airworthy.core.canonical import decode
from airworthy.core.clock import utc_text
from airworthy.core.errors import AirworthyError
from airworthy.recorder.readable import readable
from airworthy.recorder.traces.ours import release_of
from airworthy.recorder.traces.query import label, text_of_term
from airworthy.recorder.traces.read import Place
from airworthy.review import Act, Command
from airworthy.runtime import documents
from airworthy.runtime.forking import AT_KINDS
from airworthy.runtime.machine import State
from airworthy.tools import EffectRow, EffectState

router = APIRouter(include_in_schema=False)
WHY_CHARS_MAX: Final = 2_000
_PLACE: Final = re.compile(r"(\d{1,18})-([0-9a-f]{16})", re.ASCII)
RAW_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_EFFECTS: Final = {
    "held": ("waits for a person", "person"), "approved": ("approved", "busy"), "scheduled": ("goes out later", "busy"),
    "started": ("under way", "busy"), "done": ("done", "good"), "failed": ("failed", "bad"),
    "in_doubt": ("in doubt", "bad"), "rejected": ("rejected", "no"), "cancelled": ("cancelled", "off"),
    "rehearsed": ("rehearsed", "off"), "undone": ("taken back", "off"),
}  # fmt: skip
Why = Annotated[str, Form(max_length=WHY_CHARS_MAX)]
STATES: Final = {
    "done": ("done", "good"), "failed": ("failed", "bad"), "refused": ("refused", "no"),
    "held": ("waits for a person", "person"), "started": ("under way", "busy"), "in_doubt": ("in doubt", "bad"),
}  # fmt: skip


@router.get("/tasks/{task_id}")
def task(task_id: str, _: Visiting) -> RedirectResponse:
    return RedirectResponse(path_of(task_id), 303)


@router.get("/traces/{trace_id}")
def run(
    request: Request,
    trace_id: str,
    given: Given,
    who: Visiting,
    after: Annotated[str, Query(max_length=60)] = "",
    unfold: Annotated[str, Query(max_length=60)] = "",
) -> HTMLResponse:
    """`after`: the last span of the page before. `unfold`: a folded line that is to be shown whole."""
    made = told(given, who.caller, trace_id, after=_after(after), unfolded={unfold} if unfold else ())
    return render(request, "run.html", who=who, twin=twin_of(made.id), **_values(given, who.caller, made))


@router.get("/traces/{trace_id}/entries/{key}")
def entry(request: Request, trace_id: str, key: str, given: Given, who: Visiting) -> HTMLResponse:
    """A step with all that was recorded; for a script only the part that goes into the page."""
    made = begun(given, who.caller, trace_id)
    shown = opened(given, made, key)
    name = "run_payload.html" if "hx-request" in request.headers else "run_entry.html"
    return render(
        request,
        name,
        who=who,
        **_payload(shown),
        run=made,
        states=STATES,
        may_fork=_may_fork(who.caller, made, shown),
    )


@router.get("/traces/{trace_id}/entries/{key}/raw")
def raw(trace_id: str, key: str, given: Given, who: Visiting) -> Response:
    """The same as a document, whole."""
    shown = opened(given, begun(given, who.caller, trace_id), key)
    return Response(shown.whole, media_type="application/json", headers=RAW_HEADERS)


@router.post("/traces/{trace_id}/cancel")
def cancel(trace_id: str, given: Given, who: VisitOperating, why: Why = "") -> RedirectResponse:
    made = _ours(given, who.caller, trace_id)
    given.operations.cancel(made.id, who.caller.name, why)
    return RedirectResponse(path_of(made.id), 303)


@router.post("/traces/{trace_id}/pause")
def pause(trace_id: str, given: Given, who: VisitOperating) -> RedirectResponse:
    made = _ours(given, who.caller, trace_id)
    given.operations.pause_task(made.id)
    return RedirectResponse(path_of(made.id), 303)


@router.post("/traces/{trace_id}/resume")
def resume(trace_id: str, given: Given, who: VisitOperating) -> RedirectResponse:
    made = _ours(given, who.caller, trace_id)
    given.reviews().check_task(made.id, who.caller.name, Act.APPROVE, otherwise=None)
    given.operations.resume_task(made.id)
    return RedirectResponse(path_of(made.id), 303)


@router.post("/traces/{trace_id}/effects/{effect_id}/undo")
def undo(
    trace_id: str,
    effect_id: str,
    given: Given,
    who: VisitDeciding,
    why: Why = "",
) -> RedirectResponse:
    """An effect that was done is taken back, once, by a worker."""
    made = _ours(given, who.caller, trace_id)
    if all(effect.id != effect_id for effect in made.effects):
        raise NotOfIt(f"{effect_id!r} is no effect of {made.id}.", mend="Go back to the run.")
    given.reviews().check_command(who.caller.name, Command.LET_OUT)
    given.operations.undo(effect_id, who.caller.name, why)
    return RedirectResponse(path_of(made.id) + "#effects", 303)


class NotOfIt(AirworthyError):
    """What is to be done is not for this run; nothing was changed."""

    code = "no_such_trace"


def _may_fork(who: Caller, made: Told, shown: Opened) -> bool:
    return who.may("operate") and made.task is not None and shown.entry.kind in AT_KINDS


def path_of(id_: str) -> str:
    return ways.trace(id_)


def twin_of(id_: str) -> str:
    return f"/api/v1/traces/{quote(id_, safe='')}"


def search_of(key: str, value: str) -> str:
    """The list of all traces with this value."""
    return ways.traces(label(key, value))


def _ours(given: Parts, who: Caller, id_: str) -> Told:
    """Raises: NoSuchTrace, NotOfIt."""
    made = begun(given, who, id_)
    if made.task is None:
        raise NotOfIt(
            f"{made.id} was told by another program; nothing here runs it.", mend="Look after it there."
        )
    return made


def _after(text: str) -> Place | None:
    found = _PLACE.fullmatch(text)
    return (int(found[1]), found[2]) if found is not None else None


def _values(given: Parts, who: Caller, made: Told) -> dict[str, Any]:
    beside = given.database.read_now(lambda tx: neighbours(tx, made, who))
    state = made.task.state if made.task is not None else None
    operates = who.may("operate")
    return {
        "run": made,
        "states": STATES,
        "title": f"Run {made.id}",
        "facts": _facts(made),
        "asked": documents.input_of(made.steps),
        "answer": documents.answer_of(made.steps),
        "gaps": documents.gaps_of(made.task) if made.task is not None else [],
        "waits": [review_page.offered(given, who, look) for look in made.waits],
        "effects": [_effect(effect, who) for effect in made.effects],
        "beside": beside,
        "path_of": path_of,
        "pretty": pretty,
        "may_cancel": operates and made.is_open,
        "may_pause": operates and state in (State.QUEUED, State.RUNNING, State.WAITING),
        "may_resume": operates and state is State.PAUSED,
        "next_page": f"?after={made.more[0]}-{made.more[1]}" if made.more is not None else "",
        "live": made.is_open,
        "export": "/api/v1/traces.jsonl?"
        + urlencode({"q": text_of_term(label("id", made.id)), "steps": "true"}),
        "may_operate": operates and made.task is not None,
    }


def _facts(made: Told) -> list[tuple[str, str, str]]:
    """Name, value, and where to find others with the same; "" leads nowhere."""
    row, task = made.row, made.task
    release = row.release if row is not None else release_of(task.policy_hash) if task is not None else ""
    of_task = (task.session, task.user_id, task.feature) if task is not None else None
    session, user, feature = of_task or (
        (row.session, row.user_id, row.feature) if row is not None else ("", "", "")
    )
    named = [
        ("agent", made.agent),
        ("release", release),
        ("session", session),
        ("user", user),
        ("feature", feature),
    ]
    found = [(key.capitalize(), value, search_of(key, value)) for key, value in named if value]
    if task is not None:
        found += [("Source", task.source, ""), ("Key", task.idempotency_key or "", "")]
        found += [("Accepted", utc_text(task.created_us), "")]
    elif row is not None:
        found += [("From", row.origin, search_of("origin", row.origin))]
    found += [("Trace id", made.trace_id, "")] if made.trace_id != made.id else []
    return [fact for fact in found if fact[1]]


def _effect(effect: EffectRow, who: Caller) -> dict[str, Any]:
    word, kind = _EFFECTS.get(effect.state.value, (effect.state.value, "none"))
    undoable = effect.state is EffectState.DONE and effect.undoable and who.may("decide")
    return {
        "row": effect,
        "word": word,
        "kind": kind,
        "arguments": pretty(decode(effect.arguments.encode())),
        "undoable": undoable,
    }


def _payload(shown: Opened) -> dict[str, Any]:
    is_model = shown.entry.kind in ("model", "agent")
    return {
        "shown": shown,
        "entry": shown.entry,
        "asked_turns": chat.turns(shown.asked) if is_model else [],
        "came_turns": chat.turns(shown.came, "assistant") if is_model else [],
        "offered": chat.tools_of(shown.asked),
        "asked": pretty(shown.asked),
        "came": pretty(shown.came),
        "whole": pretty(shown.raw),
    }


def pretty(value: Any) -> str:
    """Text as it is, all else as JSON with its lines; "" for nothing."""
    return "" if value in ("", [], {}) else readable(value)
