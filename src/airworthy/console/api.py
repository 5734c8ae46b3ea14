"""The HTTP API as one application: its routes, its document, its bounds."""

from functools import cache
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, FastAPI

from airworthy import __version__
from airworthy.console import (
    agents,
    alerts,
    audit,
    cases,
    diffs,
    effects,
    links,
    manual,
    me,
    metrics,
    openapi,
    overview,
    preflights,
    problems,
    replays,
    review,
    said,
    tasks,
    traces,
    users,
)  # fmt: skip
from airworthy.console.bounds import Bounded
from airworthy.console.parts import Parts
from airworthy.console.repeats import Repeats
from airworthy.console.web import app as pages
from airworthy.core.asgi import Application

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.routing import BaseRoute

BODY_BYTES_MAX: Final = 32 * 1024 * 1024
BASE: Final = "/api/v1"
ABOUT: Final = (
    "Tasks, traces, what waits for people, and what users say. Times are UTC as RFC 3339, money is USD, `null` is "
    "unknown. Errors are `application/problem+json`; 429 and 503 come with Retry-After. Lists that go on say where by "
    "`Link`. A POST with an `Idempotency-Key` may be sent again for a day."
)


def application(
    parts: Parts, *, body_bytes_max: int = BODY_BYTES_MAX, with_pages: bool = True
) -> Application:
    return Bounded(api(parts, with_pages=with_pages), body_bytes_max)


def api(parts: Parts, *, with_pages: bool = True) -> FastAPI:
    """Without the bounds. Its pages of documentation are off: they would fetch scripts from elsewhere."""
    made = FastAPI(title="airworthy", version=__version__, description=ABOUT, docs_url=None, redoc_url=None)
    made.state.parts = parts
    problems.install(made)
    made.router.routes.extend(_routes())
    made.add_api_route("/livez", lambda: {"ok": True}, tags=["health"])
    made.add_api_route("/readyz", _ready(parts), tags=["health"])
    if with_pages:
        made.router.routes.extend(pages.routes())
        pages.install(made)
    openapi.install(made, BASE)
    made.add_middleware(Repeats, base=BASE)
    return made


@cache
def _routes() -> "tuple[BaseRoute, ...]":
    """The same ones for each application of a process: they know no parts, and to read their signatures takes long."""
    router = APIRouter()
    for module in (
        tasks, traces, diffs, replays, effects, review, manual, said, alerts, overview, agents, preflights, me, users,
        audit, cases,
    ):  # fmt: skip
        router.include_router(module.router, prefix=BASE)
    router.include_router(links.router)
    router.include_router(metrics.router)
    return tuple(router.routes)


def _ready(parts: Parts) -> "Callable[[], dict[str, bool]]":
    def ready() -> dict[str, bool]:
        """503 while the database cannot be read."""
        parts.database.read_now(lambda tx: tx.row("SELECT 1"))
        return {"ok": True}

    return ready
