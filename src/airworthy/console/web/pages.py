"""From a template and values to an answer: one environment, one set of headers. Rule 1: no other file makes HTML."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from airworthy.console.access import Right
from airworthy.console.web import assets, shown
from airworthy.core.clock import iso, utc_text

if TYPE_CHECKING:
    from airworthy.console.web.visitor import Visitor

# Nothing but our own files, and nothing written into the page: what a page shows came from outside.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # For links within the console, whose forms are told from those of others by it; nothing goes elsewhere.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the bar at the top. `right`: who may not, does not see it."""

    path: str
    word: str
    right: Right = "look"


PLACES: Final = (
    Place("/", "Overview"),
    Place("/traces", "Traces"),
    Place("/review", "Review"),
    Place("/alerts", "Alerts"),
    Place("/agents", "Agents"),
    Place("/preflights", "Preflights"),
)


@cache
def environment() -> Environment:
    """Everything is escaped, and a value that was not given is an error."""
    made = Environment(
        loader=FileSystemLoader(str(files(__package__) / "templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        line=shown.line,
        lines=shown.lines,
        plain=shown.plain,
        money=shown.money,
        count=shown.count,
        share=shown.share,
        duration=shown.duration,
        when=shown.when,
        iso=iso,
        clock=_clock,
        shell=shlex.quote,
        ago=_ago,
    )
    made.globals.update(asset=assets.path_of)
    return made


@pass_context
def _ago(context: Context, us: int | None) -> Markup:
    return shown.ago(us, context["now_us"])


def _clock(us: int) -> str:
    return utc_text(us)[11:]


def text(name: str, **values: Any) -> str:
    """A template alone, for a part of a page. It must be given `now_us` if it tells how long ago something was."""
    return environment().get_template(name).render(values)


def render(
    request: Request,
    name: str,
    *,
    who: "Visitor | None" = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """A page. `who`: the visitor, whose name, rights and form token the page shows and uses.

    A template finds `who`, `csrf`, `path`, `now_us`, `places`, and `twin` ("" when no JSON twin was named).
    """
    may = who.caller.may if who is not None else None
    given: dict[str, Any] = {
        "who": who,
        "csrf": who.csrf if who is not None else "",
        "path": request.url.path,
        "now_us": request.app.state.parts.clock.now_us(),
        "places": [place for place in PLACES if may is not None and may(place.right)],
        "twin": "",
        **values,
    }
    return HTMLResponse(text(name, **given), status, {**HEADERS, **(headers or {})})
