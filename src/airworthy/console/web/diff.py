"""The page that holds two runs against each other."""

from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from airworthy.console import ways
from airworthy.console.access import Caller
from airworthy.console.diffs import NothingToCompare, Other, compared
from airworthy.console.parts import Given, Parts
from airworthy.console.web.pages import render
from airworthy.console.web.told_run import begun
from airworthy.console.web.visitor import Visiting
from airworthy.recorder.compare import Comparison, Side, beside
from airworthy.recorder.traces import find
from airworthy.recorder.traces.query import asked, label

router = APIRouter(include_in_schema=False)
OFFERED_MAX: Final = 12


@router.get("/traces/{trace_id}/diff")
def diff(
    request: Request,
    trace_id: str,
    given: Given,
    who: Visiting,
    other: Other = "",
    whole: Annotated[str, Query(alias="all", max_length=5)] = "",
) -> HTMLResponse:
    """`all`: with the steps that are the same, too."""
    made = begun(given, who.caller, trace_id)
    try:
        found = compared(given, who.caller, made.id, other.strip())
    except NothingToCompare:
        if other:
            raise
        found = None
    twin = f"/api/v1{ways.trace(made.id)}/diff" + (
        f"?with={quote(found.right.id)}" if found is not None else ""
    )
    return render(
        request, "diff.html", who=who, title=f"Compare {made.id}", twin=twin if found is not None else "", run=made,
        found=found, whole=bool(whole), numbers=_numbers(found), path_of=ways.trace, beside=beside,
        offered=_offered(given, who.caller, made.agent, made.id),
    )  # fmt: skip


def _offered(given: Parts, who: Caller, agent: str, id_: str) -> list[Any]:
    """The latest runs of the agent, to choose from."""
    query = asked([label("agent", agent)]).only(who.agents or None)
    page = given.database.read_now(lambda tx: find.find(tx, query, limit=OFFERED_MAX + 1))
    return [row for row in page.rows if row.id != id_][:OFFERED_MAX]


def _numbers(found: Comparison | None) -> list[tuple[str, str, Any, Any]]:
    """Name, how it is shown, left and right; only what is known of one of them."""
    if found is None:
        return []

    def of(side: Side) -> tuple[Any, ...]:
        return (side.duration_us, side.cost_nano, len(side.parts))

    named = (("Took", "duration"), ("Cost", "money"), ("Steps", "count"))
    return [(*name, one, two) for name, one, two in zip(named, of(found.left), of(found.right), strict=True)]
