"""A run once more: replayed from its record, or forked at one of its steps; by form, and what came of it."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from airworthy.console.parts import Given, Parts
from airworthy.console.problems import status_of
from airworthy.console.web import chat
from airworthy.console.web.pages import render
from airworthy.console.web.run import NotOfIt, path_of, pretty
from airworthy.console.web.told_run import Told, begun
from airworthy.console.web.visitor import VisitOperating, Visitor
from airworthy.core.errors import AirworthyError, ConfigError, InputError
from airworthy.recorder import Recorded
from airworthy.runtime.documents import superseded
from airworthy.runtime.forking import AT_KINDS, NOT_GIVEN, PROMPT_CHARS_MAX, Changes

router = APIRouter(include_in_schema=False)
_SYSTEM: Final = ("system", "developer")


@router.post("/traces/{trace_id}/replay")
def replay(request: Request, trace_id: str, given: Given, who: VisitOperating) -> HTMLResponse:
    """Nothing is asked, done, spent or stored; so the answer itself is the page."""
    made = ours(given, who, trace_id)
    found = given.replays.replay_now(made.id, spare_process=True)
    return render(
        request, "replay.html", who=who, title=f"Replay of {made.id}", run=made, found=found, pretty=pretty
    )


@router.get("/traces/{trace_id}/fork")
def form(
    request: Request,
    trace_id: str,
    given: Given,
    who: VisitOperating,
    at: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    return _form(request, given, who, ours(given, who, trace_id), {"at": at})


@router.post("/traces/{trace_id}/fork")
async def fork(request: Request, trace_id: str, given: Given, who: VisitOperating) -> Response:
    form = await request.form()
    sent = {key: value for key, value in form.items() if isinstance(value, str)}
    return await run_in_threadpool(_forked, request, given, who, trace_id, sent)


def _forked(request: Request, given: Parts, who: Visitor, trace_id: str, sent: dict[str, str]) -> Response:
    made = ours(given, who, trace_id)
    try:
        at = sent.get("at", "")
        if not at.isascii() or not at.isdigit() or len(at) > 9:
            raise InputError("No step was chosen.", mend="Choose the step that is done anew.")
        new = given.forks.fork(made.id, int(at), _changes(made, int(at), sent))
    except AirworthyError as error:
        return _form(request, given, who, made, sent, error)
    return RedirectResponse(path_of(new.id), 303)


def _changes(made: Told, at: int, sent: dict[str, str]) -> Changes:
    """Raises: InputError."""
    step = next((step for step in made.steps if step.seq == at), None)
    prompt = sent.get("prompt", "").replace("\r\n", "\n")
    result: Any = NOT_GIVEN
    if sent.get("with_result"):
        result = _value(sent.get("result", ""), text=step is not None and isinstance(step.result, str))
    return Changes(sent.get("model", ""), prompt if prompt.strip() else None, result)


def _value(sent: str, *, text: bool) -> Any:
    """Raises: InputError."""
    if text:
        return sent.replace("\r\n", "\n")
    try:
        return json.loads(sent)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The result is no JSON: {error}.", mend='Put text in quotes: "R-17".') from error


def _form(
    request: Request,
    given: Parts,
    who: Visitor,
    made: Told,
    sent: dict[str, str],
    problem: AirworthyError | None = None,
) -> HTMLResponse:
    steps = [step for step in made.steps if step.kind in AT_KINDS and not superseded(step)]
    chosen = next((step for step in steps if str(step.seq) == sent.get("at")), None)
    policy = given.policies.get(made.agent)
    # A model that the policy does not name is a mistake of its own elsewhere; here it is one of the form.
    status = 400 if isinstance(problem, ConfigError) else 200 if problem is None else status_of(problem)
    return render(
        request, "fork.html", who=who, status=status,
        title=f"Fork {made.id}", run=made, steps=steps, chosen=chosen, sent=sent, problem=problem,
        models=[rule.name for rule in policy.models] if policy is not None else [],
        prompt=_prompt(made.steps), result=pretty(chosen.result) if chosen is not None else "",
        prompt_chars_max=PROMPT_CHARS_MAX,
    )  # fmt: skip


def _prompt(steps: Sequence[Recorded]) -> str:
    """The system message that the agent wrote, to begin from."""
    asked = [step.arguments for step in steps if step.kind == "model" and isinstance(step.arguments, dict)]
    said = (turn for arguments in asked for turn in chat.turns(arguments))
    return next((turn.text for turn in said if turn.role in _SYSTEM and turn.what == "text"), "")


def ours(given: Parts, who: Visitor, id_: str) -> Told:
    """Raises: NoSuchTrace, NotOfIt."""
    made = begun(given, who.caller, id_)
    if made.task is None:
        raise NotOfIt(f"{made.id} was told by another program; its agent is not here.", mend="Run it there.")
    return made
