"""A run made into a case: with one button where its record says what should happen, else by a form."""

from typing import Any, Final, get_args

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from airworthy.console import cases
from airworthy.console.parts import Given, Parts
from airworthy.console.problems import status_of
from airworthy.console.web.again import ours
from airworthy.console.web.pages import render
from airworthy.console.web.visitor import VisitOperating, Visitor
from airworthy.core.errors import AirworthyError
from airworthy.evals import Severity
from airworthy.evals.case import OutcomeName
from airworthy.evals.suites import yaml_text
from airworthy.preflight.cases.recorded import Kind, Wish

router = APIRouter(include_in_schema=False)
LINES_MAX: Final = 50
OUTCOMES: Final[tuple[str, ...]] = get_args(OutcomeName)


@router.get("/traces/{trace_id}/case")
def form(request: Request, trace_id: str, given: Given, who: VisitOperating) -> HTMLResponse:
    return _page(request, given, who, trace_id, {}, [])


@router.post("/traces/{trace_id}/case")
async def make(request: Request, trace_id: str, given: Given, who: VisitOperating) -> Response:
    form = await request.form()
    sent = {key: value for key, value in form.items() if isinstance(value, str)}
    outcomes = [value for value in form.getlist("outcome") if isinstance(value, str) and value in OUTCOMES]
    return await run_in_threadpool(_made, request, given, who, trace_id, sent, outcomes)


def _made(
    request: Request, given: Parts, who: Visitor, trace_id: str, sent: dict[str, str], outcomes: list[str]
) -> Response:
    made = ours(given, who, trace_id)
    try:
        cases.made_of(given, who.caller, made.id, _wish(sent, outcomes))
    except AirworthyError as error:
        return _page(request, given, who, trace_id, sent, outcomes, error)
    return RedirectResponse(f"{made.path}/case", 303)


def _wish(sent: dict[str, str], outcomes: list[str]) -> Wish:
    expect: dict[str, Any] = {"outcome": outcomes} if outcomes else {}
    for key in ("facts", "not_facts"):
        lines = [line.strip() for line in sent.get(key, "").splitlines() if line.strip()]
        if lines:
            expect[key] = lines[:LINES_MAX]
    if sent.get("no_acts"):
        expect |= {"no_acts": True, "acts": None}
    if sent.get("rubric", "").strip():
        expect |= {"rubric": sent["rubric"].strip(), "judge": 0.7}
    kind = Kind(sent["kind"]) if sent.get("kind") in set(Kind) else None
    facts = {key: sent[key].strip() for key in ("id", "severity") if sent.get(key, "").strip()}
    return Wish(kind, expect, facts)


def _page(
    request: Request, given: Parts, who: Visitor, trace_id: str, sent: dict[str, str], outcomes: list[str],
    problem: AirworthyError | None = None,
) -> HTMLResponse:  # fmt: skip
    made = ours(given, who, trace_id)
    kept = cases.seen(given, who.caller, task_id=made.id)
    return render(
        request, "case.html", who=who, status=200 if problem is None else status_of(problem),
        title=f"Cases of {made.id}", run=made, sent=sent, outcomes=outcomes, problem=problem,
        kept=[(each, yaml_text([each.case])) for each in kept], names=OUTCOMES,
        severities=[each.value for each in Severity],
    )  # fmt: skip
