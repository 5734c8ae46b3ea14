"""The pages of preflights: which there were, and the report of one, which is the very file that the command writes."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from airworthy.console import preflights
from airworthy.console.parts import Given
from airworthy.console.web import pages
from airworthy.console.web.visitor import Visiting
from airworthy.preflight.reporting.html import html_text, style_hash

router = APIRouter(include_in_schema=False)
SHOWN_MAX: Final = 100
POLICY: Final = (
    "default-src 'none'; style-src '{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TONES: Final = {"go": "good", "no-go": "bad", "inconclusive": "person"}


@router.get("/preflights")
def page(
    request: Request, given: Given, who: Visiting, agent: Annotated[str, Query(max_length=200)] = ""
) -> HTMLResponse:
    return pages.render(
        request, "preflights.html", who=who, title="Preflights", agent=agent, tones=TONES, shown_max=SHOWN_MAX,
        twin=f"/api/v1/preflights?limit={SHOWN_MAX}",
        rows=preflights.listed(given, who.caller, agent=agent, limit=SHOWN_MAX),
    )  # fmt: skip


@router.get("/preflights/{id_}")
def report(id_: str, given: Given, who: Visiting) -> HTMLResponse:
    """It needs nothing of the console, so its policy allows its own style by its hash, and nothing else."""
    found = preflights.found(given, who.caller, id_)
    links = (("/preflights", "All preflights"), (f"/api/v1/preflights/{found.id}", "This report as JSON"))
    policy = POLICY.format(style=style_hash())
    return HTMLResponse(
        html_text(found, links=links), headers={**pages.HEADERS, "Content-Security-Policy": policy}
    )
