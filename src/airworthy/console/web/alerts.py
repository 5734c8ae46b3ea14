"""The page of alerts: what stands, what it says, and a button for who has seen to it."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from airworthy.console import alerts, ways
from airworthy.console.parts import Given
from airworthy.console.web import pages
from airworthy.console.web.visitor import Visiting, VisitOperating

router = APIRouter(include_in_schema=False)
SHOWN_MAX = 200


@router.get("/alerts")
def page(
    request: Request, given: Given, who: Visiting, *, over: Annotated[bool, Query()] = False
) -> HTMLResponse:
    """`over`: those that have ended too."""
    return pages.render(
        request, "alerts.html", who=who, title="Alerts", over=over, ways=ways,
        twin=f"/api/v1/alerts?over={str(over).lower()}&limit={SHOWN_MAX}",
        rows=alerts.listed(given, who.caller, over=over, limit=SHOWN_MAX), shown_max=SHOWN_MAX,
        may_end=who.caller.may("operate"),
    )  # fmt: skip


@router.post("/alerts/end")
def end(given: Given, who: VisitOperating, key: Annotated[str, Form(max_length=1_000)]) -> RedirectResponse:
    """Ended before is ended as well."""
    alerts.ended(given, who.caller, key)
    return RedirectResponse("/alerts", 303)
